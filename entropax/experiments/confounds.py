"""SAC on vehicle and quadrotor over alpha, the reward's scale and the observation's: is it entropy that fails it?"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax

from entropax.algorithms.sac import SAC
from entropax.envs.base import Episodes
from entropax.envs.registry import make
from entropax.envs.wrappers import NormalisedObservation, ScaledReward, observation_statistics
from entropax.errors import EntropaxError
from entropax.experiments.budget import Budget
from entropax.experiments.problems import PROBLEMS, Problem
from entropax.experiments.sweeps import Member, Sweep, Swept, swept
from entropax.networks import Dense
from entropax.temperature import Fixed

ALPHAS: Mapping[str, float] = {"about 0": 1e-6, "0.01": 0.01, "0.05": 0.05, "0.2": 0.2, "1": 1.0}
"""By name. An alpha of 0 is no temperature (`Fixed` refuses it); a millionth of a reward per nat decides nothing."""
FACTORS = (1.0, 0.1, 0.01)
STATISTICS_EPISODES = 100


def normalised(task: Episodes[Any]) -> Episodes[Any]:
    """The task observed in standard deviations around the mean, both of uniformly random actions."""
    mean, deviation = observation_statistics(task, episodes=STATISTICS_EPISODES, key=jax.random.key(0))
    return Episodes(NormalisedObservation(task.dynamics, mean, deviation), task.time_limit)


OBSERVED: Mapping[str, Callable[[Episodes[Any]], Episodes[Any]]] = {"raw": lambda task: task, "normalised": normalised}
"""What a policy sees, by name."""

_ENVS = ("entropax/Vehicle-v0", "entropax/Quadrotor-v0")
BUDGETS: Mapping[str, Budget] = {
    "small": Budget(_ENVS, 5, 3_000, (64, 64), 64, samples=0, episodes=5, rate=1.0),
    "full": Budget(_ENVS, 5, 2_000_000, (256, 256), 256, samples=0, episodes=10, rate=1.0),
}


class Setting(NamedTuple):
    """One point of the grid; the published one is `PUBLISHED`."""

    alpha: str
    """A name in `ALPHAS`."""
    factor: float
    """Of the reward."""
    observed: str
    """One of `OBSERVED`."""

    def words(self) -> str:
        """For sentences."""
        return f"alpha {self.alpha}, reward times {self.factor:g}, {self.observed} observations"


PUBLISHED = Setting("0.2", 1.0, "raw")
Grid = Mapping[Setting, Swept]


def train(budget: Budget, root: Path) -> dict[str, Grid]:
    """Trains the grid of every task, a program a task and way of observing."""
    return {env: _grid(PROBLEMS[env], budget, root) for env in budget.envs}


def _grid(problem: Problem, budget: Budget, root: Path) -> Grid:
    grid: dict[Setting, Swept] = {}
    task = make(problem.env)
    if not isinstance(task, Episodes):
        raise EntropaxError(f"{problem.env} is no task in JAX, so its reward cannot be scaled here. Leave it out.")
    for observed, seen_as in OBSERVED.items():
        seen = seen_as(task)
        settings = [Setting(alpha, factor, observed) for alpha in ALPHAS for factor in FACTORS]
        members = [_member(setting, seen, problem, budget) for setting in settings]
        sweep = Sweep(problem.env, problem.good, tuple(members), budget.seeds, problem.training(budget))
        grid |= dict(zip(settings, swept(sweep, root / f"{problem.name}--{observed}"), strict=True))
    return grid


def _member(setting: Setting, task: Episodes[Any], problem: Problem, budget: Budget) -> Member:
    rate = budget.rate * problem.learning_rate
    sac = SAC(
        torso=Dense(budget.hidden),
        batch_size=budget.batch_size,
        actor_learning_rate=rate,
        critic_learning_rate=rate,
        temperature=Fixed(ALPHAS[setting.alpha]),
    )
    scaled = Episodes(ScaledReward(task.dynamics, setting.factor), task.time_limit)
    return Member(setting.words(), sac, scaled, task)
