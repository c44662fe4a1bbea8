"""A run folder as the report sees it: manifest, series by name, verdict. Imports no charts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from entropax.diagnostics.dialects import (
    AROUND_SAC,
    DETERMINISTIC,
    ENTROPAX,
    GREEDY,
    META_SAC,
    OF_CATEGORIES,
    ON_POLICY,
    SB3,
    SB3_ON_POLICY,
    SB3_ON_POLICY_STEERED,
    SB3_STEERED,
    SOFT_Q,
    Dialect,
)
from entropax.diagnostics.readers.names import OURS
from entropax.diagnostics.rules import RULES
from entropax.diagnostics.rules.numbers import SKIPPED, WATCHED
from entropax.diagnostics.verdict import Verdict, verdict
from entropax.diagnostics.window import VECTORS, Facts, Series, never_again
from entropax.envs.registry import TASKS
from entropax.errors import EntropaxError
from entropax.runs import MetricsTable, RunEvent, RunManifest, read_manifest, read_metrics

_BASELINES = {"return_of_zero_action": "zero action", "return_of_uniform_policy": "uniform policy"}
"""What a manifest may hold of policies that need no training, and what a finding calls them."""
_DRAWN = frozenset({"entropy/policy_kl", "train/actor_grad_norm", "train/critic_grad_norm"})
"""Metrics with a chart that no rule looks at."""
KNOWN = OURS | VECTORS | _DRAWN | SKIPPED.keys() | {name for rule in RULES for name in rule.needs}
"""Metrics that rules and charts look at: a vector each, or one number, as `VECTORS` says."""
_THEIRS = "stable_baselines3."
"""What the types begin with that the plug-in for Stable-Baselines3 writes for what is not ours."""


@dataclass(frozen=True)
class Run:
    """One run, read whole."""

    name: str
    """The folder's name, made unique among the runs of one report."""
    manifest: RunManifest
    series: Mapping[str, Series]
    events: tuple[RunEvent, ...]
    facts: Facts
    verdict: Verdict

    def has(self, metric: str) -> bool:
        """Whether any finite value of a metric was logged."""
        return metric in self.series and bool(np.isfinite(self.series[metric].values).any())


def read_run(path: Path) -> Run:
    """Reads a run folder and judges it; a run without any metrics yet is too early, not an error.

    Raises:
        EntropaxError: the folder is no run, or its manifest or a line of its log is damaged.
    """
    manifest = read_manifest(path)
    table = read_metrics(path) if (path / "metrics.jsonl").exists() else MetricsTable((), ())
    series = {name: Series(*table.series(name)) for name in table.names}
    _check_shapes(path / "metrics.jsonl", series, len(manifest.seeds))
    series |= {name: Series(series[name].steps, never_again(series[name].values)) for name in WATCHED if name in series}
    try:
        facts = _facts(manifest)
    except EntropaxError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as cause:
        raise EntropaxError(
            f"{path / 'run.json'} does not describe a run: {cause!r}. Restore it as entropax wrote it."
        ) from cause
    return Run(path.resolve().name, manifest, series, table.events, facts, verdict(series, facts))


def _check_shapes(log: Path, series: Mapping[str, Series], seeds: int) -> None:
    """Refuses a log of other seeds than the manifest's, and what is a vector where rules and charts know none.

    A metric that they do not know, such as a new algorithm's, may be either.
    """
    for name, one in series.items():
        if one.values.shape[1] != seeds:
            raise EntropaxError(
                f"{log}: {name} has values of {one.values.shape[1]} seeds, but run.json has {seeds}. Restore both as "
                "entropax wrote them."
            )
        vector = one.values.ndim == 3
        if name in KNOWN and vector is not (name in VECTORS):
            has, wanted = ("a list", "one number") if vector else ("one number", "one for each action dimension")
            raise EntropaxError(
                f"{log}: {name} has {has} a seed and row, where {wanted} belongs. Restore it as entropax wrote it."
            )


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """Reads several runs and gives those of the same folder name a number.

    Raises:
        EntropaxError: there is none, or one cannot be read.
    """
    if not paths:
        raise EntropaxError("A report needs at least one run. Pass the folder of a run, for example one in runs/.")
    runs, seen = [], dict[str, int]()
    for run in map(read_run, paths):
        seen[run.name] = seen.get(run.name, 0) + 1
        name = run.name if seen[run.name] == 1 else f"{run.name} ({seen[run.name]})"
        runs.append(Run(name, run.manifest, run.series, run.events, run.facts, run.verdict))
    return runs


