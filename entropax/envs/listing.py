"""What `entropax envs` lists: the environments that can be made here, without making any of Gymnasium's."""

import dataclasses
import importlib.util
import math

import gymnasium

from entropax.envs.registry import HOST_TASKS, TASKS
from entropax.types import Bounds, Categories


@dataclasses.dataclass(frozen=True)
class Available:
    """One line of `entropax envs`; `action` is None where only constructing the environment would tell."""

    id: str
    backend: str
    description: str
    action: Bounds | Categories | None


_MUJOCO: dict[str, tuple[str, int, float]] = {
    "Ant": ("four-legged robot runs forward", 8, 1.0),
    "HalfCheetah": ("planar cheetah runs forward", 6, 1.0),
    "Hopper": ("one-legged planar robot hops forward", 3, 1.0),
    "Humanoid": ("humanoid walks forward", 17, 0.4),
    "HumanoidStandup": ("humanoid stands up", 17, 0.4),
    "InvertedDoublePendulum": ("balance two poles on a cart", 1, 1.0),
    "InvertedPendulum": ("balance a pole on a cart", 1, 3.0),
    "Pusher": ("arm pushes a cylinder to a goal", 7, 2.0),
    "Reacher": ("two-joint arm reaches a point", 2, 1.0),
    "Swimmer": ("planar swimmer swims forward", 2, 1.0),
    "Walker2d": ("two-legged planar robot walks forward", 6, 1.0),
}
"""Description, number of actions and symmetric bound of Gymnasium's MuJoCo tasks, versions 4 and 5."""

_OTHERS: dict[str, tuple[str, str, Bounds | Categories]] = {
    "CartPole-v1": ("gymnasium", "balance a pole by pushing its cart", Categories(2)),
    "Acrobot-v1": ("gymnasium", "swing the lower of two links up", Categories(3)),
    "MountainCar-v0": ("gymnasium", "drive an underpowered car uphill", Categories(3)),
    "LunarLander-v3": ("Box2D", "land a rocket, one engine at a time", Categories(4)),
    "FrozenLake-v1": ("gymnasium", "cross a frozen lake of 4 x 4 cells", Categories(4)),
    "FrozenLake8x8-v1": ("gymnasium", "the same of 8 x 8", Categories(4)),
    "Taxi-v3": ("gymnasium", "fetch a passenger and bring them there", Categories(6)),
    "Taxi-v4": ("gymnasium", "fetch a passenger and bring them there", Categories(6)),
    "Pendulum-v1": ("gymnasium", "swing up and hold a pendulum", Bounds((-2.0,), (2.0,))),
    "MountainCarContinuous-v0": ("gymnasium", "drive an underpowered car uphill", Bounds((-1.0,), (1.0,))),
    "LunarLanderContinuous-v3": ("Box2D", "land a rocket, two throttles", Bounds((-1.0,) * 2, (1.0,) * 2)),
    "BipedalWalker-v3": ("Box2D", "two-legged robot walks forward", Bounds((-1.0,) * 4, (1.0,) * 4)),
    "BipedalWalkerHardcore-v3": ("Box2D", "the same over obstacles", Bounds((-1.0,) * 4, (1.0,) * 4)),
}
"""Module needed, description and actions of Gymnasium's other tasks with vector or one-hot observations."""


def available() -> list[Available]:
    """Environments that can be made here, without constructing any of Gymnasium's.

    Returns:
        Ours first, then Gymnasium's own whose dependency is installed, then those that other packages registered
        (their action space is unknown until made, so `action` is None).
    """
    ours = [Available(task.id, "jax", task.description, task.build().spec.action) for task in TASKS.values()]
    ours += [
        Available(id, "gymnasium", task.description, task.action)
        for id, task in HOST_TASKS.items()
        if importlib.util.find_spec(task.needs) is not None
    ]
    others = (id for id in gymnasium.registry if id not in TASKS and id not in HOST_TASKS)
    return ours + [entry for id in others if (entry := _describe_gymnasium(id)) is not None]


def _describe_gymnasium(id: str) -> Available | None:
    """The line for a Gymnasium id, or None where it cannot be used here."""
    name, _, version = id.rpartition("-v")
    if name in _MUJOCO and version in ("4", "5"):
        description, size, bound = _MUJOCO[name]
        installed = importlib.util.find_spec("mujoco") is not None
        action = Bounds((-bound,) * size, (bound,) * size)
        return Available(id, "gymnasium", description, action) if installed else None
    if id in _OTHERS:
        module, description, action = _OTHERS[id]
        installed = importlib.util.find_spec(module) is not None
        return Available(id, "gymnasium", description, action) if installed else None
    entry_point = gymnasium.registry[id].entry_point
    module = entry_point if isinstance(entry_point, str) else entry_point.__module__ if entry_point else "gymnasium"
    if module.startswith("gymnasium."):
        return None
    return Available(id, "gymnasium", f"registered by {module.split(':')[0].split('.')[0]}", None)


def action_text(action: Bounds | Categories | None) -> str:
    """An action space in a few characters, for listings: `3 in [-1, 1]`."""
    if action is None:
        return "known once made"
    if isinstance(action, Categories):
        return f"one of {action.count}"
    low, high = set(action.low), set(action.high)
    if len(low) == len(high) == 1 and all(math.isfinite(bound) for bound in low | high):
        return f"{action.size} in [{action.low[0]:g}, {action.high[0]:g}]"
    return f"{action.size}, uneven bounds"
