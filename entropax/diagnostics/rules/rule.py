"""What a rule is, and what it says of one seed."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.one_seed import OneSeed
from entropax.diagnostics.window import ENOUGH_ROWS, Facts

TOLERANCE = 0.25
"""Nats per dimension around the target, 28 % in sigma: the batch-to-batch noise of a tracking law is below it."""
UNSPENT = 0.5
"""Nats per dimension above the target that are left to a law which may still spend them: sigma is then up to 1.65 times
what was asked for. Entropy above its target is exploration, and what it costs the return has a rule of its own."""


def on_target(slack: float, above: float = UNSPENT) -> bool:
    """Whether the entropy, this many nats per dimension above its target, counts as on it; NaN does."""
    return not (slack < -TOLERANCE or slack > above)


class Evidence(NamedTuple):
    """What a rule found in one seed; the fields are those of `Finding`."""

    kind: Kind
    severity: Severity
    steps: tuple[int, int]
    numbers: Mapping[str, float]
    evidence: str
    explanation: str
    causes: tuple[str, ...]
    remedy: tuple[str, ...]


class Fact(NamedTuple):
    """Something that a rule must know beside the series."""

    text: str
    """What it is and how to give it."""
    known: Callable[[Facts], bool]


DIMENSIONS = Fact(
    "the action dimensions (--env or --action-dimensions)", lambda facts: math.isfinite(facts.action_dimensions)
)
SPREAD = Fact("an entropy that is learned (this one's noise is a setting)", lambda facts: facts.spread_learned)
BASELINES = Fact("returns to compare with (--env)", lambda facts: bool(facts.baselines))


class Rule(NamedTuple):
    """A pure function over one seed's series, and what it needs to be asked at all."""

    id: str
    """Stable: programs compare it."""
    speaks: Callable[[OneSeed], Evidence | None]
    needs: tuple[str, ...]
    """Metrics without which it cannot judge."""
    facts: tuple[Fact, ...] = ()
    silences: tuple[str, ...] = ()
    """Rules whose finding would be a symptom of this one's."""
    least_rows: int = ENOUGH_ROWS
    """Rows that the run must have."""
