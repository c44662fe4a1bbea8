"""Cart-pole swing-up with the physics and the rewards of the DeepMind Control Suite, dense and sparse."""

from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from entropax.envs.base import AbstractDynamics
from entropax.envs.motion import Scalar, runge_kutta
from entropax.types import Bounds, Spec

CENTRE = 0.25
"""Half-width in metres of the stretch in the middle of the rail where the sparse task pays."""

UPRIGHT = 0.995
"""Cosine of the pole's angle, 5.7 degrees, from which the sparse task pays."""

STOP_TIME = 0.08
"""Time constant in seconds of the rail's end stops, critically damped: `solreflimit` in the suite's model."""

STOP_IMPEDANCE = (0.9, 0.95, 0.001)
"""Impedance of the end stops when touched and when pressed in by the width, and that width in metres (MuJoCo's own)."""


class CartpoleState(eqx.Module):
    """Cart in m and m/s, pole in rad from upright (not wrapped, positive towards +x) and rad/s."""

    position: Float[Array, ""]
    angle: Float[Array, ""]
    velocity: Float[Array, ""]
    angular_velocity: Float[Array, ""]


@final
class CartpoleSwingup(AbstractDynamics[CartpoleState]):
    """Swing a hanging pole up with a cart on a rail, and keep it up in the middle; every field is traced.

    `cartpole` / `swingup` of the DeepMind Control Suite (Tassa et al., 2018, arXiv:1801.00690; `cartpole.xml` and
    `cartpole.py` of dm_control), for which the defaults stand. A step lasts `dt` seconds and is one step of the
    classical Runge-Kutta method, as in MuJoCo; the ends of the rail are MuJoCo's soft joint limit, solved in closed
    form. The reward is a product of four factors, at most 1 a step: upright, near the middle, little force, slow pole.
    """

    gravity: float = 9.81
    cart_mass: float = 1.0
    pole_mass: float = 0.1
    pole_length: float = 1.0
    pole_radius: float = 0.045
    cart_damping: float = 5e-4
    hinge_damping: float = 2e-6
    max_force: float = 10.0
    rail: float = 1.8
    dt: float = 0.01

    @property
    def spec(self) -> Spec:
        """Observation (position, cos, sin, velocity, angular velocity); one force in [-1, 1] times `max_force` N."""
        return Spec(5, Bounds((-1.0,), (1.0,)))

    def initial(self, *, key: Key[Array, ""]) -> CartpoleState:
        """At rest in the middle, the pole hanging, all four with Gaussian noise of deviation 0.01."""
        position, angle, velocity, angular_velocity = 0.01 * jax.random.normal(key, (4,), jnp.float32)
        return CartpoleState(position, angle + jnp.float32(jnp.pi), velocity, angular_velocity)

    def observe(self, state: CartpoleState) -> Float[Array, "5"]:
        """(position in m, cos angle, sin angle, velocity in m/s, angular velocity in rad/s)."""
        angle = state.angle
        return jnp.stack([state.position, jnp.cos(angle), jnp.sin(angle), state.velocity, state.angular_velocity])

    def step(
        self, state: CartpoleState, action: Float[Array, "1"], *, key: Key[Array, ""]
    ) -> tuple[CartpoleState, Float[Array, ""], Bool[Array, ""]]:
        """One Runge-Kutta step; the reward is that of the state after it. Never terminates."""
        control = jnp.clip(action[0], -1.0, 1.0)
        force = self.max_force * control
        after = runge_kutta(lambda moving: self._slope(moving, force), state, self.dt)
        return after, _reward(after, control), jnp.zeros((), bool)

    def _slope(self, state: CartpoleState, force: Float[Array, ""]) -> CartpoleState:
        """Rates of change: the manipulator equation, then the push of the end stop that is touched, if any."""
        coupling = self.pole_mass * self.pole_length / 2
        pole = _capsule_inertia(self.pole_mass, self.pole_length, self.pole_radius)
        pole = pole + self.pole_mass * self.pole_length**2 / 4
        total = self.cart_mass + self.pole_mass
        sin, cos = jnp.sin(state.angle), jnp.cos(state.angle)
        cross = coupling * cos
        determinant = total * pole - cross**2
        on_cart = force - self.cart_damping * state.velocity + coupling * sin * state.angular_velocity**2
        on_pole = coupling * self.gravity * sin - self.hinge_damping * state.angular_velocity
        free = (pole * on_cart - cross * on_pole) / determinant
        inverse_upright = pole / (total * pole - coupling**2)
        on_cart = on_cart + self._stop_force(state, free, pole / determinant, inverse_upright)
        acceleration = (pole * on_cart - cross * on_pole) / determinant
        angular_acceleration = (total * on_pole - cross * on_cart) / determinant
        return CartpoleState(state.velocity, state.angular_velocity, acceleration, angular_acceleration)

    def _stop_force(
        self, state: CartpoleState, free: Scalar, inverse: Scalar, inverse_upright: Scalar
    ) -> Float[Array, ""]:
        """Newtons from the end stop; MuJoCo's constraint with a single row, so that it needs no solver.

        Args:
            state: Where the cart is.
            free: The cart's acceleration without the stop, m/s².
            inverse: Acceleration of the cart per newton, 1/kg.
            inverse_upright: The same with the pole upright, from which MuJoCo takes the stop's softness.
        """
        low, high, width = STOP_IMPEDANCE
        side = jnp.sign(state.position)
        depth = jnp.abs(state.position) - self.rail
        pressed = jnp.clip(depth / width, 0.0, 1.0)
        ramp = jnp.where(pressed < 0.5, 2 * pressed**2, 1 - 2 * (1 - pressed) ** 2)
        impedance = low + (high - low) * ramp
        damping, stiffness = 2 / (high * STOP_TIME), 1 / (high * STOP_TIME) ** 2
        wanted = -damping * side * state.velocity - stiffness * impedance * depth
        softness = (1 - impedance) / impedance * inverse_upright
        push = jnp.minimum((wanted - side * free) / (inverse + softness), 0.0)
        return jnp.where(depth > 0, side * push, 0.0)


