"""Runs with one fault each: what it alters, and which rules may name it.

`rules` was written down before any run was judged, from what the fault is: a finding counts as finding the fault
only if its rule is among them.
"""

import dataclasses
import math
from typing import Any

import equinox as eqx
from healthy import FAST, STEPS
from mistakes import Bounded, EndsTruncate, Floored, LimitTerminates, WrongSign, unreachable
from setting import Setting, sac
from tasks import BALANCE, COST, PENDULUM, SPARSE, Altered, environment

from entropax.algorithms.sac import SAC
from entropax.envs.base import Episodes
from entropax.envs.pendulum import Pendulum
from entropax.envs.registry import TASKS
from entropax.temperature import Clamp, Dual, Fixed, PerDimension
from entropax.types import Bounds

ABOVE = ("alpha-travelling", "target-missed", "constraint-inactive")
"""The entropy is off its target: still on the way, at rest, or held by something else than alpha."""
USELESS = ("below-baseline",)
"""What is left of a run that cannot learn."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """A setting with one thing wrong.

    Attributes:
        setting: what is trained.
        alters: what is wrong, in a few words.
        rules: ids of the rules that may name it.
        meant: target entropy per dimension that the run was to have; NaN for a law without one.
    """

    setting: Setting
    alters: str
    rules: tuple[str, ...]
    meant: float = -1.0


def _fault(
    name: str,
    alters: str,
    rules: tuple[str, ...],
    algorithm: SAC,
    *,
    task: str = PENDULUM,
    meant: float = -1.0,
    steps: int = STEPS,
) -> Fault:
    """A fault of the settings, which its run folder tells."""
    episodes, solved = environment(task)
    return Fault(
        Setting(f"fault, {name}", episodes, episodes, solved, algorithm, algorithm, steps), alters, rules, meant
    )


def _hidden(name: str, alters: str, rules: tuple[str, ...], algorithm: SAC, declared: SAC) -> Fault:
    """A mistake in the code of an algorithm, whose run folder says what was meant."""
    episodes, solved = environment(PENDULUM)
    return Fault(Setting(f"fault, {name}", episodes, episodes, solved, algorithm, declared, STEPS), alters, rules)


def _surroundings(
    name: str,
    alters: str,
    rules: tuple[str, ...],
    episodes: Any,
    solved: float,
    algorithm: SAC | None = None,
    meant: float = -1.0,
) -> Fault:
    """A mistake around the task; the algorithm is a sound one unless it says otherwise."""
    chosen = sac(Dual(FAST)) if algorithm is None else algorithm
    return Fault(Setting(f"fault, {name}", episodes, episodes, solved, chosen, chosen, STEPS), alters, rules, meant)


_SOLVED = TASKS[PENDULUM].solved
_SOUND = sac(Dual(FAST))
_NEVER = 1e-12
_OUT = ("target-out-of-reach", "alpha-runaway")


def _scaled(factor: float) -> Episodes[Any]:
    return Episodes(Altered(Pendulum(), pays=factor), 200)


def _boxed(*half_ranges: float) -> Episodes[Any]:
    box = Bounds(tuple(-half for half in half_ranges), half_ranges)
    return Episodes(Bounded(Pendulum(), box), 200)


FAULTS: tuple[Fault, ...] = (
    _fault(
        "alpha's rate x100",
        "learning rate of alpha 0.1",
        ("alpha-swings", "entropy-explosion", "premature-collapse", "target-missed", "alpha-runaway"),
        sac(Dual(100 * FAST)),
    ),
    _fault("alpha's rate /100", "learning rate of alpha 1e-5", (*ABOVE, "noise-costs-return"), sac(Dual(FAST / 100))),
    _hidden(
        "temperature loss of wrong sign",
        "alpha climbs its loss",
        ("target-missed", "entropy-explosion", "reward-drowned", "premature-collapse", *USELESS),
        sac(WrongSign(Dual(FAST))),
        _SOUND,
    ),
    _fault("target of wrong sign", "target +1 per dimension", _OUT, sac(Dual(FAST, target_entropy=unreachable(1.0)))),
    _fault("target out of reach", "target 0.75 per dimension", _OUT, sac(Dual(FAST, target_entropy=unreachable(0.75)))),
    _surroundings(
        "bounds x50",
        "action box +-100 around a motor that saturates at 2",
        (*ABOVE, "saturated-actions", "noise-costs-return", "alpha-irrelevant"),
        _boxed(100.0),
        _SOLVED,
    ),
    _surroundings(
        "rewards x1e4",
        "reward scale",
        (*ABOVE, "alpha-irrelevant", "premature-collapse", "alpha-runaway", "saturated-actions"),
        _scaled(1e4),
        1e4 * _SOLVED,
    ),
    _surroundings(
        "rewards x1e-4",
        "reward scale",
        (*ABOVE, "reward-drowned", "noise-costs-return", *USELESS),
        _scaled(1e-4),
        1e-4 * _SOLVED,
    ),
    _surroundings(
        "rewards x1e4, alpha fixed",
        "reward scale, alpha 0.2",
        ("alpha-irrelevant", "premature-collapse", "saturated-actions"),
        _scaled(1e4),
        1e4 * _SOLVED,
        sac(Fixed(0.2)),
        math.nan,
    ),
    _surroundings(
        "rewards x1e-4, alpha fixed",
        "reward scale, alpha 0.2",
        ("reward-drowned", *USELESS),
        _scaled(1e-4),
        1e-4 * _SOLVED,
        sac(Fixed(0.2)),
        math.nan,
    ),
    _surroundings(
        "truncation terminates",
        "time limit of 200 stored as termination",
        ("episode-ends",),
        Episodes(LimitTerminates(Pendulum(), 200), 201),
        _SOLVED,
    ),
    _surroundings(
        "termination truncates",
        "falling over stored as a time limit",
        ("episode-ends", *USELESS),
        EndsTruncate(environment(BALANCE)[0]),
        environment(BALANCE)[1],
    ),
    _fault(
        "critic frozen",
        "learning rate of the critics ~0",
        ("frozen-network", *USELESS),
        eqx.tree_at(lambda a: a.critic_learning_rate, _SOUND, _NEVER),
    ),
    _fault(
        "actor frozen",
        "learning rate of the actor ~0",
        ("frozen-network", *ABOVE, *USELESS),
        eqx.tree_at(lambda a: a.actor_learning_rate, _SOUND, _NEVER),
    ),
    _fault(
        "critic's rate x100",
        "learning rate of the critics 0.1",
        ("q-divergence", "q-off-returns", "nonfinite", "saturated-actions", *USELESS),
        eqx.tree_at(lambda a: a.critic_learning_rate, _SOUND, 100 * FAST),
    ),
    _fault(
        "no target critics",
        "Polyak 1",
        ("q-divergence", "q-off-returns", "nonfinite", "saturated-actions", *USELESS),
        eqx.tree_at(lambda a: a.polyak, _SOUND, 1.0),
    ),
    _fault(
        "target critics stand still",
        "Polyak 1e-6",
        ("q-off-returns", *USELESS),
        eqx.tree_at(lambda a: a.polyak, _SOUND, 1e-6),
    ),
    _fault(
        "alpha fixed at 10",
        "alpha",
        ("reward-drowned", "noise-costs-return", *USELESS),
        sac(Fixed(10.0)),
        meant=math.nan,
    ),
    _fault(
        "alpha fixed near 0",
        "alpha 1e-6, sparse reward",
        ("alpha-irrelevant", "premature-collapse", "slow-collapse", *USELESS),
        sac(Fixed(1e-6)),
        task=SPARSE,
        meant=math.nan,
        steps=12_000,
    ),
    _fault(
        "clamp from below",
        "alpha at least 5",
        ("alpha-clamped", "noise-costs-return", "reward-drowned"),
        sac(Dual(FAST, band=Clamp(5.0, 10.0))),
    ),
    _fault(
        "clamp from above",
        "alpha at most 1e-4",
        ("alpha-clamped", "premature-collapse", "alpha-irrelevant"),
        sac(Dual(FAST, band=Clamp(1e-6, 1e-4))),
        task=COST,
    ),
    _fault(
        "target too high",
        "target +0.6 per dimension, meant -1",
        ("noise-costs-return", "reward-drowned", "alpha-runaway", *USELESS),
        sac(Dual(FAST, target_entropy=PerDimension(0.6))),
    ),
    _hidden(
        "floor of log-std",
        "sigma at least 0.8",
        (*ABOVE, "alpha-clamped", "noise-costs-return"),
        eqx.tree_at(lambda a: a.torso, _SOUND, Floored((64, 64), math.log(0.8))),
        _SOUND,
    ),
    _surroundings(
        "idle action dimension", "a second action that does nothing", ("dimension-collapse",), _boxed(2.0, 2.0), _SOLVED
    ),
    _surroundings(
        "NaN rewards",
        "NaN on 1 % of the steps",
        ("nonfinite", "episode-ends"),
        Episodes(Altered(Pendulum(), nan_share=0.01), 200),
        _SOLVED,
    ),
)
