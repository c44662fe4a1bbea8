"""Environment steps per second, start-up time and peak memory: Entropax, Stable-Baselines3 and SBX.

    python benchmarks/speed.py                      all cases, five alternating rounds
    python benchmarks/speed.py --case strict --quick

Every measurement is a process of its own; the libraries take turns, so that a slow minute of the machine hits all.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cases import NAMES, THROUGHPUT, Case, Contender
from machine import HERE, describe, interpreter

RESULTS = HERE / "results" / "speed.json"

FIRST_METRICS = " nats  alpha "
"""Words in each row of metrics that `entropax train` prints."""
LIMIT = 1200
"""Seconds after which a measurement is given up."""


def measure(contender: Contender, seed: int) -> dict[str, Any]:
    """Runs a contender's processes side by side and sums up what they print.

    Raises:
        RuntimeError: a process failed; the message ends with what it wrote on standard error.
    """
    script = HERE / "peers" / f"{contender.library}_sac.py"
    running = []
    with tempfile.TemporaryDirectory() as folder:
        for index, cores in enumerate(contender.pinned):
            command = [str(interpreter(contender.library)), str(script), *contender.arguments]
            command += ["--seed", str(seed + index), "--started", str(time.time())]
            command += ["--cores", *map(str, cores)] if cores else []
            pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            # An empty cache: what an earlier run compiled would save this one memory that the peers must spend.
            variables = environment() | {"XDG_CACHE_HOME": folder}
            running.append(subprocess.Popen(command, cwd=folder, env=variables, **pipes))
        try:
            finished = [(process, *process.communicate(timeout=LIMIT)) for process in running]
        except subprocess.TimeoutExpired:
            for process in running:
                process.kill()
            raise RuntimeError(
                f"{contender.name} took more than {LIMIT} s. Measure on an idle machine: threads that wait for busy "
                "cores can slow a library down a hundredfold."
            ) from None
    for process, _, errors in finished:
        if process.returncode != 0:
            raise RuntimeError(f"{contender.name} ended with {process.returncode}:\n{errors[-3000:]}")
    lines = [json.loads(output.strip().splitlines()[-1]) for _, output, _ in finished]
    return {
        # Pinned processes do not share cores, so each keeps its pace when the other ends, and their rates add up.
        "steps_per_second": sum(line["steps_per_second"] for line in lines),
        "peak_rss_mb": sum(line["peak_rss_mb"] for line in lines),
        "seconds_to_first_update": max(line["seconds_to_first_update"] for line in lines),
        "versions": lines[0]["versions"],
    }


def environment() -> dict[str, str]:
    """This process's variables, without what would change how a library uses the machine."""
    unwanted = ("JAX_", "XLA_", "OMP_", "MKL_", "OPENBLAS_", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return kept | {"JAX_PLATFORMS": "cpu"}


def alternate(case: Case, rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Runs all contenders of a case in turn, `rounds` times."""
    found: dict[str, list[dict[str, Any]]] = {contender.name: [] for contender in case.contenders}
    for index in range(rounds):
        for contender in case.contenders:
            figures = measure(contender, seed=100 * index)
            found[contender.name].append(figures)
            print(
                f"  round {index + 1}/{rounds}  {contender.name:42s} {figures['steps_per_second']:9,.0f} steps/s"
                f"  {figures['peak_rss_mb']:6,.0f} MB",
                flush=True,
            )
    return found


def first_metrics(rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Seconds from the start of `entropax train` to its first line of metrics, without and with compiled code on disk.

    The peers' figure beside it is the seconds to the first update alone, since their first table waits for four
    episodes. Entropax's includes 1,000 random steps and 100 updates.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for index in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            for name in ("Entropax, nothing compiled", "Entropax, compiled before"):
                figures = {"seconds": _until_metrics(Path(cache))}
                found.setdefault(name, []).append(figures)
                print(f"  round {index + 1}/{rounds}  {name:42s} {figures['seconds']:6.1f} s", flush=True)
        for name, library in (("Stable-Baselines3, first update", "sb3"), ("SBX, first update", "sbx")):
            short = Contender(name, library, ("--warmup-steps", "200", "--steps", "50"))
            figures = {"seconds": measure(short, seed=index)["seconds_to_first_update"]}
            found.setdefault(name, []).append(figures)
            print(f"  round {index + 1}/{rounds}  {name:42s} {figures['seconds']:6.1f} s", flush=True)
    return found


def _until_metrics(cache: Path) -> float:
    """Starts a run as a user does, waits for the first row of metrics it prints, and ends it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(interpreter("entropax")), "-m", "entropax", "train", "sac", "--env", "HalfCheetah-v5"]
        variables = environment() | {"XDG_CACHE_HOME": str(cache), "PYTHONUNBUFFERED": "1"}
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if FIRST_METRICS in line:
                break
        seconds = time.perf_counter() - started
        process.kill()
        process.communicate()
        if not said or FIRST_METRICS not in said[-1]:
            raise RuntimeError("entropax train ended before its first metrics:\n" + "".join(said)[-3000:])
        return seconds


def table(
    found: Mapping[str, Sequence[Mapping[str, Any]]], figure: str, unit: str, references: Sequence[str]
) -> list[str]:
    """Lines of a Markdown table: medians with their range over rounds; ratios are taken within each round."""
    lines = [
        f"| | {unit} | " + " | ".join(f"divided by {name}" for name in references) + " |",
        "| --- " * (2 + len(references)) + "|",
    ]
    for name, rounds in found.items():
        values = [figures[figure] for figures in rounds]
        cells = [name, _spread(values)]
        for reference in references:
            ratios = [value / other[figure] for value, other in zip(values, found[reference], strict=True)]
            cells.append(_spread(ratios) if name != reference else "1")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _spread(values: Sequence[float]) -> str:
    """Median, minimum and maximum, to three digits or whole numbers."""
    texts = [f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in (min(values), max(values))]
    middle = statistics.median(values)
    return f"{middle:,.0f} ({' to '.join(texts)})" if middle >= 100 else f"{middle:.3g} ({' to '.join(texts)})"


def run(name: str, rounds: int) -> tuple[str, dict[str, list[dict[str, Any]]], list[str]]:
    """Measures one case; returns its title, all rounds, and the lines of its table."""
    if name == "startup":
        found = first_metrics(rounds)
        title = "HalfCheetah-v5: from the start of the process to the first metrics on screen"
        return title, found, table(found, "seconds", "seconds", ("SBX, first update",))
    case = next(case for case in THROUGHPUT if case.name == name)
    found = alternate(case, rounds)
    speed = table(found, "steps_per_second", "steps/s", case.references)
    return case.title, found, [*speed, "", *table(found, "peak_rss_mb", "MB at the peak", case.references)]


def main() -> None:
    """Measures the chosen cases; each is written to `benchmarks/results/speed.json` as soon as it is done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=NAMES, nargs="+", default=NAMES, help="what to measure; default all")
    parser.add_argument("--rounds", type=int, default=5, help="alternating rounds; ratios are taken within a round")
    parser.add_argument("--quick", action="store_true", help="one round: a trial, not a result; nothing is written")
    parsed = parser.parse_args()
    rounds = 1 if parsed.quick else parsed.rounds
    for library in ("sb3", "sbx"):
        interpreter(library)
    for name in parsed.case:
        machine = describe()
        print(f"{name} (load {machine['load_average'][0]})", flush=True)
        title, found, lines = run(name, rounds)
        print("\n".join(["", f"### {title}", *lines, ""]), flush=True)
        if not parsed.quick:
            _store(name, {"title": title, "command": sys.argv, "machine": machine, "rounds": found, "table": lines})


def _store(name: str, result: Mapping[str, Any]) -> None:
    """Puts one case into the result file, beside the cases measured before."""
    everything = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.parent.mkdir(exist_ok=True)
    partial = RESULTS.with_suffix(".partial")
    partial.write_text(json.dumps(everything | {name: result}, indent=1, ensure_ascii=False) + "\n")
    partial.replace(RESULTS)


if __name__ == "__main__":
    main()
