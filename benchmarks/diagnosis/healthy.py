"""Runs without a fault: laws that ought to hold the entropy, on tasks that small networks solve in their budget.

Whether a seed is healthy is decided by its deterministic return alone: it has to reach its task's threshold.
"""

from typing import Any

from setting import Setting, sac
from tasks import BALANCE, COST, PENDULUM, SPARSE, TWIN, environment

from entropax.algorithms.base import AbstractAlgorithm
from entropax.algorithms.meta_sac import MetaSAC
from entropax.temperature import (
    PI,
    AnnealOverRun,
    Dual,
    EachDimension,
    Fixed,
    FractionOfInitial,
    FromSigma,
    InAlpha,
    PerDimension,
    Plateau,
    Scheduled,
    StepRule,
)
from entropax.temperature.scheduled import Exponential

STEPS = 8_000
FAST = 1e-3
"""Adam's rate of alpha, as the networks': alpha moves a factor e in 1,000 updates, so it arrives within the budget."""


def healthy(law: str, task: str, algorithm: AbstractAlgorithm[Any], steps: int = STEPS) -> Setting:
    """A setting without a fault."""
    episodes, solved = environment(task)
    return Setting(f"healthy, {task.split('/')[-1]}, {law}", episodes, episodes, solved, algorithm, algorithm, steps)


HALF = PerDimension(-0.5)
HEALTHY: tuple[Setting, ...] = (
    healthy("Dual", PENDULUM, sac(Dual(FAST))),
    healthy("Dual from 0.1", PENDULUM, sac(Dual(FAST, 0.1))),
    healthy("Dual, target -0.5", PENDULUM, sac(Dual(FAST, target_entropy=HALF))),
    healthy("PI", PENDULUM, sac(PI())),
    healthy("Dual", COST, sac(Dual(FAST))),
    healthy("Dual", TWIN, sac(Dual(FAST)), 12_000),
    healthy("Dual", BALANCE, sac(Dual(FAST))),
    healthy("StepRule", PENDULUM, sac(StepRule(step=1e-3))),
    healthy("Dual, published rates, from 0.1", PENDULUM, sac(Dual(3e-4, 0.1), 3e-4), 12_000),
    healthy("Plateau", PENDULUM, sac(Dual(FAST, target_entropy=Plateau()))),
    healthy("FractionOfInitial", PENDULUM, sac(Dual(FAST, target_entropy=FractionOfInitial(0.3)))),
    healthy("AnnealOverRun", PENDULUM, sac(Dual(FAST, target_entropy=AnnealOverRun(until=0.5)))),
    healthy("EachDimension", TWIN, sac(EachDimension(Dual(FAST))), 12_000),
    healthy("Dual, FromSigma", PENDULUM, sac(Dual(FAST, target_entropy=FromSigma(0.15)))),
    healthy("Fixed 0.1", PENDULUM, sac(Fixed(0.1))),
    healthy("PI, target -0.5", COST, sac(PI(target_entropy=HALF))),
    healthy("Dual from 0.01", PENDULUM, sac(Dual(FAST, 0.01))),
    healthy("PI", SPARSE, sac(PI()), 20_000),
    healthy("Dual in alpha", PENDULUM, sac(Dual(FAST, objective=InAlpha()))),
    healthy("Exponential to 0.05", PENDULUM, sac(Scheduled(Exponential(0.5, 0.05, 5_000.0)))),
    healthy("PI, target -0.5", BALANCE, sac(PI(target_entropy=HALF))),
    healthy("Dual, target -0.5", COST, sac(Dual(FAST, target_entropy=HALF))),
    healthy("Meta-SAC", PENDULUM, MetaSAC(sac(Fixed(1.0)), learning_rate=FAST)),
)
