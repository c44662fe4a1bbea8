"""Gymnasium behind the host contract: single environments, and vector environments in every autoreset mode.

Observations, final observations and rewards that leave this file are copies in float32, never views of a buffer that
an environment writes again.
"""

import contextlib
import math
from collections.abc import Callable, Sequence
from typing import Any, final

import gymnasium
import numpy as np
from gymnasium.spaces.utils import flatdim
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers import TimeLimit

from entropax.envs.base import AbstractHostEnvironments
from entropax.envs.preflight import check_spaces, preflight
from entropax.errors import EntropaxError
from entropax.types import Bounds, Categories, Spec, Step


def environment_seed(seed: int, index: int) -> int:
    """The seed of environment `index` in a run with `seed`: independent streams, stable when envs are added."""
    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0])


def flattener(space: gymnasium.Space[Any], leading: int) -> Callable[[Any], np.ndarray]:
    """Makes the function that lays an observation out as a vector.

    Args:
        space: The space of one environment's observation: a Box, a Discrete, which is seen one-hot, or a Dict of these.
        leading: 0 for one observation; 1 where each array has the axis `[envs]` first.

    Returns:
        A function to `[observation]` or `[envs, observation]`, in the order of `gymnasium.spaces.utils.flatten`.
    """
    if isinstance(space, gymnasium.spaces.Dict):
        parts = [(name, flattener(part, leading)) for name, part in space.spaces.items()]
        return lambda tree: np.concatenate([flat(tree[name]) for name, flat in parts], axis=leading)
    if isinstance(space, gymnasium.spaces.Discrete):
        numbers = space.start + np.arange(space.n)
        return lambda number: (np.asarray(number)[..., None] == numbers).astype(np.float32)
    return lambda array: np.reshape(array, (*np.shape(array)[:leading], -1))


def spec_of(observation: gymnasium.Space[Any], action: gymnasium.Space[Any]) -> Spec:
    """The spec of one environment whose spaces `check_spaces` has accepted; bounds are in environment units.

    The choices of a MultiDiscrete are one: each combination of them is an action, numbered as `taker` reads it.
    """
    one_hot = isinstance(observation, gymnasium.spaces.Discrete)
    return Spec(flatdim(observation), _actions(action), one_hot)


def _actions(space: gymnasium.Space[Any]) -> Bounds | Categories:
    if isinstance(space, gymnasium.spaces.Discrete):
        return Categories(int(space.n))
    if isinstance(space, gymnasium.spaces.MultiDiscrete):
        return Categories(math.prod(int(count) for count in space.nvec.flat))
    assert isinstance(space, gymnasium.spaces.Box)
    low, high = (tuple(map(float, np.ravel(bound))) for bound in (space.low, space.high))
    return Bounds(low, high)


def longest(limits: Sequence[int | None]) -> int | None:
    """The longest of some time limits; None where one is None."""
    known = [limit for limit in limits if limit is not None]
    return max(known) if len(known) == len(limits) else None


def _limit(env: gymnasium.Env[Any, Any]) -> int | None:
    """The shortest limit among an environment's wrappers."""
    limits: list[int] = []
    while isinstance(env, gymnasium.Wrapper):
        if isinstance(env, TimeLimit):
            limits.append(env._max_episode_steps)
        env = env.env
    return min(limits, default=None)


def taker(space: gymnasium.Space[Any]) -> Callable[[np.ndarray], np.ndarray]:
    """Makes the function from actions as `Spec.action` gives them to actions as environments take them.

    Args:
        space: The space of one environment's action: a Box, or a Discrete or MultiDiscrete, which need not begin at 0.

    Returns:
        A function of `[envs, action]` in the environment's units, or of integers `[envs]`, to a fresh array of the
        space's shape and dtype within its bounds: environments may keep or change it. Of a MultiDiscrete the integer
        counts combinations, the last choice fastest: the digits of its mixed radix are the choices.
    """
    if isinstance(space, gymnasium.spaces.Discrete):
        start = space.start
        return lambda actions: start + actions.astype(space.dtype)
    if isinstance(space, gymnasium.spaces.MultiDiscrete):
        counts, starts = space.nvec.ravel(), space.start
        return lambda actions: (
            starts + np.stack(np.unravel_index(actions, counts), axis=-1).reshape(-1, *space.shape)
        ).astype(space.dtype)
    assert isinstance(space, gymnasium.spaces.Box)
    low, high, shape, dtype = space.low, space.high, space.shape, space.dtype
    return lambda actions: np.minimum(np.maximum(actions.reshape(-1, *shape), low), high).astype(dtype)


