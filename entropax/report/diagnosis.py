"""Runs of any origin, judged: our run folders one by one, another library's folders as the seeds of one run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from entropax.diagnostics.changes import RunAttribution
from entropax.diagnostics.readers import Known, read_log
from entropax.diagnostics.rules import RULES
from entropax.diagnostics.verdict import Verdict, verdict
from entropax.diagnostics.window import Facts, Series
from entropax.errors import EntropaxError
from entropax.llm.diagnosis.rules import RULES as TOKEN_RULES
from entropax.report.explain import explain
from entropax.report.read import read_run

_OF_TOKENS = (
    f"The actions are tokens: the {len(RULES)} rules about dimensions of actions, critics and episodes are not asked."
)
_NO_VOCABULARY = "The largest entropy, the log of the vocabulary's size, is not known. Pass --vocabulary."


@dataclass(frozen=True)
class Diagnosis:
    """A run, where it came from, and what is wrong with it."""

    name: str
    origin: str
    """The library whose log it is."""
    series: Mapping[str, Series]
    facts: Facts
    verdict: Verdict
    notes: tuple[str, ...]
    """What was left out, assumed or derived, one sentence each."""
    attribution: RunAttribution | None = None
    """What moved the entropy from the oldest snapshot to the newest, where a run of ours has two that can be read."""
    pieces: tuple[RunAttribution, ...] = ()
    """The same from each snapshot to the next."""


def diagnose(
    paths: Sequence[Path], mapping: Mapping[str, str] | None = None, known: Known | None = None
) -> list[Diagnosis]:
    """Judges runs of this library and of others.

    Args:
        paths: our run folders, each a run; and files or folders of another library, together one run whose seeds
            they are.
        mapping: scalar names of another library to ours.
        known: what another library's log does not say, and returns to compare any run with.

    Raises:
        EntropaxError: there is no path, or one cannot be read.
    """
    if not paths:
        raise EntropaxError("A diagnosis needs at least one run. Pass a run folder, an event folder or a CSV file.")
    known = Known() if known is None else known
    ours = [path for path in paths if (path / "run.json").exists()]
    others = [path for path in paths if path not in ours]
    found = [_own(path, known) for path in ours]
    if others:
        log = read_log(others, mapping or {}, known)
        name = ", ".join(path.resolve().name for path in others)
        judged = verdict(log.series, log.facts, TOKEN_RULES if log.library.of_tokens else RULES)
        seeds = zip(log.facts.seeds, log.sources, strict=True)
        notes = tuple(f"Seed {seed}: {source}" for seed, source in seeds) if len(log.sources) > 1 else ()
        if log.library.of_tokens:
            notes += (_OF_TOKENS,) + (_NO_VOCABULARY,) * ("entropax/vocabulary" not in log.series)
        found.append(Diagnosis(name, log.library.name, log.series, log.facts, judged, notes + log.notes))
    return found


def _own(path: Path, known: Known) -> Diagnosis:
    run = read_run(path)
    facts = replace(run.facts, baselines={**run.facts.baselines, **dict(known.baselines)})
    found = explain(path, verdict(run.series, facts), run.series, facts)
    return Diagnosis(
        run.name, "Entropax", run.series, facts, found.verdict, found.notes, found.attribution, found.pieces
    )
