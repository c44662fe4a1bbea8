"""Per-dimension entropy of a seed, and when it counts as gone."""

import math
from typing import NamedTuple

import numpy as np

from entropax.diagnostics.one_seed import OneSeed, holds_since, late_change
from entropax.diagnostics.rules.rule import TOLERANCE
from entropax.diagnostics.window import in_last_quarter

LOW_FRACTION = 0.02
"""Share exp(H/d - H_max) of the feasible volume: a sigma of about 0.01 in [-1, 1], fifty times less than the widest
policy and a tenth of what the usual target of -1 nat per dimension leaves (share 0.19, sigma 0.09)."""
DEFICIT = 1.0
"""Nats per dimension below the target: a factor e in sigma, which no law leaves standing if it can still push."""
WIDE, NARROW = 0.8, 0.4
"""Shares of the feasible range: above the first next to nothing is decided, under the second much is."""


class Entropy(NamedTuple):
    """Entropy per dimension over a seed's rows, with what it may be compared with."""

    steps: np.ndarray
    nats: np.ndarray
    """Per dimension."""
    fraction: np.ndarray
    """exp(H/d - H_max), the share of the feasible volume."""
    goal: float
    """The last target per dimension; NaN without one."""

    @property
    def late(self) -> np.ndarray:
        """Mask of the last quarter."""
        return in_last_quarter(self.steps)

    @property
    def floor(self) -> float:
        """Nats per dimension below which entropy counts as gone."""
        tiny = math.log(LOW_FRACTION) + float(self.nats[0] - np.log(self.fraction[0]))
        return max(tiny, self.goal - DEFICIT) if math.isfinite(self.goal) else tiny


def entropy(one: OneSeed) -> Entropy:
    """Reads a seed's entropy; empty arrays where it was not measured."""
    steps, nats = one.rows("entropy/nats")
    _, target = one.rows("entropy/target")
    per_dimension = nats / one.dimensions
    goal = float(target[-1]) / one.dimensions if len(target) else math.nan
    return Entropy(steps, per_dimension, np.exp(per_dimension - one.widest), goal)


def log_alpha(one: OneSeed) -> tuple[np.ndarray, np.ndarray]:
    """Steps and log alpha, where alpha is positive."""
    steps, alpha = one.rows("train/ent_coef")
    positive = alpha > 0
    return steps[positive], np.log(alpha[positive])


def gone_since(one: OneSeed, seen: Entropy) -> int | None:
    """The step from which the entropy is gone for good; None where it is not.

    Gone is a tiny share of the feasible range that no target asks for, or far under its target while alpha lets it be.
    """
    abandoned = _far_below(seen) & (late_change(*log_alpha(one)) <= 0)
    gone = _tiny(seen) | abandoned
    return holds_since(seen.steps, gone) if len(gone) and gone[seen.late].mean() > 0.5 else None


def gone_for_a_while(seen: Entropy) -> np.ndarray:
    """Mask `[t]` of the rows without entropy, whatever came of it.

    That is a tiny share of the feasible range that no target asks for, or far under its target.
    """
    return _tiny(seen) | _far_below(seen)


def _tiny(seen: Entropy) -> np.ndarray:
    return (seen.fraction < LOW_FRACTION) & ~(seen.goal - seen.nats < TOLERANCE)


def _far_below(seen: Entropy) -> np.ndarray:
    return seen.goal - seen.nats > DEFICIT
