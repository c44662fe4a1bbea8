"""What the control tasks show: which methods learn them?"""

from collections.abc import Sequence

import altair as alt
import numpy as np

from entropax.diagnostics.window import number
from entropax.experiments.budget import Budget
from entropax.experiments.cells import Cell
from entropax.experiments.charts import SYMLOG, Rule, line_chart, over_seeds
from entropax.experiments.control import COPIES, REFERENCE
from entropax.experiments.findings import Findings, Table, gap_words, middle_words, numbers_of
from entropax.experiments.problems import PROBLEMS, Problem
from entropax.report.charts import Chart


def findings(budget: Budget, cells: Sequence[Cell]) -> Findings:
    """What the cells say, task by task."""
    problems = [PROBLEMS[env] for env in dict.fromkeys(cell.env for cell in cells)]
    by_task = {problem.env: [cell for cell in cells if cell.env == problem.env] for problem in problems}
    return Findings(
        name="control",
        title="Which methods learn the published control tasks?",
        about=_about(budget, problems),
        sentences=tuple(words for problem in problems for words in _sentences(problem, by_task[problem.env])),
        tables=(_table(problems, cells),),
        charts=tuple(_chart(problem, by_task[problem.env]) for problem in problems),
        numbers=tuple(numbers_of(cell) for cell in cells),
    )


def _about(budget: Budget, problems: Sequence[Problem]) -> tuple[str, ...]:
    steps = "; ".join(
        f"{problem.name} {problem.training(budget).steps:,} steps, of which {problem.training(budget).warmup:,} "
        f"random, learning rate {budget.rate * problem.learning_rate:g}, SAC-AdaEnt's threshold {problem.threshold:g}"
        for problem in problems
    )
    return (
        budget.words(),
        f"{steps}.",
        "A seed's return is the mean of its last two deterministic evaluations. Published are up to 2,000,000 steps "
        "(1,000,000 for Acrobot, 50,000 for Obstacle2D), networks of 256 and 256 and batches of 256; where the authors "
        "evaluate PPO by drawn actions, everything here is deterministic.",
        f"PPO learns from rollouts of {budget.rollout} steps of {COPIES} copies of the environment (published: 128 of "
        "16, of 1 on Vehicle and of 64 on Hopper) and, like all methods here, acts in [-1, 1] (published: in the "
        "environment's units). Its steps are counted over all copies; it has no warm-up.",
    )


def _sentences(problem: Problem, cells: Sequence[Cell]) -> list[str]:
    """How many seeds of each method are good, and which differ from the reference."""
    counts = ", ".join(f"{cell.method} {cell.solved_seeds()} of {cell.seeds}" for cell in cells)
    reference = next((cell for cell in cells if cell.method == REFERENCE), None)
    found = [f"{problem.name}: good seeds (return from {number(problem.good)}): {counts}."]
    for cell in cells if reference is not None else ():
        if cell is not reference:
            assert reference is not None
            gap = gap_words(cell.returns, reference.returns)
            found.append(f"{problem.name}: the return of {cell.method} is {gap} than that of {REFERENCE}.")
    return found


def _table(problems: Sequence[Problem], cells: Sequence[Cell]) -> Table:
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


def _chart(problem: Problem, cells: Sequence[Cell]) -> Chart:
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
