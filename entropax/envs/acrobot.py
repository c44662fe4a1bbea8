"""Two links to be kept upright by a motor between them: a small basin and a long way down."""

from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from entropax.envs.base import AbstractDynamics
from entropax.envs.drawing import FAINT, GOOD, INK, SELF, Canvas
from entropax.envs.motion import runge_kutta, wrap_angle
from entropax.types import Bounds, Spec

MAX_SPEEDS = (4 * float(np.pi), 9 * float(np.pi))
"""Where the two joints' speeds are cut off, rad/s."""


class AcrobotState(eqx.Module):
    """First link's angle from the horizontal and second's from the first, rad in [-pi, pi); and their speeds, rad/s."""

    first: Float[Array, ""]
    second: Float[Array, ""]
    first_speed: Float[Array, ""]
    second_speed: Float[Array, ""]


@final
class Acrobot(AbstractDynamics[AcrobotState]):
    """Balance two links, of which only the joint between them has a motor, from up to 45 degrees beside upright.

    The continuous acrobot of Zhang, Chang and Gao, "When Maximum Entropy Misleads Policy Optimization" (ICML 2025),
    for which the defaults stand. A step lasts 0.2 s, one step of the classical Runge-Kutta method with the torque
    held, and pays - (angle from upright)² - (second angle)² - 0.1 (speeds)². The links are alike: `length`, `centre`
    of mass, `mass` and `inertia` are those of each. Never terminates. Every field is traced.
    """

    gravity: float = 9.8
    length: float = 1.0
    centre: float = 0.5
    mass: float = 1.0
    inertia: float = 1.0
    dt: float = 0.2
    speed_cost: float = 0.1

    @property
    def spec(self) -> Spec:
        """Observation (cos, sin, cos, sin, speed, speed); one torque in [-20, 20] N·m."""
        return Spec(6, Bounds((-20.0,), (20.0,)))

    def initial(self, *, key: Key[Array, ""]) -> AcrobotState:
        """First angle uniform in 45 … 135 degrees, the rest uniform within 0.1."""
        draws = jax.random.uniform(key, (4,), float, -1.0, 1.0)
        return AcrobotState(jnp.pi / 2 + jnp.pi / 4 * draws[0], 0.1 * draws[1], 0.1 * draws[2], 0.1 * draws[3])

    def observe(self, state: AcrobotState) -> Float[Array, "6"]:
        """(cos, sin) of the first angle, (cos, sin) of the second, both speeds in rad/s."""
        angles = [turn(angle) for angle in (state.first, state.second) for turn in (jnp.cos, jnp.sin)]
        return jnp.stack([*angles, state.first_speed, state.second_speed])

    def step(
        self, state: AcrobotState, action: Float[Array, "1"], *, key: Key[Array, ""]
    ) -> tuple[AcrobotState, Float[Array, ""], Bool[Array, ""]]:
        """One Runge-Kutta step; the reward is that of the state after it. Never terminates."""
        torque = jnp.clip(action[0], -20.0, 20.0)
        moved = runge_kutta(lambda moving: self._slope(moving, torque), state, self.dt)
        after = AcrobotState(
            wrap_angle(moved.first),
            wrap_angle(moved.second),
            jnp.clip(moved.first_speed, -MAX_SPEEDS[0], MAX_SPEEDS[0]),
            jnp.clip(moved.second_speed, -MAX_SPEEDS[1], MAX_SPEEDS[1]),
        )
        leaning = wrap_angle(after.first - jnp.pi / 2) ** 2 + after.second**2
        moving = self.speed_cost * (after.first_speed**2 + after.second_speed**2)
        return after, -(leaning + moving), jnp.zeros((), bool)

    def _slope(self, state: AcrobotState, torque: Float[Array, ""]) -> AcrobotState:
        """Rates of change: the manipulator equation, its 2 x 2 mass matrix inverted by hand."""
        coupling = self.mass * self.length * self.centre
        cos, sin = jnp.cos(state.second), jnp.sin(state.second)
        own = self.mass * self.centre**2 + self.inertia
        d11 = 2 * own + self.mass * self.length**2 + 2 * coupling * cos
        d12 = own + coupling * cos
        weight = self.mass * self.gravity
        outer = weight * self.centre * jnp.cos(state.first + state.second)
        inner = weight * (self.centre + self.length) * jnp.cos(state.first)
        swing = 2 * state.first_speed * state.second_speed + state.second_speed**2
        on_first = coupling * sin * swing - inner - outer
        on_second = torque - coupling * sin * state.first_speed**2 - outer
        determinant = d11 * own - d12**2
        first = (own * on_first - d12 * on_second) / determinant
        second = (d11 * on_second - d12 * on_first) / determinant
        return AcrobotState(state.first_speed, state.second_speed, first, second)


def draw(state: AcrobotState) -> np.ndarray:
    """The links in blue, the upright position that is wanted as a grey shadow, `[height, width, 3]`."""
    canvas = Canvas((-2.4, -2.4), (2.4, 2.4))
    hinge = np.zeros(2)
    canvas.line((-2.4, 0.0), (2.4, 0.0), 0.02, FAINT)
    canvas.line(hinge, (0.0, 2.0), 0.22, FAINT)
    canvas.disc((0.0, 2.0), 0.16, GOOD)
    angle, bend = float(state.first), float(state.second)
    elbow = np.array([np.cos(angle), np.sin(angle)])
    tip = elbow + np.array([np.cos(angle + bend), np.sin(angle + bend)])
    canvas.line(hinge, elbow, 0.14, SELF)
    canvas.line(elbow, tip, 0.14, SELF)
    canvas.disc(hinge, 0.11, INK)
    canvas.disc(elbow, 0.11, INK)
    return canvas.pixels()
