"""What a rule hands back: a kind, the seeds and steps it holds for, its evidence and a remedy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from entropax.diagnostics.changes import Change


class Kind(Enum):
    """What became of the entropy, best first; misleading: its numbers look right and the run is not."""

    HEALTHY = "healthy"
    TOO_EARLY = "too early to say"
    TARGET_NOT_REACHED = "target not reached"
    MISLEADING = "misleading"
    COLLAPSED = "collapsed"
    EXPLODING = "exploding"


class Severity(Enum):
    """How much a finding should worry."""

    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, with the numbers that show it."""

    rule: str
    """Id of the rule that speaks; `docs/diagnose.md` has a row for each. It never changes its meaning."""
    kind: Kind
    severity: Severity
    seeds: tuple[int, ...]
    """The seeds concerned."""
    steps: tuple[int, int]
    """First and last environment step where it was seen."""
    numbers: Mapping[str, float]
    """Evidence: means over the last quarter of the seeds concerned; the key says the unit."""
    evidence: str
    """The metric that shows it best."""
    explanation: str
    causes: tuple[str, ...]
    """What it may come from, the most likely first."""
    remedy: tuple[str, ...]
    """Concrete settings, the first one the most likely to help."""
    change: Change | None = None
    """The change of entropy that it speaks of and its parts, where the run kept snapshots that bracket it; `causes` are
    then in the order of these parts."""


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    """Findings by severity and kind, worst first."""
    severities, kinds = list(Severity), list(Kind)
    return sorted(findings, key=lambda f: (severities.index(f.severity), kinds.index(f.kind)), reverse=True)
