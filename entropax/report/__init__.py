"""One self-contained HTML page about one run or several; charts are imported only when a page is written."""

from collections.abc import Sequence
from pathlib import Path

from entropax.report.diagnosis import Diagnosis, diagnose
from entropax.report.read import Run, read_run, read_runs

__all__ = ["Diagnosis", "Run", "diagnose", "read_run", "read_runs", "write_report"]


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