def _facts(manifest: RunManifest) -> Facts:
    """What the manifest says that a verdict needs; what it does not say is NaN.

    Raises:
        EntropaxError: the manifest lacks the action space.
    """
    action = manifest.spec.get("action", {})
    if not isinstance(action, dict) or action.get("kind") not in ("bounds", "categories"):
        raise EntropaxError(
            f"run.json describes actions as {action!r}, not as bounds or categories. Restore it as entropax wrote it."
        )
    continuous = action["kind"] == "bounds"
    law = _law(manifest.algorithm)
    widest = math.nan if continuous else math.log(action["size"])
    return Facts(
        seeds=manifest.seeds,
        action_dimensions=len(action["low"]) if continuous else 1,
        categories=not continuous,
        entropy_maximum=manifest.baselines.get("entropy_maximum_per_dimension", widest),
        temperature_rate=_float(law.get("learning_rate")),
        alpha_band=_band(law),
        spread_learned=not _noise_is_set(manifest.algorithm),
        discount=_float(manifest.algorithm.get("sac", manifest.algorithm).get("discount", 0.99)),
        dialect=_dialect(manifest.algorithm, continuous),
        task_length=_task_length(manifest.environment.get("id")),
        baselines={name: value for key, value in manifest.baselines.items() if (name := _BASELINES.get(key))},
    )


def _task_length(environment: Any) -> int | float:
    """Steps after which a task of ours is over by itself; NaN where it ends otherwise, or is not ours."""
    task = TASKS.get(environment)
    return task.time_limit if task is not None and task.over_at_limit else math.nan


def _dialect(algorithm: Mapping[str, Any], continuous: bool) -> Dialect:
    """How to say a remedy to whoever made the run."""
    if str(algorithm.get("type")).startswith(_THEIRS):
        return _dialect_of_the_plug_in(algorithm)
    if algorithm.get("type") == "MetaSAC":
        return META_SAC
    if "entropy_coefficient" in algorithm:
        return ON_POLICY
    if _noise_is_set(algorithm):
        return GREEDY if "exploration" in algorithm else DETERMINISTIC
    if "entropy_weight" in algorithm:
        return SOFT_Q
    if not continuous:
        return OF_CATEGORIES
    return AROUND_SAC if "sac" in algorithm else ENTROPAX


def _dialect_of_the_plug_in(algorithm: Mapping[str, Any]) -> Dialect:
    """Stable-Baselines3's settings, or those of the law of ours that sets its ent_coef."""
    law = algorithm.get("temperature", {})
    steered = not str(law.get("type")).startswith(_THEIRS)
    if algorithm["type"] == f"{_THEIRS}PPO":
        return SB3_ON_POLICY_STEERED if steered else SB3_ON_POLICY
    return SB3_STEERED if steered else SB3


def _noise_is_set(algorithm: Mapping[str, Any]) -> bool:
    """Whether a rule or noise of a set size explores, and no entropy is learned."""
    return "exploration_noise" in algorithm or "exploration" in algorithm


def _law(algorithm: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration of what moves alpha: Meta-SAC itself, the law of each dimension, or SAC's law."""
    if algorithm.get("type") == "MetaSAC":
        return algorithm
    law = algorithm.get("sac", algorithm).get("temperature", {})
    law = law.get("law", law) if isinstance(law, dict) else {}
    return law if isinstance(law, dict) else {}


def _band(law: Mapping[str, Any]) -> tuple[float, float]:
    """The bounds of alpha in a law's configuration; NaN where it has none."""
    band = law.get("band")
    return (
        (_float(band.get("minimum")), _float(band.get("maximum"))) if isinstance(band, dict) else (math.nan, math.nan)
    )


def _float(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
