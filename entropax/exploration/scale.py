"""Running normalisation of a bonus, by what the steps that were taken have earned so far."""

import abc
from typing import Generic, TypeVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from entropax.intrinsic.moments import Moments, including, no_moments
from entropax.temperature.checks import require_fading

State = TypeVar("State")
LEAST = 1e-8
"""Least number to divide by."""


class AbstractScale(eqx.Module, Generic[State]):
    """What a bonus is divided by."""

    @abc.abstractmethod
    def init(self, copies: int) -> State:
        """What is remembered before the first step of so many copies of the environment."""

    @abc.abstractmethod
    def observe(self, state: State, bonus: Float[Array, " envs"], stored: Bool[Array, " envs"]) -> State:
        """What is remembered after one step of all copies, of which those `stored` count."""

    @abc.abstractmethod
    def divisor(self, state: State) -> Float[Array, ""]:
        """What to divide by now, above 0."""


class AsMeasured(AbstractScale[tuple[()]]):
    """The bonus as it is."""

    def init(self, copies: int) -> tuple[()]:
        """Nothing."""
        return ()

    def observe(self, state: tuple[()], bonus: Float[Array, " envs"], stored: Bool[Array, " envs"]) -> tuple[()]:
        """Nothing."""
        return ()

    def divisor(self, state: tuple[()]) -> Float[Array, ""]:
        """1."""
        return jnp.ones((), jnp.float32)


class PerRootMeanSquare(AbstractScale[Moments]):
    """Divided by the root mean square of all bonuses so far, which is never far below their mean."""

    def init(self, copies: int) -> Moments:
        """None so far."""
        return no_moments()

    def observe(self, state: Moments, bonus: Float[Array, " envs"], stored: Bool[Array, " envs"]) -> Moments:
        """With this step's."""
        return including(state, bonus, stored)

    def divisor(self, state: Moments) -> Float[Array, ""]:
        """Their root mean square."""
        return jnp.maximum(jnp.sqrt(state.variance + state.mean**2), LEAST)


class ReturnsSoFar(eqx.Module):
    """The discounted sum of each copy's bonuses up to now, and the moments of these sums."""

    returns: Float[Array, " envs"]
    moments: Moments


class PerReturnDeviation(AbstractScale[ReturnsSoFar]):
    """Divided by the standard deviation of R_t = discount R_(t-1) + b_t, over all steps of all copies so far.

    RND's own (Burda et al. 2018, arXiv 1810.12894, section 2.4): a sum forward in time, which no episode's end cuts.

    Raises:
        EntropaxError: the discount is outside [0, 1).
    """

    discount: float = 0.99
    """Per environment step."""

    def __check_init__(self) -> None:
        require_fading("PerReturnDeviation", self.discount, "its sums")

    def init(self, copies: int) -> ReturnsSoFar:
        """No bonus so far."""
        return ReturnsSoFar(jnp.zeros(copies, jnp.float32), no_moments())

    def observe(self, state: ReturnsSoFar, bonus: Float[Array, " envs"], stored: Bool[Array, " envs"]) -> ReturnsSoFar:
        """With this step's; a copy whose step is not stored keeps its sum."""
        returns = jnp.where(stored, self.discount * state.returns + bonus, state.returns)
        return ReturnsSoFar(returns, including(state.moments, returns, stored))

    def divisor(self, state: ReturnsSoFar) -> Float[Array, ""]:
        """Their standard deviation; 1 as long as there is one sum a copy: all copies may have begun alike."""
        deviation = jnp.maximum(jnp.sqrt(state.moments.variance), LEAST)
        return jnp.where(state.moments.count > len(state.returns), deviation, 1.0)
