"""Runs the learning curves, each (library, task) as a process of its own; finished ones are not run again.

    python benchmarks/learning/run.py                                   all, one after the other
    python benchmarks/learning/run.py --only entropax:Pendulum-v1       one
    python benchmarks/learning/run.py --list                            what there is, and how much of it is done

Then `python benchmarks/learning/plot.py` draws what is there.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import tasks

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from machine import interpreter


def main() -> None:
    """Runs what is chosen and not done."""
    everything = {f"{library}:{task.name}": (library, task) for task in tasks.TASKS for library in task.libraries}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=everything, default=list(everything), metavar="LIBRARY:TASK")
    parser.add_argument("--list", action="store_true", help="say what is done and stop")
    parsed = parser.parse_args()
    for name in parsed.only:
        library, task = everything[name]
        done = len(tasks.finished(tasks.result_path(tasks.RESULTS, library, task), task))
        print(f"{name}: {done} of {task.seeds} seeds done, {task.steps:,} steps each", flush=True)
        if parsed.list or done >= task.seeds:
            continue
        script = tasks.HERE / f"{library}_learn.py"
        subprocess.run(
            [str(interpreter(library)), str(script), task.name], check=True, env=os.environ | {"JAX_PLATFORMS": "cpu"}
        )


if __name__ == "__main__":
    main()
