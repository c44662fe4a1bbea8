"""Counts of hashed observations as a bonus: Tang et al. 2017, "#Exploration", arXiv 1611.04717, algorithm 1."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from entropax.errors import EntropaxError
from entropax.exploration.base import AbstractBonus
from entropax.temperature.checks import require_positive
from entropax.types import Spec, Transition


class CountsState(eqx.Module):
    """The hash, drawn once, and how often each of its values was seen."""

    projection: Float[Array, "bits observation"]
    counts: Int[Array, " codes"]


class Counts(AbstractBonus[CountsState]):
    """beta / sqrt(n(phi(s'))) for arriving at s', where phi is SimHash: the signs of a random projection.

    n counts this arrival too, over all copies of the learner's environment; random steps count as well.

    Raises:
        EntropaxError: beta is not above 0, or there are too few bits, or too many to keep a count for each value.

    Example:
        >>> Counts(beta=1.0).bits
        16
    """

    beta: float = 0.01
    """The bonus of a state seen for the first time, in reward."""
    bits: int = eqx.field(default=16, static=True)
    """Signs of the hash, 1 to 24: observations fall into at most 2^bits cells."""

    def __check_init__(self) -> None:
        require_positive("Counts", "beta", self.beta, "Without it there is no bonus: try 0.01.")
        if not 1 <= self.bits <= 24:
            raise EntropaxError(f"Counts: bits is {self.bits}, but a table of 2^bits counts is kept: take 1 to 24.")

    def init(self, spec: Spec, *, key: Key[Array, ""]) -> CountsState:
        """A hash, and no count."""
        projection = jax.random.normal(key, (self.bits, spec.observation_size))
        return CountsState(projection, jnp.zeros(2**self.bits, jnp.int32))

    def rewarded(self, state: CountsState, steps: Transition) -> tuple[Float[Array, " envs"], CountsState]:
        """The environment's rewards and the bonus of the states arrived at."""
        codes = jax.vmap(lambda observation: code(state.projection, observation))(steps.next_observation)
        counts = state.counts.at[codes].add(1)
        bonus = self.beta / jnp.sqrt(counts[codes].astype(jnp.float32))
        return steps.reward + bonus, CountsState(state.projection, counts)


def code(projection: Float[Array, "bits observation"], observation: Float[Array, " observation"]) -> Int[Array, ""]:
    """SimHash (Charikar 2002): the signs of the projected observation as a binary number."""
    signs = (projection @ observation > 0).astype(jnp.int32)
    return jnp.sum(signs * 2 ** jnp.arange(len(signs), dtype=jnp.int32), dtype=jnp.int32)
