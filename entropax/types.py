"""The vocabulary: what an environment offers, what it returns, and what a learner stores."""

import dataclasses
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from entropax.errors import EntropaxError

Metrics = dict[str, Array]
"""What an update reports: names documented in `docs/metrics.md`, values scalar or `[action]`."""


@dataclasses.dataclass(frozen=True)
class Bounds:
    """A box of continuous actions; the one place where [-1, 1] meets the environment's units.

    Policies, critics and replay all live in [-1, 1]. Only the call that steps an environment goes through
    `to_environment`. A policy that is not squashed may draw an action beyond; replay holds it as it was drawn, and the
    environment takes the nearest one in [-1, 1].
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    @property
    def size(self) -> int:
        """Number of action dimensions."""
        return len(self.low)

    @property
    def half_range(self) -> np.ndarray:
        """`[action]` environment units per policy unit."""
        return (np.asarray(self.high, np.float32) - np.asarray(self.low, np.float32)) / np.float32(2)

    def to_environment(self, action: Any) -> Any:
        """Maps an action of the policy, clipped to [-1, 1], to the environment's units (NumPy in, NumPy out).

        Example:
            >>> Bounds((0.0,), (4.0,)).to_environment(np.asarray([[0.5], [1.5]], np.float32)).tolist()
            [[3.0], [4.0]]
        """
        return np.asarray(self.low, np.float32) + (action.clip(-1, 1) + 1) * self.half_range

    def uniform(self, *, key: Key[Array, ""]) -> Float[Array, " action"]:
        """Draws an action of the policy uniformly from [-1, 1]."""
        return jax.random.uniform(key, (self.size,), jnp.float32, -1, 1)

    def uniform_on_host(self, generator: np.random.Generator, envs: int) -> Float[np.ndarray, "envs action"]:
        """Draws so many of them in NumPy."""
        return generator.uniform(-1, 1, (envs, self.size)).astype(np.float32)

    @property
    def log_half_range(self) -> float:
        """Nats to add to an entropy in [-1, 1] to have it in the environment's units (change of variables)."""
        return sum(math.log((high - low) / 2) for low, high in zip(self.low, self.high, strict=True))


@dataclasses.dataclass(frozen=True)
class Categories:
    """A finite set of actions 0 … count - 1.

    Policies, learners and replay hold such an action as a vector of one: its index, in float32. So a row, a batch and
    an annotation know one kind of action, and only `to_environment` makes an integer of it.
    """

    count: int

    @property
    def size(self) -> int:
        """Numbers that an action is held in: 1."""
        return 1

    def to_environment(self, action: Any) -> Any:
        """Maps actions of the policy, `[..., 1]`, to integers `[...]` (NumPy in, NumPy out).

        Example:
            >>> Categories(3).to_environment(np.asarray([[2.0], [0.0]], np.float32)).tolist()
            [2, 0]
        """
        return action[..., 0].astype(np.int32)

    def uniform(self, *, key: Key[Array, ""]) -> Float[Array, "1"]:
        """Draws an action of the policy, all equally likely."""
        return jax.random.randint(key, (1,), 0, self.count).astype(jnp.float32)

    def uniform_on_host(self, generator: np.random.Generator, envs: int) -> Float[np.ndarray, "envs 1"]:
        """Draws so many of them in NumPy."""
        return generator.integers(self.count, size=(envs, 1)).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Spec:
    """What an algorithm must know of an environment: hashable, so it may be a static argument."""

    observation_size: int
    action: Bounds | Categories
    one_hot: bool = False
    """Whether one entry of every observation is 1 and the others 0 (or all are), so that they can be counted."""


class Step(NamedTuple):
    """What stepping any environment returns, JAX or NumPy, for one copy or with leading axes."""

    observation: Any
    """After auto-reset: what the policy sees next."""
    final_observation: Any
    """Before auto-reset: what the critic bootstraps from."""
    reward: Any
    terminated: Any
    truncated: Any
    valid: Any
    """False on the one step that a Gymnasium vector environment in NEXT_STEP mode spends on resetting."""


FOR_BOXES = (
    *("sac", "meta-sac", "sac-adaent", "sac-lite", "decomposed-sac", "max-info-sac"),
    *("soft-q", "td3", "ddpg", "ppo", "a2c"),
)
"""Algorithms for continuous actions, as `entropax train` calls them."""
FOR_CATEGORIES = ("discrete-sac", "discrete-soft-q", "dqn", "ppo", "a2c")
"""Those for a finite set of actions."""


def continuous(spec: Spec) -> Bounds:
    """The bounds of a specification whose actions are continuous.

    Raises:
        EntropaxError: they are discrete.
    """
    if isinstance(spec.action, Bounds):
        return spec.action
    raise EntropaxError(
        f"The actions are one of {spec.action.count} categories, but this needs continuous ones (a Box). Take an "
        f"algorithm for categories ({', '.join(FOR_CATEGORIES)}), or an environment with bounds from `entropax envs`."
    )


def categories(spec: Spec) -> Categories:
    """The categories of a specification whose actions are a finite set.

    Raises:
        EntropaxError: they are continuous.
    """
    if isinstance(spec.action, Categories):
        return spec.action
    raise EntropaxError(
        f"The actions are a Box of {spec.action.size}, but this needs a finite set of them (Discrete). Take an "
        f"algorithm for continuous actions ({', '.join(FOR_BOXES)}), or an environment with categories from "
        "`entropax envs`."
    )


class Transition(NamedTuple):
    """One step as it is stored; `[..., n]` when a replay hands out windows of n consecutive steps."""

    observation: Float[Array, "*axes observation"]
    action: Float[Array, "*axes action"]
    """As the policy drew it: in [-1, 1], or beyond where the environment took it clipped; or an index of categories."""
    reward: Float[Array, "*axes"]
    next_observation: Float[Array, "*axes observation"]
    terminated: Float[Array, "*axes"]
    """1 where the next state has no value; a time limit is not a termination."""
    last: Float[Array, "*axes"]
    """1 where the episode ended, terminated or truncated: no window runs past it."""


class Progress(NamedTuple):
    """How far a run is, and how well it does: what the loop knows and no batch shows; NumPy or JAX, float32."""

    share: Any
    """Of the run's rounds that are done, in [0, 1]."""
    mean_return: Any
    """Of the exploring episodes, an exponential mean over about the last ten; NaN before the first has ended."""
    starts: Any
    """`[starts, observation]`: observations that episodes begin with."""


def unknown_progress(spec: Spec) -> Progress:
    """The progress of an update outside a run: no share done, no return, one start at the origin."""
    nothing = jnp.zeros((), jnp.float32)
    return Progress(nothing, nothing * jnp.nan, jnp.zeros((1, spec.observation_size), jnp.float32))


def transition(observation: Any, action: Any, step: Step) -> Transition:
    """The only place that knows about truncation: it bootstraps from the observation before the reset."""
    xp: Any = np if isinstance(step.terminated, np.ndarray | np.bool_ | bool) else jnp
    return Transition(
        observation=observation,
        action=action,
        reward=xp.asarray(step.reward, xp.float32),
        next_observation=step.final_observation,
        terminated=xp.asarray(step.terminated, xp.float32),
        last=xp.asarray(xp.logical_or(step.terminated, step.truncated), xp.float32),
    )
