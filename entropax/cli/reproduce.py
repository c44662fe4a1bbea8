"""`entropax reproduce`: the experiments, from training to page."""

import dataclasses
import sys
import time
from pathlib import Path


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
    command = " ".join(["entropax", *sys.argv[1:]])
    dense = [task.env for task in experiment.TASKS if task.dense]
    print(write_results(cells, flags.root / "collapse.json", command=command))
    print(write_page(cells, dense, flags.root / "collapse.html", command=command))
    print(f"{len(cells)} cells in {time.perf_counter() - started:.0f} s")
