"""Pendulum swing-up with the physics and the reward of Gymnasium's Pendulum-v1."""

from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from entropax.envs.base import AbstractDynamics
from entropax.envs.motion import wrap_angle
from entropax.types import Bounds, Spec

TORQUE_LIMIT = 2.0
"""Half-width of the action box in N·m. A constant, so that the spec stays hashable while fields are traced."""


class PendulumState(eqx.Module):
    """Angle from upright in radians (not wrapped) and angular velocity in rad/s."""

    angle: Float[Array, ""]
    velocity: Float[Array, ""]


@final
class Pendulum(AbstractDynamics[PendulumState]):
    """A torque-limited pendulum that must be swung up; every field is traced, so physics can be swept.

    Equal to Gymnasium's `pendulum.py` (Pendulum-v1), for which the defaults stand. The action is a torque in
    [-2, 2] N·m. `max_torque` is where the motor saturates: sweeping it below 2 weakens the motor, while the action
    box stays what `spec` says, because a spec is static.
    """

    gravity: float = 10.0
    mass: float = 1.0
    length: float = 1.0
    dt: float = 0.05
    max_speed: float = 8.0
    max_torque: float = TORQUE_LIMIT

    @property
    def spec(self) -> Spec:
        """Observation (cos, sin, velocity); one torque in [-2, 2] N·m."""
        return Spec(3, Bounds((-TORQUE_LIMIT,), (TORQUE_LIMIT,)))

    def initial(self, *, key: Key[Array, ""]) -> PendulumState:
        """Angle uniform on the circle, velocity uniform in [-1, 1] rad/s."""
        angle, velocity = jax.random.uniform(key, (2,), jnp.float32, -1.0, 1.0)
        return PendulumState(angle * jnp.float32(jnp.pi), velocity)

    def observe(self, state: PendulumState) -> Float[Array, "3"]:
        """(cos angle, sin angle, velocity in rad/s)."""
        return jnp.stack([jnp.cos(state.angle), jnp.sin(state.angle), state.velocity])

    def step(
        self, state: PendulumState, action: Float[Array, "1"], *, key: Key[Array, ""]
    ) -> tuple[PendulumState, Float[Array, ""], Bool[Array, ""]]:
        """One semi-implicit Euler step; the cost is that of the state before it. Never terminates."""
        torque = jnp.clip(action[0], -self.max_torque, self.max_torque)
        cost = wrap_angle(state.angle) ** 2 + 0.1 * state.velocity**2 + 0.001 * torque**2
        acceleration = 3 * self.gravity / (2 * self.length) * jnp.sin(state.angle)
        acceleration = acceleration + 3 / (self.mass * self.length**2) * torque
        velocity = jnp.clip(state.velocity + acceleration * self.dt, -self.max_speed, self.max_speed)
        return PendulumState(state.angle + velocity * self.dt, velocity), -cost, jnp.zeros((), bool)
