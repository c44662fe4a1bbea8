"""Files that are either whole or absent: write aside, flush to the disk, rename."""

import contextlib
import io
import json
import os
from pathlib import Path
from typing import Any

from entropax.errors import EntropaxError


class RunWriteError(EntropaxError):
    """A file of the run folder could not be written; what was there before is untouched."""


def explain(path: Path, cause: Exception) -> str:
    """Says which path could not be written, why, and what to do."""
    return (
        f"Cannot write {path}: {cause}. Free disk space or make the folder writable, then resume the run or repeat the "
        "command; what was written before is whole."
    )


def fsync_folder(folder: Path) -> None:
    """Makes the names in a folder durable, as fsync of a file makes its bytes durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_file(path: Path) -> None:
    """Makes the bytes of a file durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, content: bytes) -> None:
    """Replaces a file in one step: after a crash it holds either all of the old bytes or all of the new.

    A file has one writer: a second one at the same time would share the name that is written aside. A symbolic link
    stays one: the file that it names is replaced.

    Raises:
        RunWriteError: the disk is full, read-only, or the folder may not be written, or there is something else than a
            file, such as a device.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise RunWriteError(f"Cannot write {path}: it is there and no file. Name a file to replace, or a new one.")
    aside = target.with_name(f".{target.name}.tmp")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(aside, target)
        fsync_folder(target.parent)
    except FileNotFoundError as cause:
        raise RunWriteError(f"Cannot write {path}: there is no folder {target.parent}. Make it first.") from cause
    except OSError as cause:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise RunWriteError(explain(path, cause)) from cause


def append(path: Path, file: io.FileIO, content: bytes) -> None:
    """Appends to an unbuffered file: all of the content, or nothing where there is no room for all of it.

    Args:
        path: the file's, for the message.
        file: open for writing, at its end.
        content: what to append.

    Raises:
        RunWriteError: the disk is full or read-only.
    """
    try:
        before = os.fstat(file.fileno()).st_size
        try:
            while content:
                content = content[file.write(content) :]
        except OSError:
            with contextlib.suppress(OSError):  # A disk that became read-only takes nothing back either.
                file.truncate(before)  # Needs no space: takes back the part that still fitted.
                file.seek(before)
            raise
    except OSError as cause:
        raise RunWriteError(explain(path, cause)) from cause


def write_json(path: Path, content: Any) -> None:
    """Replaces a JSON file in one step.

    Raises:
        EntropaxError: the content is not JSON (NaN and infinities are not).
        RunWriteError: the file cannot be written.
    """
    try:
        text = json.dumps(content, indent=2, allow_nan=False)
    except (TypeError, ValueError) as cause:
        raise EntropaxError(f"{path.name} cannot hold this content: {cause}. Pass plain finite JSON values.") from cause
    write_bytes(path, (text + "\n").encode())


def has_schema(content: Any) -> bool:
    """Whether parsed JSON is an object with a schema number, as everything is that entropax writes."""
    return isinstance(content, dict) and type(content.get("schema")) is int


def check_schema(content: Any, newest: int, path: Path, oldest: int = 1) -> dict[str, Any]:
    """Returns the content where it is an object of a schema that this version reads.

    Raises:
        EntropaxError: not an object, no schema, or a schema newer than `newest` or older than `oldest`.
    """
    if not has_schema(content):
        raise EntropaxError(f"{path} has no schema number, so entropax did not write it. Restore it from a backup.")
    if content["schema"] > newest:
        raise EntropaxError(
            f"{path} has schema {content['schema']}, this version reads up to {newest}: a newer entropax wrote it. "
            "Upgrade entropax to read it."
        )
    if content["schema"] < oldest:
        raise EntropaxError(
            f"{path} has schema {content['schema']}, this version reads from {oldest} on: an older entropax wrote it. "
            "Finish the run with that version, or start it anew; `evaluate`, `report` and `export` still read it."
        )
    return content
