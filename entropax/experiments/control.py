"""The published control tasks, and the methods that are compared on them."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from entropax.algorithms.base import AbstractAlgorithm
from entropax.algorithms.decomposed_sac import DecomposedSAC
from entropax.algorithms.on_policy_parts import ClippedGaussian
from entropax.algorithms.ppo import PPO, AsEstimated
from entropax.algorithms.sac import SAC
from entropax.algorithms.sac_adaent import SACAdaEnt
from entropax.algorithms.sac_lite import SACLite
from entropax.algorithms.td3 import TD3
from entropax.experiments.budget import Budget
from entropax.experiments.cells import Cell, folder_of, measured, trained
from entropax.experiments.problems import PROBLEMS, Problem
from entropax.loops.training import Training
from entropax.networks import Dense, Orthogonal
from entropax.replay import Rollout
from entropax.temperature import Dual, Fixed

BUDGETS: Mapping[str, Budget] = {
    "small": Budget(
        ("entropax/Quadrotor-v0", "entropax/Obstacle2D-v0"),
        5,
        3_000,
        (64, 64),
        64,
        samples=16,
        episodes=5,
        rate=1.0,
        rollout=16,
    ),
    "full": Budget(tuple(PROBLEMS), 5, 2_000_000, (256, 256), 256, samples=100, episodes=10, rate=1.0),
}

COPIES = 16
"""Environment copies that PPO steps together."""


class Setting(NamedTuple):
    """What a method is built from: SAC with the problem's published settings and an alpha of 0.2, and the sizes."""

    sac: SAC
    problem: Problem
    budget: Budget


def _learned(setting: Setting) -> SAC:
    """SAC with alpha learned as published: from 1, at the rate of the networks, to an entropy of -1 a dimension."""
    rate = setting.sac.actor_learning_rate
    return dataclasses.replace(setting.sac, temperature=Dual(learning_rate=rate))


def _ppo(setting: Setting) -> PPO:
    """The published PPO but for what the page says: a Gaussian that the environment clips, minibatches of 64."""
    budget = setting.budget
    return PPO(
        learning_rate=budget.rate * 3e-4,
        value_coefficient=0.25,
        advantages=AsEstimated(),
        policy=ClippedGaussian(Orthogonal(budget.hidden, 0.01), initial_log_std=-0.5),
        torso=Orthogonal(budget.hidden),
        num_steps=budget.rollout,
        minibatches=max(COPIES * budget.rollout // 64, 1),
    )


def _td3(setting: Setting) -> TD3:
    """TD3 as published, with the sizes of the others."""
    rate, budget = setting.budget.rate * 3e-4, setting.budget
    sizes = {"torso": Dense(budget.hidden), "batch_size": budget.batch_size}
    return TD3(actor_learning_rate=rate, critic_learning_rate=rate, **sizes)


METHODS: Mapping[str, Callable[[Setting], AbstractAlgorithm[Any]]] = {
    "SAC, alpha 0.2": lambda setting: setting.sac,
    "SAC, alpha learned": _learned,
    "SACLite": lambda setting: SACLite(setting.sac),
    "SAC-AdaEnt": lambda setting: SACAdaEnt(setting.sac, setting.problem.threshold, setting.budget.samples),
    "DecomposedSAC": lambda setting: DecomposedSAC(setting.sac),
    "TD3": _td3,
    "PPO": _ppo,
}
"""By name: a line a method. The first is what the others are compared with."""
REFERENCE = "SAC, alpha 0.2"


class Learned(NamedTuple):
    """What became of a method on a task."""

    cell: Cell
    nonfinite: int
    """Rows of the log in which something was not finite; such steps and updates are undone, and the run goes on."""


def train(budget: Budget, root: Path) -> list[Learned]:
    """Trains every method on every task, a kept run folder each."""
    found = []
    for problem in (PROBLEMS[env] for env in budget.envs):
        for name, build in METHODS.items():
            folder = folder_of(root, problem.name, name)
            algorithm = build(published(problem, budget))
            training = dataclasses.replace(problem.training(budget), on_nonfinite="skip")
            if isinstance(algorithm.data(), Rollout):
                training = dataclasses.replace(training, num_envs=COPIES, warmup=0, capacity=Training().capacity)
            run = trained(algorithm, problem.env, training, budget.seeds, folder)
            nonfinite = sum(event.name == "nonfinite" for event in run.metrics.events)
            found.append(Learned(measured(run, problem.env, name, problem.good), nonfinite))
    return found


def published(problem: Problem, budget: Budget) -> Setting:
    """The published settings of a task at a budget's sizes."""
    rate = budget.rate * problem.learning_rate
    sac = SAC(
        torso=Dense(budget.hidden),
        batch_size=budget.batch_size,
        actor_learning_rate=rate,
        critic_learning_rate=rate,
        temperature=Fixed(0.2),
    )
    return Setting(sac, problem, budget)
