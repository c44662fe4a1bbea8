"""Weaves what moved the entropy into the findings that speak of it: which change each means, and its causes in order.

The rules judge series alone. Here each finding about entropy gets the attribution of the change that it speaks of, and
its causes the order of the parts that they would show in.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from typing import NamedTuple

import numpy as np

from entropax.diagnostics.changes import Change, Part, RunAttribution
from entropax.diagnostics.findings import Finding
from entropax.diagnostics.window import Facts, Series, mean_over_rows

MOSTLY = 0.9
"""Share of the largest change that is still to come at the snapshot from which a change is said to begin: the rest is
the noise of a plateau."""


class Span(Enum):
    """Which change a finding speaks of."""

    UNTIL = "from before the condition held to the first snapshot at which it does"
    OVER = "over the finding's steps"


class Direction(Enum):
    """The sign of the change that a finding complains of."""

    UP = 1
    DOWN = -1


def _of_all(attribution: RunAttribution) -> Change:
    return attribution.change()


def _of_the_narrowed(attribution: RunAttribution) -> Change:
    return attribution.most_fallen_dimension()


class Meaning(NamedTuple):
    """What a rule's findings say of the entropy."""

    span: Span
    direction: Direction
    causes: tuple[tuple[Part, ...], ...]
    """The parts that each of the rule's causes would show in, in the rule's own order."""
    change: Callable[[RunAttribution], Change] = _of_all
    """The dimensions that are meant."""


_ALPHA, _CRITIC, _SATURATION, _STATES = (Part.ALPHA,), (Part.CRITIC,), (Part.SATURATION,), (Part.STATES,)
# An alpha that was too small from the start never changes: the policy's way to its optimum is then remainder.
_ALPHA_AND_ITS_LEVEL = (Part.ALPHA, Part.REMAINDER)

MEANINGS: Mapping[str, Meaning] = {
    "premature-collapse": Meaning(Span.UNTIL, Direction.DOWN, (_ALPHA_AND_ITS_LEVEL, _CRITIC, _ALPHA)),
    "slow-collapse": Meaning(Span.OVER, Direction.DOWN, (_ALPHA_AND_ITS_LEVEL, _CRITIC, _ALPHA)),
    # An alpha shared by all acts on all alike: a dimension that it trades away is one where the critic is sharp.
    "dimension-collapse": Meaning(Span.OVER, Direction.DOWN, (_ALPHA, _CRITIC), _of_the_narrowed),
    # Alpha pulls upwards here; what holds the entropy down against it is the cause.
    "alpha-runaway": Meaning(Span.OVER, Direction.DOWN, (_SATURATION, (Part.REMAINDER,), _CRITIC)),
    "entropy-explosion": Meaning(Span.UNTIL, Direction.UP, (_ALPHA, _CRITIC, _CRITIC)),
    "saturated-actions": Meaning(Span.UNTIL, Direction.DOWN, (_SATURATION, _SATURATION, _STATES)),
}
"""By rule id; a finding of another rule is left as it is."""

Attribute = Callable[[int, int, Sequence[int]], RunAttribution]
"""From the steps of two snapshots and some seeds to what moved the entropy."""


def weave(
    finding: Finding, kept: Sequence[int], series: Mapping[str, Series], facts: Facts, attribute: Attribute
) -> Finding:
    """The finding with the change that it speaks of, its causes in the order of the parts.

    Args:
        finding: of any rule; returned as it is where its rule is not in `MEANINGS` or no two snapshots bracket it.
        kept: steps of the snapshots, rising.
        series: the run's.
        facts: the run's.
        attribute: asked at most once.
    """
    meaning = MEANINGS.get(finding.rule)
    if meaning is None:
        return finding
    ends = bracket(finding, meaning.span, kept, series, facts)
    if ends is None:
        return finding
    change = meaning.change(attribute(*ends, finding.seeds))
    return replace(finding, change=change, causes=ordered(finding.causes, meaning, change))


def bracket(
    finding: Finding, span: Span, kept: Sequence[int], series: Mapping[str, Series], facts: Facts
) -> tuple[int, int] | None:
    """The two snapshots that bracket what a finding speaks of; None where there are none.

    `OVER`: the last snapshot at or before the finding's first step, else the oldest, and the last one within its steps.

    `UNTIL`: the change ends at the first snapshot within the finding's steps. It begins at the latest earlier snapshot
    at which nine tenths of the largest change to that end are still to come, in the metric that is the finding's
    evidence, mean over its seeds, at the row nearest to each snapshot.
    """
    first, last = finding.steps
    within = [step for step in kept if first <= step <= last]
    if not within:
        return None
    if span is Span.OVER:
        start = max((step for step in kept if step <= first), default=kept[0])
        return (start, within[-1]) if start < within[-1] else None
    earlier = [step for step in kept if step < within[0]]
    if not earlier or finding.evidence not in series:
        return None
    level = _levels(finding, [*earlier, within[0]], series[finding.evidence], facts)
    left = np.abs(level[:-1] - level[-1])
    return earlier[int(np.flatnonzero(left >= MOSTLY * left.max())[-1])], within[0]


def _levels(finding: Finding, steps: Sequence[int], evidence: Series, facts: Facts) -> np.ndarray:
    """The evidence at the rows nearest to some steps, mean over the finding's seeds, `[step]`."""
    seeds = [index for index, seed in enumerate(facts.seeds) if seed in finding.seeds]
    values = evidence.values[:, seeds].reshape(len(evidence.steps), -1)
    means = mean_over_rows(np.where(np.isfinite(values), values, np.nan).T)
    rows = np.flatnonzero(np.isfinite(means))
    return means[[rows[np.argmin(np.abs(evidence.steps[rows] - step))] for step in steps]]


def ordered(causes: tuple[str, ...], meaning: Meaning, change: Change) -> tuple[str, ...]:
    """Causes by how much their parts moved the entropy in the direction complained of, the most first.

    A part within two standard errors of nothing counts as nothing, causes whose parts went the other way come last, and
    of causes that are equal in this the rule's order stands.
    """

    def moved(pair: tuple[str, tuple[Part, ...]]) -> float:
        return meaning.direction.value * sum(change.parts[part].resolved for part in pair[1])

    return tuple(cause for cause, _ in sorted(zip(causes, meaning.causes, strict=True), key=moved, reverse=True))
