"""What moved a run's entropy between two snapshots, in words and as JSON."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from entropax.diagnostics.changes import Change, Estimate, Part, RunAttribution
from entropax.diagnostics.window import number


class _Words(NamedTuple):
    """A part's name for a person, and what it means where the entropy rose by it, and where it fell."""

    name: str
    rose: str
    fell: str


_WORDS = {
    Part.STATES: _Words(
        "state shift",
        "the replay holds other states, in which the same policy is wider",
        "the replay holds other states, in which the same policy is narrower",
    ),
    Part.SATURATION: _Words(
        "saturation",
        "the policy's means moved away from the bounds",
        "the policy's means moved towards the bounds, where the squashing takes entropy away",
    ),
    Part.ALPHA: _Words("alpha", "alpha rose, and the best spread with it", "alpha fell, and the best spread with it"),
    Part.CRITIC: _Words(
        "critic's landscape",
        "the critic is flatter around the policy's actions",
        "the critic is sharper around the policy's actions",
    ),
    Part.REMAINDER: _Words(
        "remainder",
        "the policy is wider than the changes of alpha and critic explain",
        "the policy is narrower than the changes of alpha and critic explain",
    ),
}


NAMES = {part: words.name for part, words in _WORDS.items()}
"""What the parts are called in text."""


def sentence(change: Change) -> str:
    """Which part is the largest, in plain words."""
    known = [part for part in change.by_size() if change.parts[part].resolved]
    if not known:
        return "No part is larger than twice its standard error."
    words, among = _WORDS[known[0]], "" if known[0] is change.by_size()[0] else " that exceeds twice its standard error"
    return f"The largest part{among} is {words.name}: {words.rose if change.parts[known[0]].value > 0 else words.fell}."


def lines(attribution: RunAttribution, pieces: Sequence[RunAttribution]) -> list[str]:
    """The block for a terminal: a line for each part, which one is the largest, and when the entropy moved the most."""
    change, seeds = attribution.change(), len(attribution.seeds)
    first, last = change.steps
    several = f", mean of {seeds} seeds" if seeds > 1 else ""
    found = [f"entropy, steps {first} to {last}: {_said(change.whole)} nats per dimension{several}, of which"]
    found += [f"  {name:<18} {_said(change.parts[part])}" for part, name in NAMES.items()]
    resolved = attribution.by_seed.resolved
    if not resolved.all():
        without = f"{np.sum(~resolved)} of {np.size(resolved)}"
        found.append(
            f"  (no soft optimum in {without} dimensions, over seeds and pieces: the spread there is remainder)"
        )
    return [*found, f"  {sentence(change)}", *(f"  {line}" for line in _largest(pieces))]


def _largest(pieces: Sequence[RunAttribution]) -> list[str]:
    """Between which two snapshots the entropy moved the most; nothing where it moved nowhere, or there are only two."""
    if len(pieces) < 2:
        return []
    change = max((piece.change() for piece in pieces), key=lambda one: abs(one.whole.resolved))
    if not change.whole.resolved:
        return []
    (first, last), whole = change.steps, change.whole.value
    name = next(NAMES[part] for part in change.by_size() if change.parts[part].value * whole > 0)
    return [f"It moved the most in steps {first} to {last}: {_said(change.whole)}, above all by {name}."]


def line(change: Change) -> str:
    """A change on one line: the whole and its parts, the largest first."""
    first, last = change.steps
    parts = ", ".join(f"{NAMES[part]} {_signed(change.parts[part].value)}" for part in change.by_size())
    error = max(one.error for one in change.parts.values())
    return (
        f"steps {first} to {last}, {_signed(change.whole.value)} nats per dimension: {parts} "
        f"(each +/- {number(error)} at most)"
    )


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else ''}{number(value)}"


def _said(one: Estimate) -> str:
    return f"{_signed(one.value)} +/- {number(one.error)}"


def change_as_json(change: Change) -> dict[str, Any]:
    """A change as plain JSON; what is not finite is null."""
    named = {"whole": change.whole, **{part.value: one for part, one in change.parts.items()}}
    return {
        "steps": list(change.steps),
        "unit": "nats per dimension",
        "parts": {name: {"mean": _finite(one.value), "error": _finite(one.error)} for name, one in named.items()},
        "sentence": sentence(change),
    }


def as_json(attribution: RunAttribution) -> dict[str, Any]:
    """An attribution as plain JSON, with every seed and dimension; what is not finite is null."""
    by_seed, summed = attribution.by_seed, change_as_json(attribution.change())
    parts = {
        name: {
            **part,
            "seeds": _finite(by_seed.parts._asdict()[name]),
            "per_dimension": _finite(by_seed.per_dimension._asdict()[name]),
        }
        for name, part in summed["parts"].items()
    }
    return {**summed, "parts": parts, "resolved": by_seed.resolved.tolist()}


def _finite(values: np.ndarray | float) -> Any:
    """Numbers as JSON holds them, nested as they are."""
    found = np.array(values, object)
    found[~np.isfinite(values)] = None
    return found.tolist()
