"""What a verdict looks at: the series, the last quarter of the run, and what to compare them with."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from entropax.diagnostics.dialects import ENTROPAX, Dialect

ENOUGH_ROWS = 4
"""Fewer rows than this, and a last quarter is a single point: too early to judge."""

LAST_STEP = 2.0**53
"""Beyond it, and for NaN, a float is no count: a row of such a step is left out or refused."""

VECTORS = frozenset(
    {"entropy/action_std", "entropy/per_dimension", "entropy/sigma_per_dimension", "train/ent_coef_per_dimension"}
)
"""The metrics of `docs/metrics.md` with a value for each action dimension; all others there have one per seed."""


class Series(NamedTuple):
    """One metric: environment steps `[t]` and values `[t, seeds]` or `[t, seeds, dims]`.

    NaN where nothing was measured, infinite where something was and was not finite.
    """

    steps: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Facts:
    """What a run's numbers are compared with; NaN where it is not known."""

    seeds: tuple[int, ...]
    action_dimensions: int | float
    """1 for a finite set of actions."""
    entropy_maximum: float
    """The largest entropy that the policy class has, nats per dimension: 0.684 for a tanh-Gaussian. Where it is not
    known, the largest that the run has seen stands for it."""
    temperature_rate: float = math.nan
    """Learning rate of the temperature law on log alpha, the most that Adam moves it by in one update."""
    alpha_band: tuple[float, float] = (math.nan, math.nan)
    """Bounds that the temperature law keeps alpha in."""
    categories: bool = False
    """Whether the actions are known to be a finite set, so that a target entropy is said as a share of log n."""
    spread_learned: bool = True
    """False where a setting fixes how widely the policy draws, as TD3's exploration noise does: it is not learned, so
    nothing that becomes of its entropy is a fault."""
    discount: float = 0.99
    task_length: int | float = math.nan
    """Steps after which the task itself is over, whatever is done."""
    baselines: Mapping[str, float] = field(default_factory=dict)
    """Returns of policies that need no training, such as the zero action's and the uniform policy's, by name."""
    dialect: Dialect = ENTROPAX
    """In whose settings remedies are given."""


def last_quarter(series: Mapping[str, Series], name: str, facts: Facts) -> np.ndarray:
    """Mean over the last quarter of the steps, `[seeds]` or `[seeds, dims]`; NaN where nothing was measured."""
    if name not in series or not len(series[name].steps):
        return np.full(len(facts.seeds), np.nan)
    return mean_over_rows(series[name].values[in_last_quarter(series[name].steps)])


def in_last_quarter(steps: np.ndarray) -> np.ndarray:
    """Mask `[t]` of the rows in the last quarter of the steps that the series spans, at least the last row."""
    return _in_last(0.25, steps)


def in_last_half(steps: np.ndarray) -> np.ndarray:
    """Mask `[t]` of the rows in the last half of the steps that the series spans, at least the last row."""
    return _in_last(0.5, steps)


def _in_last(share: float, steps: np.ndarray) -> np.ndarray:
    return steps >= steps[-1] - share * (steps[-1] - steps[0]) if len(steps) else np.zeros(0, bool)


def mean_over_rows(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is finite; NaN where nothing is."""
    finite = np.isfinite(values)
    total = np.where(finite, values, 0.0).sum(axis=0)
    count = finite.sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def per_seed(series: Mapping[str, Series], name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values of one seed (by position), only where finite; empty arrays where there are none."""
    if name not in series:
        return np.zeros(0), np.zeros(0)
    values = series[name].values[:, seed]
    finite = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    return series[name].steps[finite], values[finite]


def rows_to_judge(series: Mapping[str, Series], facts: Facts) -> list[int]:
    """Rows per seed that have an entropy; of the metric with most rows where none was measured."""
    measured = "entropy/nats" in series and not np.isnan(series["entropy/nats"].values).all()
    names = ["entropy/nats"] if measured else list(series)
    return [max((len(per_seed(series, n, i)[0]) for n in names), default=0) for i in range(len(facts.seeds))]


def never_again(values: np.ndarray) -> np.ndarray:
    """Marks, as infinite, the NaN after the last finite value of each seed that had one, `[t, seeds]` or more axes.

    Our log writes null both for what was not measured and for what was not finite. A loss that was there and does not
    come back was not finite.
    """
    flat = values.reshape(*values.shape[:2], -1)
    finite = np.all(np.isfinite(flat), axis=2)
    later = np.cumsum(finite[::-1], axis=0)[::-1] > 0
    lost = ~later & np.any(finite, axis=0) & np.any(np.isnan(flat), axis=2)
    return np.where(lost.reshape(*lost.shape, *(1,) * (values.ndim - 2)), np.inf, values)


def number(value: float) -> str:
    """A number to three significant digits, with a true minus sign nowhere so that it can be copied."""
    if not math.isfinite(value):
        return "n/a"
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:.1e}"
