"""Policies written by hand, observation to action in the environment's units, that solve our tasks."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

from entropax.envs.cartpole_swingup import CartpoleState, CartpoleSwingup
from entropax.envs.deceptive_maze import GOAL, DeceptiveMaze


def pendulum(observation):
    """Full torque that brings the energy to that of rest upright, then proportional and derivative control."""
    cos, sin, velocity = observation
    angle = jnp.arctan2(sin, cos)
    surplus = velocity**2 / 6 + 5 * (cos - 1)
    swing = -2 * jnp.sign(surplus) * jnp.where(velocity < 0, -1, 1)
    caught = (cos > 0.85) & (jnp.abs(angle + 0.3 * velocity) < 0.6)
    return jnp.clip(jnp.where(caught, -12 * angle - 3 * velocity, swing), -2, 2)[None]


def mountain_car(observation):
    """Pushes the way it moves, with seven tenths of the force."""
    return jnp.where(observation[1:] >= 0, 0.7, -0.7)


def cartpole_gains():
    """Gains of the linear-quadratic regulator of the step at rest upright."""

    def step(state, action):
        return jnp.stack(
            jax.tree.leaves(CartpoleSwingup().step(CartpoleState(*state), action, key=jax.random.key(0))[0])
        )

    by_state, by_action = jax.jacobian(step, argnums=(0, 1))(jnp.zeros(4), jnp.zeros(1))
    a, b, q = np.asarray(by_state, float), np.asarray(by_action, float), np.diag([1.0, 1.0, 0.1, 0.1])
    p = scipy.linalg.solve_discrete_are(a, b, q, np.eye(1))
    return jnp.asarray(np.linalg.solve(np.eye(1) + b.T @ p @ b, b.T @ p @ a)[0], jnp.float32)


def cartpole(observation, gains):
    """Pumps the pole's energy up while drawn to the middle, then the regulator."""
    position, cos, sin, velocity, angular_velocity = observation
    deficit = 1 - cos - 0.0345 * angular_velocity**2
    swing = -jnp.clip(deficit, -1, 1) * jnp.sign(angular_velocity * cos) - 0.3 * position - 0.1 * velocity
    state = jnp.stack([position, jnp.arctan2(sin, cos), velocity, angular_velocity])
    caught = (cos > 0.9) & (jnp.abs(angular_velocity) < 4)
    return jnp.clip(jnp.where(caught, -gains @ state, swing), -1, 1)[None]


def maze(observation):
    """Up before the mouth, right above the U, then down to the goal."""
    x, y = observation
    target = jnp.where(
        x > 0.4, jnp.asarray(GOAL), jnp.where(y < 0.55, jnp.asarray((-0.5, 0.7)), jnp.asarray((0.5, 0.7)))
    )
    return jnp.clip((target - observation) / DeceptiveMaze().speed, -1, 1)
