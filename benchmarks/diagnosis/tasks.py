"""Tasks that small networks solve in a few thousand steps, and the return from which each counts as solved."""

from typing import Any, Generic, TypeVar, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from entropax.envs.base import AbstractDynamics, Episodes
from entropax.envs.cartpole_swingup import CartpoleState, CartpoleSwingup
from entropax.envs.motion import wrap_angle
from entropax.envs.pendulum import Pendulum, PendulumState
from entropax.envs.registry import TASKS, make
from entropax.types import Bounds, Spec, continuous

State = TypeVar("State")

PENDULUM = "entropax/Pendulum-v0"
COST = "entropax/PendulumActionCost-v0"
SPARSE = "entropax/PendulumSparse-v0"
TWIN = "two pendulums"
BALANCE = "balance"
POLE = "pole on a cart"
POINTS = "two points"
SIX = "six points"
TANK = "tank"
GUSTS = "pendulum in gusts"


@final
class Balance(AbstractDynamics[PendulumState]):
    """A pendulum that starts upright: 1 a step, terminated once it leans 0.6 rad."""

    pendulum: Pendulum = Pendulum()
    lean: float = 0.6

    @property
    def spec(self) -> Spec:
        """The pendulum's."""
        return self.pendulum.spec

    def initial(self, *, key: Key[Array, ""]) -> PendulumState:
        """Within 0.1 rad of upright, velocity within 0.1 rad/s."""
        angle, velocity = jax.random.uniform(key, (2,), jnp.float32, -0.1, 0.1)
        return PendulumState(angle, velocity)

    def observe(self, state: PendulumState) -> Float[Array, "3"]:
        """The pendulum's."""
        return self.pendulum.observe(state)

    def step(self, state: PendulumState, action: Float[Array, "1"], *, key: Key[Array, ""]) -> tuple[Any, Any, Any]:
        """The pendulum's step, paid 1."""
        state, _, _ = self.pendulum.step(state, action, key=key)
        return state, jnp.ones((), jnp.float32), jnp.abs(wrap_angle(state.angle)) > self.lean


@final
class Twin(AbstractDynamics[State], Generic[State]):
    """Two copies of a task with one action each; the reward is their sum."""

    one: AbstractDynamics[State]

    @property
    def spec(self) -> Spec:
        """Both observations, both actions."""
        bounds = continuous(self.one.spec)
        return Spec(2 * self.one.spec.observation_size, Bounds(bounds.low * 2, bounds.high * 2))

    def initial(self, *, key: Key[Array, ""]) -> State:
        """Two states."""
        return jax.vmap(lambda k: self.one.initial(key=k))(jax.random.split(key))

    def observe(self, state: State) -> Float[Array, " observation"]:
        """One behind the other."""
        return jnp.ravel(jax.vmap(self.one.observe)(state))

    def step(self, state: State, action: Float[Array, " action"], *, key: Key[Array, ""]) -> tuple[Any, Any, Any]:
        """Each with its half of the action."""
        keys = jax.random.split(key)
        states, rewards, ended = jax.vmap(lambda s, a, k: self.one.step(s, a, key=k))(
            state, action.reshape(2, -1), keys
        )
        return states, jnp.sum(rewards), jnp.any(ended)


@final
class Pole(AbstractDynamics[CartpoleState]):
    """A pole that starts nearly upright on its cart: 1 a step, terminated once it leans 0.3 rad or is 1 m off."""

    cartpole: CartpoleSwingup = CartpoleSwingup(dt=0.02)
    lean: float = 0.3
    reach: float = 1.0

    @property
    def spec(self) -> Spec:
        """The cart-pole's."""
        return self.cartpole.spec

    def initial(self, *, key: Key[Array, ""]) -> CartpoleState:
        """All four within 0.05 of rest in the middle."""
        return CartpoleState(*jax.random.uniform(key, (4,), jnp.float32, -0.05, 0.05))

    def observe(self, state: CartpoleState) -> Float[Array, "5"]:
        """The cart-pole's."""
        return self.cartpole.observe(state)

    def step(self, state: CartpoleState, action: Float[Array, "1"], *, key: Key[Array, ""]) -> tuple[Any, Any, Any]:
        """The cart-pole's step, paid 1."""
        state, _, _ = self.cartpole.step(state, action, key=key)
        lost = (jnp.abs(state.angle) > self.lean) | (jnp.abs(state.position) > self.reach)
        return state, jnp.ones((), jnp.float32), lost


