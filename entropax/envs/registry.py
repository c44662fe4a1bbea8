"""From an id to an environment: our own tasks, in JAX or in MuJoCo, and everything else through Gymnasium."""

import contextlib
import dataclasses
import difflib
import functools
import math
from collections.abc import Callable
from typing import Any

import gymnasium
from gymnasium.envs.registration import find_highest_version, get_env_id, parse_env_id

from entropax.envs import acrobot, deep_sea, gridworld, obstacle2d, quadrotor, toy, vehicle
from entropax.envs.acrobot import MAX_SPEEDS, Acrobot
from entropax.envs.base import AbstractDynamics, AbstractHostEnvironments, Episodes
from entropax.envs.cartpole import CartPole
from entropax.envs.cartpole_swingup import CartpoleSwingup, CartpoleSwingupSparse
from entropax.envs.deceptive_maze import DeceptiveMaze
from entropax.envs.deep_sea import DeepSea
from entropax.envs.drawing import Picture
from entropax.envs.gridworld import Gridworld
from entropax.envs.gymnasium_adapter import GymnasiumEnvironments
from entropax.envs.mountain_car import MountainCarContinuous
from entropax.envs.obstacle2d import Obstacle2D
from entropax.envs.pendulum import Pendulum
from entropax.envs.probes import (
    ConstantReward,
    DelayedReward,
    DiscreteSoftOptimum,
    MatchObservation,
    ObservedReward,
    SoftChain,
    SoftOptimum,
)
from entropax.envs.quadrotor import Gyroscope, Quadrotor, ThrustAndMoments
from entropax.envs.toy import Toy
from entropax.envs.vehicle import Vehicle, gripping, kinematic
from entropax.envs.wrappers import ActionCost, Sparse, TerminalTimeLimit
from entropax.errors import EntropaxError
from entropax.types import Bounds


class UnknownEnvironment(EntropaxError):  # noqa: N818, it reads as what went wrong
    """No environment has this id; the message names the nearest ones."""


@dataclasses.dataclass(frozen=True)
class Task:
    """An entry of our own registry.

    Attributes:
        id: The name for `make`, `gymnasium.make` and the command line.
        description: One line for `entropax envs`.
        time_limit: Steps after which an episode is truncated.
        observation: The box that observations stay in.
        build: Makes the dynamics with its default fields.
        solved: Mean return per episode, undiscounted, from which the task counts as solved; NaN where nobody says.
            `docs/environments.md` gives the reason for each.
        picture: How `render_mode="rgb_array"` draws it; None where it has no picture.
        over_at_limit: Whether the task itself is over at its time limit, whatever is done, so that it terminates there.
    """

    id: str
    description: str
    time_limit: int
    observation: Bounds
    build: Callable[[], AbstractDynamics[Any]]
    solved: float = math.nan
    picture: Picture | None = None
    over_at_limit: bool = False


@dataclasses.dataclass(frozen=True)
class HostTask:
    """An environment of ours that Gymnasium steps, because its physics are not in JAX.

    Attributes:
        description: One line for `entropax envs`.
        entry_point: What `gymnasium.make` calls, "module:function"; imported only then.
        needs: The module that simulates it; without it the task is not listed.
        action: The box of its actions.
    """

    description: str
    entry_point: str
    needs: str
    action: Bounds


_PENDULUM = Bounds((-1.0, -1.0, -8.0), (1.0, 1.0, 8.0))
_MOUNTAIN_CAR = Bounds((-1.2, -0.07), (0.6, 0.07))
# 10 N on a cart of 1 kg raise sqrt(2 energy) by at most 10 a second, so velocities stay below these for 10 s.
_CARTPOLE = Bounds((-5.0, -1.0, -1.0, -100.0, -600.0), (5.0, 1.0, 1.0, 100.0, 600.0))
# A turn of at most 7 rad/s² and the speed limit of 30 m/s in either direction, for 20 s.
_VEHICLE = Bounds((-1000.0, -1000.0, -4.0, -30.0, -30.0, -200.0), (1000.0, 1000.0, 4.0, 30.0, 30.0, 200.0))
# The cart stops at 2.4 m and the pole at 12 degrees, before 10 N have made either fast.
_BALANCE = Bounds((-4.8, -20.0, -0.42, -20.0), (4.8, 20.0, 0.42, 20.0))
_SIGN, _PAIR = Bounds((-1.0,), (1.0,)), Bounds((0.0, 0.0), (1.0, 1.0))


