"""Series as the rows of a chart: thinned, rounded, with the statistics over seeds."""

import math
from typing import Any

import numpy as np

from entropax.diagnostics.statistics import bootstrap_interval, interquartile_mean
from entropax.diagnostics.window import Series, mean_over_rows

BUDGET = 2400
"""Values a chart may hold over its runs and seeds, so that a page of all charts stays under 3 MB."""


def points_per_series(lines: int) -> int:
    """Points of each line of a chart that has so many."""
    return int(np.clip(BUDGET // max(lines, 1), 40, 240))


def thin(series: Series, points: int) -> Series:
    """Averages neighbouring rows into at most so many; a series that is short enough is left as it is."""
    count = len(series.steps)
    if count <= points:
        return series
    groups = np.array_split(np.arange(count), points)
    values = np.stack([mean_over_rows(series.values[group]) for group in groups])
    return Series(np.array([series.steps[group[-1]] for group in groups]), values)


def plain(value: float) -> float | None:
    """Five significant digits, None where it is not finite."""
    return float(f"{value:.5g}") if math.isfinite(value) else None


def seed_rows(run: str, series: Series, seeds: tuple[int, ...]) -> list[dict[str, Any]]:
    """One row a step and seed: `s` step, `v` value, `k` which line it belongs to. Gaps are left out."""
    return [
        {"s": int(step), "v": plain(value), "k": f"{run} {seed}", "r": run}
        for seed, column in zip(seeds, series.values.T, strict=True)
        for step, value in zip(series.steps, column, strict=True)
        if math.isfinite(value)
    ]


def middle_rows(run: str, series: Series, *, interval: bool) -> list[dict[str, Any]]:
    """One row a step: `v` interquartile mean over seeds, `l` and `h` the ends of its 95 % interval, `n` seeds."""
    middle = interquartile_mean(series.values)
    count = np.isfinite(series.values).sum(axis=1)
    low = high = np.full(len(middle), math.nan)
    if interval and series.values.shape[1] > 1:
        low, high = bootstrap_interval(series.values, generator=np.random.default_rng(0))
    rows = []
    for step, value, below, above, n in zip(series.steps, middle, low, high, count, strict=True):
        if math.isfinite(value):
            row = {"s": int(step), "v": plain(value), "n": int(n), "r": run}
            rows.append(row | ({"l": plain(below), "h": plain(above)} if math.isfinite(below) else {}))
    return rows


def heat_rows(series: Series, points: int) -> list[dict[str, Any]]:
    """One row a cell: `s` and `e` its first and last step, `d` the action dimension, `v` the mean over seeds."""
    thinned = thin(series, points)
    edges = []
    if len(thinned.steps) > 1:  # The first cell is as wide as the second, and begins with the run at the earliest.
        edges = np.concatenate([[max(2 * thinned.steps[0] - thinned.steps[1], 0)], thinned.steps])
    return [
        {"s": int(edges[t]), "e": int(edges[t + 1]), "d": d, "v": plain(value)}
        for t in range(len(thinned.steps) if len(edges) else 0)
        for d, value in enumerate(mean_over_rows(thinned.values[t]))
        if math.isfinite(value)
    ]
