"""What a run's snapshots say of its policy's past, read from the run folder alone: no environment is made."""

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from entropax.algorithms.base import AbstractSoftActorCritic
from entropax.diagnostics.attribution import Piece, Snapshot, piece, snapshots, total
from entropax.diagnostics.changes import RunAttribution
from entropax.errors import EntropaxError
from entropax.loops.devices import cache_compilations
from entropax.loops.lane import STATES
from entropax.loops.run import Run, load
from entropax.runs import load_snapshot, snapshot_steps

PAIRS = 4
"""Pairs of actions at each state: most of the error is that of the states."""


@dataclass(frozen=True)
class History:
    """What moved the entropy of every seed of a run, from each of its snapshots to the next."""

    steps: tuple[int, ...]
    """Environment steps, per seed, of the snapshots, rising."""
    by_seed: dict[int, tuple[Piece, ...]]
    """By seed, in NumPy."""

    def between(self, first: int, last: int, seeds: Sequence[int]) -> RunAttribution:
        """The sum of the pieces from one snapshot to another, for some seeds.

        Raises:
            EntropaxError: there are no snapshots of these steps, or they are not in order.
        """
        if not {first, last} <= set(self.steps) or first >= last:
            raise EntropaxError(
                f"There are no snapshots from step {first} to a later step {last}, only of {list(self.steps)}. Take "
                "two of these, the older one first."
            )
        span = slice(self.steps.index(first), self.steps.index(last))
        found = jax.device_get([total(self.by_seed[seed][span]) for seed in seeds])
        return RunAttribution((first, last), tuple(seeds), jax.tree.map(lambda *leaves: np.stack(leaves), *found))

    def pieces(self) -> tuple[RunAttribution, ...]:
        """From each snapshot to the next, for all seeds."""
        return tuple(self.between(*ends, tuple(self.by_seed)) for ends in itertools.pairwise(self.steps))


def attribute_run(path: str | Path, first: int | None = None, last: int | None = None) -> RunAttribution:
    """Attributes the change of entropy between two snapshots of a run: the sum over the snapshots between them.

    Args:
        path: the run folder; the run may still be going on.
        first: environment step of the older snapshot, one of `entropax.runs.snapshot_steps`; the oldest by default.
        last: of the newer one; the newest by default.

    Raises:
        EntropaxError: there are not two snapshots, or none of these steps, or one cannot be read.

    Example:
        >>> attribute_run("runs/sac-Pendulum-v1-20261121-142233").by_seed.parts.alpha  # doctest: +SKIP
    """
    history = read_history(path)
    oldest, newest = history.steps[0], history.steps[-1]
    ends = (oldest if first is None else first, newest if last is None else last)
    return history.between(*ends, tuple(history.by_seed))


def read_history(path: str | Path) -> History:
    """Attributes the change of entropy from each snapshot of a run to the next.

    Raises:
        EntropaxError: there are not two snapshots, or one cannot be read.
    """
    run = load(path)
    steps = _two_or_more(run)
    read = [read_snapshots(run, step) for step in steps]
    by_seed = {}
    for index, seed in enumerate(run.manifest.seeds):
        pairs = itertools.pairwise(together[index] for together in read)
        found = [_compiled()(*pair, jax.random.key(seed)) for pair in pairs]
        by_seed[seed] = tuple(jax.device_get(found))
    return History(tuple(steps), by_seed)


@functools.cache
def _compiled() -> Callable[..., Piece]:
    cache_compilations()
    return jax.jit(lambda before, after, key: piece(before, after, key=key, pairs=PAIRS))


def read_snapshots(run: Run, step: int) -> list[Snapshot]:
    """The snapshot of every seed at one step.

    Raises:
        EntropaxError: it cannot be read, or belongs to another configuration.
    """
    algorithm, spec, seeds = run.algorithm, run.spec, len(run.manifest.seeds)

    def like() -> Snapshot:
        learners = jax.vmap(lambda key: algorithm.init(spec, key=key))(jax.random.split(jax.random.key(0), seeds))
        return snapshots(algorithm, learners, jnp.zeros((seeds, STATES, spec.observation_size)))

    together = load_snapshot(run.path, step, jax.eval_shape(like))
    return [jax.tree.map(lambda leaf, i=index: leaf[i], together) for index in range(seeds)]


def _two_or_more(run: Run) -> list[int]:
    if not isinstance(run.algorithm, AbstractSoftActorCritic):
        raise EntropaxError(
            f"{run.path} has no snapshots: what moved the entropy is read from the action values that a policy climbs "
            f"against its entropy, and {type(run.algorithm).__name__} has none. Take a run of SAC or of its family."
        )
    kept = snapshot_steps(run.path)
    if len(kept) < 2:
        raise EntropaxError(
            f"{run.path} has {len(kept)} snapshot(s), and a change lies between two. One is kept where updates begin "
            "and with every checkpoint: train on, or with a smaller --checkpoint-every. A run of an older entropax "
            "has none: resume it, or train it again."
        )
    return kept
