"""What faults are made of: environments, a law, a target and a network with a mistake in them.

None of them is part of the library, which refuses the targets and has not the mistakes.
"""

import math
from typing import Any, Generic, TypeVar, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from entropax.envs.base import AbstractDynamics, Episodes, EpisodeState
from entropax.envs.pendulum import Pendulum, PendulumState, wrap_angle
from entropax.networks import AbstractNetwork, AbstractTorso, Dense, HostFunction
from entropax.temperature import AbstractTarget, AbstractTemperature, Dual, DualState, Evidence, PerDimension
from entropax.types import Bounds, Metrics, Spec, Step, continuous

State = TypeVar("State")


@final
class Balance(AbstractDynamics[PendulumState]):
    """A pendulum that starts upright: 1 a step, terminated once it leans 0.6 rad. Not a mistake: a task that ends."""

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
    """Two copies of a task with one action each; the reward is their sum. Not a mistake: a task of two dimensions."""

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
class Scaled(AbstractDynamics[State], Generic[State]):
    """Rewards times a factor."""

    task: AbstractDynamics[State]
    factor: float = 1.0

    @property
    def spec(self) -> Spec:
        """The task's."""
        return self.task.spec

    def initial(self, *, key: Key[Array, ""]) -> State:
        """The task's."""
        return self.task.initial(key=key)

    def observe(self, state: State) -> Float[Array, " observation"]:
        """The task's."""
        return self.task.observe(state)

    def step(self, state: State, action: Float[Array, " action"], *, key: Key[Array, ""]) -> tuple[Any, Any, Any]:
        """The task's, its reward scaled."""
        state, reward, terminated = self.task.step(state, action, key=key)
        return state, reward * self.factor, terminated


@final
class Bounded(AbstractDynamics[State], Generic[State]):
    """Another action box around the same motor."""

    task: AbstractDynamics[State]
    box: Bounds = eqx.field(static=True)

    @property
    def spec(self) -> Spec:
        """The task's observation, the other box: dimensions beyond the task's own move nothing."""
        return Spec(self.task.spec.observation_size, self.box)

    def initial(self, *, key: Key[Array, ""]) -> State:
        """The task's."""
        return self.task.initial(key=key)

    def observe(self, state: State) -> Float[Array, " observation"]:
        """The task's."""
        return self.task.observe(state)

    def step(self, state: State, action: Float[Array, " action"], *, key: Key[Array, ""]) -> tuple[Any, Any, Any]:
        """The task's, which clips what it is given."""
        return self.task.step(state, action[: continuous(self.task.spec).size], key=key)


@final
class NanRewards(AbstractDynamics[State], Generic[State]):
    """A reward that is NaN on a share of the steps."""

    task: AbstractDynamics[State]
    share: float = 0.01

    @property
    def spec(self) -> Spec:
        """The task's."""
        return self.task.spec

    def initial(self, *, key: Key[Array, ""]) -> State:
        """The task's."""
        return self.task.initial(key=key)

    def observe(self, state: State) -> Float[Array, " observation"]:
        """The task's."""
        return self.task.observe(state)

    def step(self, state: State, action: Float[Array, " action"], *, key: Key[Array, ""]) -> tuple[Any, Any, Any]:
        """The task's, or NaN."""
        key, draw = jax.random.split(key)
        state, reward, terminated = self.task.step(state, action, key=key)
        return state, jnp.where(jax.random.uniform(draw) < self.share, jnp.nan, reward), terminated


class TimedState(eqx.Module, Generic[State]):
    """A task's state and its step."""

    task: State
    time: Int[Array, ""]


