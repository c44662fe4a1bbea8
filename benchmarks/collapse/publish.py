"""Turns the kept runs of `entropax reproduce collapse` into the committed results.

python benchmarks/collapse/publish.py runs/collapse    writes docs/results/collapse.json and .svg; prints the table
                                                       and the sentences for docs/results/collapse.md
"""

import argparse
import json
from pathlib import Path
from typing import Any

import altair as alt

from entropax.diagnostics.statistics import interquartile_mean
from entropax.envs.registry import TASKS as REGISTRY
from entropax.experiments.cells import Cell, finished, measured
from entropax.experiments.collapse import TASKS, algorithms
from entropax.experiments.collapse_page import write_results
from entropax.experiments.conclusion import heuristics, pace, ranks, winners
from entropax.loops.run import load
from entropax.runs import to_config

RESULTS = Path(__file__).parents[2] / "docs" / "results"


def kept(root: Path) -> list[Cell]:
    """The cells under a root whose runs are whole and have the benchmark's settings, in its order."""
    order = {task.env: task for task in TASKS}
    contenders = {name: to_config(algorithm) for name, algorithm in algorithms().items()}
    found = []
    for path in sorted(root.glob("**/run.json")):
        run = load(path.parent)
        env = str(run.manifest.environment["id"])
        laws = [name for name, config in contenders.items() if config == run.manifest.algorithm]
        if finished(run) and laws and env in order and run.training.steps == order[env].steps:
            found.append(measured(run, env, laws[0], REGISTRY[env].solved))
    envs, names = list(order), list(contenders)
    return sorted(found, key=lambda cell: (envs.index(cell.env), names.index(cell.method)))


def curves(cells: list[Cell]) -> list[dict[str, Any]]:
    """Interquartile means over seeds, a row a point: return by evaluation, entropy by logged row."""
    found = []
    for cell in cells:
        task = cell.env.removeprefix("entropax/")
        for what, steps, values in (
            ("return", cell.evaluation_steps, interquartile_mean(cell.evaluations)),
            ("entropy, nats per dimension", cell.rows, interquartile_mean(cell.entropy)),
        ):
            points = zip(steps, values, strict=True)
            found += [{"task": task, "law": cell.method, "what": what, "step": s, "value": v} for s, v in points]
    return found


def chart(cells: list[Cell]) -> alt.ConcatChart:
    """A row of two panels a task: returns of the mode, and entropy."""
    data = curves(cells)
    laws = list(dict.fromkeys(row["law"] for row in data))
    colour = alt.Color("law:N", title=None, scale=alt.Scale(domain=laws, scheme="tableau10"))
    panels = []
    for task, what in dict.fromkeys((row["task"], row["what"]) for row in data):
        rows = [row for row in data if (row["task"], row["what"]) == (task, what)]
        x, y = alt.X("step:Q", title="steps per seed"), alt.Y("value:Q", title=what)
        panel = alt.Chart(alt.Data(values=rows)).mark_line(strokeWidth=1.5).encode(x=x, y=y, color=colour)
        panels.append(panel.properties(title=task, width=340, height=180))
    return alt.concat(*panels, columns=2, title="Temperature laws: interquartile means over seeds")


def table(cells: list[Cell]) -> str:
    """Markdown: a row a law, a column a task."""
    envs, laws = (list(dict.fromkeys(vars(cell)[name] for cell in cells)) for name in ("env", "method"))
    by_name = {(cell.env, cell.method): cell for cell in cells}
    lines = [f"| law | {' | '.join(env.removeprefix('entropax/') for env in envs)} |", "| --- " * (len(envs) + 1) + "|"]
    lines += [f"| {law} | {' | '.join(entry(by_name.get((env, law))) for env in envs)} |" for law in laws]
    return "\n".join(lines)


def entry(cell: Cell | None) -> str:
    """Seeds solved, when half of them first were, and the interquartile mean return with its interval."""
    if cell is None:
        return ""
    solved, after, returns = cell.words()
    return f"**{solved}**{after}; {returns}"


def main() -> None:
    """Writes and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="folder of the kept runs")
    root = parser.parse_args().root
    cells = kept(root)
    if not cells:
        raise SystemExit(f"No finished runs of the benchmark in {root}. Run `entropax reproduce collapse` first.")
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_results(cells, RESULTS / "collapse.json", command="entropax reproduce collapse")
    chart(cells).save(RESULTS / "collapse.svg")
    print(table(cells))
    dense = [task.env for task in TASKS if task.dense]
    sentences = (*winners(cells, dense), *heuristics(cells), *ranks(cells), *pace(cells))
    print("\n".join(f"* {sentence}" for sentence in sentences))
    print(json.dumps({"cells": len(cells), "seeds": sum(cell.seeds for cell in cells)}))


if __name__ == "__main__":
    main()
