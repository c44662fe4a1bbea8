"""What must hold of a Gymnasium environment before hours are spent on it."""

import math
from typing import Any

import gymnasium
import numpy as np

from entropax.errors import EntropaxError

HUGE_BOUND = 1e3
"""Action bounds beyond this are reported: a first policy explores the whole box."""
UNEVEN_RATIO = 10.0
"""Largest ratio of half-widths, and of |low| to |high|, that goes unreported."""
MOST_JOINT_ACTIONS = 4096
"""Combinations of a MultiDiscrete's choices that are taken as one finite set: each has a logit, or a Q, of its own."""


def preflight(env: gymnasium.Env[Any, Any]) -> list[str]:
    """Checks the spaces, one reset and one step of an environment.

    Resets the environment twice (before and after the step); the caller resets it again, with its own seed.

    Args:
        env: A single environment.

    Returns:
        Warnings: things that train, but seldom as meant.

    Raises:
        EntropaxError: What cannot be trained on, with the reason and the remedy.
    """
    warnings = check_spaces(env.observation_space, env.action_space)
    observation = _first_of_pair(env.reset(seed=0))
    warnings += _check_observation(env.observation_space, observation, "reset()")
    observation, reward = _first_two_of_five(env.step(_one_action(env.action_space)))
    warnings += _check_observation(env.observation_space, observation, "step()")
    _check_reward(reward)
    env.reset(seed=0)
    return list(dict.fromkeys(warnings))


def _one_action(space: gymnasium.Space[Any]) -> Any:
    """The middle of a box, or the first of a finite set."""
    if isinstance(space, gymnasium.spaces.Discrete | gymnasium.spaces.MultiDiscrete):
        return space.start.copy()
    assert isinstance(space, gymnasium.spaces.Box)
    return ((space.low.astype(np.float64) + space.high) / 2).astype(space.dtype)


def check_spaces(observation: gymnasium.Space[Any], action: gymnasium.Space[Any]) -> list[str]:
    """The part of the preflight that needs no step: returns warnings, raises EntropaxError for what is refused."""
    _check_observation_space(observation, "observation space")
    return _check_action_space(action)


def _check_action_space(space: gymnasium.Space[Any]) -> list[str]:
    if isinstance(space, gymnasium.spaces.Discrete):
        if space.n < 2:
            raise EntropaxError("The action space is Discrete(1): there is nothing to decide. Check how it is made.")
        return []
    if isinstance(space, gymnasium.spaces.MultiDiscrete):
        return _check_choices(space)
    if not isinstance(space, gymnasium.spaces.Box):
        raise EntropaxError(
            f"The action space is {type(space).__name__}: policies here choose from a Box, a Discrete or a "
            "MultiDiscrete. Make one of these of it with a gymnasium.ActionWrapper."
        )
    if not np.issubdtype(space.dtype, np.floating):
        raise EntropaxError(
            f"The action space is a Box of {space.dtype}: rounding a continuous action has no density. Declare a float "
            "Box and round inside the environment."
        )
    if int(np.prod(space.shape)) == 0:
        raise EntropaxError(
            f"The action space is empty (shape {space.shape}): there is nothing to decide. Check how the space is made."
        )
    if not (np.isfinite(space.low).all() and np.isfinite(space.high).all()):
        raise EntropaxError(
            f"The action bounds are not finite (low {_brief(space.low)}, high {_brief(space.high)}): a squashed policy "
            "cannot cover an infinite box. Bound it by what the task uses: gymnasium.wrappers.TransformAction(env, "
            "lambda action: action, gymnasium.spaces.Box(low, high))."
        )
    if (space.low >= space.high).any():
        raise EntropaxError(
            f"An action's low bound is not below its high bound (low {_brief(space.low)}, high {_brief(space.high)}): "
            "its density is infinite. Remove that action, or give it a width."
        )
    return _bound_warnings(space.low.astype(np.float64).ravel(), space.high.astype(np.float64).ravel())


def _check_choices(space: gymnasium.spaces.MultiDiscrete) -> list[str]:
    joint = math.prod(int(count) for count in space.nvec.flat)
    if joint < 2:
        raise EntropaxError(f"The action space is {space}: there is nothing to decide. Check how it is made.")
    if joint > MOST_JOINT_ACTIONS:
        raise EntropaxError(
            f"The action space is {space}, {joint:,} actions jointly: each would have a logit or a Q of its own, and "
            f"{MOST_JOINT_ACTIONS:,} are the most. Offer fewer choices with a gymnasium.ActionWrapper, or a float Box "
            "whose entries the environment rounds."
        )
    return []


def _bound_warnings(low: np.ndarray, high: np.ndarray) -> list[str]:
    warnings, half_width = [], (high - low) / 2
    if max(np.abs(low).max(), np.abs(high).max()) > HUGE_BOUND:
        warnings.append(
            f"Action bounds reach {max(np.abs(low).max(), np.abs(high).max()):g}: a first policy explores all of it, "
            "mostly saturated. Narrow the box to what the task uses."
        )
    centre = np.abs(low + high) / 2
    if (centre > half_width * (1 - 2 / (UNEVEN_RATIO + 1))).any():
        worst = int(np.argmax(centre / half_width))
        warnings.append(
            f"Action {worst} is bounded by [{low[worst]:g}, {high[worst]:g}], far from symmetric: doing nothing is not "
            "the middle of the policy's range. Shift the action if zero should be neutral."
        )
    if half_width.max() / half_width.min() > UNEVEN_RATIO:
        warnings.append(
            f"Action ranges differ by a factor {half_width.max() / half_width.min():.3g}: the same entropy in [-1, 1] "
            "means very different noise in environment units. Rescale the actions if that is not meant."
        )
    return warnings