@final
class LimitTerminates(AbstractDynamics[TimedState[State]], Generic[State]):
    """Says that the task is over where only its time is: a truncation stored as a termination."""

    task: AbstractDynamics[State]
    limit: int = eqx.field(static=True)

    @property
    def spec(self) -> Spec:
        """The task's."""
        return self.task.spec

    def initial(self, *, key: Key[Array, ""]) -> TimedState[State]:
        """The task's, at time 0."""
        return TimedState(self.task.initial(key=key), jnp.zeros((), jnp.int32))

    def observe(self, state: TimedState[State]) -> Float[Array, " observation"]:
        """The task's, which does not see the time."""
        return self.task.observe(state.task)

    def step(
        self, state: TimedState[State], action: Float[Array, " action"], *, key: Key[Array, ""]
    ) -> tuple[Any, Any, Any]:
        """The task's, terminated at the limit."""
        task, reward, terminated = self.task.step(state.task, action, key=key)
        return TimedState(task, state.time + 1), reward, terminated | (state.time + 1 >= self.limit)


class EndsTruncate(eqx.Module, Generic[State]):
    """Episodes that hand every termination out as a truncation."""

    episodes: Episodes[State]

    @property
    def spec(self) -> Spec:
        """The task's."""
        return self.episodes.spec

    @property
    def dynamics(self) -> AbstractDynamics[State]:
        """The task."""
        return self.episodes.dynamics

    @property
    def time_limit(self) -> int:
        """The task's."""
        return self.episodes.time_limit

    def reset(self, *, key: Key[Array, ""]) -> tuple[EpisodeState[State], Float[Array, " observation"]]:
        """The task's."""
        return self.episodes.reset(key=key)

    def step(
        self, state: EpisodeState[State], action: Float[Array, " action"], *, key: Key[Array, ""]
    ) -> tuple[EpisodeState[State], Step]:
        """The task's, its two flags joined in the wrong one."""
        state, step = self.episodes.step(state, action, key=key)
        never = jnp.zeros_like(step.terminated)
        return state, step._replace(terminated=never, truncated=step.terminated | step.truncated)


@final
class WrongSign(AbstractTemperature[DualState]):
    """`Dual` that climbs the loss it should descend."""

    dual: Dual = Dual()

    def init(self, spec: Spec) -> DualState:
        """Dual's."""
        return self.dual.init(spec)

    def value(self, state: DualState) -> Float[Array, ""]:
        """Dual's."""
        return self.dual.value(state)

    def target(self, spec: Spec, state: DualState) -> Float[Array, ""]:
        """Dual's."""
        return self.dual.target(spec, state)

    def update(self, spec: Spec, state: DualState, evidence: Evidence) -> tuple[DualState, Metrics]:
        """Dual's step, the other way; log alpha stays within ±18, where float32 still can follow."""
        mirrored = eqx.tree_at(lambda law: law.learning_rate, self.dual, -self.dual.learning_rate)
        following, metrics = mirrored.update(spec, state, evidence)
        following = eqx.tree_at(lambda s: s.log_alpha, following, jnp.clip(following.log_alpha, -18.0, 18.0))
        return following, metrics


def unreachable(nats: float) -> AbstractTarget[Any]:
    """A target per dimension that the library refuses to construct."""
    return eqx.tree_at(lambda rule: rule.nats, PerDimension(), nats)


class FlooredNetwork(AbstractNetwork):
    """An actor's network whose log standard deviations have a floor."""

    network: AbstractNetwork
    floor: float = eqx.field(static=True)

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        """Means as they are, log standard deviations at least the floor."""
        mean, log_std = jnp.split(self.network(x), 2)
        return jnp.concatenate([mean, jnp.maximum(log_std, self.floor)])

    def on_host(self) -> HostFunction:
        """Not for a host environment: these runs have none."""
        return self.network.on_host()


@final
class Floored(AbstractTorso):
    """`Dense`, with a floor under the actor's log standard deviation."""

    hidden_sizes: tuple[int, ...] = eqx.field(static=True)
    floor: float = eqx.field(default=math.log(0.5), static=True)

    def init(self, inputs: int, outputs: int, *, key: Key[Array, ""]) -> AbstractNetwork:
        """A critic's network has one output and no floor."""
        network = Dense(self.hidden_sizes).init(inputs, outputs, key=key)
        return network if outputs == 1 else FlooredNetwork(network, self.floor)
