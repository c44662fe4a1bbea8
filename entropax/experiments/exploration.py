"""SAC on vehicle and quadrotor with the entropy term taken away, and another way to explore in its place."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from entropax.envs.registry import TASKS
from entropax.experiments.budget import Budget
from entropax.experiments.cells import Cell, folder_of, measured, trained
from entropax.experiments.control import published
from entropax.experiments.problems import PROBLEMS, Problem
from entropax.exploration import OU, PLAIN, Counts, Exploration, ParameterNoise, Pink, White
from entropax.temperature import Fixed

_QUADROTOR = "entropax/Quadrotor-v0"
BUDGETS: Mapping[str, Budget] = {
    "small": Budget((_QUADROTOR,), 5, 3_000, (64, 64), 64, samples=16, episodes=5, rate=1.0),
    "full": Budget(
        ("entropax/Vehicle-v0", _QUADROTOR), 5, 2_000_000, (256, 256), 256, samples=100, episodes=10, rate=1.0
    ),
}

ALPHA, WITHOUT = 0.2, 1e-6
"""The published weight of the entropy, and as good as none: `Fixed` holds a temperature, which is above 0."""
SIZE = 0.2
"""Root mean square of every noise over an episode, before clipping, in units of [-1, 1]; published are 0.1 to 0.3."""
BETA = 1.0
"""Bonus of a state seen for the first time. Published is 0.01 for rewards of about 1 a step; here they are larger."""


class Method(NamedTuple):
    """How much entropy weighs, and what explores on a task."""

    alpha: float
    explores: Callable[[int], Exploration]
    """From the steps of an episode."""


METHODS: Mapping[str, Method] = {
    "SAC, alpha 0.2": Method(ALPHA, lambda horizon: PLAIN),
    "alpha about 0": Method(WITHOUT, lambda horizon: PLAIN),
    "white noise": Method(WITHOUT, lambda horizon: Exploration(White(SIZE))),
    "OU noise": Method(WITHOUT, lambda horizon: Exploration(OU(SIZE / OU(1.0).size(horizon)))),
    "pink noise": Method(WITHOUT, lambda horizon: Exploration(Pink(SIZE))),
    "parameter noise": Method(WITHOUT, lambda horizon: Exploration(ParameterNoise(SIZE))),
    "white noise, counts": Method(WITHOUT, lambda horizon: Exploration(White(SIZE), Counts(Fixed(BETA)))),
}
"""By name: a line a method."""
REFERENCE, MEMORYLESS = "SAC, alpha 0.2", "white noise"


def train(budget: Budget, root: Path) -> list[Cell]:
    """Trains every method on every task, a kept run folder each."""
    return [_cell(PROBLEMS[env], name, budget, root) for env in budget.envs for name in METHODS]


def _cell(problem: Problem, name: str, budget: Budget, root: Path) -> Cell:
    method = METHODS[name]
    sac = replace(published(problem, budget).sac, temperature=Fixed(method.alpha))
    folder = folder_of(root, problem.name, name)
    explores = method.explores(TASKS[problem.env].time_limit)
    run = trained(sac, problem.env, problem.training(budget), budget.seeds, folder, explores)
    return measured(run, problem.env, name, problem.good)
