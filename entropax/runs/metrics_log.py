"""`metrics.jsonl` and the TensorBoard events beside it: what a run reports while it goes on."""

import dataclasses
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from entropax.diagnostics.window import LAST_STEP
from entropax.errors import EntropaxError
from entropax.runs.atomic import RunWriteError, append, check_schema, explain, write_bytes

SCHEMA = 1
_FILE = "metrics.jsonl"


def _plain(value: Any) -> Any:
    """Nested lists of floats; what is not finite becomes null, which JSON has."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if math.isfinite(value) else None


def _mend(path: Path) -> None:
    """Ends a last line that a kill tore: completes it with a newline where it is whole, else cuts it off."""
    content = path.read_bytes() if path.exists() else b""
    if not content or content.endswith(b"\n"):
        return
    whole, _, last = content.rpartition(b"\n")
    try:
        json.loads(last)
    except (ValueError, RecursionError):
        write_bytes(path, whole + b"\n" if whole else b"")
    else:
        write_bytes(path, content + b"\n")


class MetricsLog:
    """Appends to a run's `metrics.jsonl`, unbuffered, one line a call, and to TensorBoard files, one folder a seed.

    Opening the log of a run that was killed mends its last line; nothing else of it changes.
    """

    def __init__(self, folder: Path, seeds: Sequence[int]) -> None:
        """Opens the log of a run folder.

        Args:
            folder: the run folder.
            seeds: one per learner; names the folders `tensorboard/seed_<seed>`.

        Raises:
            RunWriteError: the files cannot be opened.
        """
        self._folder, self._seeds = folder, tuple(seeds)
        self._path = folder / _FILE
        self._open(None)

    def _open(self, purge_step: int | None) -> None:
        from entropax.runs.event_file import EventFile  # Late: reading a run need not pay for TensorBoard.

        try:
            _mend(self._path)
            self._file = self._path.open("ab", buffering=0)
            self._events = [
                EventFile(self._folder / "tensorboard" / f"seed_{seed}", purge_step) for seed in self._seeds
            ]
        except OSError as cause:
            raise RunWriteError(explain(self._path, cause)) from cause

    def _append(self, line: dict[str, Any]) -> None:
        text = json.dumps({"schema": SCHEMA, **line}, allow_nan=False) + "\n"
        append(self._path, self._file, text.encode())

    def metrics(self, step: int, seconds: float, values: Mapping[str, Any]) -> None:
        """Appends one row.

        Args:
            step: environment steps per seed.
            seconds: since the run started.
            values: by name, `[seeds]`, or `[seeds, dims]` for a vector such as one entropy per action dimension.

        Raises:
            EntropaxError: a value has not one entry per seed.
            RunWriteError: the disk is full or read-only.
        """
        arrays = {name: np.asarray(value, np.float64) for name, value in values.items()}
        for name, array in arrays.items():
            if array.ndim not in (1, 2) or len(array) != len(self._seeds):
                raise EntropaxError(
                    f"Metric {name} has shape {list(array.shape)}; a row needs [{len(self._seeds)}] or "
                    f"[{len(self._seeds)}, dims], one entry per seed. Add the seed axis first."
                )
        plain = {name: _plain(array.tolist()) for name, array in arrays.items()}
        self._append({"kind": "metrics", "step": int(step), "seconds": float(seconds), "values": plain})
        for index, events in enumerate(self._events):
            tagged = [_tags(name, np.asarray(array[index])) for name, array in arrays.items()]
            events.scalars(int(step), list(itertools.chain.from_iterable(tagged)))

    def event(self, step: int, seconds: float, name: str, message: str) -> None:
        """Appends something that happened: start, resume, checkpoint, nonfinite, interrupted, finished, ….

        Raises:
            RunWriteError: the disk is full or read-only.
        """
        self._append({"kind": "event", "step": int(step), "seconds": float(seconds), "name": name, "message": message})

    def truncate_after(self, step: int) -> None:
        """Drops every line past a step, in one step: what a run resumed from there will write again.

        Raises:
            EntropaxError: the log is damaged.
            RunWriteError: the log cannot be rewritten; it is as it was before.
        """
        self.close()
        kept = [text for line, text in _lines(self._path) if line["step"] <= step]
        write_bytes(self._path, "".join(text + "\n" for text in kept).encode())
        self._open(step + 1)

    def close(self) -> None:
        """Closes all files; closing twice is fine."""
        self._file.close()
        for events in self._events:
            events.close()


def _tags(name: str, value: np.ndarray) -> list[tuple[str, float]]:
    """TensorBoard's scalars: `name`, or `name/0`, `name/1`, … for a vector. It skips what is not finite."""
    if value.ndim == 0:
        tagged = [(name, float(value))]
    else:
        tagged = [(f"{name}/{dimension}", float(item)) for dimension, item in enumerate(value)]
    return [(tag, scalar) for tag, scalar in tagged if math.isfinite(scalar)]


