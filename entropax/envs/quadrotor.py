"""A quadrotor that must keep up with a point moving along a straight line, with four rotors or with four forces."""

import abc
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from entropax.envs.base import AbstractDynamics
from entropax.envs.drawing import BAD, FAINT, GOOD, INK, SELF, Canvas
from entropax.types import Bounds, Spec

SPEED, DT = 1.5, 0.1
"""Of the point in m/s, and of a step in s, as published; pictures are drawn for these."""


class QuadrotorState(eqx.Module):
    """Position (m) and velocity (m/s) in x, y, z; roll, pitch, yaw (rad) and their rates (rad/s); steps taken."""

    position: Float[Array, "3"]
    velocity: Float[Array, "3"]
    angles: Float[Array, "3"]
    rates: Float[Array, "3"]
    time: Int[Array, ""]


class AbstractActuation(eqx.Module):
    """What an action is, and what it does to the body."""

    @property
    @abc.abstractmethod
    def bounds(self) -> Bounds:
        """The box of actions."""

    @abc.abstractmethod
    def forces(self, action: Float[Array, "4"]) -> Float[Array, "4"]:
        """Thrust in N, then what turns it: differences of force in N for roll and pitch, and for yaw the drag's."""


@final
class RotorSpeeds(AbstractActuation):
    """Four rotor speeds in [0, 10]; a rotor lifts and drags with the square of its speed. Hover is 2.2568 each."""

    lift: float = 0.313
    drag: float = 7.5e-4

    @property
    def bounds(self) -> Bounds:
        """Four speeds in [0, 10]."""
        return Bounds((0.0,) * 4, (10.0,) * 4)

    def forces(self, action: Float[Array, "4"]) -> Float[Array, "4"]:
        """Thrust of all four; roll by rotors 1 and 3, pitch by 2 and 4, yaw by the drag of one pair less the other."""
        squared = jnp.clip(action, 0.0, 10.0) ** 2
        w1, w2, w3, w4 = squared[0], squared[1], squared[2], squared[3]
        thrust, roll, pitch = self.lift * (w1 + w2 + w3 + w4), self.lift * (w1 - w3), self.lift * (w2 - w4)
        return jnp.stack([thrust, roll, pitch, self.drag * (w1 + w3 - w2 - w4)])


@final
class ThrustAndMoments(AbstractActuation):
    """Thrust and what turns the body, given directly and centred: the zero action hovers.

    Our reading of the paper's simplified dynamics, which were not published: `hover` ± `thrust` newtons, and ± `turn`
    newtons each for roll, pitch and yaw.
    """

    hover: float = 0.65 * 9.81
    thrust: float = 0.65 * 9.81
    turn: float = 5.0

    @property
    def bounds(self) -> Bounds:
        """Four numbers in [-1, 1]."""
        return Bounds((-1.0,) * 4, (1.0,) * 4)

    def forces(self, action: Float[Array, "4"]) -> Float[Array, "4"]:
        """The action scaled, the thrust from the hovering one."""
        centred = jnp.clip(action, -1.0, 1.0)
        return jnp.concatenate([(self.hover + self.thrust * centred[0])[None], self.turn * centred[1:]])


class AbstractGyroscope(eqx.Module):
    """What an observation tells of the body's rates."""

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """How many numbers that is."""

    @abc.abstractmethod
    def read(self, rates: Float[Array, "3"]) -> Float[Array, " size"]:
        """Those numbers."""


@final
class NoGyroscope(AbstractGyroscope):
    """Nothing: the task is partially observed, as published."""

    @property
    def size(self) -> int:
        """0."""
        return 0

    def read(self, rates: Float[Array, "3"]) -> Float[Array, "0"]:
        """An empty vector."""
        return rates[:0]


@final
class Gyroscope(AbstractGyroscope):
    """The rates of roll, pitch and yaw in rad/s."""

    @property
    def size(self) -> int:
        """3."""
        return 3

    def read(self, rates: Float[Array, "3"]) -> Float[Array, "3"]:
        """The rates."""
        return rates


