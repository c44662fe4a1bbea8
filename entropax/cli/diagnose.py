"""`entropax diagnose`: a verdict on a run of this library or of another one."""

import dataclasses
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import tyro

from entropax.diagnostics.findings import Severity
from entropax.diagnostics.readers import Known, read_mapping
from entropax.errors import EntropaxError
from entropax.loops.run import environment_id, load
from entropax.runs import snapshot_steps


@dataclasses.dataclass
class Diagnose:
    """Say what is wrong with a run, of this library or of another one, with evidence and remedies.

    Exit code 0: nothing severe. 1: a finding is critical. 2: the input cannot be read.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders of ours; or events, CSV or trainer_state.json of another library, together the seeds of one run."""
    mapping: Path | None = None
    """JSON file {"their name": "our name"} for scalars that no known library logs."""
    env: str | None = None
    """Environment of another library's run: its actions, and the returns of doing nothing and of acting at random."""
    action_dimensions: int | None = None
    """Number of action dimensions, where --env is not given."""
    target: float | None = None
    """Target entropy as the other library was given it, in nats (of tokens: a token); else that library's default."""
    vocabulary: int | None = None
    """Tokens that a language model chooses from: the size of its output layer; else config.json's, beside the log."""
    json: bool = False
    """Print JSON instead of text."""


def diagnose(flags: Diagnose) -> None:
    """Prints the verdict and its findings, then exits with 1 if one is critical."""
    from entropax.report import diagnose as judge
    from entropax.report.terminal import as_json, text

    announce_attribution(flags.runs)
    mapping = {} if flags.mapping is None else read_mapping(flags.mapping)
    found = judge(flags.runs, mapping, _known(flags))
    if flags.json:
        print(json.dumps([as_json(one) for one in found], indent=2, allow_nan=False))
    else:
        print("\n\n".join(text(one, _levels()) for one in found))
    if any(finding.severity is Severity.CRITICAL for one in found for finding in one.verdict.findings):
        sys.exit(1)


def announce_attribution(runs: Sequence[Path]) -> None:
    """Says on stderr what is going to take more than two seconds, where runs have snapshots to attribute from."""
    pieces = sum(max(len(snapshot_steps(run)) - 1, 0) for run in runs)
    if pieces:
        plural = "s" if pieces > 1 else ""
        print(
            f"entropax: attributing the entropy's change over {pieces} piece{plural} of the run, under a second each "
            "and seed, after half a minute to compile where that is new ...",
            file=sys.stderr,
        )


def _levels() -> str:
    """Block characters where the terminal's encoding has them."""
    from entropax.report.terminal import ASCII, BLOCKS

    try:
        BLOCKS.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return ASCII
    return BLOCKS


def _own_baselines(runs: tuple[Path, ...]) -> tuple[tuple[str, float], ...]:
    """Returns that need no training, where all runs are ours, of one environment, and it can be made here."""
    from entropax.cli.baselines import known_of

    if not runs or not all((run / "run.json").exists() for run in runs):
        return ()
    try:
        ids = {environment_id(load(run), "compare") for run in runs}
        return known_of(ids.pop()).baselines if len(ids) == 1 else ()
    except EntropaxError:
        return ()


def _known(flags: Diagnose) -> Known:
    """What the flags say of the run; the environment says more than its number of dimensions."""
    if flags.action_dimensions is not None and flags.action_dimensions < 1:
        raise EntropaxError(f"--action-dimensions is {flags.action_dimensions}: an action has 1 or more.")
    if flags.vocabulary is not None and flags.vocabulary < 2:
        raise EntropaxError(f"--vocabulary is {flags.vocabulary}: a model chooses from 2 tokens or more.")
    target = math.nan if flags.target is None else flags.target
    vocabulary = math.nan if flags.vocabulary is None else flags.vocabulary
    from entropax.cli.baselines import known_of

    if flags.env is None:
        dimensions = math.nan if flags.action_dimensions is None else flags.action_dimensions
        baselines = _own_baselines(flags.runs)
        return Known(action_dimensions=dimensions, target=target, vocabulary=vocabulary, baselines=baselines)
    known = known_of(flags.env)
    if flags.action_dimensions not in (None, known.action_dimensions):
        has = "a finite set of actions" if math.isnan(known.action_dimensions) else f"{known.action_dimensions:g}"
        raise EntropaxError(
            f"--action-dimensions is {flags.action_dimensions}, but {flags.env} has {has}. Give one of the two flags."
        )
    return dataclasses.replace(known, target=target, vocabulary=vocabulary)
