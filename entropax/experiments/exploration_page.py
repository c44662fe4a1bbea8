"""What the ways to explore show: is it the entropy bonus that helps, or would something else?"""

from collections.abc import Sequence

from entropax.experiments.budget import Budget
from entropax.experiments.cells import Cell
from entropax.experiments.comparison import by_task, chart, gaps, good_seeds, table
from entropax.experiments.exploration import BETA, MEMORYLESS, METHODS, REFERENCE, SIZE, WITHOUT
from entropax.experiments.findings import Findings, numbers_of
from entropax.experiments.problems import Problem
from entropax.exploration import PLAIN


def findings(budget: Budget, cells: Sequence[Cell]) -> Findings:
    """What the cells say, task by task."""
    tasks = by_task(cells)
    said = [words for problem, here in tasks.items() for words in _sentences(problem, here)]
    return Findings(
        name="exploration",
        title="Is it the entropy bonus that helps, or would other noise?",
        about=_about(budget, list(tasks)),
        sentences=tuple(said),
        tables=(table(list(tasks), cells),),
        charts=tuple(chart(problem, here) for problem, here in tasks.items()),
        numbers=tuple(numbers_of(cell) for cell in cells),
    )


def _sentences(problem: Problem, cells: Sequence[Cell]) -> list[str]:
    """Good seeds; every method beside SAC; and what noise or a bonus adds to white noise."""
    replaced = [cell for cell in cells if METHODS[cell.method].explores(1) != PLAIN]
    return [good_seeds(problem, cells), *gaps(problem, cells, REFERENCE), *gaps(problem, replaced, MEMORYLESS)]


def _about(budget: Budget, problems: Sequence[Problem]) -> tuple[str, ...]:
    sizes = (
        f"{budget.seeds} seeds a setting, hidden layers of {' and '.join(map(str, budget.hidden))} units, batches of "
        f"{budget.batch_size}, {budget.episodes} episodes an evaluation, {budget.rate:g} times the published learning "
        "rates."
    )
    steps = "; ".join(
        f"{problem.name} {problem.training(budget).steps:,} steps, of which {problem.training(budget).warmup:,} "
        f"random, learning rate {budget.rate * problem.learning_rate:g}"
        for problem in problems
    )
    return (
        sizes,
        f"{steps}. A seed's return is the mean of its last two deterministic evaluations, in the task's own rewards.",
        f"All are SAC. But for {REFERENCE}, alpha is {WITHOUT:g}: the entropy term is gone, from critics and actor. "
        '"alpha about 0" then draws actions from its policy; all others act by its mode and the noise named.',
        f"Every noise has a root mean square of {SIZE:g} over an episode, in units of [-1, 1]: white and pink noise by "
        "their deviation, OU by the strength that gives it over the task's episodes, from 0 at their start, parameter "
        "noise by adaptation.",
        f"Counts add {BETA:g} / sqrt(n) for the n-th arrival in a cell of SimHash, of 16 bits, to the stored rewards.",
    )
