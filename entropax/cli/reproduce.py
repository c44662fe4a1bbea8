"""`entropax reproduce`: the experiments, from training to page."""

import dataclasses
import shlex
import sys
import time
from pathlib import Path
from typing import Literal

from entropax.errors import EntropaxError


@dataclasses.dataclass
class ReproduceCollapse:
    """Compare temperature laws on tasks where SAC collapses, and on dense ones; writes a page and JSON.

    Stopped, it goes on where it was when it is called again.
    """

    short: bool = False
    """Three tasks, four laws, four seeds, two fifths of the steps: some ten minutes on two cores."""
    tasks: tuple[str, ...] = ()
    """Environment ids to run; all, or those of --short, where none is given."""
    laws: tuple[str, ...] = ()
    """Names of laws to run; all, or those of --short, where none is given."""
    seeds: int | None = None
    """Seeds of every task and law."""
    root: Path = Path("runs/collapse")
    """Folder of the runs, of collapse.html and of collapse.json."""


def collapse(flags: ReproduceCollapse) -> None:
    """Trains, measures and writes."""
    from entropax.experiments import collapse as experiment
    from entropax.experiments.collapse_page import write_page, write_results

    scale = experiment.SHORT if flags.short else experiment.Scale()
    given = {name: value for name in ("tasks", "laws", "seeds") if (value := vars(flags)[name]) not in ((), None)}
    scale = dataclasses.replace(scale, **given)
    started = time.perf_counter()
    cells = experiment.collapse(scale, flags.root)
    command = shlex.join(["entropax", *sys.argv[1:]])
    dense = [task.env for task in experiment.TASKS if task.dense]
    print(write_results(cells, flags.root / "collapse.json", command=command))
    print(write_page(cells, dense, flags.root / "collapse.html", command=command))
    print(f"{len(cells)} cells in {time.perf_counter() - started:.0f} s")


@dataclasses.dataclass
class Reproduce:
    """Run an experiment of docs/experiments.md from training to its page, figures and JSON.

    Stopped, it goes on where it was when it is called again.
    """

    budget: Literal["small", "full"] = "small"
    """Small takes minutes on two cores and shows the way; full is the published size, with five seeds or more."""
    seeds: int | None = None
    """Seeds of every setting, in place of the budget's."""
    steps: int | None = None
    """Environment steps per seed after the warm-up, of tokens optimiser steps, in place of the budget's; at least 100,
    in hundreds."""
    root: Path = Path("runs")
    """Folder in which the experiment's folder, NAME-BUDGET, is made."""


@dataclasses.dataclass
class ReproduceExploration(Reproduce):
    """Compare the ways to explore on tasks of ours: does the entropy bonus help there, or would something else?

    Stopped, it goes on where it was when it is called again.
    """

    envs: tuple[str, ...] = ()
    """Environment ids to run, of tasks in JAX; those of the budget where none is given."""
    methods: tuple[str, ...] = ()
    """Methods to run, by their names in docs/results/exploration.md, or "all"; the budget's where none is given."""


def reproduce(name: str, flags: Reproduce) -> None:
    """Trains what is not there yet, and writes the pages."""
    from entropax.experiments.reproduce import EXPERIMENTS
    from entropax.experiments.reproduce import reproduce as run

    fields = [field.name for field in dataclasses.fields(flags) if field.name not in ("budget", "root")]
    given = {field: value for field in fields if (value := vars(flags)[field]) not in ((), None)}
    named = given | ({"methods": ()} if given.get("methods") == ("all",) else {})
    budget = dataclasses.replace(EXPERIMENTS[name].budgets[flags.budget], **named)
    if budget.seeds < 1 or budget.steps < 100 or budget.steps % 100:
        raise EntropaxError(
            f"--seeds is {budget.seeds} and --steps {budget.steps}: take 1 seed or more, and whole hundreds of steps."
        )
    started = time.perf_counter()
    values = {field: value if isinstance(value, tuple) else (str(value),) for field, value in given.items()}
    changed = [word for field, words in values.items() for word in (f"--{field}", *words)]
    command = shlex.join(["entropax", "reproduce", name, "--budget", flags.budget, *changed])
    for path in run(name, budget, flags.root / f"{name}-{flags.budget}", command=command):
        print(path)
    print(f"{time.perf_counter() - started:.0f} s")
