"""A fifth set: every law and 24 of the 38 faults once, in pairs that no set had, on seeds that no set has used.

A fixed draw says which faults, and which meets which task. The rules that may name a fault are those of the fourth set,
and what that has taught (`_TAUGHT`), committed with rules and thresholds before any run was trained.
"""

import random
from collections.abc import Iterable

from faults import Fault
from fourth import (
    END,
    FOURTH_FAULTS,
    FOURTH_HEALTHY,
    SAME,
    TASKS,
    TERMINATES,
    Pairs,
    laws_of,
    may_name,
    met_faults,
    paired,
    with_fault,
    without_fault,
)
from fresh import FRESH_FAULTS, FRESH_HEALTHY
from healthy import HEALTHY
from setting import Setting
from third import THIRD_FAULTS, THIRD_HEALTHY

_DEAL = 5
"""Seed of the draw."""
_SEEDS = (8, 9, 10, 11)
_DRAWN = 24
"""Faults, so that the set trains in less than an hour."""

_ALSO_SAME = ("premature-collapse", "slow-collapse")
"""The entropy has gone, or is going."""
_TAUGHT: dict[str, tuple[str, ...]] = {
    # The rule made for it after the fourth set.
    "idle action dimension": ("dimension-idle",),
    # Overestimates drive the means into the bounds, where the entropy cannot answer alpha: a cause that the rule gives.
    "no target critics": ("alpha-runaway",),
}
"""Rules that by their meaning in `docs/diagnose.md` named a fault rightly in the fourth set and were not on its
list, or were made for what was missed."""


def _dealt(names: Iterable[str], met: Pairs, draw: random.Random) -> dict[str, str]:
    """As `paired`, in hands of one name a task, so that the draw ends soon.

    Who has met every task (`Dual`) meets one again.
    """
    names = tuple(names)
    tasks = [sum(name == one for one, _ in met) for name in names]
    everywhere = {name for name, count in zip(names, tasks, strict=True) if count >= len(TASKS)}
    new = {(name, task) for name, task in met if name not in everywhere}
    hands = (names[start : start + len(TASKS)] for start in range(0, len(names), len(TASKS)))
    return {name: task for hand in hands for name, task in paired(hand, new, draw).items()}


def _healthy(draw: random.Random) -> tuple[Setting, ...]:
    laws, met = laws_of((*HEALTHY, *FRESH_HEALTHY, *THIRD_HEALTHY, *FOURTH_HEALTHY))
    return without_fault("fifth", laws, _dealt(laws, met, draw), _SEEDS)


def _faults(draw: random.Random) -> tuple[Fault, ...]:
    known = {fault.alters: may_name(fault, _TAUGHT, (*SAME, _ALSO_SAME)) for fault in FOURTH_FAULTS}
    drawn = draw.sample(sorted(known), _DRAWN)
    met = met_faults((*FRESH_FAULTS, *THIRD_FAULTS, *FOURTH_FAULTS))
    pairs = _dealt((name for name in drawn if name != TERMINATES), met, draw)
    if TERMINATES in drawn:
        pairs[TERMINATES] = draw.choice(END)
    return with_fault("fifth", known, pairs, _SEEDS)


_DRAW = random.Random(_DEAL)
FIFTH_HEALTHY = _healthy(_DRAW)
FIFTH_FAULTS = _faults(_DRAW)
