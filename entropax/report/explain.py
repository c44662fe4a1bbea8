"""What a run's snapshots add to its verdict: what moved the entropy, in all, piece by piece, and for each finding."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from entropax.diagnostics.changes import RunAttribution
from entropax.diagnostics.verdict import Verdict
from entropax.diagnostics.weaving import weave
from entropax.diagnostics.window import Facts, Series
from entropax.errors import EntropaxError
from entropax.loops.snapshots import read_history
from entropax.runs import snapshot_steps


@dataclass(frozen=True)
class Explained:
    """A verdict with what moved the entropy."""

    verdict: Verdict
    """Findings about entropy have their change, and causes in its order."""
    attribution: RunAttribution | None = None
    """From the oldest snapshot to the newest, where a run of ours has two that can be read."""
    pieces: tuple[RunAttribution, ...] = ()
    """From each snapshot to the next."""
    notes: tuple[str, ...] = ()
    """Why there is no attribution, where there should be one."""


def explain(path: Path, judged: Verdict, series: Mapping[str, Series], facts: Facts) -> Explained:
    """Adds to a verdict what the run's snapshots say; the verdict alone where there are no two snapshots yet.

    Args:
        path: a run folder.
        judged: its verdict.
        series: its series.
        facts: its facts.
    """
    if len(snapshot_steps(path)) < 2:
        return Explained(judged)

    try:
        history = read_history(path)
    except EntropaxError as error:
        return Explained(judged, notes=(f"The entropy's change is not attributed: {error}",))
    steps = history.steps
    woven = tuple(weave(one, steps, series, facts, history.between) for one in judged.findings)
    whole = history.between(steps[0], steps[-1], facts.seeds)
    return Explained(replace(judged, findings=woven), whole, history.pieces())
