"""Cells of an experiment: a method on a task over seeds, trained into a kept run and measured from its log."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from entropax.algorithms.base import AbstractAlgorithm
from entropax.diagnostics.statistics import bootstrap_interval, interquartile_mean
from entropax.diagnostics.window import number
from entropax.errors import EntropaxError
from entropax.loops.fit import fit, resume
from entropax.loops.run import Run, load
from entropax.loops.training import Training
from entropax.runs import read_checkpoint_meta, renewed, to_config

FREE = 0.0
"""Nats per dimension under which a policy has spent its initial freedom: sigma 0.26, from about 0.65 nats at first."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """What became of one method on one task; seeds are the last axis.

    Attributes:
        env: task.
        method: name.
        steps: environment steps per seed.
        solved: return from which a seed counts as solved.
        returns: `[seeds]` mean return of the last two deterministic evaluations.
        evaluation_steps: `[evaluations]`.
        evaluations: `[evaluations, seeds]` mean deterministic returns.
        rows: `[rows]` steps of the series below.
        entropy: `[rows, seeds]` nats per dimension; NaN where the method logs none.
        alpha: `[rows, seeds]` reward per nat; NaN where the method logs none.
    """

    env: str
    method: str
    steps: int
    solved: float
    returns: Float[np.ndarray, " seeds"]
    evaluation_steps: Float[np.ndarray, " evaluations"]
    evaluations: Float[np.ndarray, "evaluations seeds"]
    rows: Float[np.ndarray, " rows"]
    entropy: Float[np.ndarray, "rows seeds"]
    alpha: Float[np.ndarray, "rows seeds"]

    @property
    def seeds(self) -> int:
        """Number of seeds."""
        return len(self.returns)

    def solved_seeds(self) -> int:
        """Seeds whose late return reaches the threshold."""
        return int(np.sum(self.returns >= self.solved))

    def once_solved_seeds(self) -> int:
        """Seeds with any evaluation that reaches it."""
        return int(np.sum((self.evaluations >= self.solved).any(axis=0)))

    def middle(self) -> tuple[float, float, float]:
        """Interquartile mean of the late returns over seeds, with its 95 % bootstrap interval."""
        low, high = bootstrap_interval(self.returns, generator=np.random.default_rng(0))
        return float(interquartile_mean(self.returns)), float(low), float(high)

    def words(self) -> tuple[str, str, str]:
        """Seeds solved; when half of them first were, empty if never; the late returns with their interval."""
        middle, low, high = self.middle()
        after = f", half after {self.solved_after():,.0f}" if np.isfinite(self.solved_after()) else ""
        interval = f" [{number(low)}, {number(high)}]" if np.isfinite(low) else ""
        return f"{self.solved_seeds()} of {self.seeds}", after, f"{number(middle)}{interval}"

    def spent_after(self) -> float:
        """Median over seeds of the first step with less than `FREE` nats per dimension; NaN if half never has."""
        return _half_have(self.entropy < FREE, self.rows)

    def solved_after(self) -> float:
        """Median over seeds of the first evaluation that reaches the threshold, in steps; NaN if half never has."""
        return _half_have(self.evaluations >= self.solved, self.evaluation_steps)


def _half_have(reached: Bool[np.ndarray, "rows seeds"], steps: Float[np.ndarray, " rows"]) -> float:
    """Median over seeds of the first step at which something holds; NaN where it never does for half of them."""
    first = np.where(reached.any(axis=0), steps[np.argmax(reached, axis=0)], np.inf)
    median = float(np.median(first))
    return median if np.isfinite(median) else float("nan")


def folder_of(root: Path, task: str, method: str) -> Path:
    """Where a cell's run is kept, for names with commas and blanks in them."""
    return root / f"{task}--{method.replace(', ', '-').replace(' ', '-')}"


def trained(algorithm: AbstractAlgorithm[Any], env: str, training: Training, seeds: int, folder: Path) -> Run:
    """The finished run of a cell: a kept one, one that goes on from its checkpoint, or a new one.

    Raises:
        EntropaxError: the kept run has other settings.
    """
    for path in sorted(folder.glob("*/run.json")):
        run = load(path.parent)
        fed = training.fed_by(algorithm.data())
        asked = (to_config(algorithm), to_config(fed), tuple(range(seeds)))
        kept = (renewed(run.manifest.algorithm), renewed(run.manifest.training), run.manifest.seeds)
        if kept != asked:
            raise EntropaxError(
                f"{path.parent} was trained with other settings than asked for. Move it, or pass another --root."
            )
        if finished(run):
            return run
        if _has_checkpoint(run):
            return resume(run.path)
    return fit(algorithm, env, training, seeds=seeds, root=folder)


def finished(run: Run) -> bool:
    """Whether a run has taken its last step and evaluated it."""
    rows = run.metrics.rows
    return bool(rows) and rows[-1].step >= run.training.steps and "eval/mean_reward" in rows[-1].values


def _has_checkpoint(run: Run) -> bool:
    try:
        read_checkpoint_meta(run.path)
    except EntropaxError:
        return False
    return True


def measured(run: Run, env: str, method: str, solved: float) -> Cell:
    """Reads a finished run's log; `solved` is the return from which a seed counts as solved."""
    dimensions = len(run.manifest.spec["action"]["low"])
    evaluation_steps, evaluations = run.metrics.series("eval/mean_reward")
    present = np.isfinite(evaluations).all(axis=1)
    evaluation_steps, evaluations = evaluation_steps[present], evaluations[present]
    rows = np.array([row.step for row in run.metrics.rows], float)
    return Cell(
        env=env,
        method=method,
        steps=run.training.steps,
        solved=solved,
        returns=evaluations[-2:].mean(axis=0),
        evaluation_steps=evaluation_steps.astype(float),
        evaluations=evaluations,
        rows=rows,
        entropy=_logged(run, "entropy/nats") / dimensions,
        alpha=_logged(run, "train/ent_coef"),
    )


def _logged(run: Run, name: str) -> Float[np.ndarray, "rows seeds"]:
    """A metric in every row of the log; NaN where it is not there, as with methods that have no entropy."""
    table, missing = run.metrics, np.full(len(run.manifest.seeds), np.nan)
    return np.stack([row.values.get(name, missing) for row in table.rows])
