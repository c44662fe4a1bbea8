"""The contract of an algorithm."""

import abc
from typing import Generic, TypeVar

import equinox as eqx
from jaxtyping import Array, Float, Key, PyTree

from entropax.networks import AbstractActor
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
        """Learns from a batch `[batch, window]`, as `data` gives it: one gradient step of every part, off policy.

        Returns a state of the very type it was given.
        """

    @abc.abstractmethod
    def act(
        self, state: State, observation: Float[Array, " observation"], *, key: Key[Array, ""]
    ) -> Float[Array, " action"]:
        """Draws an exploring action; the environment takes it clipped to [-1, 1]."""

    @abc.abstractmethod
    def mode(self, state: State, observation: Float[Array, " observation"]) -> Float[Array, " action"]:
        """The deterministic action that evaluation uses; the environment takes it clipped to [-1, 1]."""

    @abc.abstractmethod
    def alpha(self, state: State) -> Float[Array, "*dimensions"]:
        """The weight of the entropy now: one number, or one an action dimension."""

    @abc.abstractmethod
    def target_entropy(self, spec: Spec, state: State) -> Float[Array, ""]:
        """The entropy steered to, in nats; NaN where none is."""

    @abc.abstractmethod
    def parameters(self, state: State) -> dict[str, PyTree[Array]]:
        """The trained parameters by name (`actor`, `critic`), for their norms."""

    @abc.abstractmethod
    def has_action_values(self) -> bool:
        """Whether `parameters` has an ensemble of Q(s, a) as `critic`, by which changes of entropy are attributed."""