def _quadrotor(size: int) -> Bounds:
    """The first entries of (position, angles, velocity, rates): 203 m/s² and about 10 rad/s² for 4 s."""
    high = ((2000.0,) * 3 + (200.0,) * 3 + (1000.0,) * 3 + (100.0,) * 3)[:size]
    return Bounds(tuple(-bound for bound in high), high)


def _one_hot(size: int) -> Bounds:
    """The box of an observation that is all 0 but for one entry."""
    return Bounds((0.0,) * size, (1.0,) * size)


def _deep_sea(size: int) -> Task:
    """Deep sea of `size` rows, solved where nine episodes of ten or more find the treasure."""
    return Task(
        f"entropax/DeepSea{size}-v0",
        f"deep sea of bsuite, {size} rows: one path pays",
        size,
        _one_hot(size**2),
        lambda: DeepSea(size),
        solved=0.9,
        picture=Picture(functools.partial(deep_sea.draw, size=size), 4),
        over_at_limit=True,
    )


def _within_time(picture: Picture) -> Picture:
    """The picture of a task within `TerminalTimeLimit`."""
    return Picture(lambda state: picture.draw(state.task), picture.frames_per_second)


TASKS: dict[str, Task] = {
    task.id: task
    for task in (
        Task("entropax/Pendulum-v0", "Pendulum-v1 of Gymnasium in JAX", 200, _PENDULUM, Pendulum, solved=-200.0),
        Task(
            "entropax/PendulumSparse-v0",
            "Pendulum, reward 1 near upright and at rest, else 0",
            200,
            _PENDULUM,
            lambda: Sparse(Pendulum()),
            solved=150.0,
        ),
        Task(
            "entropax/PendulumActionCost-v0",
            "Pendulum, reward less 0.1 |a|",
            200,
            _PENDULUM,
            lambda: ActionCost(Pendulum()),
            solved=-205.0,
        ),
        Task(
            "entropax/MountainCarContinuous-v0",
            "MountainCarContinuous-v0 of Gymnasium in JAX",
            999,
            _MOUNTAIN_CAR,
            MountainCarContinuous,
            solved=90.0,
        ),
        Task(
            "entropax/MountainCarContinuousActionCost-v0",
            "MountainCarContinuous, reward less 0.1 |a|",
            999,
            _MOUNTAIN_CAR,
            lambda: ActionCost(MountainCarContinuous()),
        ),
        Task(
            "entropax/CartpoleSwingup-v0",
            "cartpole swingup of the DeepMind Control Suite in JAX",
            1000,
            _CARTPOLE,
            CartpoleSwingup,
            solved=800.0,
        ),
        Task(
            "entropax/CartpoleSwingupSparse-v0",
            "cartpole swingup_sparse of the DeepMind Control Suite in JAX",
            1000,
            _CARTPOLE,
            CartpoleSwingupSparse,
            solved=700.0,
        ),
        Task(
            "entropax/CartPole-v0",
            "CartPole-v1 of Gymnasium in JAX, two actions",
            500,
            _BALANCE,
            CartPole,
            solved=475.0,
        ),
        Task(
            "entropax/DeceptiveMaze-v0",
            "a point whose straight way to the goal ends in a trap",
            200,
            Bounds((-1.0, -1.0), (1.0, 1.0)),
            DeceptiveMaze,
            solved=10.0,
        ),
        _deep_sea(10),
        _deep_sea(20),
        Task(
            "entropax/Gridworld-v0",
            "corridor, small reward near, large one far",
            100,
            _one_hot(gridworld.HEIGHT * gridworld.WIDTH),
            Gridworld,
            solved=0.9,
            picture=Picture(gridworld.draw, 5),
        ),
        Task(
            "entropax/Toy-v0",
            "two decisions, the first misled by entropy",
            2,
            _one_hot(6),
            Toy,
            picture=Picture(toy.draw, 1),
        ),
        Task(
            "entropax/Vehicle-v0",
            "hardly gripping car finds and follows a circle",
            200,
            _VEHICLE,
            lambda: TerminalTimeLimit(Vehicle(), 200),
            picture=_within_time(Picture(vehicle.draw, 10)),
        ),
        Task(
            "entropax/VehicleFixed-v0",
            "Vehicle, gripping tyres, time limit truncates",
            200,
            _VEHICLE,
            lambda: Vehicle(car=gripping()),
            picture=Picture(vehicle.draw, 10),
        ),
        Task(
            "entropax/VehicleSimplified-v0",
            "VehicleFixed, car without slip",
            200,
            _VEHICLE,
            kinematic,
            picture=Picture(vehicle.draw, 10),
        ),
        Task(
            "entropax/Quadrotor-v0",
            "four rotors follow a point along a line",
            40,
            _quadrotor(9),
            lambda: TerminalTimeLimit(Quadrotor(), 40),
            picture=_within_time(Picture(quadrotor.draw, 10)),
        ),
        Task(
            "entropax/QuadrotorFixed-v0",
            "Quadrotor, rates observed, time limit truncates",
            40,
            _quadrotor(12),
            lambda: Quadrotor(gyroscope=Gyroscope()),
            picture=Picture(quadrotor.draw, 10),
        ),
        Task(
            "entropax/QuadrotorSimplified-v0",
            "QuadrotorFixed, thrust and moments as actions",
            40,
            _quadrotor(12),
            lambda: Quadrotor(actuation=ThrustAndMoments(), gyroscope=Gyroscope()),
            picture=Picture(quadrotor.draw, 10),
        ),
        Task(
            "entropax/Acrobot-v0",
            "balance two links by the joint between them",
            400,
            Bounds((-1.0,) * 4 + tuple(-speed for speed in MAX_SPEEDS), (1.0,) * 4 + MAX_SPEEDS),
            Acrobot,
            picture=Picture(acrobot.draw, 5),
        ),
        Task(
            "entropax/Obstacle2D-v0",
            "a point rounds the wall before its goal",
            51,
            Bounds((-77.0, -51.0), (77.0, 51.0)),
            Obstacle2D,
            solved=450.0,
            picture=Picture(obstacle2d.draw, 2),
        ),
        Task("entropax/SoftOptimum-v0", "probe: pi* = p*, V* = 0", 1, Bounds((0.0,), (1.0,)), SoftOptimum),
        Task(
            "entropax/DiscreteSoftOptimum-v0",
            "probe: the same of three actions",
            1,
            Bounds((0.0,), (1.0,)),
            DiscreteSoftOptimum,
        ),
        Task("entropax/SoftChain-v0", "probe: two soft steps, V* = discount", 2, _PAIR, SoftChain),
        Task("entropax/ConstantReward-v0", "probe: value 1", 1, Bounds((0.0,), (1.0,)), ConstantReward),
        Task("entropax/ObservedReward-v0", "probe: value = observation", 1, _SIGN, ObservedReward),
        Task("entropax/DelayedReward-v0", "probe: first value = discount", 2, Bounds((0.0,), (1.0,)), DelayedReward),
        Task("entropax/MatchObservation-v0", "probe: best action = observation / 2", 1, _SIGN, MatchObservation),
    )
}
"""Our own environments in JAX by id, in the order in which they are listed."""

