"""A second set: tasks, laws and faults that no rule and no threshold was made with.

As in the first set, the rules that may name a fault were written down before any run was trained.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
from faults import ABOVE, USELESS, Fault
from healthy import FAST, HALF, STEPS, healthy
from mistakes import EndsTruncate
from setting import Setting, sac
from tasks import GUSTS, POINTS, POLE, SIX, TANK, Altered, environment

from entropax.algorithms.meta_sac import MetaSAC
from entropax.algorithms.sac import SAC
from entropax.envs.base import Episodes
from entropax.temperature import (
    PI,
    AnnealOverRun,
    Dual,
    EachDimension,
    Fixed,
    FractionOfInitial,
    Guard,
    PerDimension,
    Plateau,
    StepRule,
)

FRESH_HEALTHY: tuple[Setting, ...] = (
    healthy("Dual", POINTS, sac(Dual(FAST))),
    healthy("Dual", SIX, sac(Dual(FAST))),
    healthy("Dual", TANK, sac(Dual(FAST))),
    healthy("Dual", POLE, sac(Dual(FAST))),
    healthy("Dual", GUSTS, sac(Dual(FAST))),
    healthy("PI", POINTS, sac(PI())),
    healthy("PI", TANK, sac(PI())),
    healthy("PI", POLE, sac(PI())),
    healthy("EachDimension", SIX, sac(EachDimension(Dual(FAST)))),
    healthy("Dual from 0.1, target -0.5", POLE, sac(Dual(FAST, 0.1, target_entropy=HALF))),
    healthy("Dual from 0.1, target -0.5", SIX, sac(Dual(FAST, 0.1, target_entropy=HALF))),
    healthy("Plateau", TANK, sac(Dual(FAST, target_entropy=Plateau()))),
    healthy("FractionOfInitial", POINTS, sac(Dual(FAST, target_entropy=FractionOfInitial(0.3)))),
    healthy("AnnealOverRun", TANK, sac(Dual(FAST, target_entropy=AnnealOverRun(until=0.5)))),
    healthy("PI, Guard", POINTS, sac(PI(initial_alpha=0.01, target_entropy=Guard()))),
    healthy("StepRule", GUSTS, sac(StepRule(step=1e-3))),
    healthy("Fixed 0.02", POINTS, sac(Fixed(0.02))),
    healthy("Meta-SAC", TANK, MetaSAC(sac(Fixed(1.0)), learning_rate=FAST)),
)

_SOUND = sac(Dual(FAST))
_NEVER = 1e-12
_BELOW = ("premature-collapse", "slow-collapse", "alpha-travelling", "target-missed", "alpha-irrelevant")
"""Entropy that is gone though nobody asked for it, or asked for what no task needs."""
_UNSTEADY = ("alpha-swings", "entropy-explosion", "premature-collapse", "target-missed", "alpha-runaway")
"""A law that oscillates, and where it may end."""


def _fault(alters: str, task: str, rules: tuple[str, ...], algorithm: SAC) -> Fault:
    """A fault of the settings."""
    episodes, solved = environment(task)
    return Fault(Setting(_name(alters, task), episodes, episodes, solved, algorithm, algorithm, STEPS), alters, rules)


def _around(alters: str, task: str, rules: tuple[str, ...], broken: Callable[[Any], Any]) -> Fault:
    """A fault of the environment: trained on the broken one, judged on the sound one where that tells more."""
    episodes, solved = environment(task)
    return Fault(Setting(_name(alters, task), broken(episodes), episodes, solved, _SOUND, _SOUND, STEPS), alters, rules)


def _name(alters: str, task: str) -> str:
    return f"fresh fault, {task}, {alters}"


def _altered(**factors: float) -> Callable[[Episodes[Any]], Episodes[Any]]:
    def broken(episodes: Episodes[Any]) -> Episodes[Any]:
        return Episodes(Altered(episodes.dynamics, **factors), episodes.time_limit)

    return broken


_TOO_SLOW = eqx.tree_at(lambda a: a.critic_learning_rate, _SOUND, _NEVER)
_TOO_FAST = eqx.tree_at(lambda a: a.actor_learning_rate, _SOUND, 100 * FAST)
_MYOPIC = eqx.tree_at(lambda a: a.discount, _SOUND, 0.0)

FRESH_FAULTS: tuple[Fault, ...] = (
    _around("no reward", TANK, (*ABOVE, *USELESS, "reward-drowned", "alpha-irrelevant"), _altered(pays=0.0)),
    _around("rewards with noise of 30", POINTS, (*USELESS, "saturated-actions"), _altered(noise=30.0)),
    _around(
        "observations x1000",
        TANK,
        ("saturated-actions", "premature-collapse", "alpha-runaway", "q-divergence", "q-off-returns", *USELESS),
        _altered(sees=1000.0),
    ),
    _around("blank observations", POINTS, USELESS, _altered(sees=0.0)),
    _around("actions do nothing", TANK, (*ABOVE, *USELESS, "reward-drowned", "alpha-irrelevant"), _altered(does=0.0)),
    _around(
        "actions x0.01",
        POINTS,
        (*ABOVE, *USELESS, "reward-drowned", "alpha-irrelevant", "saturated-actions"),
        _altered(does=0.01),
    ),
    _around(
        "rewards x1e4",
        POINTS,
        ("alpha-irrelevant", "premature-collapse", "alpha-travelling", "target-missed", "saturated-actions"),
        _altered(pays=1e4),
    ),
    _around("termination truncates", POLE, ("episode-ends", *USELESS), EndsTruncate),
    _fault(
        "actor's rate x100",
        SIX,
        ("saturated-actions", "premature-collapse", "alpha-runaway", "alpha-swings", "target-missed", *USELESS),
        _TOO_FAST,
    ),
    _fault("critic frozen", SIX, ("frozen-network", *USELESS), _TOO_SLOW),
    _fault("discount 0", POLE, (*ABOVE, *USELESS), _MYOPIC),
    _fault("StepRule's step x5000", POINTS, (*_UNSTEADY, "reward-drowned", "noise-costs-return"), sac(StepRule(0.5))),
    _fault(
        "PI's gains x100",
        TANK,
        (*_UNSTEADY, "reward-drowned", "noise-costs-return"),
        sac(PI(proportional=100.0, integral=0.1, max_step=0.3)),
    ),
    _fault(
        "alpha from 1e4",
        TANK,
        (*ABOVE, *USELESS, "reward-drowned", "noise-costs-return"),
        sac(Dual(FAST, 1e4)),
    ),
    _fault("alpha from 1e-8", POINTS, (*_BELOW, "saturated-actions"), sac(Dual(FAST, 1e-8))),
    _fault(
        "target -8 per dimension",
        SIX,
        (*_BELOW, "constraint-inactive", "saturated-actions"),
        sac(Dual(FAST, target_entropy=PerDimension(-8.0))),
    ),
    _fault(
        "target 0.6 per dimension",
        POLE,
        ("noise-costs-return", "reward-drowned", "alpha-runaway", *USELESS),
        sac(Dual(FAST, target_entropy=PerDimension(0.6))),
    ),
    _fault("alpha's rate /100", POLE, (*ABOVE, "noise-costs-return"), sac(Dual(FAST / 100))),
)