@final
class Points(AbstractDynamics[Array]):
    """Points on lines, each with a velocity of its own, that are to be brought to 0: minus their mean distance."""

    number: int = eqx.field(static=True)
    speed: float = 0.2

    @property
    def spec(self) -> Spec:
        """Positions; velocities in [-1, 1] times `speed` a step."""
        return Spec(self.number, Bounds((-1.0,) * self.number, (1.0,) * self.number))

    def initial(self, *, key: Key[Array, ""]) -> Float[Array, " number"]:
        """Uniform in [-1, 1]."""
        return jax.random.uniform(key, (self.number,), jnp.float32, -1.0, 1.0)

    def observe(self, state: Float[Array, " number"]) -> Float[Array, " number"]:
        """All positions."""
        return state

    def step(self, state: Array, action: Float[Array, " number"], *, key: Key[Array, ""]) -> tuple[Any, Any, Any]:
        """Moves all; they stop at 2."""
        state = jnp.clip(state + self.speed * jnp.clip(action, -1.0, 1.0), -2.0, 2.0)
        return state, -jnp.mean(jnp.abs(state)), jnp.zeros((), bool)


@final
class Tank(AbstractDynamics[Array]):
    """A leaking tank to be filled to a level asked for, minus the distance to it; the box [0, 1] is not centred."""

    step_size: float = 0.2
    leak: float = 0.5

    @property
    def spec(self) -> Spec:
        """(level, level asked for) in m; one inflow."""
        return Spec(2, Bounds((0.0,), (1.0,)))

    def initial(self, *, key: Key[Array, ""]) -> Float[Array, "2"]:
        """A level in [0, 2], one asked for in [0.5, 1.5]."""
        return jax.random.uniform(key, (2,), jnp.float32, jnp.array([0.0, 0.5]), jnp.array([2.0, 1.5]))

    def observe(self, state: Float[Array, "2"]) -> Float[Array, "2"]:
        """Both levels."""
        return state

    def step(self, state: Float[Array, "2"], action: Float[Array, "1"], *, key: Key[Array, ""]) -> tuple[Any, Any, Any]:
        """Inflow less what leaks, which goes with the root of the level (Torricelli)."""
        level, asked = state
        flow = jnp.clip(action[0], 0.0, 1.0) - self.leak * jnp.sqrt(level)
        level = jnp.clip(level + self.step_size * flow, 0.0, 2.0)
        return jnp.stack([level, asked]), -jnp.abs(level - asked), jnp.zeros((), bool)


@final
class Altered(AbstractDynamics[State], Generic[State]):
    """A task in other surroundings, which may be what was meant or a mistake.

    What is seen, done and paid is multiplied by a factor; actions and rewards have Gaussian noise of a deviation, and
    a share of the rewards is NaN.
    """

    task: AbstractDynamics[State]
    sees: float = 1.0
    does: float = 1.0
    pays: float = 1.0
    gusts: float = 0.0
    noise: float = 0.0
    nan_share: float = 0.0

    @property
    def spec(self) -> Spec:
        """The task's."""
        return self.task.spec

    def initial(self, *, key: Key[Array, ""]) -> State:
        """The task's."""
        return self.task.initial(key=key)

    def observe(self, state: State) -> Float[Array, " observation"]:
        """The task's, scaled."""
        return self.sees * self.task.observe(state)

    def step(self, state: State, action: Float[Array, " action"], *, key: Key[Array, ""]) -> tuple[Any, Any, Any]:
        """The task's, its action and its reward altered."""
        key, noise_key, draw_key, gust_key = jax.random.split(key, 4)
        action = self.does * action + self.gusts * jax.random.normal(gust_key, action.shape)
        state, reward, terminated = self.task.step(state, action, key=key)
        reward = self.pays * reward + self.noise * jax.random.normal(noise_key)
        return state, jnp.where(jax.random.uniform(draw_key) < self.nan_share, jnp.nan, reward), terminated


_SOLVED = TASKS[PENDULUM].solved
_OWN: dict[str, tuple[Any, float]] = {
    TWIN: (Episodes(Twin(Pendulum()), 200), 2 * _SOLVED),
    # At most 1 a step: upright for 19 of 20 steps.
    BALANCE: (Episodes(Balance(), 200), 190.0),
    POLE: (Episodes(Pole(), 200), 190.0),
    # The straight way costs 0.83; 3 leaves 0.04 of distance on each of the 50 steps.
    POINTS: (Episodes(Points(2), 50), -3.0),
    SIX: (Episodes(Points(6), 50), -3.0),
    # Full or no inflow until the level is right costs about 2; 4 leaves 0.04 m on each of the 50 steps.
    TANK: (Episodes(Tank(), 50), -4.0),
    GUSTS: (Episodes(Altered(Pendulum(), gusts=0.5), 200), 1.25 * _SOLVED),
}


def environment(task: str) -> tuple[Any, float]:
    """A task of the benchmark, and the return from which it counts as solved."""
    return _OWN[task] if task in _OWN else (make(task), TASKS[task].solved)
