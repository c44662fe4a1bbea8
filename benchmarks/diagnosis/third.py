"""A third set: every fault and every law of the first two, on tasks that are new again.

Which fault meets which task is dealt by a fixed draw, and nobody chose the pairs. The rules that may name a fault are
those of the sets it comes from, and what these have taught (`_LEARNED`), written down before any run was trained.
"""

import dataclasses
import random
from collections.abc import Callable, Iterable
from typing import Any

from faults import FAULTS, Fault
from fresh import FRESH_FAULTS
from healthy import FAST, HALF, STEPS
from mistakes import Bounded, EndsTruncate, LimitTerminates
from setting import Setting, sac
from tasks import Altered
from third_tasks import LEDGE, THIRD_TASKS

from entropax.algorithms.base import AbstractAlgorithm
from entropax.algorithms.meta_sac import MetaSAC
from entropax.envs.base import Episodes
from entropax.temperature import (
    PI,
    AnnealOverRun,
    Dual,
    EachDimension,
    Fixed,
    FractionOfInitial,
    FromSigma,
    Guard,
    Plateau,
    StepRule,
)
from entropax.types import Bounds, continuous

_DEAL = 3
"""Seed of the draw."""

_Surroundings = Callable[[Episodes[Any]], Any]


def _with(wrap: Callable[[Any], Any]) -> _Surroundings:
    return lambda episodes: Episodes(wrap(episodes.dynamics), episodes.time_limit)


def _boxed(factor: float, idle: int) -> _Surroundings:
    """Bounds times a factor, and dimensions more that do nothing."""

    def wrap(dynamics: Any) -> Any:
        bounds = continuous(dynamics.spec)
        low, high = ([factor * end for end in ends] for ends in (bounds.low, bounds.high))
        return Bounded(dynamics, Bounds((*low, *[-1.0] * idle), (*high, *[1.0] * idle)))

    return _with(wrap)


def _limited(episodes: Episodes[Any]) -> Episodes[Any]:
    return Episodes(LimitTerminates(episodes.dynamics, episodes.time_limit), episodes.time_limit + 1)


_PAID: dict[str, _Surroundings] = {
    "rewards x1e4": _with(lambda task: Altered(task, pays=1e4)),
    "rewards x1e-4": _with(lambda task: Altered(task, pays=1e-4)),
    "rewards x1e4, alpha fixed": _with(lambda task: Altered(task, pays=1e4)),
    "rewards x1e-4, alpha fixed": _with(lambda task: Altered(task, pays=1e-4)),
    "no reward": _with(lambda task: Altered(task, pays=0.0)),
    "rewards with noise of 30": _with(lambda task: Altered(task, noise=30.0)),
    "NaN rewards": _with(lambda task: Altered(task, nan_share=0.01)),
    "truncation terminates": _limited,
    "termination truncates": EndsTruncate,
}
"""What the environment says that it should not; the outcome is measured on the sound one."""
_MET: dict[str, _Surroundings] = {
    "bounds x50": _boxed(50.0, 0),
    "idle action dimension": _boxed(1.0, 1),
    "observations x1000": _with(lambda task: Altered(task, sees=1000.0)),
    "blank observations": _with(lambda task: Altered(task, sees=0.0)),
    "actions do nothing": _with(lambda task: Altered(task, does=0.0)),
    "actions x0.01": _with(lambda task: Altered(task, does=0.01)),
}
"""What the policy meets wherever it is used, so that its outcome is measured there too."""
_LEARNED: dict[str, tuple[str, ...]] = {
    "StepRule's step x5000": ("alpha-clamped",),
    "alpha from 1e-8": ("alpha-runaway", "mended-collapse"),
    "rewards x1e4": ("mended-collapse",),
    "target too high": ("target-near-uniform",),
}
"""Rules that named a fault rightly and were not on its list, and two that were made for what was missed."""
_ONLY_ON = {"termination truncates": LEDGE}
"""The one task that terminates."""
_REPEATED = ("target 0.6 per dimension",)
"""As "target too high" of the first set."""


