"""From what a user passes as environment to lanes."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType
from typing import Any, TypeAlias

import gymnasium
import jax
from gymnasium.vector import VectorEnv

from entropax.algorithms.base import AbstractAlgorithm
from entropax.envs.base import AbstractHostEnvironments, Episodes
from entropax.envs.gymnasium_adapter import GymnasiumEnvironments, VectorEnvironments, adapt
from entropax.envs.registry import TASKS, make
from entropax.errors import EntropaxError
from entropax.exploration import Exploration
from entropax.loops.device_lane import DeviceLane
from entropax.loops.host_lane import HostLane, close_all
from entropax.loops.lane import AbstractLane
from entropax.loops.process_lane import process_lanes
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
    """Makes what the loops step.

    Raises:
        EntropaxError: there is no such environment, or what was passed makes none.
    """
    if isinstance(environment, Episodes):
        return environment
    with _children_without_interrupts():
        if isinstance(environment, str):
            return make(environment, num_envs)
        if isinstance(environment, gymnasium.Env | VectorEnv) or not callable(environment):
            raise EntropaxError(
                f"The environment is a {type(environment).__name__} itself, but every seed and the evaluation need one "
                'of their own. Pass an id, or a function that makes one: lambda: gymnasium.make("Pendulum-v1").'
            )
        made = environment()
        if not isinstance(made, gymnasium.Env | VectorEnv):
            raise EntropaxError(
                f"{name_of(environment)}() returned a {type(made).__name__}, not a Gymnasium environment. Return a "
                "gymnasium.Env or a gymnasium.vector.VectorEnv."
            )
        with contextlib.ExitStack() as unless_taken:
            unless_taken.callback(made.close)
            taken = adapt(made)
            unless_taken.pop_all()
        return taken


@contextlib.contextmanager
def _children_without_interrupts() -> Iterator[None]:
    """Processes that an environment starts here ignore Ctrl-C, which a terminal sends to them too.

    The driver still steps them on its way to a checkpoint, and closes them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def check_processes(environment: Environment) -> str:
    """The id of an environment whose seeds can be dealt to processes.

    Raises:
        EntropaxError: it is in JAX or no id, or JAX computes on an accelerator.
    """
    if isinstance(environment, Episodes) or environment in TASKS:
        raise EntropaxError(
            f"seeds_in is 'processes', but {name_of(environment)} is stepped in JAX, where one program of all seeds is "
            "faster than a process each. Leave seeds_in out."
        )
    if not isinstance(environment, str):
        raise EntropaxError(
            f"seeds_in is 'processes', but the environment is a function, {name_of(environment)}, which no other "
            "process can be given. Register the environment in a module and pass its id, 'module:Name-v0', or leave "
            "seeds_in out."
        )
    if jax.default_backend() != "cpu":
        raise EntropaxError(
            "seeds_in is 'processes', which deals seeds to the cores of a CPU, but JAX computes on a "
            f"{jax.default_backend().upper()}, which one program fills better. Leave seeds_in out, or set "
            "JAX_PLATFORMS=cpu."
        )
    return environment


def make_lanes(
    algorithm: AbstractAlgorithm[Any],
    environment: Environment,
    training: Training,
    groups: Sequence[tuple[int, ...]],
    exploration: Exploration,
) -> list[AbstractLane]:
    """One lane a group of seeds, dealt to the devices in turn, or each in a process of its own.

    Raises:
        EntropaxError: the environment or the exploration cannot work with the algorithm, or not in processes.
    """
    exploration.check(algorithm)
    if training.seeds_in == "processes":
        id = check_processes(environment)
        if len(groups) > 1:
            return process_lanes(algorithm, id, training, groups, exploration)
    devices = jax.local_devices()
    lanes: list[AbstractLane] = []
    simulators: list[Any] = []
    with contextlib.ExitStack() as unless_made:
        for index, seeds in enumerate(groups):
            device = devices[index % len(devices)]
            first = build(environment, training.num_envs)
            if isinstance(first, Episodes):
                lanes.append(DeviceLane(algorithm, first, training, seeds, device, exploration))
                continue
            host = [first]
            unless_made.callback(close_all, host)
            while len(host) <= len(seeds):
                another = build(environment, training.num_envs if len(host) < len(seeds) else 1)
                assert isinstance(another, AbstractHostEnvironments)
                host.append(another)
            for each in host:
                _check_apart(name_of(environment), simulators, each)
            lanes.append(HostLane(algorithm, host[:-1], host[-1], training, seeds, device, exploration))
        unless_made.pop_all()
    return lanes


def _check_apart(name: str, simulators: list[Any], host: AbstractHostEnvironments) -> None:
    """Notes what an adapter steps.

    Raises:
        EntropaxError: another one steps the same.
    """
    match host:
        case GymnasiumEnvironments():
            stepped = [env.unwrapped for env in host.envs]
        case VectorEnvironments():
            stepped = [host.envs.unwrapped]
        case _:
            stepped = [host]
    if any(one is other for one in stepped for other in simulators):
        raise EntropaxError(
            f"{name}() returned the same environment twice, but every seed and the evaluation step and reset one of "
            'their own. Make it inside the function: lambda: gymnasium.make("Pendulum-v1").'
        )
    simulators += stepped