_OPENCAT, _EIGHT = "entropax.envs.opencat", Bounds((-1.0,) * 8, (1.0,) * 8)

HOST_TASKS: dict[str, HostTask] = {
    "entropax/OpenCat-v0": HostTask("robot cat runs, penalties grow", f"{_OPENCAT}:OpenCat", "mujoco", _EIGHT),
    "entropax/OpenCatFixed-v0": HostTask("OpenCat, constant penalties", f"{_OPENCAT}:fixed", "mujoco", _EIGHT),
}
"""Our own environments that Gymnasium steps, by id; listed after those in JAX."""


def make(id: str, num_envs: int = 1) -> Episodes[Any] | AbstractHostEnvironments:
    """Makes an environment by its id.

    Args:
        id: One of ours (`entropax/Pendulum-v0`, …) or any id that `gymnasium.make` knows, `module:Name-v0` included.
        num_envs: Copies stepped together. One of `TASKS` comes as a single copy in pure JAX: the loop vmaps it.

    Returns:
        `Episodes` for one of `TASKS`, `GymnasiumEnvironments` for any other.

    Raises:
        UnknownEnvironment: No such id; the message names the nearest.
        EntropaxError: `num_envs` below 1, an optional dependency is missing, or the preflight refuses.
    """
    if num_envs < 1:
        raise EntropaxError(f"num_envs is {num_envs}: nothing would be stepped. Use 1 or more.")
    if id in TASKS:
        return Episodes(TASKS[id].build(), TASKS[id].time_limit)
    with contextlib.ExitStack() as unless_taken:
        envs = []
        for _ in range(num_envs):
            envs.append(_make_gymnasium(id))
            unless_taken.callback(envs[-1].close)
        taken = GymnasiumEnvironments(envs)
        unless_taken.pop_all()
    return taken


