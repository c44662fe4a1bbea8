"""Every way to explore on the same tasks: is it the entropy bonus that helps, or would something else?"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from entropax.envs.base import Episodes
from entropax.envs.registry import TASKS, make
from entropax.errors import EntropaxError
from entropax.experiments.alternatives import CONTINUOUS, COPIES, DISCRETE, Method, Setting
from entropax.experiments.budget import Budget
from entropax.experiments.cells import Cell, folder_of
from entropax.experiments.problems import PROBLEMS
from entropax.experiments.sweeps import Member, Sweep, swept
from entropax.loops.training import Training
from entropax.replay import AbstractData, Rollout
from entropax.types import Categories

STEPS: Mapping[str, int] = {
    "entropax/MountainCarContinuous-v0": 50_000,
    "entropax/PendulumSparse-v0": 20_000,
    "entropax/PendulumActionCost-v0": 20_000,
    "entropax/CartpoleSwingupSparse-v0": 200_000,
    "entropax/DeceptiveMaze-v0": 50_000,
    "entropax/Vehicle-v0": 200_000,
    "entropax/Quadrotor-v0": 200_000,
    "entropax/DeepSea10-v0": 20_000,
    "entropax/DeepSea20-v0": 100_000,
    "entropax/Gridworld-v0": 50_000,
    "entropax/CartPole-v0": 50_000,
}
"""Tasks, and steps per seed that a full run takes on each."""

BUDGETS: Mapping[str, Budget] = {
    "small": Budget(
        ("entropax/MountainCarContinuous-v0", "entropax/DeepSea10-v0"),
        10,
        10_000,
        (32, 32),
        64,
        samples=16,
        episodes=1,
        rate=3.0,
        rollout=32,
        methods=(
            *("SAC", "alpha about 0", "SAC with pink noise", "pink noise", "counts", "RND", "MaxInfoSAC", "PPO"),
            *("exact soft Q-learning", "epsilon-greedy DQN", "NoisyNet DQN", "PPO with bonus 1"),
        ),
    ),
    "full": Budget(tuple(STEPS), 10, 200_000, (64, 64), 128, samples=100, episodes=5, rate=1.0),
}

EVALUATIONS = 20
"""In a run at most, evenly spaced: a first success is known to a twentieth."""


class Explored(NamedTuple):
    """What became of a method on a task."""

    cell: Cell
    pace: float
    """Wall time per step of one seed, all seeds training together, microseconds."""


def methods(env: str) -> Mapping[str, Method]:
    """Those that fit the task's actions; the first is what the others are compared with."""
    return DISCRETE if isinstance(make(env).spec.action, Categories) else CONTINUOUS


def solved(env: str) -> float:
    """Return from which a seed counts as solved; NaN where nobody says."""
    return PROBLEMS[env].good if env in PROBLEMS else TASKS[env].solved


def steps_of(env: str, budget: Budget) -> int:
    """Steps per seed: as many as a full run takes on the task, or the budget's where that is less."""
    return min(STEPS.get(env, budget.steps), budget.steps)


def train(budget: Budget, root: Path) -> list[Explored]:
    """Trains every method on every task, a population of seeds each, and keeps what came out.

    Raises:
        EntropaxError: the budget names a task or a method that is not part of this.
    """
    return [_cell(env, name, budget, root) for env, name in wanted(budget)]


def wanted(budget: Budget) -> list[tuple[str, str]]:
    """Tasks and methods in the order of the page.

    Raises:
        EntropaxError: a task that is not in JAX or that nothing solves, an unknown method, or none that fits a task.
    """
    known = list(dict.fromkeys((*CONTINUOUS, *DISCRETE)))
    for name in budget.methods:
        if name not in known:
            raise EntropaxError(f"{name!r} is no method of this comparison. Choose from: {'; '.join(known)}.")
    found = []
    for env in budget.envs:
        if env not in TASKS:
            make(env)  # Names the nearest ids where there is none.
        if env not in TASKS or math.isnan(solved(env)):
            fit = [name for name in TASKS if not math.isnan(solved(name))]
            raise EntropaxError(
                f"{env} cannot be compared on: it needs a task in JAX, of which many seeds are one program, and a "
                f"return from which it counts as solved. Choose from: {', '.join(fit)}."
            )
        here = [name for name in methods(env) if not budget.methods or name in budget.methods]
        if not here:
            raise EntropaxError(f"No method that was asked for fits {env}. Choose from: {'; '.join(methods(env))}.")
        found += [(env, name) for name in here]
    return found


def _cell(env: str, name: str, budget: Budget, root: Path) -> Explored:
    method, task = methods(env)[name], make(env)
    assert isinstance(task, Episodes)
    setting = Setting(budget, TASKS[env].time_limit, task.spec)
    algorithm = method.learner(setting)
    training = training_of(env, budget, algorithm.data())
    member = Member(name, algorithm, task, task)
    sweep = Sweep(env, solved(env), (member,), budget.seeds, training, method.explores(setting))
    (found,) = swept(sweep, folder_of(root, env.removeprefix("entropax/"), name))
    return Explored(found.cell, found.pace)


def training_of(env: str, budget: Budget, data: AbstractData) -> Training:
    """The counts of a run: a twentieth of the steps is random, or as few rollouts as fill the steps.

    Between two evaluations of a learner from rollouts are whole ones, so that there may be fewer than 20.
    """
    steps = steps_of(env, budget)
    every, number, copies = steps // EVALUATIONS, EVALUATIONS, 1
    if isinstance(data, Rollout):
        copies, rollout = COPIES, COPIES * data.num_steps
        rollouts = -(-steps // rollout)
        between = -(-rollouts // EVALUATIONS)
        every, number = between * rollout, -(-rollouts // between)
    return Training(
        steps=every * number,
        num_envs=copies,
        warmup=every if copies == 1 else 0,
        capacity=steps if copies == 1 else Training().capacity,
        log_every=every,
        evaluate_every=every,
        evaluation_episodes=budget.episodes,
        checkpoint_every=every * number,
    )
