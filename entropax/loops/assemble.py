"""From what a user passes as environment to lanes."""

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, TypeAlias

import gymnasium
import jax
from gymnasium.vector import VectorEnv

from entropax.algorithms.base import AbstractAlgorithm
from entropax.envs.base import AbstractHostEnvironments, Episodes
from entropax.envs.gymnasium_adapter import adapt
from entropax.envs.registry import make
from entropax.exploration import Exploration
from entropax.loops.device_lane import DeviceLane
from entropax.loops.host_lane import HostLane
from entropax.loops.lane import AbstractLane
from entropax.loops.training import Training

Environment: TypeAlias = str | Episodes[Any] | Callable[[], gymnasium.Env[Any, Any] | VectorEnv[Any, Any, Any]]
"""An id, a JAX environment, or a function that makes a Gymnasium one (or a vector of them)."""


def name_of(environment: Environment) -> str:
    """What a run calls its environment."""
    if isinstance(environment, str):
        return environment
    if isinstance(environment, Episodes):
        return type(environment.dynamics).__name__
    if isinstance(environment, FunctionType | type):
        return environment.__name__
    return type(environment).__name__


def build(environment: Environment, num_envs: int) -> Episodes[Any] | AbstractHostEnvironments:
    """Makes what the loops step."""
    if isinstance(environment, str):
        return make(environment, num_envs)
    if isinstance(environment, Episodes):
        return environment
    return adapt(environment())


def make_lanes(
    algorithm: AbstractAlgorithm[Any],
    environment: Environment,
    training: Training,
    groups: Sequence[tuple[int, ...]],
    exploration: Exploration,
) -> list[AbstractLane]:
    """One lane a group of seeds, dealt to the devices in turn.

    Raises:
        EntropaxError: the environment or the exploration cannot work with the algorithm.
    """
    exploration.check(algorithm)
    devices = jax.local_devices()
    lanes: list[AbstractLane] = []
    for index, seeds in enumerate(groups):
        device = devices[index % len(devices)]
        first = build(environment, training.num_envs)
        if isinstance(first, Episodes):
            lanes.append(DeviceLane(algorithm, first, training, seeds, device, exploration))
            continue
        rest = [build(environment, training.num_envs) for _ in seeds[1:]]
        host = [first, *(env for env in rest if isinstance(env, AbstractHostEnvironments))]
        evaluation = build(environment, 1)
        assert isinstance(evaluation, AbstractHostEnvironments)
        lanes.append(HostLane(algorithm, host, evaluation, training, seeds, device, exploration))
    return lanes
