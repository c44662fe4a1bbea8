"""One self-contained HTML page about one run or several; charts are imported only when a page is written."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from entropax.report.diagnosis import Diagnosis, diagnose
from entropax.report.landscape import Choice
from entropax.report.read import Run, read_run, read_runs

__all__ = ["Diagnosis", "LandscapePage", "Run", "diagnose", "read_run", "read_runs", "write_landscape", "write_report"]


def write_report(run_paths: Sequence[Path], output: Path | None = None, *, command: str) -> Path:
    """Writes a page that opens offline: verdict first, then the charts, the timeline and the configuration.

    Args:
        run_paths: run folders; several are overlaid in one page.
        output: the file to write; by default `report.html` in the first run's folder.
        command: the command line that writes this page, shown so that it can be repeated.

    Returns:
        The file written, whole or not at all.

    Raises:
        EntropaxError: no run was given, or one cannot be read.
        RunWriteError: the file cannot be written.
    """
    from entropax.report.write import write  # Late: the chart libraries take a second that training need not pay.

    return write(run_paths, output, command=command)


class LandscapePage(NamedTuple):
    """What was written, and what it shows."""

    html: Path
    """`landscape.html` in the run's folder."""
    numbers: Path
    """`landscape.json` beside it."""
    lines: list[str]
    """What each seed's charts show, in words."""


def write_landscape(
    run_path: Path, state: Choice = None, dimensions: Sequence[int] = (), *, command: str
) -> LandscapePage:
    """Writes an offline page with the soft and the plain value over the actions of one state, and its numbers as JSON.

    Args:
        run_path: folder of a run whose algorithm knows both values, such as SAC-AdaEnt's.
        state: an index into the newest snapshot's states, an observation, or None for the stored state whose landscapes
            are least alike.
        dimensions: one or two action dimensions to show; none for those on which following the soft value costs most.
        command: the command line that writes this page, shown so that it can be repeated.

    Returns:
        The two files, each written whole or not at all, and what they show.

    Raises:
        EntropaxError: the run knows one kind of value, has no checkpoint, no such state or dimension, or its landscapes
            are flat.
        RunWriteError: a file cannot be written.

    Example:
        >>> write_landscape(Path("runs/toy"), 17, command="entropax landscape runs/toy --state 17")  # doctest: +SKIP
    """
    from entropax.loops.run import load
    from entropax.report.landscape import judge_of, look, two_valued
    from entropax.report.landscape_page import as_json, lines, render
    from entropax.runs.atomic import write_bytes

    run = load(run_path)
    judged_by = judge_of(two_valued(run))
    views = look(run, state, dimensions)
    html, numbers = run_path / "landscape.html", run_path / "landscape.json"
    write_bytes(html, render(run, judged_by, views, command=command).encode())
    write_bytes(numbers, as_json(run, judged_by, views, command=command).encode())
    return LandscapePage(html, numbers, lines(judged_by, views))
