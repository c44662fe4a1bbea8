"""One seed of a run, as a rule sees it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from entropax.diagnostics.dialects import Knob, TokenKnob
from entropax.diagnostics.window import Facts, Series, in_last_quarter, number, per_seed

USUAL_BONUS = "0.01"
"""Weight of the entropy bonus that A2C, PPO on Atari and Brax's PPO take."""


@dataclass(frozen=True)
class OneSeed:
    """The series of one seed and what they are compared with."""

    series: Mapping[str, Series]
    facts: Facts
    index: int
    """Position among the run's seeds."""

    @property
    def dimensions(self) -> float:
        """Action dimensions; NaN where they are not known."""
        return float(self.facts.action_dimensions)

    @property
    def widest(self) -> float:
        """Largest entropy of the policy class, nats per dimension; the largest seen where that is not known."""
        if math.isfinite(self.facts.entropy_maximum):
            return self.facts.entropy_maximum
        _, nats = self.rows("entropy/nats")
        return float(nats.max()) / self.dimensions if len(nats) else math.nan

    def rows(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps and values of a metric where it is finite; empty where it was never logged."""
        return per_seed(self.series, name, self.index)

    def late(self, name: str) -> float:
        """Mean of a metric over the last quarter of its steps; NaN where it was never logged."""
        steps, values = self.rows(name)
        return float(values[in_last_quarter(steps)].mean()) if len(steps) else math.nan

    def say(self, knob: Knob | TokenKnob, value: str = "") -> str:
        """A setting in the words of the library that made the run."""
        return self.facts.dialect.say(knob, value)

    def target(self, nats: str, share: str) -> str:
        """A target entropy in those words: nats per action dimension; of categories, this share of log n instead."""
        return self.say(Knob.TARGET, share if self.facts.categories else nats)

    def larger_alpha(self) -> str:
        """Ten times the late alpha, as a number; the usual bonus of on-policy methods where there is no alpha."""
        alpha = self.late("train/ent_coef")
        return number(10 * alpha) if alpha > 0 else USUAL_BONUS


def holds_since(steps: np.ndarray, mask: np.ndarray) -> int | None:
    """The step from which a condition holds up to the last row; None where it does not hold there."""
    if not len(mask) or not mask[-1]:
        return None
    return int(steps[np.flatnonzero(~mask)[-1] + 1]) if (~mask).any() else int(steps[0])


def late_change(steps: np.ndarray, values: np.ndarray) -> float:
    """Net change over the last quarter; 0 where it has fewer than two rows."""
    late = values[in_last_quarter(steps)]
    return float(late[-1] - late[0]) if len(late) > 1 else 0.0
