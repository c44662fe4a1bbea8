"""How far learning had come: gains of the return, told from its noise, against which entropy is judged.

Low entropy is a fault when it comes before the return, and the result of learning when it comes after.
"""

import math
from typing import NamedTuple

import numpy as np

from entropax.diagnostics.one_seed import OneSeed
from entropax.diagnostics.window import ENOUGH_ROWS, in_last_half, in_last_quarter

BINS = 10
"""Parts of the run over which returns are averaged: a tenth of a run is the resolution of "before" and "after"."""
SIGMAS = 3.0
"""Standard errors that a gain must exceed: of 20 seeds with 10 bins, chance gives less than one false gain."""
LEAST_GAIN = 0.05
"""Share of the return's size that a gain must exceed too; windowed means, as Stable-Baselines3 logs them, drift by
more than the scatter of their rows suggests."""
EARLY = 0.5
"""Share of the run's gain of return: what comes with most of it made is what learning looks like; what comes with most
of it to come may have stopped the search for it."""

ERRORS = 2.0
"""Standard errors that a difference of means, or a slope, must exceed: the usual 95 %."""


class Learning(NamedTuple):
    """The best return so far, over the run."""

    ends: np.ndarray
    """Last step of each bin."""
    gains: np.ndarray
    """Best mean of a bin up to each, less the return at the start, 0 or more."""
    noise: float
    """A gain below this is none."""
    late: float
    """Mean return of the last bin, less the return at the start."""

    @property
    def known(self) -> bool:
        """Whether there were enough returns to say anything."""
        return len(self.ends) >= ENOUGH_ROWS

    @property
    def learned(self) -> bool:
        """Whether the return ever rose beyond its noise."""
        return self.known and bool(self.gains[-1] > self.noise)

    @property
    def rising(self) -> bool:
        """Whether the last quarter still brought a gain."""
        earlier = self.gains[: -max(len(self.gains) // 4, 1)]
        return self.learned and bool(self.gains[-1] - earlier[-1] > self.noise)

    @property
    def kept(self) -> bool:
        """Whether at least half of the best gain is still there at the end."""
        return self.learned and bool(self.late >= self.gains[-1] / 2)

    def was_done(self, step: int | float) -> bool:
        """Whether most of the gain that the run was to make, and has kept, had been made by a step."""
        return self.kept and self.share_before(step) >= EARLY

    def share_before(self, step: int | float) -> float:
        """Share of the run's whole gain that had been made by a step; 0 where nothing was learned."""
        done = int(np.searchsorted(self.ends, step, side="right"))
        return float(self.gains[done - 1] / self.gains[-1]) if self.learned and done else 0.0


def climbs(steps: np.ndarray, values: np.ndarray) -> bool:
    """Whether returns rise over the last half of the run: by `ERRORS` standard errors of their slope and `LEAST_GAIN`.

    It sees a slow rise that no single quarter shows.
    """
    half = in_last_half(steps)
    if half.sum() < ENOUGH_ROWS or np.ptp(values[half]) == 0:
        return False
    time = (steps[half] - steps[half][0]) / np.ptp(steps[half])
    (gain, _), covariance = np.polyfit(time, values[half], 1, cov=True)
    return bool(gain > ERRORS * np.sqrt(covariance[0, 0]) and gain > LEAST_GAIN * np.abs(values).max())


def late_mean(steps: np.ndarray, values: np.ndarray) -> tuple[float, float, int]:
    """Mean over the last quarter, its standard error, and its rows."""
    late = values[in_last_quarter(steps)]
    if len(late) < 2:
        return math.nan, math.nan, len(late)
    return float(late.mean()), float(late.std(ddof=1)) / math.sqrt(len(late)), len(late)


def scatter(values: np.ndarray) -> float:
    """Standard deviation of a row around its trend.

    Of two neighbours with standard deviation s, the median distance is 0.954 s; a trend hardly moves it.
    """
    return float(np.median(np.abs(np.diff(values)))) / 0.954


def returns(one: OneSeed) -> tuple[np.ndarray, np.ndarray]:
    """Steps and returns of the exploring policy, or of its mode where only that was logged."""
    steps, values = one.rows("rollout/ep_rew_mean")
    return (steps, values) if len(steps) else one.rows("eval/mean_reward")


def learning(one: OneSeed) -> Learning:
    """Reads a seed's learning off its returns."""
    steps, values = returns(one)
    if len(steps) < ENOUGH_ROWS:
        return Learning(np.zeros(0), np.zeros(0), math.nan, math.nan)
    bins = np.array_split(np.arange(len(steps)), min(BINS, len(steps)))
    means = np.array([values[rows].mean() for rows in bins])
    first = max(len(steps) // 50, 1)
    start = float(values[:first].mean())
    noise = SIGMAS * scatter(values) * math.sqrt(1 / first + 1 / len(bins[-1]))
    noise = max(noise, LEAST_GAIN * float(np.abs(means).max()))
    gains = np.maximum(np.maximum.accumulate(means) - start, 0.0)
    return Learning(np.array([steps[rows[-1]] for rows in bins]), gains, noise, float(means[-1]) - start)