@final
class GymnasiumEnvironments(AbstractHostEnvironments):
    """Single Gymnasium environments stepped in a plain loop, each reset in the step that ends its episode.

    The fastest way to run one or a few cheap environments: nothing is copied between processes, and every step is
    valid. A truncated step keeps the true last observation in `final_observation`.

    Attributes:
        envs: The environments; they belong to this object, and `close` closes them.
        warnings: What the preflight of the first found worth saying.
    """

    def __init__(self, envs: Sequence[gymnasium.Env[Any, Any]]):
        """Takes at least one environment, all alike.

        Raises:
            EntropaxError: No environments, environments that differ, or the preflight refuses.
        """
        if not envs:
            raise EntropaxError("No environments were given, so there is nothing to step. Give one or more.")
        self.envs = tuple(envs)
        first = self.envs[0]
        self.warnings = tuple(preflight(first))
        for index, env in enumerate(self.envs):
            if (env.observation_space, env.action_space) != (first.observation_space, first.action_space):
                raise EntropaxError(
                    f"Environment {index} has other spaces than environment 0, so one policy cannot serve both. "
                    "Give environments of one kind."
                )
        self._spec = spec_of(first.observation_space, first.action_space)
        self._flat, self._taken = flattener(first.observation_space, 0), taker(first.action_space)

    @property
    def spec(self) -> Spec:
        """Size of the observation and the actions of one environment."""
        return self._spec

    @property
    def num_envs(self) -> int:
        """Number of environments stepped together."""
        return len(self.envs)

    @property
    def time_limit(self) -> int | None:
        """Most steps that an episode has; None where an environment has no `TimeLimit` wrapper."""
        return longest([_limit(env) for env in self.envs])

    def reset(self, *, seed: int) -> np.ndarray:
        """Starts all episodes, environment i from `environment_seed(seed, i)`; returns `[envs, observation]`."""
        observation = np.empty((len(self.envs), self._spec.observation_size), np.float32)
        for index, env in enumerate(self.envs):
            observation[index] = self._flat(env.reset(seed=environment_seed(seed, index))[0])
        return observation

    def step(self, actions: np.ndarray) -> Step:
        """Steps with `[envs, action]` in the environment's units, clipped to the box against rounding; or `[envs]`."""
        count = len(self.envs)
        final_observation = np.empty((count, self._spec.observation_size), np.float32)
        reward = np.empty(count, np.float32)
        terminated, truncated = np.empty(count, np.bool_), np.empty(count, np.bool_)
        actions = self._taken(actions)
        fresh: dict[int, np.ndarray] = {}
        for index, env in enumerate(self.envs):
            observed, reward[index], terminated[index], truncated[index], _ = env.step(actions[index])
            final_observation[index] = self._flat(observed)
            if terminated[index] or truncated[index]:
                fresh[index] = self._flat(env.reset()[0])
        observation = final_observation.copy()
        for index, row in fresh.items():
            observation[index] = row
        truncated &= ~terminated
        return Step(observation, final_observation, reward, terminated, truncated, np.ones(count, np.bool_))

    def close(self) -> None:
        """Closes every environment, the others too where one fails to."""
        with contextlib.ExitStack() as closing:
            for env in self.envs:
                closing.callback(env.close)


