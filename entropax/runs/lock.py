"""One writer a run folder: two would cut off each other's metrics and delete each other's unfinished checkpoints."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from entropax.errors import EntropaxError
from entropax.runs.atomic import RunWriteError, explain


@contextlib.contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Holds a run folder against other writers; nothing is left in it, and a process that is killed holds it no more.

    Windows has no locks of folders: there nobody is held off.

    Raises:
        EntropaxError: somebody else writes to it.
        RunWriteError: it cannot be opened.
    """
    if sys.platform == "win32":
        yield
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as cause:
        raise RunWriteError(explain(folder, cause)) from cause
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as cause:
        raise EntropaxError(
            f"{folder} is being written by another process, or elsewhere in this one: two would spoil its metrics and "
            "checkpoints. Wait until that one ends, or stop it with Ctrl-C, and then resume."
        ) from cause
    except OSError:
        return  # Some network file systems have no locks.
