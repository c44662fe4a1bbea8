"""Statistics over a few independent seeds: the interquartile mean and its bootstrap interval.

Returns of a handful of seeds are often bimodal, so a mean with a standard deviation misleads; the interquartile mean
with a percentile bootstrap is what Agarwal et al. 2021 (arXiv 2108.13264, section 4) recommend instead.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import trim_mean

_RESAMPLES = 1000


class Interval(NamedTuple):
    """Both ends of an interval, in the units of what was measured."""

    low: np.ndarray
    high: np.ndarray


def interquartile_mean(values: Float[np.ndarray, "*axes seeds"]) -> Float[np.ndarray, "*axes"]:
    """Mean of the middle half of the seeds; with fewer than four seeds, their mean.

    Seeds with NaN are left out of their row; a row without any finite seed is NaN.
    """
    return _per_row(np.asarray(values, np.float64), lambda seeds: trim_mean(seeds, 0.25, axis=-1))


def bootstrap_interval(
    values: Float[np.ndarray, "*axes seeds"], *, confidence: float = 0.95, generator: np.random.Generator
) -> Interval:
    """Percentile bootstrap of the interquartile mean over seeds.

    One seed says nothing about the spread between seeds, so a row with fewer than two finite seeds is NaN at both
    ends. With few seeds the interval is a description, not a test: it never leaves the range of the seeds seen.

    Args:
        values: one number per seed on the last axis; NaN seeds are left out of their row.
        confidence: share of the resampled means that lies between the ends, in (0, 1).
        generator: source of the resampling; seed it to have the same interval twice.

    Raises:
        ValueError: `confidence` is not in (0, 1).
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}, but is a share in (0, 1). Pass for example 0.95.")
    tails = ((1 - confidence) / 2, (1 + confidence) / 2)

    def ends(seeds: np.ndarray) -> np.ndarray:
        count = seeds.shape[-1]
        if count < 2:
            return np.full((*seeds.shape[:-1], 2), np.nan)
        drawn = seeds[..., generator.integers(count, size=(_RESAMPLES, count))]
        return np.moveaxis(np.quantile(trim_mean(drawn, 0.25, axis=-1), tails, axis=-1), 0, -1)

    both = _per_row(np.asarray(values, np.float64), ends, extra=(2,))
    return Interval(both[..., 0], both[..., 1])


def _per_row(values: np.ndarray, statistic, extra: tuple[int, ...] = ()) -> np.ndarray:
    """Applies a statistic over the last axis; rows with the same missing seeds are computed together."""
    rows = values.reshape(-1, values.shape[-1])
    found = np.full((len(rows), *extra), np.nan)
    present = np.isfinite(rows)
    for pattern in np.unique(present, axis=0):
        if pattern.any():
            chosen = (present == pattern).all(axis=1)
            found[chosen] = statistic(rows[chosen][:, pattern])
    return found.reshape((*values.shape[:-1], *extra))
