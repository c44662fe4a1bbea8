"""What the learning curves are made of, and the files they are kept in: standard library only."""

import argparse
import dataclasses
import importlib.metadata
import json
import shlex
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
EPISODES = 10
"""Deterministic episodes of each evaluation."""


@dataclasses.dataclass(frozen=True)
class Task:
    """The budget of one environment, the same for every library.

    Attributes:
        env: environment id.
        steps: environment steps per seed.
        evaluate_every: environment steps between two evaluations.
        seeds: number of seeds, from 0.
        libraries: which libraries can run it; `entropax-ppo` is Entropax with another algorithm than SAC.
    """

    env: str
    steps: int
    evaluate_every: int
    seeds: int
    libraries: tuple[str, ...]


TASKS = (
    Task("Pendulum-v1", 20_000, 2_000, 8, ("entropax", "sbx")),
    Task("entropax/Pendulum-v0", 20_000, 2_000, 8, ("entropax",)),
    Task("entropax/Pendulum-v0", 100_000, 10_000, 8, ("entropax-ppo", "entropax-ppo-clipped")),
    Task("entropax/Pendulum-v0", 1_000_000, 100_000, 8, ("entropax-a2c",)),
    Task("Hopper-v5", 100_000, 10_000, 4, ("entropax", "sbx")),
    Task("HalfCheetah-v5", 100_000, 10_000, 4, ("entropax", "sbx")),
)


def result_path(results: Path, library: str, env: str) -> Path:
    """Where a library's curves on an environment are kept."""
    return results / f"{library}--{env.replace('/', '-')}.json"


def finished(path: Path, task: Task) -> dict[str, Any]:
    """The finished seeds of a result file, by seed; none where there is no file.

    Raises:
        ValueError: the file was made with another budget.
    """
    if not path.exists():
        return {}
    content = json.loads(path.read_text())
    if (content["steps"], content["evaluate_every"]) != (task.steps, task.evaluate_every):
        raise ValueError(
            f"{path} holds runs of {content['steps']:,} steps, evaluated every {content['evaluate_every']:,};"
            f" asked for are {task.steps:,} and {task.evaluate_every:,}. Delete the file, or pass another --results."
        )
    return content["seeds"]


def write(path: Path, content: dict[str, Any]) -> None:
    """Writes a result file in one step, so that a killed run leaves the seeds it had finished."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=1) + "\n")
    partial.replace(path)


def versions(*names: str) -> dict[str, str]:
    """Versions of installed distributions, and of Python."""
    return {"python": sys.version.split()[0], **{name: importlib.metadata.version(name) for name in names}}


def header(library: str, task: Task, versions: dict[str, str]) -> dict[str, Any]:
    """What a result file says of itself."""
    return {
        "library": library,
        "env": task.env,
        "steps": task.steps,
        "evaluate_every": task.evaluate_every,
        "evaluation": f"mean return of {EPISODES} deterministic episodes",
        "command": shlex.join(["python", f"benchmarks/learning/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "versions": versions,
    }


def chosen(description: str | None, libraries: tuple[str, ...]) -> tuple[Task, str, Path]:
    """The task and library named on the command line, smaller where it gives numbers, and the results folder."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("env", choices=dict.fromkeys(t.env for t in TASKS if set(libraries) & set(t.libraries)))
    parser.add_argument("--library", choices=libraries, default=libraries[0], help="default: %(default)s")
    parser.add_argument("--steps", type=int, help="environment steps per seed; default: the task's")
    parser.add_argument("--evaluate-every", type=int, help="steps between two evaluations; default: the task's")
    parser.add_argument("--seeds", type=int, help="number of seeds; default: the task's")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the result files")
    parsed = vars(parser.parse_args())
    env, library, results = (parsed.pop(name) for name in ("env", "library", "results"))
    found = [task for task in TASKS if task.env == env and library in task.libraries]
    if not found:
        parser.error(f"{library} has no task on {env}; run.py --list names what there is.")
    given = {name: value for name, value in parsed.items() if value is not None}
    return dataclasses.replace(found[0], **given), library, results
