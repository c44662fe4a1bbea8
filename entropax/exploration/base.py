"""The contracts: noise acts for one copy of the environment, a bonus pays for all copies of a learner."""

import abc
from typing import Any, Generic, TypeVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from entropax.algorithms.base import AbstractAlgorithm
from entropax.errors import EntropaxError
from entropax.types import Categories, Spec, Transition

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
    """A reward of the learner's own. It is stored for learning; no return that is reported has it."""

    @abc.abstractmethod
    def init(self, spec: Spec, *, key: Key[Array, ""]) -> State:
        """What is remembered before the first step."""

    @abc.abstractmethod
    def rewarded(self, state: State, steps: Transition) -> tuple[Float[Array, " envs"], State]:
        """The rewards to store for one step `[envs]` of all copies, and what is remembered after it."""


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

    def init(self, spec: Spec, *, key: Key[Array, ""]) -> tuple[()]:
        """Nothing."""
        return ()

    def rewarded(self, state: tuple[()], steps: Transition) -> tuple[Float[Array, " envs"], tuple[()]]:
        """The rewards of the environment."""
        return steps.reward, ()


def dimensions(noise: AbstractNoise[Any], spec: Spec) -> int:
    """How many numbers an action is, for noise to be added to them.

    Raises:
        EntropaxError: actions are categories.
    """
    if isinstance(spec.action, Categories):
        raise EntropaxError(
            f"{type(noise).__name__} is noise on numbers, but the actions are one of {spec.action.count} categories, "
            "which have no neighbourhood. Leave the noise out, so that the policy explores by its own draws, or take "
            "an environment with bounds from `entropax envs`."
        )
    return spec.action.size


def around(mode: Float[Array, " action"], noise: Float[Array, " action"]) -> Float[Array, " action"]:
    """The policy's mode with noise, clipped to [-1, 1]."""
    return jnp.clip(mode + noise, -1, 1)
