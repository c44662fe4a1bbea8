"""What faults are made of: environments, a law, a target and a network with a mistake in them.

None of them is part of the library, which refuses the targets and has not the mistakes.
"""

import math
from typing import Any, Generic, TypeVar, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from entropax.envs.base import AbstractDynamics, Episodes, EpisodeState
from entropax.networks import AbstractNetwork, AbstractTorso, Dense, HostFunction
from entropax.temperature import AbstractTarget, AbstractTemperature, Dual, DualState, Evidence, PerDimension
from entropax.types import Bounds, Metrics, Spec, Step, continuous

State = TypeVar("State")


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
