"""CSV with a step column: Stable-Baselines3's progress.csv, and any other of that shape."""

import csv
import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from entropax.diagnostics.readers.columns import Content, column
from entropax.diagnostics.window import LAST_STEP
from entropax.errors import EntropaxError

STEP_COLUMNS = (
    "time/total_timesteps",
    "global_step",
    "num_timesteps",
    "total_timesteps",
    "timesteps",
    "env_steps",
    "num_steps",
    "steps",
    "step",
    "Step",
)
"""What the step column may be called, the most telling name first; a mapping to `step` names another."""


def read_table(path: Path, mapping: Mapping[str, str]) -> Content:
    """Reads the numeric columns of a CSV file, also while it is being written: a torn last line is left out.

    An empty cell is a scalar that was not logged at that step; `nan` and `inf` are ones that were, and not finite.

    Args:
        path: of the file; its first line names the columns.
        mapping: their names to ours; one may name the column of the steps, as `step`.

    Raises:
        EntropaxError: the file cannot be read, or has no step column.
    """
    try:
        text = path.read_text("utf-8-sig", errors="replace")  # spreadsheets put a mark before the first name
    except OSError as cause:
        raise EntropaxError(f"Cannot read {path}: {cause}. Pass a log that you may read.") from cause
    whole, _, torn = text.rpartition("\n")
    notes = [f"{path}: the last line has no end yet and is left out."] if torn else []
    try:
        rows = list(csv.reader(io.StringIO(whole)))
    except csv.Error as cause:
        raise EntropaxError(f"{path} is no CSV file: {cause}. Pass the table that the run wrote.") from cause
    if not rows:
        return Content({}, (*notes, f"{path} is empty."))
    header, width = rows[0], len(rows[0])
    mapped = [name for name in header if mapping.get(name) == "step"]
    candidates = mapped or [name for name in STEP_COLUMNS if name in header]
    if not candidates:
        raise EntropaxError(
            f"{path} has no step column; it has: {', '.join(header)}. Name one in a mapping file, as in "
            '{"their name": "step"}, and pass it with --mapping.'
        )
    twice = [name for name, count in Counter(header).items() if name and count > 1]
    if twice:
        notes.append(
            f"{path}: more than one column is called {', '.join(twice)}; of such the last with a number counts, of the "
            "steps the first."
        )
    at = header.index(candidates[0])
    steps: list[list[float]] = [[] for _ in header]
    values: list[list[float]] = [[] for _ in header]
    skipped = 0
    for row in rows[1:]:
        step = _number(row[at]) if len(row) == width else None
        if step is None or not abs(step) < LAST_STEP:
            skipped += 1
            continue
        for index, cell in enumerate(row):
            value = _number(cell)
            if value is not None and index != at:
                steps[index].append(step)
                values[index].append(value)
    if skipped:
        notes.append(f"{path}: {skipped} of {len(rows) - 1} lines lack a step or a cell and are left out.")
    columns = {name: column(steps[i], values[i]) for i, name in enumerate(header) if values[i]}
    return Content(columns, tuple(notes))


def _number(cell: str) -> float | None:
    """The number in a cell; None where it is empty or no number."""
    try:
        return float(cell)
    except ValueError:
        return None
