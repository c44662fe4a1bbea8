"""What every measured script shares: the command line, the pinning, and the JSON line it prints at the end.

Standard library only, so that it runs in each library's own environment and imports nothing that costs memory.
"""

import argparse
import contextlib
import dataclasses
import importlib.metadata
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path


@dataclasses.dataclass
class Stopwatch:
    """Times environment steps `first` to `last` of a run, and the arrival of its first update.

    Attributes:
        first: step at which the clock starts: behind the random steps and behind all compilation.
        last: step at which the clock stops.
        first_update: step by which the first gradient update has certainly been made.
    """

    first: int
    last: int
    first_update: int
    started: float = 0.0
    stopped: float = 0.0
    updated: float = 0.0

    def observe(self, step: int) -> None:
        """Notes the time when `step` environment steps have been made."""
        if step == self.first_update:
            self.updated = time.time()
        if step == self.first:
            self.started = time.perf_counter()
        if step == self.last:
            self.stopped = time.perf_counter()


def arguments(description: str | None) -> argparse.Namespace:
    """Reads the command line and pins the process to its cores, before any library starts its threads."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--env", default="HalfCheetah-v5", help="environment id")
    parser.add_argument("--net", type=int, nargs="+", default=[256, 256], help="hidden widths of actor and critics")
    parser.add_argument("--train-freq", type=int, default=1, help="environment steps between rounds of updates")
    parser.add_argument("--gradient-steps", type=int, default=1, help="updates in each round")
    parser.add_argument("--warmup-steps", type=int, default=1000, help="untimed steps: random ones and compilation")
    parser.add_argument("--steps", type=int, default=4000, help="timed environment steps of each seed")
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    parser.add_argument("--num-seeds", type=int, default=1, help="seeds in one process (Entropax only)")
    parser.add_argument("--acting", choices=("newest", "overlapped"), default="newest", help="Entropax only")
    parser.add_argument("--seeds-in", choices=("program", "processes"), default="program", help="Entropax only")
    parser.add_argument("--cores", type=int, nargs="+", default=[], help="pin the process to these cores")
    parser.add_argument("--started", type=float, default=time.time(), help="Unix time at which the process was started")
    parsed = parser.parse_args()
    if parsed.steps % parsed.train_freq or parsed.warmup_steps % parsed.train_freq:
        parser.error(
            "--steps and --warmup-steps must be multiples of --train-freq, so that the window holds whole rounds"
        )
    if parsed.cores:
        os.sched_setaffinity(0, parsed.cores)
    return parsed


class Children:
    """The peak memory of the processes in which this one trains seeds, looked at ten times a second while they live.

    What the system keeps of children that have ended is the largest peak alone, not the sum. Others, such as a tool
    that a library asks about the machine, are forks of this process for a moment, and as large: they are left out.

    Args:
        module: what those processes run, as it stands on their command line.
    """

    def __init__(self, module: str) -> None:
        self._module = module.encode()
        self.peaks: dict[str, float] = {}
        threading.Thread(target=self._look, daemon=True).start()

    @property
    def mb(self) -> float:
        """Sum of the peaks, in MB."""
        return sum(self.peaks.values())

    def _look(self) -> None:
        while True:
            for listing in Path("/proc/self/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    self.peaks.update({child: self._peak(child) for child in self._trainers(listing)})
            time.sleep(0.1)

    def _trainers(self, listing: Path) -> list[str]:
        children = listing.read_text().split()
        return [child for child in children if self._module in Path(f"/proc/{child}/cmdline").read_bytes()]

    @staticmethod
    def _peak(child: str) -> float:
        lines = Path(f"/proc/{child}/status").read_text().splitlines()
        known = next((line.split()[1] for line in lines if line.startswith("VmHWM")), None)
        if known is None:
            raise OSError("it has ended")
        return int(known) / 1024


def report(
    library: str, packages: Sequence[str], parsed: argparse.Namespace, watch: Stopwatch, children_mb: float = 0.0
) -> None:
    """Prints the one JSON line that the driver reads, last on standard output.

    Args:
        library: name of the measured library.
        packages: distributions whose versions belong to the number.
        parsed: the command line.
        watch: the stopwatch after the run.
        children_mb: peak memory of the processes that this one has started, summed.
    """
    steps = (watch.last - watch.first) * parsed.num_seeds
    seconds = watch.stopped - watch.started
    line = {
        "library": library,
        "env": parsed.env,
        "seeds": parsed.num_seeds,
        "steps": steps,
        "seconds": seconds,
        "steps_per_second": steps / seconds,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 + children_mb,
        "seconds_to_first_update": watch.updated - parsed.started,
        "versions": {"python": sys.version.split()[0]} | {name: importlib.metadata.version(name) for name in packages},
    }
    print(json.dumps(line), flush=True)


def step_callback(watch: Stopwatch) -> Callable[[dict, dict], bool]:
    """The stopwatch as a functional callback of Stable-Baselines3 and SBX, called after every environment step."""

    def callback(local_variables: dict, _: dict) -> bool:
        watch.observe(local_variables["self"].num_timesteps)
        return True

    return callback
