"""A change of entropy and its parts, as findings and readers carry it: numbers of a few seeds, summed up."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np

from entropax.diagnostics.attribution import Attribution, Parts


class Part(Enum):
    """What may have moved the entropy; the value is its name in `Parts`."""

    STATES = "states"
    SATURATION = "saturation"
    ALPHA = "alpha"
    CRITIC = "critic"
    REMAINDER = "remainder"


class Estimate(NamedTuple):
    """A mean over seeds and its standard error over states, nats per dimension."""

    value: float
    error: float

    @property
    def resolved(self) -> float:
        """The value; 0 within two standard errors of it, or where it is not finite."""
        return self.value if math.isfinite(self.value) and abs(self.value) > 2 * self.error else 0.0


@dataclass(frozen=True)
class Change:
    """A change of entropy from one step to another, in nats per dimension."""

    steps: tuple[int, int]
    """Environment steps, per seed."""
    whole: Estimate
    parts: Mapping[Part, Estimate]
    """They sum to the whole."""

    def by_size(self) -> list[Part]:
        """The largest part first, whatever its sign; what is not finite last."""
        sizes = {part: abs(one.value) if math.isfinite(one.value) else -1.0 for part, one in self.parts.items()}
        return sorted(sizes, key=lambda part: -sizes[part])


@dataclass(frozen=True)
class RunAttribution:
    """What moved the entropy of some seeds of a run between two of its snapshots."""

    steps: tuple[int, int]
    """Environment steps, per seed, of the two snapshots."""
    seeds: tuple[int, ...]
    by_seed: Attribution
    """In NumPy, leaves `[seeds, ...]`, nats per dimension."""

    def change(self) -> Change:
        """The mean over the seeds and the action dimensions."""
        return self._summed(self.by_seed.parts, self.by_seed.errors)

    def most_fallen_dimension(self) -> Change:
        """The same of the one dimension whose entropy fell the most, mean over the seeds."""
        each, errors = self.by_seed.per_dimension, self.by_seed.errors_per_dimension
        lowest = int(np.argmin(np.mean(each.whole, axis=0)))
        return self._summed(*(Parts(*(leaf[:, lowest] for leaf in parts)) for parts in (each, errors)))

    def _summed(self, values: Parts, errors: Parts) -> Change:
        count = len(self.seeds)

        def estimate(name: str) -> Estimate:
            squares = np.sum(np.square(errors._asdict()[name]))
            return Estimate(float(np.mean(values._asdict()[name])), float(np.sqrt(squares)) / count)

        return Change(self.steps, estimate("whole"), {part: estimate(part.value) for part in Part})
