"""What a person sees while a run goes on: a bar on a terminal, a line per row of metrics elsewhere."""

import time
from collections.abc import Mapping
from types import TracebackType

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


def headline(values: Mapping[str, np.ndarray]) -> str:
    """Return, entropy and alpha of one row, averaged over the seeds."""

    def mean(name: str, form: str) -> str:
        known = values.get(name, np.empty(0))
        known = known[np.isfinite(known)]
        return format(float(known.mean()), form) if known.size else "–"

    reward, entropy = mean("rollout/ep_rew_mean", ".1f"), mean("entropy/nats", "+.2f")
    alpha, fps = mean("train/ent_coef", ".3g"), mean("time/fps", ".0f")
    return f"return {reward}  entropy {entropy} nats  alpha {alpha}  {fps} steps/s"


class Display:
    """Shows the progress of one run."""

    def __init__(self, title: str, steps: int, shown: bool):
        self._console = Console(stderr=True)
        # A dumb terminal cannot redraw a line, and would show nothing before the end.
        self._shown = shown
        self._bar_shown = shown and self._console.is_terminal and not self._console.is_dumb_terminal
        self._title, self._steps, self._last = title, steps, 0.0
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(20),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
        )
        status = TextColumn("{task.fields[status]}", markup=False)
        self._bar = Progress(
            *columns, status, TimeRemainingColumn(), console=self._console, disable=not self._bar_shown
        )
        self._task = self._bar.add_task(title, total=steps, status="compiling")

    def __enter__(self) -> "Display":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def step(self, step: int) -> None:
        """Moves the bar, at most ten times a second."""
        if self._bar_shown and time.perf_counter() - self._last > 0.1:
            self._last = time.perf_counter()
            self._bar.update(self._task, completed=min(step, self._steps))

    def row(self, step: int, values: Mapping[str, np.ndarray]) -> None:
        """Shows a row of metrics."""
        self._bar.update(self._task, completed=min(step, self._steps), status=headline(values))
        if self._shown and not self._bar_shown:
            self._print(f"{self._title}  {step:>9,}  {headline(values)}")

    def reached(self, step: int) -> None:
        """Moves the bar; where there is none, says how far the run is."""
        self._bar.update(self._task, completed=min(step, self._steps), status="")
        if self._shown and not self._bar_shown:
            self._print(f"{self._title}  {step:>9,} of {self._steps:,} steps")

    def say(self, message: str) -> None:
        """Prints a sentence beside the bar."""
        if self._shown:
            self._print(message)

    def _print(self, line: str) -> None:
        """Prints a line as it is: square brackets are no markup."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)