def versioned(id: str) -> str:
    """The id with the version that `make` takes for it; without one a later Gymnasium may make another environment.

    Args:
        id: one that `make` has made, so that the module that registers it is imported.
    """
    module, colon, name = id.rpartition(":")
    namespace, base, version = parse_env_id(name)
    newest = find_highest_version(namespace, base) if version is None else None
    return id if newest is None else f"{module}{colon}{get_env_id(namespace, base, newest)}"


def _make_gymnasium(id: str) -> gymnasium.Env[Any, Any]:
    """`gymnasium.make` with errors that name the remedy."""
    if id.startswith("entropax/") and id not in HOST_TASKS:
        raise _unknown(id)
    module, colon, _ = id.partition(":")
    if id.count(":") > 1 or (colon and (not module or module.startswith("."))):
        raise _unknown(id)  # Gymnasium would import what is no module's name.
    try:
        return gymnasium.make(id)
    except (gymnasium.error.UnregisteredEnv, gymnasium.error.DeprecatedEnv) as error:
        raise _unknown(id) from error
    except ImportError as error:
        raise EntropaxError(
            f"{id!r} needs a module that cannot be imported ({error}). Install the package that provides it, check the "
            "part of the id before the colon, or use a newer version of the environment."
        ) from error
    except gymnasium.error.DependencyNotInstalled as error:
        raise EntropaxError(f"{id!r} needs a package that is not installed: {error}") from error
    except gymnasium.error.Error as error:
        raise EntropaxError(f"Gymnasium cannot make {id!r}: {error}") from error


def _unknown(id: str) -> UnknownEnvironment:
    """The error for an id that no registry has, with the nearest ids of both."""
    known = [*TASKS, *(name for name in gymnasium.registry if name not in TASKS)]
    by_lower = {name.lower(): name for name in known}
    short = {name.split("/")[-1].lower(): name for name in known}
    matches = difflib.get_close_matches(id.lower(), by_lower, n=3, cutoff=0.6)
    matches_short = difflib.get_close_matches(id.split("/")[-1].lower(), short, n=3, cutoff=0.6)
    nearest = list(dict.fromkeys([by_lower[m] for m in matches] + [short[m] for m in matches_short]))[:4]
    hint = f"Did you mean {' or '.join(nearest)}?" if nearest else "No known id is near it."
    return UnknownEnvironment(
        f"No environment is called {id!r}. {hint} `entropax envs` lists all; an environment of your own package is "
        "'package:Name-v0'."
    )
