"""TensorBoard's event file, written record by record.

tensorboardX brings the message types and the checksum. Its own writer hands records to a thread, which a full disk
ends, and whoever then logs or closes waits for ever.
"""

import socket
import time
from collections.abc import Sequence
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue]
from tensorboardX.record_writer import masked_crc32c

from entropax.runs.atomic import append


class EventFile:
    """A new event file of a folder; every record is whole or absent, also where the disk is full."""

    def __init__(self, folder: Path, purge_step: int | None) -> None:
        """Makes the file.

        Args:
            folder: made if absent.
            purge_step: the step from which TensorBoard is to hide the points of the folder's older files, if any.

        Raises:
            OSError: it cannot be made.
            RunWriteError: the disk is full.
        """
        folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard reads a folder's files in the order of their names: fractions keep two of one second apart.
        self._path = folder / f"events.out.tfevents.{time.time_ns() / 1e9:.9f}.{socket.gethostname()}"
        self._file = self._path.open("xb", buffering=0)
        self._write(Event(file_version="brain.Event:2"))
        if purge_step is not None:
            self._write(Event(step=purge_step, session_log=SessionLog(status=SessionLog.START)))

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        data = event.SerializeToString()
        length = len(data).to_bytes(8, "little")
        append(self._path, self._file, b"".join((length, _checksum(length), data, _checksum(data))))

    def scalars(self, step: int, tagged: Sequence[tuple[str, float]]) -> None:
        """Appends points of one step, as one record.

        Raises:
            RunWriteError: the disk is full or read-only.
        """
        event = Event(step=step)
        for tag, value in tagged:
            event.summary.value.add(tag=tag, simple_value=value)
        self._write(event)

    def close(self) -> None:
        """Closes the file; closing twice is fine."""
        self._file.close()


def _checksum(data: bytes) -> bytes:
    return masked_crc32c(data).to_bytes(4, "little")
