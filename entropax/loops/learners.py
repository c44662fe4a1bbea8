"""A run's learners as they were at its newest checkpoint, read from the run folder alone: no environment is made."""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float, PyTree

from entropax.errors import EntropaxError
from entropax.loops.run import Run
from entropax.loops.snapshots import read_snapshots
from entropax.runs import read_checkpoint_meta, restore_part, snapshot_steps


@dataclass(frozen=True)
class Learner:
    """One seed's learner, with states that it has seen."""

    seed: int
    step: int
    """Environment steps of the checkpoint."""
    state: PyTree
    """All that the algorithm carries."""
    observations: Float[np.ndarray, "state observation"]
    """1024 states of the replay, of the newest snapshot."""


class _Carry(eqx.Module):
    """The part of a carry that is the learner: a leaf's name in a checkpoint is its key path."""

    learner: PyTree


def read_learners(run: Run) -> list[Learner]:
    """The learner of every seed, in the order of the run's seeds.

    Raises:
        EntropaxError: the run has no checkpoint or no snapshot yet, or one cannot be read.
    """
    steps = snapshot_steps(run.path)
    if not steps:
        raise EntropaxError(
            f"{run.path} has no snapshot, which holds states to look at: it ended before its updates began, or an "
            "older entropax wrote it. Resume it, or train it again."
        )
    observations = [np.asarray(one.observations) for one in read_snapshots(run, steps[-1])]
    meta, _ = read_checkpoint_meta(run.path)
    like = [_saved(run, len(group)) for group in meta["groups"]]
    lanes, step = restore_part(run.path, like)
    found = []
    for group, lane in zip(meta["groups"], lanes, strict=True):
        learners = _learners(run, lane)
        for index, seed in enumerate(group):
            state = jax.tree.map(lambda leaf, i=index: leaf[i], learners)
            found.append(Learner(seed, step, state, observations[run.manifest.seeds.index(seed)]))
    return found


def _shapes(run: Run, seeds: int) -> PyTree:
    algorithm, spec = run.algorithm, run.spec
    return jax.eval_shape(lambda: jax.vmap(lambda k: algorithm.init(spec, key=k))(_keys(seeds)))


def _keys(seeds: int) -> Any:
    return jax.random.split(jax.random.key(0), seeds)


def _on_device(run: Run) -> bool:
    return run.manifest.environment["backend"] == "jax"


def _saved(run: Run, seeds: int) -> dict[str, PyTree]:
    """Where a lane's `save` puts its learners: a `DeviceLane` in its carry, a `HostLane` as plain leaves."""
    learners = _shapes(run, seeds)
    return {"carry": _Carry(learners)} if _on_device(run) else {"leaves": jax.tree.leaves(learners)}


def _learners(run: Run, lane: dict[str, PyTree]) -> PyTree:
    if _on_device(run):
        return lane["carry"].learner
    return jax.tree.unflatten(jax.tree.structure(_shapes(run, 1)), lane["leaves"])
