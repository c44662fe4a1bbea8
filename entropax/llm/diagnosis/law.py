"""R = -a exp(H) + b: what reward costs in entropy, fitted with an interval, while nothing holds the entropy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from entropax.diagnostics.window import number
from entropax.errors import EntropaxError

LEAST_ROWS = 16
"""Rows of a fit: blocks of three rows are resampled, and fewer than five of them give no interval."""
RESOLVED = 2.0
"""Standard deviation of exp(H) over its scatter from row to row, which for noise alone is 1."""
_RESAMPLES = 2000


class Ends(NamedTuple):
    """Both ends of an interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Law:
    """A fit of R = -a exp(H) + b (arXiv 2505.22617, section 2); its authors call it not universal."""

    a: float
    """In reward: what the reward gains per unit that exp(H) falls."""
    b: float
    """In reward."""
    a_interval: Ends
    b_interval: Ends
    ceiling_interval: Ends
    residual: float
    """Root of the mean squared residual, in reward."""
    rows: int

    @property
    def ceiling(self) -> float:
        """B - a: the reward that is left to reach once all entropy is spent."""
        return self.b - self.a

    def reward(self, entropy: float) -> float:
        """The reward that goes with an entropy in nats a token."""
        return self.b - self.a * float(np.exp(entropy))

    def sentence(self) -> str:
        """The fit for a person."""
        return (
            f"R = -{number(self.a)} exp(H) + {number(self.b)} over {self.rows} rows, a in "
            f"[{number(self.a_interval.low)}, {number(self.a_interval.high)}]; at no entropy R would be "
            f"{number(self.ceiling)} [{number(self.ceiling_interval.low)}, {number(self.ceiling_interval.high)}]."
        )


def fit_law(
    entropy: Sequence[int | float] | np.ndarray,
    reward: Sequence[int | float] | np.ndarray,
    *,
    controlled: Sequence[bool] | np.ndarray | bool,
    confidence: int | float = 0.95,
) -> Law:
    """Least squares of R in exp(H), with percentile intervals of a moving-block bootstrap over rows.

    Neighbouring rows of a run are alike, so blocks of about the cube root of their number are drawn, not rows.

    Args:
        entropy: nats a token, `[rows]` in the order of the run.
        reward: of the same rows; the paper's is validation accuracy.
        controlled: whether a bonus, a controller, a method that acts on the entropy or a KL penalty was at work: in
            each row, or throughout.
        confidence: share of the resampled fits within the intervals.

    Raises:
        EntropaxError: something held the entropy; or the rows are too few, not finite or tell no slope from noise.
    """
    nats, got = np.asarray(entropy, np.float64), np.asarray(reward, np.float64)
    _require_fit(nats, got, np.asarray(controlled, bool), confidence)
    x, count = np.exp(nats), len(nats)
    slope, b = _line(x, got)
    length = max(round(count ** (1 / 3)), 1)
    starts = np.random.default_rng(0).integers(count - length + 1, size=(_RESAMPLES, -(-count // length)))
    drawn = (starts[..., None] + np.arange(length)).reshape(_RESAMPLES, -1)[:, :count]
    slopes, offsets = _line(x[drawn], got[drawn])

    def ends(values: np.ndarray) -> Ends:
        low, high = np.nanquantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
        return Ends(float(low), float(high))

    residual = float(np.sqrt(np.mean((got - slope * x - b) ** 2)))
    return Law(
        -float(slope), float(b), ends(-slopes), ends(offsets), ends(offsets + slopes), residual=residual, rows=count
    )


def _line(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and offset over the last axis; NaN where x does not vary."""
    centred = x - x.mean(axis=-1, keepdims=True)
    spread = np.sum(centred**2, axis=-1)
    slope = np.sum(centred * y, axis=-1) / np.where(spread > 0, spread, np.nan)
    return np.asarray(slope), np.asarray(y.mean(axis=-1) - slope * x.mean(axis=-1))


def _require_fit(nats: np.ndarray, got: np.ndarray, controlled: np.ndarray, confidence: int | float) -> None:
    """Raises EntropaxError where the law does not hold or cannot be told."""
    if not 0 < confidence < 1:
        raise EntropaxError(f"fit_law: confidence is a share in (0, 1), got {confidence}. Pass 0.95.")
    if nats.ndim != 1 or nats.shape != got.shape or controlled.shape not in ((), nats.shape):
        raise EntropaxError("fit_law: entropy, reward and controlled have one value a row each. Pass equal lengths.")
    if controlled.any():
        raise EntropaxError(
            "fit_law: R = -a exp(H) + b holds only while nothing acts on the entropy, and something did (a bonus, a "
            "controller or a KL penalty). Fit the rows before it began, or a run without it."
        )
    if len(nats) < LEAST_ROWS:
        raise EntropaxError(f"fit_law: {len(nats)} rows are too few, it needs {LEAST_ROWS}. Log more often.")
    if not (np.isfinite(nats).all() and np.isfinite(got).all()):
        raise EntropaxError("fit_law: an entropy or reward is not finite. Leave such rows out.")
    x = np.exp(nats)
    scatter = float(np.median(np.abs(np.diff(x)))) / 0.954
    if x.std() <= max(RESOLVED * scatter, 1e-9 * float(x.max())):
        raise EntropaxError(
            f"fit_law: exp(H) varies by {number(float(x.std()))} in all and by {number(scatter)} from row to row, so "
            "there is no slope to tell from noise. Fit a run whose entropy moves."
        )
