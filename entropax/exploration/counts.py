"""Counts of observations as a bonus: of all there are, or hashed (Tang et al. 2017, #Exploration, arXiv 1611.04717)."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from entropax.errors import EntropaxError
from entropax.exploration.bonus import AbstractNovelty
from entropax.exploration.scale import AbstractScale, AsMeasured
from entropax.temperature import AbstractTemperature, Fixed
from entropax.types import Metrics, Spec, Transition


class CountsState(eqx.Module):
    """The hash, drawn once, and how often each of its values was seen."""

    projection: Float[Array, "bits observation"]
    counts: Int[Array, " codes"]


class Counts(AbstractNovelty):
    """1 / sqrt(n(phi(s'))) for arriving at s', where phi is SimHash: the signs of a random projection.

    n counts all arrivals so far, over all copies of the learner's environment, those of random steps too.

    Raises:
        EntropaxError: there are too few bits, or too many to keep a count for each value.

    Example:
        >>> Counts(Fixed(1.0)).bits
        16
    """

    coefficient: AbstractTemperature[Any] = Fixed(0.01)
    """Law of the bonus of a state seen for the first time, in reward."""
    scale: AbstractScale[Any] = AsMeasured()
    """What it is divided by."""
    bits: int = eqx.field(default=16, static=True)
    """Signs of the hash, 1 to 24: observations fall into at most 2^bits cells."""

    def __check_init__(self) -> None:
        if not 1 <= self.bits <= 24:
            raise EntropaxError(f"Counts: bits is {self.bits}, but a table of 2^bits counts is kept: take 1 to 24.")

    def begin(self, spec: Spec, *, key: Key[Array, ""]) -> CountsState:
        """A hash, and no count."""
        projection = jax.random.normal(key, (self.bits, spec.observation_size))
        return CountsState(projection, jnp.zeros(2**self.bits, jnp.int32))

    def see(self, spec: Spec, memory: CountsState, steps: Transition, stored: Bool[Array, " n"]) -> CountsState:
        """Counts the states arrived at."""
        codes = _codes(memory, steps)
        return CountsState(memory.projection, memory.counts.at[codes].add(stored.astype(jnp.int32)))

    def novelty(self, spec: Spec, memory: CountsState, steps: Transition) -> Float[Array, " n"]:
        """One over the root of the arrivals so far."""
        return of_counts(memory.counts[_codes(memory, steps)])

    def train(
        self, spec: Spec, memory: CountsState, steps: Transition, *, key: Key[Array, ""]
    ) -> tuple[CountsState, Metrics]:
        """Nothing: counting is all there is to learn."""
        return memory, {}


class TableCounts(AbstractNovelty):
    """1 / sqrt(n(s')) for arriving at s', each observation with a count of its own: they have to be one-hot.

    Strehl and Littman 2008, An analysis of model-based interval estimation, equation 1, in the state arrived at.

    Raises:
        EntropaxError: (from `init`) the environment does not say that its observations are one-hot.

    Example:
        >>> TableCounts().coefficient
        Fixed(alpha=0.01)
    """

    coefficient: AbstractTemperature[Any] = Fixed(0.01)
    """Law of the bonus of a state seen for the first time, in reward."""
    scale: AbstractScale[Any] = AsMeasured()
    """What it is divided by."""

    def begin(self, spec: Spec, *, key: Key[Array, ""]) -> Int[Array, " states"]:
        """No count; the last is of the observation that has no 1."""
        if not spec.one_hot:
            raise EntropaxError(
                f"TableCounts keeps a count for every observation there is, but these are {spec.observation_size} "
                "numbers of any size, of which hardly one comes twice. Take Counts, which hashes them (SimHash), or an "
                "environment with one-hot observations: a Discrete observation space, or entropax/Toy-v0."
            )
        return jnp.zeros(spec.observation_size + 1, jnp.int32)

    def see(
        self, spec: Spec, memory: Int[Array, " states"], steps: Transition, stored: Bool[Array, " n"]
    ) -> Int[Array, " states"]:
        """Counts the states arrived at."""
        return memory.at[_states(steps)].add(stored.astype(jnp.int32))

    def novelty(self, spec: Spec, memory: Int[Array, " states"], steps: Transition) -> Float[Array, " n"]:
        """One over the root of the arrivals so far."""
        return of_counts(memory[_states(steps)])

    def train(
        self, spec: Spec, memory: Int[Array, " states"], steps: Transition, *, key: Key[Array, ""]
    ) -> tuple[Int[Array, " states"], Metrics]:
        """Nothing: counting is all there is to learn."""
        return memory, {}


def of_counts(counts: Int[Array, " n"]) -> Float[Array, " n"]:
    """1 / sqrt(n), and 1 where there is none yet."""
    return 1 / jnp.sqrt(jnp.maximum(counts, 1).astype(jnp.float32))


def code(projection: Float[Array, "bits observation"], observation: Float[Array, " observation"]) -> Int[Array, ""]:
    """SimHash (Charikar 2002): the signs of the projected observation as a binary number."""
    signs = (projection @ observation > 0).astype(jnp.int32)
    return jnp.sum(signs * 2 ** jnp.arange(len(signs), dtype=jnp.int32), dtype=jnp.int32)


def _codes(memory: CountsState, steps: Transition) -> Int[Array, " n"]:
    return jax.vmap(lambda observation: code(memory.projection, observation))(steps.next_observation)


def _states(steps: Transition) -> Int[Array, " n"]:
    """Which entry is 1; the number of entries where none is."""
    seen = steps.next_observation > 0.5
    return jnp.where(jnp.any(seen, axis=1), jnp.argmax(seen, axis=1), seen.shape[1]).astype(jnp.int32)
