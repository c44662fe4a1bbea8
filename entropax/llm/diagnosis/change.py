"""The predicted change of entropy against the measured one, and a knob at the ends of its range, from their series."""

import math
from typing import NamedTuple

import numpy as np

from entropax.llm.tokens import require_same_shape


class Agreement(NamedTuple):
    """How the change of entropy from row to row goes with the one predicted; NaN where a series does not vary."""

    correlation: float
    """In [-1, 1]; prompts differ from batch to batch, so even a perfect prediction stays under 1."""
    scale: float
    """Measured over predicted by least squares through 0: the step of the logits that fits the run, per row."""
    rows: int


def agreement(predicted: np.ndarray, entropy: np.ndarray) -> Agreement:
    """Compares predictions with what the entropy did until the next row, both `[rows]`, of consecutive rows.

    Raises:
        EntropaxError: they have different numbers of rows.

    Example:
        >>> found = agreement(np.asarray([-1.0, -2.0, 0.0]), np.asarray([3.0, 2.9, 2.7]))
        >>> round(found.correlation, 6), round(found.scale, 6), found.rows
        (1.0, 0.1, 2)
    """
    require_same_shape("predicted", predicted, {"entropy": entropy})
    guess, change = np.asarray(predicted, float)[:-1], np.diff(np.asarray(entropy, float))
    varies = len(change) > 1 and np.ptp(guess) > 0 and np.ptp(change) > 0
    correlation = float(np.corrcoef(guess, change)[0, 1]) if varies else math.nan
    size = float(np.sum(guess**2))
    return Agreement(correlation, float(np.sum(guess * change)) / size if size > 0 else math.nan, len(change))


class Saturation(NamedTuple):
    """What became of a knob with two ends."""

    at_least: np.ndarray
    """Mask `[rows]`: at the end that holds the entropy up least."""
    at_most: np.ndarray
    """At the other one."""
    overhang: int
    """Most rows in a row that it stayed at an end after the entropy had crossed its target and asked it to leave, which
    an integral that was wound up does."""


def saturation(knob: np.ndarray, slack: np.ndarray, least: float, most: float) -> Saturation:
    """Reads a knob's rows `[rows]` against the entropy's slack H - target of the same rows, nats a token.

    An end that is not known (NaN) is taken to be where the knob went furthest, if it then stayed there.

    Raises:
        EntropaxError: they have different numbers of rows.
    """
    require_same_shape("knob", knob, {"slack": slack})
    low = least if math.isfinite(least) else _resting(knob, float(np.min(knob, initial=math.inf)))
    high = most if math.isfinite(most) else _resting(knob, float(np.max(knob, initial=-math.inf)))
    near = 1e-6 * max(abs(low), abs(high)) if math.isfinite(low) and math.isfinite(high) else 1e-12
    at_least, at_most = np.abs(knob - low) <= near, np.abs(knob - high) <= near
    return Saturation(at_least, at_most, longest((at_most & (slack > 0)) | (at_least & (slack < 0))))


def longest(mask: np.ndarray) -> int:
    """The most rows in a row where a mask `[rows]` holds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return int(np.max(edges[1::2] - edges[::2], initial=0))


def _resting(knob: np.ndarray, end: float) -> float:
    """An extreme value that the knob moved to and kept for two rows or more; NaN if it did not."""
    return end if len(knob) > 2 and np.ptp(knob) > 0 and longest(knob == end) > 1 else math.nan