@final
class CartpoleSwingupSparse(AbstractDynamics[CartpoleState]):
    """`swingup_sparse` of the suite: 1 on steps with the pole within 5.7 degrees of upright in the middle, else 0."""

    dynamics: CartpoleSwingup = CartpoleSwingup()

    @property
    def spec(self) -> Spec:
        """That of the dense task."""
        return self.dynamics.spec

    def initial(self, *, key: Key[Array, ""]) -> CartpoleState:
        """As the dense task."""
        return self.dynamics.initial(key=key)

    def observe(self, state: CartpoleState) -> Float[Array, "5"]:
        """As the dense task."""
        return self.dynamics.observe(state)

    def step(
        self, state: CartpoleState, action: Float[Array, "1"], *, key: Key[Array, ""]
    ) -> tuple[CartpoleState, Float[Array, ""], Bool[Array, ""]]:
        """The dense task's step; pays 1 where the cart is within 0.25 m of the middle and the cosine at least 0.995."""
        after, _, terminated = self.dynamics.step(state, action, key=key)
        paid = (jnp.abs(after.position) <= CENTRE) & (jnp.cos(after.angle) >= UPRIGHT)
        return after, paid.astype(jnp.float32), terminated


def _capsule_inertia(mass: Scalar, length: Scalar, radius: Scalar) -> Scalar:
    """About a crosswise axis through the middle, kg m²: a cylinder of `length` with half a ball on either end."""
    ends = mass / (1 + 0.75 * length / radius)
    cylinder = (mass - ends) * (3 * radius**2 + length**2) / 12
    return cylinder + ends * (0.4 * radius**2 + 0.375 * length * radius + length**2 / 4)


def _reward(state: CartpoleState, control: Float[Array, ""]) -> Float[Array, ""]:
    """The suite's factors; a Gaussian `tolerance` falls to 0.1 at its margin."""
    upright = (1 + jnp.cos(state.angle)) / 2
    centred = (1 + 0.1 ** ((state.position / 2) ** 2)) / 2
    little_force = (5 - control**2) / 5
    slow = (1 + 0.1 ** ((state.angular_velocity / 5) ** 2)) / 2
    return upright * centred * little_force * slow
