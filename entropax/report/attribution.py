"""What moved a run's entropy between two checkpoints, in words and as JSON."""

import math
from typing import Any, NamedTuple

import numpy as np

from entropax.diagnostics.window import number
from entropax.loops.snapshots import RunAttribution


class _Words(NamedTuple):
    """A part's name for a person, and what it means where the entropy rose by it, and where it fell."""

    name: str
    rose: str
    fell: str


_WORDS = {
    "states": _Words(
        "state shift",
        "the replay holds other states, in which the same policy is wider",
        "the replay holds other states, in which the same policy is narrower",
    ),
    "saturation": _Words(
        "saturation",
        "the policy's means moved away from the bounds",
        "the policy's means moved towards the bounds, where the squashing takes entropy away",
    ),
    "alpha": _Words("alpha", "alpha rose, and the best spread with it", "alpha fell, and the best spread with it"),
    "critic": _Words(
        "critic's landscape",
        "the critic is flatter around the policy's actions",
        "the critic is sharper around the policy's actions",
    ),
    "remainder": _Words(
        "remainder",
        "the policy is wider than the changes of alpha and critic explain",
        "the policy is narrower than the changes of alpha and critic explain",
    ),
}


class Part(NamedTuple):
    """One part, or the whole: mean over seeds and its standard error over states, nats per dimension."""

    value: float
    error: float


def parts_of(attribution: RunAttribution) -> dict[str, Part]:
    """The whole and its parts, by the names of `entropax.diagnostics.attribution.Parts`, averaged over the seeds."""
    values, errors = attribution.by_seed.parts._asdict(), attribution.by_seed.errors._asdict()
    count = len(attribution.seeds)
    return {
        name: Part(float(np.mean(values[name])), float(np.sqrt(np.sum(np.square(errors[name])))) / count)
        for name in values
    }


def sentence(attribution: RunAttribution) -> str:
    """Which part is the largest, in plain words."""
    parts = parts_of(attribution)
    name = max(_WORDS, key=lambda name: abs(parts[name].value) if math.isfinite(parts[name].value) else -1.0)
    value, error = parts[name]
    if not abs(value) > 2 * error:
        return "No part is larger than twice its standard error."
    words = _WORDS[name]
    return f"The largest part is {words.name}: {words.rose if value > 0 else words.fell}."


def lines(attribution: RunAttribution) -> list[str]:
    """The block for a terminal: a line for each part, then which one is the largest."""
    parts, seeds = parts_of(attribution), len(attribution.seeds)
    first, last = attribution.steps
    several = f", mean of {seeds} seeds" if seeds > 1 else ""
    found = [f"entropy, steps {first} to {last}: {_said(parts['whole'])} nats per dimension{several}, of which"]
    found += [f"  {words.name:<18} {_said(parts[name])}" for name, words in _WORDS.items()]
    resolved = attribution.by_seed.resolved
    if not resolved.all():
        without = f"{np.sum(~resolved)} of {np.size(resolved)} dimensions"
        found.append(f"  (no soft optimum in {without}, every seed counted: the spread there is remainder)")
    return [*found, f"  {sentence(attribution)}"]


def _said(part: Part) -> str:
    sign = "+" if part.value > 0 else ""
    return f"{sign}{number(part.value)} +/- {number(part.error)}"


def as_json(attribution: RunAttribution) -> dict[str, Any]:
    """The same as plain JSON, with every seed; what is not finite is null."""
    by_seed = attribution.by_seed
    return {
        "steps": list(attribution.steps),
        "unit": "nats per dimension",
        "parts": {
            name: {
                "mean": _finite(part.value),
                "error": _finite(part.error),
                "seeds": _finite(by_seed.parts._asdict()[name]),
                "per_dimension": _finite(by_seed.per_dimension._asdict()[name]),
            }
            for name, part in parts_of(attribution).items()
        },
        "resolved": by_seed.resolved.tolist(),
        "sentence": sentence(attribution),
    }


def _finite(values: np.ndarray | float) -> Any:
    """Numbers as JSON holds them, nested as they are."""
    found = np.array(values, object)
    found[~np.isfinite(values)] = None
    return found.tolist()