def _check_observation_space(space: gymnasium.Space[Any], name: str) -> None:
    if isinstance(space, gymnasium.spaces.Dict):
        if not space.spaces:
            raise EntropaxError(f"The {name} is an empty Dict: a policy would see nothing. Add an observation.")
        for key, part in space.spaces.items():
            _check_observation_space(part, f"{name}[{key!r}]")
        return
    if isinstance(space, gymnasium.spaces.Discrete):
        return
    if not isinstance(space, gymnasium.spaces.Box):
        raise EntropaxError(
            f"The {name} is {type(space).__name__}: the networks are MLPs over a vector of floats. Wrap the "
            "environment: DtypeObservation(FlattenObservation(env), numpy.float32), both of gymnasium.wrappers."
        )
    if space.dtype == np.uint8 and len(space.shape) >= 2:
        raise EntropaxError(
            f"The {name} is an image ({space.dtype}, shape {space.shape}): the networks are MLPs over a vector, not "
            "convolutions. Use a state-based variant of the task, or wrap it with an encoder that gives floats."
        )
    if not np.issubdtype(space.dtype, np.floating):
        raise EntropaxError(
            f"The {name} is a Box of {space.dtype}: the networks are MLPs over floats, and integers usually name "
            "categories. Wrap with gymnasium.wrappers.TransformObservation to scaled floats or one-hot."
        )
    if int(np.prod(space.shape)) == 0:
        raise EntropaxError(
            f"The {name} is empty (shape {space.shape}): a policy would see nothing. Check how the space is made."
        )


def _check_observation(space: gymnasium.Space[Any], observation: Any, source: str) -> list[str]:
    if isinstance(space, gymnasium.spaces.Dict):
        if not isinstance(observation, dict) or set(observation) != set(space.spaces):
            raise EntropaxError(
                f"{source} returned {type(observation).__name__} where the space is a Dict of {sorted(space.spaces)}. "
                "Return a dict with exactly these keys."
            )
        parts = [_check_observation(part, observation[key], source) for key, part in space.spaces.items()]
        return [warning for part in parts for warning in part]
    if isinstance(space, gymnasium.spaces.Discrete):
        if not space.contains(observation):
            raise EntropaxError(
                f"{source} returned {observation!r} where the space is {space}: it has no place in a one-hot vector. "
                "Return one of the space's integers."
            )
        return []
    assert isinstance(space, gymnasium.spaces.Box)
    if np.shape(observation) != space.shape:
        raise EntropaxError(
            f"{source} returned an observation of shape {np.shape(observation)}, the space says {space.shape}: the "
            "networks are built from the space. Make the two agree."
        )
    array = np.asarray(observation)
    if array.dtype == object or not np.issubdtype(array.dtype, np.number):
        raise EntropaxError(
            f"{source} returned an observation of dtype {array.dtype}: it cannot be stored as float32. Return numbers."
        )
    if not np.isfinite(array).all():
        raise EntropaxError(
            f"{source} returned an observation with NaN or infinity (entries {np.argwhere(~np.isfinite(array))[:3]}): "
            "one such value makes every weight NaN. Mend the environment, or mask the entries in a wrapper."
        )
    if ((array < space.low) | (array > space.high)).any():
        return [f"{source} returned an observation outside the observation space's bounds. Correct the bounds."]
    return []


def _check_reward(reward: Any) -> None:
    if np.shape(reward) != ():
        raise EntropaxError(
            f"step() returned a reward of shape {np.shape(reward)}: it must be one number. Return float(reward)."
        )
    if not isinstance(reward, float | int | np.number | np.ndarray | np.bool_) or not np.isfinite(float(reward)):
        raise EntropaxError(
            f"step() returned the reward {reward!r} ({type(reward).__name__}): it must be a finite number. Return "
            "float(reward), and look for a division by zero if it is NaN."
        )


def _first_of_pair(result: Any) -> Any:
    if not isinstance(result, tuple) or len(result) != 2:
        raise EntropaxError(
            "reset() did not return (observation, info): this is not the Gymnasium API. Port the environment to "
            "gymnasium >= 1.0, or wrap an old Gym one with shimmy."
        )
    return result[0]


def _first_two_of_five(result: Any) -> tuple[Any, Any]:
    if not isinstance(result, tuple) or len(result) != 5:
        raise EntropaxError(
            "step() did not return (observation, reward, terminated, truncated, info): this is not the Gymnasium API, "
            "and time limits could not be told from terminations. Port it to gymnasium >= 1.0."
        )
    return result[0], result[1]


def _brief(bound: np.ndarray) -> str:
    return np.array2string(np.ravel(bound), threshold=6, precision=3)
