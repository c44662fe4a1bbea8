"""The contract of a temperature law and of a target rule, and the evidence that both see."""

import abc
from typing import Generic, TypeVar

import equinox as eqx
from jaxtyping import Array, Float

from entropax.types import Metrics, Progress, Spec

State = TypeVar("State")


class Evidence(eqx.Module):
    """What a law sees at an update; data, through which no gradient flows.

    Attributes:
        per_dimension: entropy in nats of every action dimension at a batch of states, or its one-sample
            estimate, -log pi_j(a_j|s).
        progress: how far the run is, and how well it does.
    """

    per_dimension: Float[Array, "batch action"]
    progress: Progress

    @property
    def entropy(self) -> Float[Array, ""]:
        """Mean over the batch of the entropy summed over dimensions, in nats."""
        return self.per_dimension.sum(axis=1).mean()


class AbstractTarget(eqx.Module, Generic[State]):
    """Says which entropy a law should hold: nats in [-1, 1] space, summed over the action's dimensions."""

    @abc.abstractmethod
    def init(self, spec: Spec) -> State:
        """What the rule remembers before the first update. Raises EntropaxError where no policy can reach it."""

    @abc.abstractmethod
    def value(self, spec: Spec, state: State) -> Float[Array, ""]:
        """Target entropy in nats now."""

    @abc.abstractmethod
    def observe(self, spec: Spec, state: State, evidence: Evidence) -> State:
        """What the rule remembers after one more update."""


class AbstractTemperature(eqx.Module, Generic[State]):
    """A law for alpha, the weight of the entropy: pure functions over a state that a learner carries."""

    @abc.abstractmethod
    def init(self, spec: Spec) -> State:
        """The state before the first update. Raises EntropaxError where the target cannot be reached."""

    @abc.abstractmethod
    def value(self, state: State) -> Float[Array, "*dimensions"]:
        """Alpha now, in reward per nat: one, or one an action dimension."""

    @abc.abstractmethod
    def target(self, spec: Spec, state: State) -> Float[Array, ""]:
        """The entropy in nats that the law steers to now; NaN for a law that steers to none."""

    @abc.abstractmethod
    def update(self, spec: Spec, state: State, evidence: Evidence) -> tuple[State, Metrics]:
        """Moves alpha once.

        Returns the new state, of the very type it was given, and `train/ent_coef` (alpha after the update) and
        `train/ent_coef_step` (change of log alpha), means over dimensions where there is one alpha each.
        """