def _catalogue() -> dict[str, Fault]:
    """Each fault of either set once, with the rules of both."""
    named = [(fault.setting.name.removeprefix("fault, "), fault) for fault in FAULTS]
    named += [(fault.alters, fault) for fault in FRESH_FAULTS if fault.alters not in _REPEATED]
    found: dict[str, Fault] = {}
    for name, fault in named:
        known = found.setdefault(name, fault)
        rules = dict.fromkeys((*known.rules, *fault.rules, *_LEARNED.get(name, ())))
        found[name] = dataclasses.replace(known, rules=tuple(rules))
    return found


def dealt(tasks: Iterable[str], count: int, draw: random.Random) -> list[str]:
    """So many tasks, each as often as the others."""
    tasks = tuple(tasks)
    deck = [name for _ in range(-(-count // len(tasks))) for name in tasks][:count]
    draw.shuffle(deck)
    return deck


def moved(name: str, fault: Fault, place: Setting) -> Fault:
    """A fault on the task of a setting without one, whose name, steps and seeds it takes."""
    broken = (_PAID | _MET).get(name, lambda episodes: episodes)(place.environment)
    setting = dataclasses.replace(
        place,
        environment=broken,
        judged_on=broken if name in _MET else place.environment,
        algorithm=fault.setting.algorithm,
        declared=fault.setting.declared,
    )
    return dataclasses.replace(fault, setting=setting, alters=name)


def _place(name: str, task: str, algorithm: AbstractAlgorithm[Any]) -> Setting:
    episodes, solved = THIRD_TASKS[task]
    return Setting(name, episodes, episodes, solved, algorithm, algorithm, STEPS)


_ON_EVERY_TASK: dict[str, AbstractAlgorithm[Any]] = {"Dual": sac(Dual(FAST)), "PI": sac(PI())}
_ON_ONE: dict[str, AbstractAlgorithm[Any]] = {
    "Dual from 0.1, target -0.5": sac(Dual(FAST, 0.1, target_entropy=HALF)),
    "Plateau": sac(Dual(FAST, target_entropy=Plateau())),
    "FractionOfInitial": sac(Dual(FAST, target_entropy=FractionOfInitial(0.3))),
    "AnnealOverRun": sac(Dual(FAST, target_entropy=AnnealOverRun(until=0.5))),
    "EachDimension": sac(EachDimension(Dual(FAST))),
    "FromSigma": sac(Dual(FAST, target_entropy=FromSigma(0.15))),
    "PI, Guard": sac(PI(initial_alpha=0.01, target_entropy=Guard())),
    "StepRule": sac(StepRule(step=1e-3)),
    "Fixed 0.02": sac(Fixed(0.02)),
    "Meta-SAC": MetaSAC(sac(Fixed(1.0)), learning_rate=FAST),
}


def _healthy(draw: random.Random) -> tuple[Setting, ...]:
    pairs = [(law, task) for law in _ON_EVERY_TASK for task in THIRD_TASKS]
    pairs += zip(_ON_ONE, dealt(THIRD_TASKS, len(_ON_ONE), draw), strict=True)
    laws = _ON_EVERY_TASK | _ON_ONE
    return tuple(_place(f"third healthy, {task}, {law}", task, laws[law]) for law, task in pairs)


def _faults(draw: random.Random) -> tuple[Fault, ...]:
    known = _catalogue()
    tasks = dict(zip(known, dealt(THIRD_TASKS, len(known), draw), strict=True)) | _ONLY_ON
    places = {name: _place(f"third fault, {task}, {name}", task, sac(Dual(FAST))) for name, task in tasks.items()}
    return tuple(moved(name, fault, places[name]) for name, fault in known.items())


_DRAW = random.Random(_DEAL)
THIRD_HEALTHY = _healthy(_DRAW)
THIRD_FAULTS = _faults(_DRAW)
