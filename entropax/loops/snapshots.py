"""What a run's checkpoints say of its policy's past, read from the run folder alone: no environment is made."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from entropax.algorithms.base import AbstractAlgorithm
from entropax.diagnostics.attribution import Attribution, Snapshot, attribute
from entropax.errors import EntropaxError
from entropax.loops.devices import cache_compilations
from entropax.loops.run import Run, load
from entropax.replay import unpack
from entropax.runs import StoredCheckpoint, checkpoint_steps
from entropax.types import Spec

STATES = 2048
"""States drawn from each replay, per seed."""

_Stored: TypeAlias = tuple[np.ndarray, ...]
"""A replay's rows `[envs, slots, width]` and sizes `[envs]`."""


@dataclasses.dataclass(frozen=True)
class RunAttribution:
    """What moved the entropy of every seed of a run between two of its checkpoints."""

    steps: tuple[int, int]
    """Environment steps, per seed, of the two checkpoints."""
    seeds: tuple[int, ...]
    by_seed: Attribution
    """In NumPy, leaves `[seeds, ...]`, nats per dimension."""


def attribute_run(path: str | Path) -> RunAttribution:
    """Attributes the change of entropy from the oldest checkpoint that a run has kept to its newest.

    Args:
        path: the run folder; the run may still be going on.

    Raises:
        EntropaxError: there are not two checkpoints, or one cannot be read.

    Example:
        >>> attribute_run("runs/sac-Pendulum-v1-20261121-142233").by_seed.parts.alpha  # doctest: +SKIP
    """
    run = load(path)
    steps = checkpoint_steps(run.path)
    if len(steps) < 2:
        raise EntropaxError(
            f"{run.path} has {len(steps)} checkpoint(s), and a change lies between two. Train on, or with a smaller "
            "--checkpoint-every."
        )
    before, after = (read_snapshots(run, step) for step in (steps[0], steps[-1]))
    cache_compilations()
    compiled = jax.jit(lambda old, new, key: attribute(old, new, key=key))
    found = [
        compiled(old, new, jax.random.key(seed))
        for old, new, seed in zip(before, after, run.manifest.seeds, strict=True)
    ]
    by_seed = jax.tree.map(lambda *leaves: np.stack(leaves), *jax.device_get(found))
    return RunAttribution((steps[0], steps[-1]), run.manifest.seeds, by_seed)


def read_snapshots(run: Run, step: int) -> list[Snapshot]:
    """The snapshot of every seed at one checkpoint, with 2048 states drawn from its replay as updates draw theirs.

    Raises:
        EntropaxError: the checkpoint cannot be read, or belongs to another configuration.
    """
    stored, algorithm, spec = StoredCheckpoint(run.path, step), run.algorithm, run.spec
    read = _of_device_lane if run.manifest.environment["backend"] == "jax" else _of_host_lane
    found = []
    for lane, seeds in enumerate(stored.meta["groups"]):
        learners, replays = read(stored, lane, _learners_like(algorithm, spec, len(seeds)))
        for index, (seed, replay) in enumerate(zip(seeds, replays, strict=True)):
            learner = jax.tree.map(lambda leaf, i=index: leaf[i], learners)
            observations = _draw(replay, spec, np.random.default_rng([seed, step]))
            critics = algorithm.parameters(learner)["critic"]
            found.append(Snapshot(algorithm.actor(learner), critics, algorithm.alpha(learner), observations))
    return found


def _learners_like(algorithm: AbstractAlgorithm[Any], spec: Spec, seeds: int) -> PyTree:
    """Shapes of the learners of so many seeds."""
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), seeds))
    return jax.eval_shape(jax.vmap(lambda key: algorithm.init(spec, key=key)), keys)


def _of_device_lane(stored: StoredCheckpoint, lane: int, like: PyTree) -> tuple[PyTree, Iterator[_Stored]]:
    """What `DeviceLane.save` stored: a carry whose leaves have the axis `[seed]` first."""
    carry = f"[{lane}]['carry']"
    learners = stored.part(f"{carry}.learner", like)
    seeds = range(jax.tree.leaves(like)[0].shape[0])
    return learners, (tuple(stored.block(f"{carry}.replay.{name}", i) for name in ("rows", "size")) for i in seeds)


def _of_host_lane(stored: StoredCheckpoint, lane: int, like: PyTree) -> tuple[PyTree, Iterator[_Stored]]:
    """What `HostLane.save` stored: the learners' leaves, and a replay for each seed."""
    leaves, structure = jax.tree.flatten(like)
    learners = jax.tree.unflatten(structure, stored.part(f"[{lane}]['leaves']", leaves))
    replays = (f"[{lane}]['replay'][{i}]" for i in range(leaves[0].shape[0]))
    return learners, (tuple(stored.block(f"{one}['{name}']") for name in ("rows", "size")) for one in replays)


def _draw(replay: _Stored, spec: Spec, generator: np.random.Generator) -> Float[Array, "state observation"]:
    """Observations of stored rows: an environment uniformly, then one of its rows."""
    rows, size = replay
    env = generator.integers(len(rows), size=STATES)
    slot = generator.integers(np.maximum(size[env], 1))
    return unpack(jnp.asarray(rows[env, slot]), spec).observation