@final
class VectorEnvironments(AbstractHostEnvironments):
    """A vector environment, in any of Gymnasium's three ways to begin the next episode."""

    def __init__(self, envs: VectorEnv[Any, Any, Any]):
        """Takes over a vector environment.

        Raises:
            EntropaxError: The spaces are refused, or it does not say how it resets.
        """
        mode = envs.metadata.get("autoreset_mode")
        if mode not in _COMPLETE:
            raise EntropaxError(
                f"The vector environment's metadata['autoreset_mode'] is {mode!r}, so which observation ends an "
                "episode is unknown. Set it to a member of gymnasium.vector.AutoresetMode."
            )
        self.envs, self._complete = envs, _COMPLETE[mode]
        self.warnings = tuple(check_spaces(envs.single_observation_space, envs.single_action_space))
        self._spec = spec_of(envs.single_observation_space, envs.single_action_space)
        self._taken = taker(envs.single_action_space)
        self._flat_batch = flattener(envs.single_observation_space, 1)
        self.flat = flattener(envs.single_observation_space, 0)
        self.ended = np.zeros(envs.num_envs, np.bool_)

    @property
    def spec(self) -> Spec:
        """Size of the observation and the actions of one environment."""
        return self._spec

    @property
    def num_envs(self) -> int:
        """Number of environments stepped together."""
        return self.envs.num_envs

    @property
    def time_limit(self) -> int | None:
        """Most steps that an episode has; None where the environments are not registered with a limit."""
        made = self.envs.unwrapped
        specs = made.get_attr("spec") if isinstance(made, SyncVectorEnv | AsyncVectorEnv) else [self.envs.spec]
        return longest([None if spec is None else spec.max_episode_steps for spec in specs])

    def observation(self, batch: Any) -> np.ndarray:
        """A copy as `[envs, observation]`, float32."""
        return np.array(self._flat_batch(batch), np.float32)

    def reset(self, *, seed: int) -> np.ndarray:
        """Starts all episodes, each environment with its own seed where the vector environment takes a list."""
        if isinstance(self.envs.unwrapped, SyncVectorEnv | AsyncVectorEnv):
            seeds: Any = [environment_seed(seed, index) for index in range(self.num_envs)]
        else:
            seeds = environment_seed(seed, 0)
        self.ended = np.zeros(self.num_envs, np.bool_)
        return self.observation(self.envs.reset(seed=seeds)[0])

    def step(self, actions: np.ndarray) -> Step:
        """Steps; every array is a copy.

        Raises:
            EntropaxError: An episode ended in mode SAME_STEP and the info has no `final_obs`.
        """
        observed, reward, terminated, truncated, info = self.envs.step(self._taken(actions))
        observation, terminated = self.observation(observed), np.array(terminated, np.bool_)
        truncated, valid = np.array(truncated, np.bool_) & ~terminated, np.ones(self.num_envs, np.bool_)
        reward = np.array(reward, np.float32)
        step = self._complete(self, Step(observation, observation.copy(), reward, terminated, truncated, valid), info)
        self.ended = step.terminated | step.truncated
        return step

    def close(self) -> None:
        """Closes the vector environment."""
        self.envs.close()


def _next_step(vector: VectorEnvironments, step: Step, info: dict[str, Any]) -> Step:
    """The step after an episode's end went into resetting: it is not valid, and its action was ignored."""
    valid = ~vector.ended
    return step._replace(
        reward=np.where(valid, step.reward, 0),
        terminated=step.terminated & valid,
        truncated=step.truncated & valid,
        valid=valid,
    )


def _same_step(vector: VectorEnvironments, step: Step, info: dict[str, Any]) -> Step:
    """The step that ended an episode has begun the next: its last observation is in the info."""
    for index in np.flatnonzero(step.terminated | step.truncated):
        if "final_obs" not in info:
            raise EntropaxError(
                "An episode ended in SAME_STEP mode and info['final_obs'] is missing, so a time limit could not "
                "bootstrap. Report it from the vector environment, or use AutoresetMode.DISABLED."
            )
        step.final_observation[index] = vector.flat(info["final_obs"][index])
    return step


def _disabled(vector: VectorEnvironments, step: Step, info: dict[str, Any]) -> Step:
    """Nothing is reset by itself: here, with `reset_mask`, in the same step."""
    ended = step.terminated | step.truncated
    if ended.any():
        fresh, _ = vector.envs.reset(options={"reset_mask": ended.copy()})
        step.observation[ended] = vector.observation(fresh)[ended]
    return step


_COMPLETE: dict[Any, Callable[[VectorEnvironments, Step, dict[str, Any]], Step]] = {
    AutoresetMode.NEXT_STEP: _next_step,
    AutoresetMode.SAME_STEP: _same_step,
    AutoresetMode.DISABLED: _disabled,
}
"""What each mode makes of a step: it has the vector environment's numbers, its observation twice, and is valid."""


def adapt(env: gymnasium.Env[Any, Any] | VectorEnv[Any, Any, Any]) -> AbstractHostEnvironments:
    """Puts a Gymnasium environment that you made yourself behind the host contract.

    Args:
        env: A single environment, or a vector environment in any autoreset mode.

    Returns:
        The adapter that fits; it takes `env` over and closes it.

    Raises:
        EntropaxError: The preflight refuses, or the vector environment does not say how it resets.
    """
    if isinstance(env, gymnasium.Env):
        return GymnasiumEnvironments([env])
    return VectorEnvironments(env)
