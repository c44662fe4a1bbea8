"""A fifth set: every law and 24 of the 38 faults once, in pairs that no set had, on seeds that no set has used.

A fixed draw says which faults, and which meets which task. The rules that may name a fault are those of the fourth set,
and what that has taught (`_TAUGHT`), committed with rules and thresholds before any run was trained.
"""

import random
from collections.abc import Iterable, Mapping

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


def drawn_laws(
    name: str, before: Iterable[Setting], draw: random.Random, seeds: tuple[int, ...]
) -> tuple[Setting, ...]:
    """Each law of the sets before once, as the set of this name, on a task that it has not met."""
    laws, met = laws_of(before)
    return without_fault(name, laws, _dealt(laws, met, draw), seeds)


def drawn_faults(
    name: str, known: Mapping[str, Fault], before: Iterable[Fault], draw: random.Random, seeds: tuple[int, ...]
) -> tuple[Fault, ...]:
    """`_DRAWN` of these faults, as the set of this name, each on a task that it has not met in the sets before."""
    drawn = draw.sample(sorted(known), _DRAWN)
    pairs = _dealt((one for one in drawn if one != TERMINATES), met_faults(before), draw)
    if TERMINATES in drawn:
        pairs[TERMINATES] = draw.choice(END)
    return with_fault(name, known, pairs, seeds)


KNOWN = {fault.alters: may_name(fault, _TAUGHT, (*SAME, _ALSO_SAME)) for fault in FOURTH_FAULTS}
"""Every fault by its name, with the rules that may name it."""
_DRAW = random.Random(_DEAL)
FIFTH_HEALTHY = drawn_laws("fifth", (*HEALTHY, *FRESH_HEALTHY, *THIRD_HEALTHY, *FOURTH_HEALTHY), _DRAW, _SEEDS)
FIFTH_FAULTS = drawn_faults("fifth", KNOWN, (*FRESH_FAULTS, *THIRD_FAULTS, *FOURTH_FAULTS), _DRAW, _SEEDS)
