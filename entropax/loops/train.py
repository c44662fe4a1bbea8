"""A training run as one pure function."""

from typing import Any

import jax
from jaxtyping import Array, Key

from entropax.algorithms.base import AbstractAlgorithm
from entropax.envs.base import Episodes
from entropax.exploration import PLAIN, Exploration
from entropax.loops.chunk import Carry, begin, chunk, warm_up
from entropax.loops.training import Training
from entropax.loops.update import means
from entropax.types import Metrics


def train(
    algorithm: AbstractAlgorithm[Any],
    environment: Episodes[Any],
    training: Training,
    exploration: Exploration = PLAIN,
    *,
    key: Key[Array, ""],
) -> tuple[Carry, Metrics]:
    """Trains on a JAX environment without touching the host: `jit` it, `vmap` it over keys and over algorithms.

    Whole chunks of `log_every` steps are run until at least `steps` are done.

    Returns:
        The carry, whose `learner` is the algorithm's state, and metrics with the axis `[chunk]`.

    Example:
        >>> import entropax, jax
        >>> environment = entropax.make("entropax/Pendulum-v0")
        >>> training = entropax.Training(steps=2_000, capacity=2_000)
        >>> keys = jax.random.split(jax.random.key(0), 4)
        >>> run = lambda key: entropax.train(entropax.SAC(), environment, training, key=key)
        >>> carry, metrics = jax.jit(jax.vmap(run))(keys)
        >>> metrics["rollout/ep_rew_mean"].shape
        (4, 1)
    """
    training = training.fed_by(algorithm.data())
    carry = begin(algorithm, environment, training, exploration, key=key)
    carry, _ = warm_up(carry, environment, training, training.warmup_rounds, exploration)
    rounds = training.every(training.log_every)
    chunks = max(-(-(training.rounds - training.warmup_rounds) // rounds), 1)

    def logged(carry: Carry, _: None) -> tuple[Carry, Metrics]:
        carry, sums = chunk(algorithm, carry, environment, training, rounds, exploration)
        return carry, means(sums)

    return jax.lax.scan(logged, carry, length=chunks)
