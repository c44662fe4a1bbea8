"""Snapshots: what a policy was at some steps of its run, `RUN/snapshots/step_000012000.safetensors`.

A checkpoint is there to go on from and holds the replay; a snapshot is there to look back at, and is light enough to
be kept over the whole run.
"""

import contextlib
import re
from pathlib import Path
from typing import Any

from jaxtyping import PyTree

from entropax.errors import EntropaxError
from entropax.runs.atomic import RunWriteError, explain
from entropax.runs.tensor_file import read_tensor_file, write_tensor_file
from entropax.runs.tensors import fill

MOST = 16
"""Snapshots a run keeps: fifteen pieces of its history are as many as one reads in a chart, at 16 MB a seed of two
critics and an actor of 256x256."""

_NAME = re.compile(r"step_(\d+)\.safetensors")


def snapshot_steps(folder: Path) -> list[int]:
    """The steps of all snapshots of a run, oldest first; reads none of them."""
    inside = folder / "snapshots"
    names = [path.name for path in (inside.iterdir() if inside.is_dir() else ())]
    return sorted(int(match[1]) for match in map(_NAME.fullmatch, names) if match)


def _path(folder: Path, step: int) -> Path:
    return folder / "snapshots" / f"step_{step:09d}.safetensors"


def save_snapshot(folder: Path, step: int, tree: PyTree, description: dict[str, Any]) -> Path:
    """Writes a snapshot, replacing one of the same step, and thins out the others.

    At most 16 are kept. Where there is one more, that one goes whose neighbours are the closest to each other, so the
    first and the last stay, and the others stay spread over the steps between them.

    Args:
        folder: the run folder.
        step: environment steps per seed so far.
        tree: arrays, leaves `[seeds, ...]`; stored bit for bit.
        description: plain JSON to store in the file.

    Returns:
        The file.

    Raises:
        RunWriteError: the file cannot be written; those before it are untouched.
        EntropaxError: a leaf is not an array, or the description is not JSON.
    """
    path = _path(folder, step)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise RunWriteError(explain(path, cause)) from cause
    for stale in path.parent.glob(".*.tmp"):
        _remove(stale)
    write_tensor_file(path, tree, description)
    for extra in superfluous(snapshot_steps(folder), MOST):
        _remove(_path(folder, extra))
    return path


def superfluous(steps: list[int], most: int) -> list[int]:
    """Which of some rising steps to give up so that `most` are left, at least two: those between the closest others.

    Example:
        >>> superfluous([0, 10, 20, 21, 30], 4)
        [20]
    """
    kept = list(steps)
    while len(kept) > most:
        index = min(range(1, len(kept) - 1), key=lambda i: kept[i + 1] - kept[i - 1])
        del kept[index]
    return [step for step in steps if step not in kept]


def load_snapshot(folder: Path, step: int, like: PyTree) -> PyTree:
    """Reads a snapshot, bit for bit.

    Args:
        folder: the run folder.
        step: one of `snapshot_steps(folder)`.
        like: its structure, from `jax.eval_shape`.

    Raises:
        EntropaxError: there is no such snapshot, it is damaged or newer, or belongs to another configuration.
    """
    path = _path(folder, step)
    remedy = "Move it away, and the others are read; a run that goes on may have thinned it out: then try again."
    tensors, records, _ = read_tensor_file(path, "snapshot", remedy)
    return fill(like, tensors, records)


def drop_snapshots_after(folder: Path, step: int) -> None:
    """Removes the snapshots past a step: what a run resumed from there will write again.

    Raises:
        EntropaxError: one cannot be removed.
    """
    for later in snapshot_steps(folder):
        if later > step:
            try:
                _path(folder, later).unlink()
            except OSError as cause:
                raise EntropaxError(
                    f"Cannot remove {_path(folder, later)}: {cause}. It is of steps that the resumed run takes again: "
                    "make the folder writable."
                ) from cause


def _remove(path: Path) -> None:
    """Deletes a file; one too many is no reason to fail a save that succeeded."""
    with contextlib.suppress(OSError):
        path.unlink()
