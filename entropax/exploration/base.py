"""The contracts: noise acts for one copy of the environment, a bonus pays for all copies of a learner."""

import abc
from typing import Any, Generic, TypeVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from entropax.algorithms.base import AbstractAlgorithm
from entropax.errors import EntropaxError
from entropax.types import Categories, Metrics, Progress, Spec, Transition

State = TypeVar("State")


class AbstractNoise(eqx.Module, Generic[State]):
    """What becomes of a policy while it explores: it acts, with a memory of its own that lasts an episode or longer."""

    @abc.abstractmethod
    def init(
        self, algorithm: AbstractAlgorithm[Any], learner: Any, spec: Spec, horizon: int | None, *, key: Key[Array, ""]
    ) -> State:
        """The memory before the first step.

        Args:
            algorithm: who learns.
            learner: its state.
            spec: of the environment.
            horizon: most steps that an episode has; None where the environment sets no limit.
            key: of what is drawn.

        Raises:
            EntropaxError: the noise does not fit the environment or the policy.
        """

    @abc.abstractmethod
    def act(
        self,
        algorithm: AbstractAlgorithm[Any],
        learner: Any,
        state: State,
        observation: Float[Array, " observation"],
        *,
        key: Key[Array, ""],
    ) -> tuple[Float[Array, " action"], State]:
        """Draws an exploring action; returns it with the memory after it."""

    @abc.abstractmethod
    def ended(self, algorithm: AbstractAlgorithm[Any], learner: Any, state: State, *, key: Key[Array, ""]) -> State:
        """The memory that a new episode begins with, from what it was at the last one's end."""


class AbstractBonus(eqx.Module, Generic[State]):
    """A reward of the learner's own, for any algorithm.

    It sees steps when they are taken, and pays for them when they are learned from, with what it knows then: replay
    holds the environment's rewards, so no bonus is ever stale, and no return that is reported has it.
    """

    @abc.abstractmethod
    def init(self, spec: Spec, copies: int, *, key: Key[Array, ""]) -> State:
        """What is remembered before the first step of so many copies of the environment.

        Raises:
            EntropaxError: the bonus does not suit the environment.
        """

    @abc.abstractmethod
    def observe(self, spec: Spec, state: State, steps: Transition, stored: Bool[Array, " envs"]) -> State:
        """What is remembered after one step `[envs]` of all copies, random steps too; those not `stored` are broken."""

    @abc.abstractmethod
    def rewarded(self, algorithm: AbstractAlgorithm[Any], spec: Spec, state: State, batch: Transition) -> Transition:
        """The batch `[batch, window]` with the rewards to learn from, as the algorithm takes them."""

    @abc.abstractmethod
    def learn(
        self, spec: Spec, state: State, batch: Transition, progress: Progress, *, key: Key[Array, ""]
    ) -> tuple[State, Metrics]:
        """Learns from a batch `[batch, window]` with the environment's rewards, after it was paid for."""


class Policy(AbstractNoise[tuple[()]]):
    """The policy as it is: actions are drawn from it."""

    def init(
        self, algorithm: AbstractAlgorithm[Any], learner: Any, spec: Spec, horizon: int | None, *, key: Key[Array, ""]
    ) -> tuple[()]:
        """Nothing."""
        return ()

    def act(
        self,
        algorithm: AbstractAlgorithm[Any],
        learner: Any,
        state: tuple[()],
        observation: Float[Array, " observation"],
        *,
        key: Key[Array, ""],
    ) -> tuple[Float[Array, " action"], tuple[()]]:
        """The algorithm's own exploring action."""
        return algorithm.act(learner, observation, key=key), ()

    def ended(
        self, algorithm: AbstractAlgorithm[Any], learner: Any, state: tuple[()], *, key: Key[Array, ""]
    ) -> tuple[()]:
        """Nothing."""
        return ()


class NoBonus(AbstractBonus[tuple[()]]):
    """The environment's rewards as they are."""

    def init(self, spec: Spec, copies: int, *, key: Key[Array, ""]) -> tuple[()]:
        """Nothing."""
        return ()

    def observe(self, spec: Spec, state: tuple[()], steps: Transition, stored: Bool[Array, " envs"]) -> tuple[()]:
        """Nothing."""
        return ()

    def rewarded(
        self, algorithm: AbstractAlgorithm[Any], spec: Spec, state: tuple[()], batch: Transition
    ) -> Transition:
        """The batch as it is."""
        return batch

    def learn(
        self, spec: Spec, state: tuple[()], batch: Transition, progress: Progress, *, key: Key[Array, ""]
    ) -> tuple[tuple[()], Metrics]:
        """Nothing."""
        return (), {}


def dimensions(noise: AbstractNoise[Any], spec: Spec) -> int:
    """How many numbers an action is, for noise to be added to them.

    Raises:
        EntropaxError: actions are categories.
    """
    if isinstance(spec.action, Categories):
        raise EntropaxError(
            f"{type(noise).__name__} is noise on numbers, but the actions are one of {spec.action.count} categories, "
            "which have no neighbourhood. Take DiscreteParameterNoise, which moves the network instead; or leave the "
            "noise out, so that the policy explores by its own draws; or take an environment with bounds, which "
            "`entropax envs` lists."
        )
    return spec.action.size


def around(mode: Float[Array, " action"], noise: Float[Array, " action"]) -> Float[Array, " action"]:
    """The policy's mode with noise, clipped to [-1, 1]."""
    return jnp.clip(mode + noise, -1, 1)
