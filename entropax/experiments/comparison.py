"""Methods on tasks beside one of them: sentences, table and charts for the pages of experiments."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np

from entropax.diagnostics.window import number
from entropax.experiments.cells import Cell
from entropax.experiments.charts import SYMLOG, Rule, line_chart, over_seeds
from entropax.experiments.findings import Table, gap_words, holm, middle_words, rank_chance
from entropax.experiments.problems import PROBLEMS, Problem
from entropax.report.charts import Chart


def by_task(cells: Sequence[Cell]) -> Mapping[Problem, list[Cell]]:
    """The cells of every task, in their order."""
    envs = dict.fromkeys(cell.env for cell in cells)
    return {PROBLEMS[env]: [cell for cell in cells if cell.env == env] for env in envs}


def good_seeds(problem: Problem, cells: Sequence[Cell]) -> str:
    """How many seeds of each method are good, and how many were at some time."""
    counts = ", ".join(f"{cell.method} {cell.solved_seeds()} of {cell.seeds}" for cell in cells)
    once = ", ".join(f"{cell.method} {cell.once_solved_seeds()}" for cell in cells if cell.once_solved_seeds())
    return (
        f"{problem.name}: good seeds (return from {number(problem.good)}): {counts}. "
        f"With at least one evaluation that good: {once or 'none'}."
    )


def gaps(problem: Problem, cells: Sequence[Cell], reference: str) -> list[str]:
    """Whether each method differs from the one of this name; nothing where that was not run.

    Their p values are adjusted for their number (`holm`).
    """
    found = []
    for beside in (cell for cell in cells if cell.method == reference):
        others = [cell for cell in cells if cell is not beside]
        chances = holm([rank_chance(cell.returns, beside.returns) for cell in others])
        for cell, chance in zip(others, chances, strict=True):
            gap = gap_words(cell.returns, beside.returns, chance)
            found.append(f"{problem.name}: the return of {cell.method} is {gap} than that of {reference}.")
    return found


def table(problems: Sequence[Problem], cells: Sequence[Cell]) -> Table:
    """Good seeds and returns of every method on every task, with the tasks' scales."""
    heads = ("method", *(problem.name for problem in problems))
    by_name = {(cell.env, cell.method): cell for cell in cells}
    methods = dict.fromkeys(cell.method for cell in cells)
    rows = [(method, *(_entry(by_name.get((problem.env, method))) for problem in problems)) for method in methods]
    for name, word in (("no action", "zero"), ("uniform", "uniform"), ("good from", "good"), ("best known", "best")):
        rows.append((name, *(number(vars(problem)[word]) for problem in problems)))
    note = "Seeds that are good, and the interquartile mean return over seeds with its 95 % bootstrap interval."
    return Table("Returns", heads, tuple(rows), note)


def _entry(cell: Cell | None) -> str:
    return "" if cell is None else f"{cell.solved_seeds()} of {cell.seeds}, {middle_words(cell.returns)}"


def chart(problem: Problem, cells: Sequence[Cell]) -> Chart:
    """Evaluations over steps, a line a method."""
    lines = [over_seeds(cell.method, cell.evaluation_steps.tolist(), np.asarray(cell.evaluations)) for cell in cells]
    return line_chart(
        problem.name.lower(),
        problem.name,
        "Deterministic evaluations: interquartile mean over seeds with its 95 % bootstrap interval.",
        lines,
        x=alt.X("x:Q", title="steps per seed", scale=alt.Scale(nice=False, zero=False)),
        y="episode return",
        scale=SYMLOG,
        level=(Rule("best known", problem.best), Rule("no action", problem.zero), Rule("uniform", problem.uniform)),
    )