def _lines(path: Path) -> list[tuple[dict[str, Any], str]]:
    """All whole lines, parsed and as they are; a torn last line is left out.

    Raises:
        EntropaxError: the file is missing, or a line before the last is damaged, or of a newer schema.
    """
    try:
        texts = path.read_bytes().decode("utf-8", errors="replace").split("\n")
    except OSError as cause:
        raise EntropaxError(f"Cannot read {path}: {cause}. Pass the folder of a run that has started.") from cause
    torn = len(texts) if texts[-1] == "" else len(texts) - 1
    found = []
    for number, text in enumerate(texts):
        if not text:
            continue
        try:
            line = json.loads(text)
        except (ValueError, RecursionError) as cause:
            if number == torn:
                continue
            raise EntropaxError(
                f"{path}, line {number + 1} is damaged: {cause}. Delete that line; the others are independent of it."
            ) from cause
        line = check_schema(line, SCHEMA, path)
        if line.get("kind") not in ("metrics", "event") or not _is_step(line.get("step")):
            raise EntropaxError(f"{path}, line {number + 1} is no metrics row and no event. Delete that line.")
        found.append((line, text))
    return found


def _is_step(value: Any) -> bool:
    return type(value) is int and abs(value) < LAST_STEP


@dataclasses.dataclass(frozen=True)
class MetricsRow:
    """One row: a step in environment steps per seed, seconds since the start, and values by name."""

    step: int
    seconds: float
    values: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class RunEvent:
    """Something that happened at a step."""

    step: int
    seconds: float
    name: str
    message: str


@dataclasses.dataclass(frozen=True)
class MetricsTable:
    """A run's metrics: rows by rising step, one a step, and events in the order they happened."""

    rows: tuple[MetricsRow, ...]
    events: tuple[RunEvent, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All metric names, sorted."""
        return tuple(sorted({name for row in self.rows for name in row.values}))

    def series(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """One metric over the rows that have it.

        Returns:
            Steps `[t]` and values `[t, seeds]` or `[t, seeds, dims]`, NaN where nothing finite was measured.

        Raises:
            EntropaxError: no row has this name, or its shape changes on the way.
        """
        having = [row for row in self.rows if name in row.values]
        if not having:
            raise EntropaxError(f"No metric is named {name}. This run has: {', '.join(self.names) or 'none yet'}.")
        if len({row.values[name].shape for row in having}) > 1:
            raise EntropaxError(f"Metric {name} changes its shape between rows. Restore metrics.jsonl as written.")
        return np.array([row.step for row in having]), np.stack([row.values[name] for row in having])


def read_metrics(path: Path) -> MetricsTable:
    """Reads the metrics of a run folder, also while it is being written.

    Raises:
        EntropaxError: there is no log, a line is damaged, or a newer version wrote it.
    """
    rows: dict[int, MetricsRow] = {}
    events = []
    for line, _ in _lines(path / _FILE):
        try:
            seconds = _finite(line["seconds"])
            if line["kind"] == "metrics":
                values = {name: _by_seed(value) for name, value in line["values"].items()}
                earlier = rows[line["step"]].values if line["step"] in rows else {}
                rows[line["step"]] = MetricsRow(line["step"], seconds, {**earlier, **values})
            else:
                events.append(RunEvent(line["step"], seconds, _text(line["name"]), _text(line["message"])))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as cause:
            raise EntropaxError(f"{path / _FILE}: step {line['step']} is malformed: {cause!r}. Delete it.") from cause
    return MetricsTable(tuple(rows[step] for step in sorted(rows)), tuple(events))


def _finite(value: Any) -> float:
    if not math.isfinite(float(value)):
        raise ValueError(f"{value} is not finite")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _by_seed(value: Any) -> np.ndarray:
    array = np.array(value, np.float64)
    if array.ndim not in (1, 2):
        raise ValueError(f"{value} is no list by seed")
    return array
