"""The contract of a temperature law and of a target rule."""

import abc
from typing import Generic, TypeVar

import equinox as eqx
from jaxtyping import Array, Float, Int

from entropax.types import Metrics, Spec

State = TypeVar("State")


class AbstractTarget(eqx.Module):
    """Says which entropy a law should hold: nats in [-1, 1] space, summed over the action's dimensions."""

    @abc.abstractmethod
    def value(self, spec: Spec, updates: Int[Array, ""]) -> Float[Array, ""]:
        """Target entropy in nats after so many updates. Raises EntropaxError where no policy can reach it."""


class AbstractTemperature(eqx.Module, Generic[State]):
    """A law for alpha, the weight of the entropy: pure functions over a state that a learner carries."""

    @abc.abstractmethod
    def init(self, spec: Spec) -> State:
        """The state before the first update. Raises EntropaxError where the target cannot be reached."""

    @abc.abstractmethod
    def value(self, state: State) -> Float[Array, ""]:
        """Alpha now."""

    @abc.abstractmethod
    def target(self, spec: Spec, state: State) -> Float[Array, ""]:
        """The entropy in nats that the law steers to now; NaN for a law that steers to none."""

    @abc.abstractmethod
    def update(self, spec: Spec, state: State, entropy: Float[Array, " batch"]) -> tuple[State, Metrics]:
        """Sees the entropy (or its one-sample estimates, -log pi) in nats on a batch of states; moves alpha."""
