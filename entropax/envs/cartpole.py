"""Cart-pole balancing with the physics and the reward of Gymnasium's CartPole-v1: two actions."""

import math
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from entropax.envs.base import AbstractDynamics
from entropax.types import Categories, Spec

RAIL = 2.4
"""Metres from the middle, beyond which an episode ends."""
LEAN = math.radians(12)
"""Radians from upright, beyond which an episode ends."""


class CartPoleState(eqx.Module):
    """Place of the cart in m, angle of the pole from upright in rad, and their rates per second."""

    position: Float[Array, ""]
    velocity: Float[Array, ""]
    angle: Float[Array, ""]
    angular_velocity: Float[Array, ""]


@final
class CartPole(AbstractDynamics[CartPoleState]):
    """A pole on a cart that is pushed left (0) or right (1); pays 1 a step until the pole leans or the rail ends.

    Equal to Gymnasium's `cartpole.py`, for which the defaults stand: equations of Barto, Sutton and Anderson (1983),
    corrected by Florian (2007), in an explicit Euler step. Every field is traced.
    """

    gravity: float = 9.8
    cart_mass: float = 1.0
    pole_mass: float = 0.1
    half_length: float = 0.5
    force: float = 10.0
    dt: float = 0.02

    @property
    def spec(self) -> Spec:
        """Observation (position, velocity, angle, angular velocity); one of two pushes."""
        return Spec(4, Categories(2))

    def initial(self, *, key: Key[Array, ""]) -> CartPoleState:
        """Every entry uniform in [-0.05, 0.05]."""
        return CartPoleState(*jax.random.uniform(key, (4,), jnp.float32, -0.05, 0.05))

    def observe(self, state: CartPoleState) -> Float[Array, "4"]:
        """(position, velocity, angle, angular velocity)."""
        return jnp.stack([state.position, state.velocity, state.angle, state.angular_velocity])

    def step(
        self, state: CartPoleState, action: Int[Array, ""], *, key: Key[Array, ""]
    ) -> tuple[CartPoleState, Float[Array, ""], Bool[Array, ""]]:
        """One step; pays 1 also where it terminates."""
        mass, moment = self.cart_mass + self.pole_mass, self.pole_mass * self.half_length
        push = jnp.where(action == 1, self.force, -self.force)
        sin, cos = jnp.sin(state.angle), jnp.cos(state.angle)
        without_pole = (push + moment * state.angular_velocity**2 * sin) / mass
        inertia = self.half_length * (4 / 3 - self.pole_mass * cos**2 / mass)
        turning = (self.gravity * sin - cos * without_pole) / inertia
        acceleration = without_pole - moment * turning * cos / mass
        after = CartPoleState(
            state.position + self.dt * state.velocity,
            state.velocity + self.dt * acceleration,
            state.angle + self.dt * state.angular_velocity,
            state.angular_velocity + self.dt * turning,
        )
        terminated = (jnp.abs(after.position) > RAIL) | (jnp.abs(after.angle) > LEAN)
        return after, jnp.ones((), jnp.float32), terminated
