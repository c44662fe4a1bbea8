"""Ctrl-C and SIGTERM: note the wish, finish the step at hand, save, leave."""

import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence
from types import FrameType, TracebackType
from typing import Any


class StopNow(BaseException):
    """Leaves what a signal may cut short; no environment's own `except Exception` holds it up."""


class StopRequest:
    """A context in which the first of some signals is noted; a second SIGINT interrupts at once."""

    def __init__(self, numbers: Sequence[int] = (signal.SIGINT, signal.SIGTERM)) -> None:
        self.signal: int | None = None
        self._numbers = numbers
        self._cuts = False
        self._before: dict[int, Any] = {}

    @property
    def requested(self) -> bool:
        """Whether a signal has come."""
        return self.signal is not None

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            for number in self._numbers:
                self._before[number] = signal.signal(number, self._note)
        return self

    @contextlib.contextmanager
    def cutting_short(self) -> Iterator[None]:
        """A context that the first signal leaves at once: for what changes nothing of a run and may take for ever.

        Raises:
            StopNow: a signal came, here or before.
        """
        self._cuts = True
        try:
            if self.requested:
                raise StopNow
            yield
        finally:
            self._cuts = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        cuts, self.signal = self._cuts and not self.requested, number
        if cuts:
            raise StopNow

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
