"""Small pieces of motion that several tasks share: angles, lengths, and a step in time."""

from collections.abc import Callable
from typing import TypeAlias, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Scalar: TypeAlias = float | Float[Array, ""]
"""A number, traced or not."""

State = TypeVar("State")


def wrap_angle(angle: Float[Array, ""]) -> Float[Array, ""]:
    """The same angle in [-pi, pi)."""
    return jnp.mod(angle + jnp.pi, 2 * jnp.pi) - jnp.pi


def length(x: Float[Array, ""], y: Float[Array, ""]) -> Float[Array, ""]:
    """sqrt(x² + y²), whose gradient at (0, 0) is 0 instead of NaN."""
    squared = x**2 + y**2
    some = squared > 0
    return jnp.where(some, jnp.sqrt(jnp.where(some, squared, 1.0)), 0.0)


def runge_kutta(slope: Callable[[State], State], state: State, dt: Scalar) -> State:
    """One step of the classical Runge-Kutta method.

    Args:
        slope: Rates of change of a state, in the form of a state.
        state: Where to start from; every leaf is advanced.
        dt: Length of the step, in the unit of time of the rates.
    """
    k1 = slope(state)
    k2 = slope(_along(state, k1, dt / 2))
    k3 = slope(_along(state, k2, dt / 2))
    k4 = slope(_along(state, k3, dt))
    mean = jax.tree.map(lambda a, b, c, d: (a + 2 * b + 2 * c + d) / 6, k1, k2, k3, k4)
    return _along(state, mean, dt)


def _along(state: State, slope: State, time: Scalar) -> State:
    return jax.tree.map(lambda value, rate: value + time * rate, state, slope)
