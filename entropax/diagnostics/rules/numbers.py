"""Numbers that stopped being finite."""

from typing import NamedTuple

import numpy as np

from entropax.diagnostics.dialects import Knob
from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.one_seed import OneSeed
from entropax.diagnostics.rules.rule import Evidence, Rule

WATCHED = ("train/critic_loss", "train/actor_loss", "train/q_mean", "entropy/nats", "train/ent_coef")
"""What a learner cannot do without: one of these not finite, and its parameters are lost or soon will be."""

SKIPPED = {"train/skipped_updates": "updates", "rollout/skipped_steps": "steps"}
"""What was left out because it was not finite."""


class Lost(NamedTuple):
    """Rows of a metric that were logged as not finite."""

    first: int
    """Step of the first one."""
    rows: int
    stays: bool
    """Whether the last row is one."""
    unbroken: bool
    """Whether all rows from the first one on are."""


def lost_rows(one: OneSeed, name: str) -> Lost:
    """What of a metric was logged as not finite."""
    if name not in one.series:
        return Lost(0, 0, stays=False, unbroken=False)
    column = one.series[name].values[:, one.index].reshape(len(one.series[name].steps), -1)
    infinite, logged = np.any(np.isinf(column), axis=1), np.any(~np.isnan(column), axis=1)
    if not np.any(infinite):
        return Lost(0, 0, stays=False, unbroken=False)
    first, told = int(np.argmax(infinite)), infinite[logged]
    unbroken = bool(told[np.argmax(told) :].all())
    return Lost(int(one.series[name].steps[first]), int(infinite.sum()), bool(told[-1]), unbroken)


def nonfinite(one: OneSeed) -> Evidence | None:
    """A watched number that was logged as not finite, or updates or steps that were skipped because one was.

    Critical where it stays so: a single row may be one bad batch, and what was skipped did no harm.
    """
    lost = {name: found for name in WATCHED if (found := lost_rows(one, name)).rows}
    skipped = {name: one.rows(name) for name in SKIPPED}
    counts = {name: float(np.sum(values)) for name, (_, values) in skipped.items()}
    if not lost and not any(counts.values()):
        return None
    worst = max(counts, key=counts.__getitem__)
    name = min(lost, key=lambda each: lost[each].first, default=worst)
    first = lost[name].first if lost else int(skipped[worst][0][np.argmax(skipped[worst][1] > 0)])
    last = int(one.series[name].steps[-1])
    stays = any(found.stays for found in lost.values())
    what = (
        f"{name} is not finite from step {first} on"
        if lost and lost[name].unbroken
        else f"{name} was not finite in {lost[name].rows} rows, first at step {first}"
        if lost
        else f"{counts[worst]:.0f} {SKIPPED[worst]} were not finite and skipped"
    )
    return Evidence(
        Kind.EXPLODING,
        Severity.CRITICAL if stays else Severity.WARNING,
        (first, last),
        {f"skipped {what}": counts[each] for each, what in SKIPPED.items()} | {"metrics not finite": float(len(lost))},
        name,
        f"Numbers stopped being finite: {what}.",
        (
            "a reward or observation that is not finite or very large: simulators hand them out when they diverge",
            "a critic that diverges: look at its loss and Q in the rows before",
            "log-probabilities by log(1 - a² + ε), which breaks when actions saturate",
        ),
        (
            "check rewards and observations for finite values before they are stored, and scale them to about 1",
            one.say(Knob.CRITIC_RATE, "1e-4") + ", a third of the published step",
        ),
    )


RULES = (Rule("nonfinite", nonfinite, ("train/critic_loss",), silences=("episode-ends",), least_rows=0),)
