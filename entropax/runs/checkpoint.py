"""Checkpoints: the full state of a run, whole or absent, never pickled.

`RUN/checkpoints/step_000012000/` holds `state.safetensors` and `meta.json`. The folder is written under a temporary
name, flushed to the disk and renamed, so a killed process or a full disk leaves the checkpoint before it whole.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Container
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import PyTree
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from entropax.errors import EntropaxError
from entropax.runs.atomic import (
    RunWriteError,
    check_schema,
    explain,
    fsync_file,
    fsync_folder,
    has_schema,
    write_json,
)
from entropax.runs.tensors import fill, name_leaves, read_records

SCHEMA = 2
_NAME = re.compile(r"step_(\d+)(?:_r(\d+))?")
_STATE, _META = "state.safetensors", "meta.json"


class CheckpointWriteError(RunWriteError):
    """A checkpoint could not be written; the one before it is whole."""


class CheckpointReadError(EntropaxError):
    """A checkpoint is missing, damaged, or belongs to another configuration."""


class _Place(NamedTuple):
    """A checkpoint's folder, ordered by step and then by how often that step was saved."""

    step: int
    revision: int
    path: Path


def _places(run: Path) -> list[_Place]:
    """All checkpoints under their final names, oldest first."""
    folder = run / "checkpoints"
    found = [(_NAME.fullmatch(path.name), path) for path in (folder.iterdir() if folder.is_dir() else ())]
    return sorted(_Place(int(match[1]), int(match[2] or 0), path) for match, path in found if match)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _seal(content: dict[str, Any]) -> str:
    """Digest of everything else in meta.json, so that an edited step or counter is noticed too."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _write(folder: Path, step: int, tree: PyTree, meta: dict[str, Any]) -> None:
    tensors, records = name_leaves(tree)
    save_file(tensors, folder / _STATE)
    fsync_file(folder / _STATE)
    content = {
        "schema": SCHEMA,
        "step": step,
        "sha256": _digest(folder / _STATE),
        "leaves": records,
        "meta": json.loads(json.dumps(meta, allow_nan=False)),
    }
    write_json(folder / _META, {**content, "seal": _seal(content)})
    shutil.copymode(folder / _META, folder / _STATE)  # safetensors gives it to the owner alone, whatever the umask.


def _remove(path: Path) -> None:
    """Takes a checkpoint out of sight in one step, then deletes it: a kill here leaves no half checkpoint."""
    hidden = path.with_name(f".tmp-old-{path.name}")
    try:
        os.rename(path, hidden)
    except OSError:
        return  # An old checkpoint too many is no reason to fail a save that succeeded.
    shutil.rmtree(hidden, ignore_errors=True)


def save_checkpoint(folder: Path, step: int, tree: PyTree, meta: dict[str, Any], keep: int = 2) -> Path:
    """Saves the full state of a run and then prunes older checkpoints.

    Args:
        folder: the run folder; the checkpoint goes to `folder/checkpoints/step_<step>`.
        step: environment steps per seed so far.
        tree: jax or NumPy arrays and typed random keys; stored bit for bit.
        meta: plain JSON to store beside it (counters, seconds, …).
        keep: how many checkpoints to leave, at least 1.

    Returns:
        The folder of the new checkpoint.

    Raises:
        CheckpointWriteError: full or read-only disk, no permission; the checkpoint before this one is whole.
        EntropaxError: `tree` holds something that is not an array, or `meta` is not JSON.
    """
    if keep < 1:
        raise EntropaxError(f"keep={keep} would delete the checkpoint just written. Pass keep=1 or more.")
    parent = folder / "checkpoints"
    aside = None
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for stale in parent.glob(".tmp-*"):
            shutil.rmtree(stale, ignore_errors=True)
        aside = parent / f".tmp-{secrets.token_hex(4)}"
        aside.mkdir()
        _write(aside, step, tree, meta)
        fsync_folder(aside)
        revisions = [place.revision for place in _places(folder) if place.step == step]
        suffix = f"_r{max(revisions) + 1}" if revisions else ""
        final = parent / f"step_{step:09d}{suffix}"
        os.rename(aside, final)
        fsync_folder(parent)
    except (OSError, SafetensorError, RunWriteError) as cause:
        raise CheckpointWriteError(explain(parent / f"step_{step:09d}", cause)) from cause
    except EntropaxError:
        raise
    except (TypeError, ValueError) as cause:
        raise EntropaxError(f"Checkpoint meta is not plain JSON: {cause}. Pass finite numbers and strings.") from cause
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
    for place in _places(folder)[:-keep]:
        _remove(place.path)
    return final


def _read_meta(place: _Place) -> dict[str, Any]:
    """Reads and checks meta.json and the digest of the tensor file.

    Raises:
        CheckpointReadError: either file is missing, truncated or changed.
        EntropaxError: the schema is newer or older.
    """
    path = place.path / _META
    try:
        parsed = json.loads(path.read_text())
        if not has_schema(parsed):
            raise CheckpointReadError(f"{path} has no schema number, so it was changed after it was written")
        content = check_schema(parsed, SCHEMA, path, oldest=SCHEMA)
        seal = content.pop("seal", "")
        whole = content.keys() == {"schema", "step", "sha256", "leaves", "meta"} and isinstance(content["meta"], dict)
        if not whole or seal != _seal(content) or content["step"] != place.step:
            raise CheckpointReadError(f"{path} was changed after it was written")
        if _digest(place.path / _STATE) != content["sha256"]:
            raise CheckpointReadError(f"{place.path / _STATE} does not match its digest: truncated or changed")
    except EntropaxError:
        raise
    except (OSError, ValueError, RecursionError) as cause:
        raise CheckpointReadError(f"{place.path} is incomplete: {cause}") from cause
    return content


def _advice(older: list[_Place]) -> str:
    """What to do about a damaged checkpoint: go back to the newest whole one, if there is any."""
    for place in reversed(older):
        try:
            _read_meta(place)
        except EntropaxError:
            continue
        return f"The checkpoint of step {place.step} is whole: move the damaged folder away and resume from there."
    return "No older checkpoint is whole: restore the folder from a backup or start a new run."


def has_checkpoint(folder: Path) -> bool:
    """Whether a checkpoint was ever completed in a run folder; a process killed in its first one leaves none."""
    return bool(_places(folder))


def read_checkpoint_meta(folder: Path) -> tuple[dict[str, Any], int]:
    """The `meta` and step of the newest checkpoint, without its arrays: enough to build what `restore` fills.

    Raises:
        CheckpointReadError: there is none, or the newest is damaged (the message names an older whole one).
    """
    newest, content, _ = _newest(folder)
    return content["meta"], newest.step


def _newest(folder: Path) -> tuple[_Place, dict[str, Any], list[_Place]]:
    """The newest checkpoint, its checked meta.json, and the older ones."""
    places = _places(folder)
    if not places:
        raise CheckpointReadError(
            f"{folder} holds no complete checkpoint: the run ended before its first one. Start a new run."
        )
    try:
        return places[-1], _read_meta(places[-1]), places[:-1]
    except (CheckpointReadError, OSError) as cause:
        raise CheckpointReadError(f"Damaged checkpoint: {cause}. {_advice(places[:-1])}") from cause


def restore_checkpoint(folder: Path, like: PyTree) -> tuple[PyTree, dict[str, Any], int]:
    """Restores the newest checkpoint of a run, bit for bit.

    Args:
        folder: the run folder.
        like: the state's structure, from `jax.eval_shape`; NumPy leaves come back as NumPy memory.

    Returns:
        The state, the `meta` that was saved with it, and its step.

    Raises:
        CheckpointReadError: there is none, or the newest is damaged (the message names an older whole one).
        EntropaxError: it belongs to another configuration, or a newer version wrote it.
    """
    newest, content, older = _newest(folder)
    records = read_records(content["leaves"])
    return fill(like, _tensors(newest, records, older), records), content["meta"], newest.step


def restore_part(folder: Path, like: PyTree) -> tuple[PyTree, int]:
    """Restores some leaves of the newest checkpoint: what a reader wants who has no use for a replay.

    Args:
        folder: the run folder.
        like: a part of the saved state's structure, whose leaves have the key paths that they have in the whole.

    Returns:
        The part, and the checkpoint's step.

    Raises:
        CheckpointReadError: there is no checkpoint, or the newest is damaged (the message names an older whole one).
        EntropaxError: it lacks one of the leaves, or has it in another form.
    """
    newest, content, older = _newest(folder)
    wanted = {jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(like)}
    records = {name: record for name, record in read_records(content["leaves"]).items() if name in wanted}
    return fill(like, _tensors(newest, records, older), records), newest.step


def _tensors(place: _Place, names: Container[str], older: list[_Place]) -> dict[str, np.ndarray]:
    """Stored memory by key path."""
    try:
        with safe_open(place.path / _STATE, framework="np") as file:
            return {name: file.get_tensor(name) for name in file.keys() if name in names}  # noqa: SIM118
    except (OSError, SafetensorError, AttributeError) as cause:  # NumPy lacks types that a header may name.
        raise CheckpointReadError(f"Damaged checkpoint: {cause}. {_advice(older)}") from cause