@final
class Quadrotor(AbstractDynamics[QuadrotorState]):
    """A quadrotor follows a point that flies along x at 1.5 m/s, from a hover up to 1 m off.

    Quadrotor of Zhang, Chang and Gao, "When Maximum Entropy Misleads Policy Optimization" (ICML 2025), for which the
    defaults stand. A step lasts 0.1 s and pays - 5 (|x| + |y| + |z| of the error) - |roll| - |pitch| - |yaw|. As
    published, the point that a step is compared with is where it was before that step, and it stands still in the
    first one. Euler angles and their rates are not wrapped and are used as if they were the body's. Never terminates;
    as published the time limit does, which is `TerminalTimeLimit(Quadrotor(), 40)`.

    Attributes:
        actuation: What an action is.
        gyroscope: What an observation tells of the body's rates.
        gravity: m/s².
        mass: kg.
        roll_inertia: kg m², as are the next two.
        pitch_inertia: As above.
        yaw_inertia: As above.
        arm: Metres from the middle to a rotor.
        speed: Of the point, m/s.
        dt: Seconds a step.
    """

    actuation: AbstractActuation = RotorSpeeds()
    gyroscope: AbstractGyroscope = NoGyroscope()
    gravity: float = 9.81
    mass: float = 0.65
    roll_inertia: float = 0.75
    pitch_inertia: float = 0.75
    yaw_inertia: float = 1.3
    arm: float = 0.23
    speed: float = SPEED
    dt: float = DT

    @property
    def spec(self) -> Spec:
        """Observation of 9 and what the gyroscope reads; the actuation's four actions."""
        return Spec(9 + self.gyroscope.size, self.actuation.bounds)

    def initial(self, *, key: Key[Array, ""]) -> QuadrotorState:
        """Uniform: x and y within 0.1 m, z within 1 m, velocities within 0.1 m/s; level, not turning."""
        draws = jax.random.uniform(key, (6,), float, -1.0, 1.0)
        still = jnp.zeros(3, float)
        position = draws[:3] * jnp.asarray((0.1, 0.1, 1.0))
        return QuadrotorState(position, 0.1 * draws[3:], still, still, jnp.zeros((), jnp.int32))

    def observe(self, state: QuadrotorState) -> Float[Array, " observation"]:
        """Error of position, angles, error of velocity, and what the gyroscope reads."""
        error, zero = self._error(state), jnp.zeros_like(state.velocity[0])
        lag = jnp.stack([zero + self.speed, zero, zero]) - state.velocity
        return jnp.concatenate([error, state.angles, lag, self.gyroscope.read(state.rates)])

    def step(
        self, state: QuadrotorState, action: Float[Array, "4"], *, key: Key[Array, ""]
    ) -> tuple[QuadrotorState, Float[Array, ""], Bool[Array, ""]]:
        """Semi-implicit Euler; the reward is that of the state after it. Never terminates."""
        forces = self.actuation.forces(action)
        velocity = state.velocity + self.dt * self._acceleration(state.angles, forces[0])
        rates = state.rates + self.dt * self._turning(state.rates, forces[1:])
        position, angles = state.position + self.dt * velocity, state.angles + self.dt * rates
        after = QuadrotorState(position, velocity, angles, rates, state.time + 1)
        cost = 5 * jnp.sum(jnp.abs(self._error(after))) + jnp.sum(jnp.abs(angles))
        return after, -cost, jnp.zeros((), bool)

    def _error(self, state: QuadrotorState) -> Float[Array, "3"]:
        """From the quadrotor to where the point was a step ago."""
        x, y, z = state.position[0], state.position[1], state.position[2]
        ahead = self.speed * self.dt * jnp.maximum(state.time - 1, 0).astype(x.dtype)
        return jnp.stack([ahead - x, -y, -z])

    def _acceleration(self, angles: Float[Array, "3"], thrust: Float[Array, ""]) -> Float[Array, "3"]:
        """The thrust along the body's axis, and gravity, m/s²."""
        cos, sin, push = jnp.cos(angles), jnp.sin(angles), thrust / self.mass
        x = cos[0] * sin[1] * cos[2] + sin[0] * sin[2]
        y = cos[0] * sin[1] * sin[2] - sin[0] * cos[2]
        z = cos[0] * cos[1]
        return jnp.stack([push * x, push * y, push * z - self.gravity])

    def _turning(self, rates: Float[Array, "3"], forces: Float[Array, "3"]) -> Float[Array, "3"]:
        """Euler's equations, rad/s²."""
        roll, pitch, yaw = self.roll_inertia, self.pitch_inertia, self.yaw_inertia
        about_x = rates[2] * rates[1] * (pitch - yaw) + self.arm * forces[0]
        about_y = rates[2] * rates[0] * (yaw - roll) + self.arm * forces[1]
        about_z = rates[1] * rates[0] * (roll - pitch) + self.arm * forces[2]
        return jnp.stack([about_x / roll, about_y / pitch, about_z / yaw])


_WINDOW = 2.5
"""Half-width in metres of each of the two views."""


def draw(state: QuadrotorState) -> np.ndarray:
    """From the side (x to the right) and from behind (-y to the right), `[height, width, 3]`, following the point.

    The point is green, its line grey with a post at every metre, the body blue with a red arrow along its thrust.
    """
    ahead = SPEED * DT * max(int(state.time) - 1, 0)
    roll, pitch, _ = (float(angle) for angle in state.angles)
    x, y, z = (float(number) for number in state.position)
    side = _view((x - ahead, z), pitch, np.floor(ahead) + np.arange(-3, 5) - ahead)
    behind = _view((-y, z), roll, np.zeros(1))
    return np.concatenate([side, np.full((side.shape[0], 4, 3), INK, np.uint8), behind], axis=1)


def _view(place: tuple[float, float], tilt: float, posts: np.ndarray) -> np.ndarray:
    """One view, centred on the point; a positive tilt leans to the right, and the body is kept in view."""
    half = max(_WINDOW, 1.45 * max(abs(place[0]), abs(place[1])))
    unit = half / _WINDOW
    canvas = Canvas((-half, -half), (half, half), width=360)
    canvas.line((-half, 0.0), (half, 0.0), 0.04 * unit, FAINT)
    for post in posts:
        canvas.line((post, -0.15 * unit), (post, 0.15 * unit), 0.04 * unit, FAINT)
    canvas.disc((0.0, 0.0), 0.13 * unit, GOOD)
    centre = np.array(place)
    right, up = np.array([np.cos(tilt), -np.sin(tilt)]), np.array([np.sin(tilt), np.cos(tilt)])
    arm, rotor, mast = 0.55 * unit * right, 0.28 * unit * right, 0.14 * unit * up
    canvas.line(centre - arm, centre + arm, 0.09 * unit, SELF)
    for end in (centre - arm, centre + arm):
        canvas.line(end, end + mast, 0.05 * unit, SELF)
        canvas.line(end + mast - rotor, end + mast + rotor, 0.05 * unit, INK)
    canvas.disc(centre, 0.14 * unit, SELF)
    canvas.arrow(centre, centre + 0.7 * unit * up, 0.05 * unit, BAD)
    return canvas.pixels()
