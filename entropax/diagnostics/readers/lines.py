"""Logs in JSON: the history in a checkpoint of Transformers' trainer, and verl's file of one object a line."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from entropax.diagnostics.readers.columns import Content, column
from entropax.diagnostics.window import LAST_STEP
from entropax.errors import EntropaxError


def read_trainer_state(path: Path) -> Content:
    """Reads `log_history` of a trainer_state.json: a list of objects, each with its `step` and scalars.

    Raises:
        EntropaxError: the file cannot be read, or has no such list.
    """
    try:
        state = json.loads(_text(path))
    except (ValueError, RecursionError) as cause:
        raise EntropaxError(f"{path} is no JSON: {cause}. Pass an older checkpoint, or the run's events.") from cause
    history = state.get("log_history") if isinstance(state, dict) else None
    if not isinstance(history, list):
        raise EntropaxError(f"{path} has no log_history. Pass the trainer_state.json that a trainer has written.")
    return _content(((row.get("step"), row) for row in history if isinstance(row, dict)), ())


def vocabulary_beside(state: Path) -> int | None:
    """The size of a model's vocabulary in the config.json that Transformers writes next to a trainer_state.json.

    A model of several kinds of input has it in the part for text. None where there is no such file, or nothing in it.
    """
    try:
        config = json.loads((state.parent / "config.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    parts = [config, config.get("text_config")] if isinstance(config, dict) else []
    sizes = [part["vocab_size"] for part in parts if isinstance(part, dict) and "vocab_size" in part]
    return next((size for size in sizes if isinstance(size, int) and 2 <= size < LAST_STEP), None)


def read_lines(path: Path) -> Content:
    """Reads verl's file logger: an object {"step": n, "data": {name: value}} a line; a torn last line is left out.

    Raises:
        EntropaxError: the file cannot be read.
    """
    lines = _text(path).splitlines()
    rows, broken = [], 0
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict) and isinstance(row.get("data"), dict):
            rows.append((row.get("step"), row["data"]))
        else:
            broken += 1
    notes = [f"{path}: {broken} of {len(lines)} lines hold no step and data and are left out."] if broken else []
    return _content(rows, notes)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError as cause:
        raise EntropaxError(f"Cannot read {path}: {cause}. Pass a log that you may read.") from cause


def _content(rows: Iterable[tuple[Any, Mapping[str, Any]]], notes: Iterable[str]) -> Content:
    """Columns of all numbers; what is no number was not measured at that step."""
    steps: dict[str, list[float]] = {}
    values: dict[str, list[float]] = {}
    for step, row in rows:
        for name, value in row.items():
            if _is_number(step) and abs(step) < LAST_STEP and _is_number(value) and name != "step":
                steps.setdefault(name, []).append(step)
                values.setdefault(name, []).append(_number(value))
    return Content({name: column(steps[name], values[name]) for name in steps}, tuple(notes))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: int | float) -> float:
    """The float nearest; infinite for whole numbers beyond all floats, as JSON's 1e400 is."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
