"""Noise with a memory: standard normal at every step, and correlated from one step to the next."""

import abc
from typing import Generic, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from entropax.errors import EntropaxError
from entropax.exploration.lengths import AbstractLengths, Zeta
from entropax.optimiser import Rate
from entropax.temperature.checks import holds

State = TypeVar("State")


class AbstractProcess(eqx.Module, Generic[State]):
    """eps_t of all action dimensions, independent of one another, each of mean 0 and variance 1 at every step."""

    @abc.abstractmethod
    def init(self, size: int, horizon: int | None, *, key: Key[Array, ""]) -> State:
        """The memory before an episode's first step.

        Args:
            size: action dimensions.
            horizon: most steps that an episode has; None where there is no limit.
            key: of what is drawn.

        Raises:
            EntropaxError: the process needs a horizon and there is none.
        """

    @abc.abstractmethod
    def next(self, state: State, *, key: Key[Array, ""]) -> tuple[Float[Array, " action"], State]:
        """The noise of a step, and the memory after it."""

    @abc.abstractmethod
    def anew(self, state: State, *, key: Key[Array, ""]) -> State:
        """The memory that another episode begins with: nothing of the last one's noise."""


def coloured(beta: Rate, steps: int, size: int, *, key: Key[Array, ""]) -> Float[Array, "steps size"]:
    """Gaussian noise whose power falls as 1 / f^beta over a whole sequence, of variance 1 at every step.

    White noise is Fourier-transformed along time, weighted by f^(-beta/2), and transformed back: the draw of Timmer and
    König (1995, Astron. Astrophys. 300, 707). Frequency 0 weighs as much as 1 / steps.

    Args:
        beta: 0 is white, 1 pink, 2 red.
        steps: length of the sequence.
        size: sequences, independent.
        key: of the draw.
    """
    cycles = np.maximum(np.abs(np.fft.fftfreq(steps, 1 / steps)), 1).astype(np.float32)
    power = jnp.asarray(cycles) ** (-jnp.asarray(beta, jnp.float32))
    weights = jnp.sqrt(power / jnp.mean(power))[: steps // 2 + 1]
    spectrum = jnp.fft.rfft(jax.random.normal(key, (size, steps)))
    return jax.vmap(lambda one: jnp.fft.irfft(one * weights, steps))(spectrum).T


class ColouredState(eqx.Module):
    """An episode's noise, and how much of it is used."""

    sequence: Float[Array, "horizon action"]
    position: Int[Array, ""]


class Coloured(AbstractProcess[ColouredState]):
    """Noise of any colour, drawn for a whole episode at once: power 1 / f^beta.

    Raises:
        EntropaxError: beta is negative.
    """

    beta: float = 1.0
    """Exponent of the spectrum 1 / f^beta: 0 is white, 1 pink, 2 red."""

    def __check_init__(self) -> None:
        if not holds(lambda beta: np.isfinite(beta) & (beta >= 0), self.beta):
            raise EntropaxError(f"Coloured: beta is {self.beta}, but is 0 (white) or more. Pink noise has 1.")

    def init(self, size: int, horizon: int | None, *, key: Key[Array, ""]) -> ColouredState:
        """An episode's noise, unused."""
        if horizon is None:
            raise EntropaxError(
                "Coloured noise is drawn for a whole episode at once, but this environment has no time limit that "
                "could be read off it. Give it one (`gymnasium.make(id, max_episode_steps=...)` or "
                "`gymnasium.wrappers.TimeLimit`), or take noise that needs none: OU or Repeated."
            )
        return self._fresh(horizon, size, key)

    def next(self, state: ColouredState, *, key: Key[Array, ""]) -> tuple[Float[Array, " action"], ColouredState]:
        """The next of the episode's noise."""
        return state.sequence[state.position], ColouredState(state.sequence, state.position + 1)

    def anew(self, state: ColouredState, *, key: Key[Array, ""]) -> ColouredState:
        """Another episode's noise."""
        horizon, size = state.sequence.shape
        return self._fresh(horizon, size, key)

    def _fresh(self, horizon: int, size: int, key: Key[Array, ""]) -> ColouredState:
        return ColouredState(coloured(self.beta, horizon, size, key=key), jnp.zeros((), jnp.int32))


class HeldState(eqx.Module):
    """A draw, and for how many more steps it is held."""

    drawn: Float[Array, "..."]
    left: Int[Array, ""]


def nothing_held(*shape: int) -> HeldState:
    """No draw yet: the first step makes one."""
    return HeldState(jnp.zeros(shape, jnp.float32), jnp.zeros((), jnp.int32))


def hold(state: HeldState, lengths: AbstractLengths, *, key: Key[Array, ""]) -> HeldState:
    """The state at the next step: the same draw, or where its time is over another one, standard normal."""
    draw_key, length_key = jax.random.split(key)
    over = state.left == 0
    drawn = jnp.where(over, jax.random.normal(draw_key, state.drawn.shape), state.drawn)
    return HeldState(drawn, jnp.where(over, lengths.draw(key=length_key), state.left) - 1)


class Held(AbstractProcess[HeldState]):
    """White noise that is drawn once and held for some steps, then drawn again: noise repetition."""

    lengths: AbstractLengths = Zeta()
    """For how many steps."""

    def init(self, size: int, horizon: int | None, *, key: Key[Array, ""]) -> HeldState:
        """Nothing drawn."""
        return nothing_held(size)

    def next(self, state: HeldState, *, key: Key[Array, ""]) -> tuple[Float[Array, " action"], HeldState]:
        """The noise that is held, or the next one."""
        state = hold(state, self.lengths, key=key)
        return state.drawn, state

    def anew(self, state: HeldState, *, key: Key[Array, ""]) -> HeldState:
        """Nothing drawn."""
        return nothing_held(*state.drawn.shape)
