"""Whether alpha still travels, measured against what Adam lets it do."""

import math

import numpy as np

from entropax.diagnostics.one_seed import OneSeed, late_change
from entropax.diagnostics.rules.entropy import log_alpha

AT_LIMIT = 0.5
"""Share of Adam's step limit: a law that moves faster than this is travelling, not regulating."""
UNLIMITED = 0.5
"""Change of log alpha over the last quarter that counts as travel where Adam's limit is not known: a factor 1.6, which
a law that regulates around its target does not make on average."""


def share_of_limit(one: OneSeed) -> float:
    """Signed mean change of log alpha per update over the last quarter, in units of Adam's limit; NaN if unknown."""
    return one.late("train/ent_coef_step") / one.facts.temperature_rate


def at_limit(one: OneSeed) -> bool:
    """Whether alpha moves as fast as its learning rate lets it; False where there is no such limit."""
    return abs(share_of_limit(one)) >= AT_LIMIT


def travelling(one: OneSeed) -> int:
    """+1 or -1 where alpha still travels up or down, 0 where it is at rest."""
    share = share_of_limit(one)
    if math.isfinite(share):
        return int(np.sign(share)) if at_limit(one) else 0
    change = late_change(*log_alpha(one))
    return int(np.sign(change)) if abs(change) >= UNLIMITED else 0
