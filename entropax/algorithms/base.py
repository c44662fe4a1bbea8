"""The contract of an algorithm."""

import abc
from typing import Generic, NamedTuple, TypeVar

import equinox as eqx
from jaxtyping import Array, Float, Key, PyTree

from entropax.networks import Critic
from entropax.policies import AbstractActor
from entropax.replay import AbstractData
from entropax.types import Metrics, Progress, Spec, Transition

State = TypeVar("State")


class AbstractAlgorithm(eqx.Module, Generic[State]):
    """A learner: its fields are its configuration, sweep axes and command line."""

    @abc.abstractmethod
    def data(self) -> AbstractData:
        """What an update is fed: `Windows` of stored steps, or the newest `Rollout`."""

    @abc.abstractmethod
    def init(self, spec: Spec, *, key: Key[Array, ""]) -> State:
        """Draws the networks and starts the optimisers."""

    @abc.abstractmethod
    def actor(self, state: State) -> AbstractActor:
        """The policy: all that acting needs, for one observation, on device or on host."""

    @abc.abstractmethod
    def update(
        self, spec: Spec, state: State, batch: Transition, progress: Progress, *, key: Key[Array, ""]
    ) -> tuple[State, Metrics]:
        """Learns from a batch `[batch, window]`, as `data` or `paid` gives it: off policy, one gradient step a part.

        Returns a state of the very type it was given.
        """

    @abc.abstractmethod
    def alpha(self, state: State) -> Float[Array, "*dimensions"]:
        """The weight of the entropy now: one number, or one an action dimension."""

    @abc.abstractmethod
    def target_entropy(self, spec: Spec, state: State) -> Float[Array, ""]:
        """The entropy steered to, in nats; NaN where none is."""

    @abc.abstractmethod
    def parameters(self, state: State) -> dict[str, PyTree[Array]]:
        """The trained parameters by name (`actor`, `critic`), for their norms."""

    def paid(self, batch: Transition, bonus: Float[Array, "batch window"]) -> Transition:
        """The batch for `update` where its steps earned a bonus: in its rewards, if the algorithm has no better use."""
        return batch._replace(reward=batch.reward + bonus)

    def act(
        self, state: State, observation: Float[Array, " observation"], *, key: Key[Array, ""]
    ) -> Float[Array, " action"]:
        """Draws an exploring action from the policy, as replay holds it; `spec.action` makes the environment's."""
        return self.actor(state)(observation).sample_and_log_prob(key=key)[0]

    def mode(self, state: State, observation: Float[Array, " observation"]) -> Float[Array, " action"]:
        """The deterministic action that evaluation uses, likewise."""
        return self.actor(state)(observation).mode()


class AbstractSoftActorCritic(AbstractAlgorithm[State]):
    """A learner whose tanh-Gaussian policy climbs action values, by which changes of its entropy are attributed."""

    @abc.abstractmethod
    def climbed(self, state: State) -> Critic:
        """The ensemble Q_i(s, a) of which the actor climbs the least, leaves `[critic, ...]`."""


class SoftAndPlain(NamedTuple):
    """What two landscapes say of the same actions, in reward."""

    soft: Float[Array, "*axes"]
    """With the entropies to come in it."""
    plain: Float[Array, "*axes"]
    """The return alone."""


class AbstractTwoValued(AbstractSoftActorCritic[State]):
    """A learner that knows its policy's soft value and its plain value apart, so that the two can be compared."""

    @abc.abstractmethod
    def soft_and_plain(
        self, state: State, observation: Float[Array, " observation"], action: Float[Array, " action"]
    ) -> SoftAndPlain:
        """Both values of one action, in [-1, 1], at one state, as the actor would climb either."""
