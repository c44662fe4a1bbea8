"""A sixth set: every law and 24 of the 38 faults once, in pairs that no set had, on seeds that no set has used.

It is drawn as the fifth was. The rules that may name a fault are those of the fifth set, and what that has taught
(`_TAUGHT`), committed with rules and thresholds before any run was trained.
"""

import random

from faults import Fault
from fifth import FIFTH_FAULTS, FIFTH_HEALTHY, KNOWN, drawn_faults, drawn_laws
from fourth import FOURTH_FAULTS, FOURTH_HEALTHY, may_name
from fresh import FRESH_FAULTS, FRESH_HEALTHY
from healthy import HEALTHY
from setting import Setting
from third import THIRD_FAULTS, THIRD_HEALTHY

_DEAL = 6
"""Seed of the draw."""
_SEEDS = (12, 13, 14, 15)

_TAUGHT: dict[str, tuple[str, ...]] = {
    # An actor that chases critics which jump is late on its target, and its samples pay for that.
    "critic's rate x100": ("noise-costs-return",),
    # The critic is flat over the actions where no state tells which are good, a cause that the rule gives.
    "blank observations": ("constraint-inactive",),
}
"""Rules that by their meaning in `docs/diagnose.md` named a fault rightly in the fifth set and were not on its list."""
_BEFORE = (*HEALTHY, *FRESH_HEALTHY, *THIRD_HEALTHY, *FOURTH_HEALTHY, *FIFTH_HEALTHY)
_FAULTS_BEFORE = (*FRESH_FAULTS, *THIRD_FAULTS, *FOURTH_FAULTS, *FIFTH_FAULTS)

_DRAW = random.Random(_DEAL)
SIXTH_HEALTHY: tuple[Setting, ...] = drawn_laws("sixth", _BEFORE, _DRAW, _SEEDS)
SIXTH_FAULTS: tuple[Fault, ...] = drawn_faults(
    "sixth", {name: may_name(fault, _TAUGHT, ()) for name, fault in KNOWN.items()}, _FAULTS_BEFORE, _DRAW, _SEEDS
)
