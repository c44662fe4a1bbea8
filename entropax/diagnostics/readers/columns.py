"""What a log file holds before its names are understood: columns of steps and values."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from entropax.diagnostics.window import in_last_quarter, mean_over_rows


class Column(NamedTuple):
    """One scalar of one seed: rising steps `[t]` and values `[t]`; ±inf where what was logged was not finite."""

    steps: np.ndarray
    values: np.ndarray


class Content(NamedTuple):
    """All scalars of one file or folder, by the names that its library gave them."""

    columns: Mapping[str, Column]
    notes: tuple[str, ...]
    """What was left out and why, one sentence each."""


def column(steps: Sequence[int] | Sequence[float] | np.ndarray, values: Sequence[float] | np.ndarray) -> Column:
    """Sorts by step, keeps the last value of a step that was written twice, and marks NaN as infinite.

    A run that was resumed writes some steps again; the later value is the one that counts.
    """
    at, logged = np.asarray(steps, np.int64), np.asarray(values, np.float64)
    order = np.argsort(at, kind="stable")
    at, logged = at[order], logged[order]
    last = np.append(at[1:] != at[:-1], True) if len(at) else np.zeros(0, bool)
    return Column(at[last], np.where(np.isnan(logged[last]), np.inf, logged[last]))


def joined(parts: Sequence[Content]) -> Content:
    """Several files of one seed as one: columns of the same name are put together, later files win."""
    names = dict.fromkeys(name for part in parts for name in part.columns)
    columns = {}
    for name in names:
        having = [part.columns[name] for part in parts if name in part.columns]
        columns[name] = column(
            np.concatenate([one.steps for one in having]),
            np.concatenate([one.values for one in having]),
        )
    return Content(columns, tuple(note for part in parts for note in part.notes))


def common(*columns: Column) -> tuple[np.ndarray, ...]:
    """The steps that all columns have with a finite value, then each column's values there."""
    steps = columns[0].steps
    for one in columns:
        steps = np.intersect1d(steps, one.steps[np.isfinite(one.values)])
    return steps, *(one.values[np.searchsorted(one.steps, steps)] for one in columns)


def late_mean(one: Column) -> float:
    """Mean over the last quarter of the steps; NaN where nothing there is finite."""
    return float(mean_over_rows(one.values[in_last_quarter(one.steps)]))
