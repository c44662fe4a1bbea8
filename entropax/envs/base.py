"""The environment contract: two kinds of environment, one meaning of a step."""

import abc
from typing import Any, Generic, TypeAlias, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from entropax.types import Spec, Step

State = TypeVar("State")
Action: TypeAlias = Float[Array, " action"] | Int[Array, ""]
"""What an environment takes: numbers in its own units, or the index of one of its categories."""


class AbstractDynamics(eqx.Module, Generic[State]):
    """A task in pure JAX, one copy, without time limit or reset: the physics and the reward.

    Float fields are traced, so physics can be swept; actions arrive in the environment's units, those of
    categories as integers.
    """

    @property
    @abc.abstractmethod
    def spec(self) -> Spec:
        """Size of the observation, and the actions."""

    @abc.abstractmethod
    def initial(self, *, key: Key[Array, ""]) -> State:
        """Draws a first state."""

    @abc.abstractmethod
    def observe(self, state: State) -> Float[Array, " observation"]:
        """What the policy sees of a state."""

    @abc.abstractmethod
    def step(self, state: State, action: Action, *, key: Key[Array, ""]) -> tuple[State, Float[Array, ""], Any]:
        """Returns the next state, the reward and whether the task terminated."""


class EpisodeState(eqx.Module, Generic[State]):
    """A task's state and the number of steps its episode has taken."""

    task: State
    time: Int[Array, ""]


class Episodes(eqx.Module, Generic[State]):
    """A task cut into episodes: time limit (truncation) and auto-reset in the same step.

    A step that is not finite ends its episode too, so that a broken state does not stay.
    """

    dynamics: AbstractDynamics[State]
    time_limit: int = eqx.field(static=True)

    @property
    def spec(self) -> Spec:
        """Size of the observation and the actions of the task."""
        return self.dynamics.spec

    def reset(self, *, key: Key[Array, ""]) -> tuple[EpisodeState[State], Float[Array, " observation"]]:
        """Starts an episode."""
        task = self.dynamics.initial(key=key)
        return EpisodeState(task, jnp.zeros((), jnp.int32)), self.dynamics.observe(task)

    def step(
        self, state: EpisodeState[State], action: Action, *, key: Key[Array, ""]
    ) -> tuple[EpisodeState[State], Step]:
        """One step; where it ends the episode, the returned state is a fresh one."""
        step_key, reset_key = jax.random.split(key)
        task, reward, terminated = self.dynamics.step(state.task, action, key=step_key)
        time = state.time + 1
        terminated = jnp.asarray(terminated, bool)
        final = self.dynamics.observe(task)
        broken = ~(jnp.isfinite(reward) & jnp.all(jnp.isfinite(final)))
        truncated = ((time >= self.time_limit) | broken) & ~terminated
        after, (fresh, first) = EpisodeState(task, time), self.reset(key=reset_key)
        done = terminated | truncated
        following = jax.tree.map(lambda new, old: jnp.where(done, new, old), fresh, after)
        step = Step(jnp.where(done, first, final), final, reward, terminated, truncated, jnp.ones((), bool))
        return following, step


class AbstractHostEnvironments(abc.ABC):
    """`num_envs` environments on the host, stepped together in NumPy (Gymnasium lives behind this)."""

    warnings: tuple[str, ...]
    """What the preflight found doubtful, a sentence each."""

    @property
    @abc.abstractmethod
    def spec(self) -> Spec:
        """Size of the observation and the actions of one environment."""

    @property
    @abc.abstractmethod
    def num_envs(self) -> int:
        """Number of environments stepped together."""

    @property
    @abc.abstractmethod
    def time_limit(self) -> int | None:
        """Most steps that an episode has; None where no limit can be read off the environments."""

    @abc.abstractmethod
    def reset(self, *, seed: int) -> np.ndarray:
        """Starts all episodes; returns observations `[envs, observation]`, float32."""

    @abc.abstractmethod
    def step(self, actions: np.ndarray) -> Step:
        """Steps with `[envs, action]` in the environment's units, or with integers `[envs]` where it has categories.

        Every leaf of what comes back has the axis `[envs]` first.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Frees what the environments hold."""
