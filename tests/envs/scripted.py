"""Policies written by hand, observation to action in the environment's units, that solve our tasks."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

from entropax.envs.cartpole_swingup import CartpoleState, CartpoleSwingup
from entropax.envs.deceptive_maze import GOAL, DeceptiveMaze
from entropax.envs.deep_sea import rightwards


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


def balance(observation):
    """Pushes to the side to which the pole falls, the cart's drift taken into account."""
    position, velocity, angle, angular_velocity = observation
    return (angle + 0.5 * angular_velocity + 0.05 * position + 0.1 * velocity > 0).astype(jnp.int32)


def maze(observation):
    """Up before the mouth, right above the U, then down to the goal."""
    x, y = observation
    target = jnp.where(
        x > 0.4, jnp.asarray(GOAL), jnp.where(y < 0.55, jnp.asarray((-0.5, 0.7)), jnp.asarray((0.5, 0.7)))
    )
    return jnp.clip((target - observation) / DeceptiveMaze().speed, -1, 1)


def deep_sea(observation):
    """Right in every cell."""
    size = int(len(observation) ** 0.5)
    return jnp.asarray(rightwards(size)).ravel()[jnp.argmax(observation)]


def gridworld(observation):
    """Along the corridor: up, right, down or left by the cell it is in."""
    way = jnp.asarray([int(letter) for row in ("111112", "000002", "233333", "200000", "111111") for letter in row])
    return way[jnp.argmax(observation)]


def obstacle2d(observation):
    """Past the wall's upper end, then down to the goal."""
    x, y = 2.025 * observation[0] + 2.025, 3 * observation[1]
    return jnp.where(x > 2.05, jnp.stack([3 - x, -y]), jnp.stack([2.2 - x, 2.3 - y]))


def toy(observation):
    """The good way, then the middle of it."""
    return jnp.where(observation[:1] > 0.5, -0.5, 0.0)


def hover(observation):
    """The rotor speed that carries the quadrotor."""
    return jnp.full(4, np.sqrt(0.65 * 9.81 / 4 / 0.313), jnp.float32)


def vehicle(observation):
    """Accelerates by how far the wanted acceleration points along the car, which spins; the wheel hardly matters."""
    cos, sin, to_x, to_y, forward, sideways = _from_car(observation)
    push_x = 0.4 * to_x - 0.8 * (forward * cos - sideways * sin)
    push_y = 0.4 * to_y - 0.8 * (forward * sin + sideways * cos)
    return jnp.stack([jnp.clip(10 * (push_x * cos + push_y * sin), -1, 1), jnp.ones(())])


def gripping_vehicle(observation):
    """Steers towards the target, at a speed of its distance ahead a second."""
    cos, sin, to_x, to_y, forward, _ = _from_car(observation)
    ahead, left = to_x * cos + to_y * sin, to_y * cos - to_x * sin
    aim = jnp.arctan2(left, jnp.maximum(ahead, 2.0))
    return jnp.clip(jnp.stack([5 * (ahead - forward), 3 * aim]), -1, 1)


def _from_car(observation):
    """Cosine and sine of the heading, the target as seen from the car, and its velocity along and across."""
    x, y, heading, forward, sideways, _ = observation
    cos, sin = jnp.cos(heading), jnp.sin(heading)
    return cos, sin, x + 2.9 * cos, y + 2.9 * sin, forward, sideways


def quadrotor_forces(observation):
    """Thrust, and what rolls and pitches, in N: leans towards the point, three loops of proportional control."""
    error, (roll, pitch, _), lag, (rolling, pitching, _) = jnp.split(observation, 4)
    push = error[:2] + 2 * lag[:2]
    lean = jnp.clip(jnp.stack([-push[1], push[0]]) / 9.81, -0.7, 0.7)
    thrust = 0.65 * (9.81 + 40 * error[2] + 8 * lag[2]) / (jnp.cos(roll) * jnp.cos(pitch))
    turn = 0.75 / 0.23 * (20 * (lean - jnp.stack([roll, pitch])) - 8 * jnp.stack([rolling, pitching]))
    return thrust, turn[0], turn[1]


def quadrotor(observation):
    """The rotor speeds that give `quadrotor_forces`, as far as rotors can."""
    thrust, roll, pitch = quadrotor_forces(observation)
    squared = thrust / 4 + jnp.stack([roll, pitch, -roll, -pitch]) / 2
    return jnp.sqrt(jnp.clip(squared / 0.313, 0, 100))


def simplified_quadrotor(observation):
    """`quadrotor_forces` as they are."""
    thrust, roll, pitch = quadrotor_forces(observation)
    return jnp.clip(jnp.stack([thrust / (0.65 * 9.81) - 1, roll / 5, pitch / 5, jnp.zeros(())]), -1, 1)
