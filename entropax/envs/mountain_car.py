"""Continuous mountain car with the physics and the reward of Gymnasium's MountainCarContinuous-v0."""

from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from entropax.envs.base import AbstractDynamics
from entropax.types import Bounds, Spec


class MountainCarState(eqx.Module):
    """Position along the track and velocity per step."""

    position: Float[Array, ""]
    velocity: Float[Array, ""]


@final
class MountainCarContinuous(AbstractDynamics[MountainCarState]):
    """An underpowered car in a valley: +100 at the goal, -0.1 a² a step on the way; every field is traced.

    Equal to Gymnasium's `continuous_mountain_car.py`, for which the defaults stand. The action cost teaches a policy
    that has not yet seen the goal to do nothing, which is why entropy collapse shows here first. As in Gymnasium the
    force saturates at the action box while the cost is that of the action as given.
    """

    power: float = 0.0015
    gravity: float = 0.0025
    min_position: float = -1.2
    max_position: float = 0.6
    max_speed: float = 0.07
    goal_position: float = 0.45
    goal_velocity: float = 0.0
    goal_reward: float = 100.0
    action_cost: float = 0.1

    @property
    def spec(self) -> Spec:
        """Observation (position, velocity); one force in [-1, 1]."""
        return Spec(2, Bounds((-1.0,), (1.0,)))

    def initial(self, *, key: Key[Array, ""]) -> MountainCarState:
        """Position uniform in [-0.6, -0.4], at rest."""
        return MountainCarState(jax.random.uniform(key, (), jnp.float32, -0.6, -0.4), jnp.zeros((), jnp.float32))

    def observe(self, state: MountainCarState) -> Float[Array, "2"]:
        """(position, velocity)."""
        return jnp.stack([state.position, state.velocity])

    def step(
        self, state: MountainCarState, action: Float[Array, "1"], *, key: Key[Array, ""]
    ) -> tuple[MountainCarState, Float[Array, ""], Bool[Array, ""]]:
        """One step; terminates at the goal, when reached at no less than the goal velocity."""
        force = jnp.clip(action[0], -1.0, 1.0)
        velocity = state.velocity + force * self.power - self.gravity * jnp.cos(3 * state.position)
        velocity = jnp.clip(velocity, -self.max_speed, self.max_speed)
        position = jnp.clip(state.position + velocity, self.min_position, self.max_position)
        at_left_wall = jnp.logical_and(position == self.min_position, velocity < 0)
        velocity = jnp.where(at_left_wall, 0.0, velocity)
        terminated = jnp.logical_and(position >= self.goal_position, velocity >= self.goal_velocity)
        reward = jnp.where(terminated, self.goal_reward, 0.0) - self.action_cost * action[0] ** 2
        return MountainCarState(position, velocity), reward, terminated
