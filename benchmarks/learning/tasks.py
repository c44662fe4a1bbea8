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
    """The budget of one algorithm on one environment, the same for every library.

    Attributes:
        env: environment id.
        steps: environment steps per seed.
        evaluate_every: environment steps between two evaluations.
        seeds: number of seeds, from 0.
        libraries: which libraries can run it.
        algorithm: `sac`, or another one of Entropax.
    """

    env: str
    steps: int
    evaluate_every: int
    seeds: int
    libraries: tuple[str, ...]
    algorithm: str = "sac"

    @property
    def name(self) -> str:
        """Its environment, with the algorithm where it is not SAC."""
        return self.env if self.algorithm == "sac" else f"{self.algorithm}:{self.env}"


TASKS = (
    Task("Pendulum-v1", 20_000, 2_000, 8, ("entropax", "sbx")),
    Task("entropax/Pendulum-v0", 20_000, 2_000, 8, ("entropax",)),
    Task("Hopper-v5", 100_000, 10_000, 4, ("entropax", "sbx")),
    Task("HalfCheetah-v5", 100_000, 10_000, 4, ("entropax", "sbx")),
    Task("Pendulum-v1", 20_000, 2_000, 4, ("entropax",), "td3"),
    Task("entropax/Pendulum-v0", 20_000, 2_000, 4, ("entropax",), "td3"),
    Task("Pendulum-v1", 20_000, 2_000, 4, ("entropax",), "ddpg"),
    Task("entropax/Pendulum-v0", 20_000, 2_000, 4, ("entropax",), "ddpg"),
    *(
        Task("entropax/Pendulum-v0", 20_000, 2_000, 4, ("entropax",), name)
        for name in ("sac-lite", "sac-adaent", "decomposed-sac", "meta-sac", "max-info-sac", "soft-q")
    ),
    Task("entropax/Pendulum-v0", 100_000, 10_000, 8, ("entropax",), "ppo"),
    Task("entropax/Pendulum-v0", 100_000, 10_000, 8, ("entropax",), "ppo-clipped"),
    Task("entropax/Pendulum-v0", 1_000_000, 100_000, 8, ("entropax",), "a2c"),
    Task("entropax/Pendulum-v0", 1_000_000, 100_000, 8, ("entropax",), "a2c-bare"),
    *(
        Task("entropax/CartPole-v0", 50_000, 5_000, 4, ("entropax",), name)
        for name in ("discrete-sac", "discrete-sac-0.89", "dqn", "dqn-huber", "dqn-double-dueling")
    ),
    *(Task("entropax/CartPole-v0", 50_000, 5_000, 4, ("entropax",), f"dqn-{rule}") for rule in ("boltzmann", "noisy")),
    Task("Acrobot-v1", 100_000, 10_000, 4, ("entropax",), "dqn-zoo"),
)


def result_path(results: Path, library: str, task: Task) -> Path:
    """Where a library's curves of a task are kept."""
    return results / f"{library}--{task.name.replace('/', '-').replace(':', '--')}.json"


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
        "algorithm": task.algorithm,
        "steps": task.steps,
        "evaluate_every": task.evaluate_every,
        "evaluation": f"mean return of {EPISODES} deterministic episodes",
        "command": shlex.join(["python", f"benchmarks/learning/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "versions": versions,
    }


def chosen(description: str | None) -> tuple[Task, Path]:
    """The task named on the command line, with smaller numbers where it gives them, and the results folder."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("task", choices=[task.name for task in TASKS])
    parser.add_argument("--steps", type=int, help="environment steps per seed; default: the task's")
    parser.add_argument("--evaluate-every", type=int, help="steps between two evaluations; default: the task's")
    parser.add_argument("--seeds", type=int, help="number of seeds; default: the task's")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the result files")
    parsed = vars(parser.parse_args())
    name, results = parsed.pop("task"), parsed.pop("results")
    task = next(task for task in TASKS if task.name == name)
    return dataclasses.replace(task, **{name: value for name, value in parsed.items() if value is not None}), results
