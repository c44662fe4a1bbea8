"""TensorBoard's files on a disk that is full, or that no longer takes anything."""

import errno
import io
import resource
import subprocess
import sys

import pytest

from entropax.runs import RunWriteError
from entropax.runs.atomic import append
from entropax.runs.event_file import EventFile

FULL = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from entropax.runs import MetricsLog, RunWriteError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = MetricsLog(Path(sys.argv[1]), [0])
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
try:
    for step in range(1000):
        log.metrics(step, 0.1, {f"a/{n}": np.ones(1) for n in range(3)})
except RunWriteError as error:
    print(error)
log.close()
"""


def test_a_full_disk_ends_in_a_message_and_no_wait(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith("Cannot write ")
    assert "then resume the run" in done.stdout
    assert done.stderr == ""


def test_a_record_that_does_not_fit_leaves_the_file_whole(tmp_path):
    events = EventFile(tmp_path, None)
    events.scalars(1, [("a", 1.0)])
    (path,) = tmp_path.iterdir()
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, limits[1]))
    try:
        with pytest.raises(RunWriteError, match="tfevents"):
            events.scalars(2, [("a", 2.0)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    events.scalars(3, [("a", 3.0)])
    events.close()
    record = path.read_bytes()[len(before) :]
    assert int.from_bytes(record[:8], "little") == len(record) - 16


def test_a_disk_that_takes_nothing_back_is_reported_too(tmp_path):
    class ReadOnly(io.FileIO):
        def write(self, content):
            del content
            raise OSError(errno.EROFS, "Read-only file system")

        def truncate(self, size):
            del size
            raise OSError(errno.EROFS, "Read-only file system")

    with ReadOnly(tmp_path / "log", "wb") as file, pytest.raises(RunWriteError, match="Read-only"):
        append(tmp_path / "log", file, b"x")
