"""What the control tasks show: which methods learn them?"""

from collections.abc import Sequence

from entropax.experiments.budget import Budget
from entropax.experiments.comparison import by_task, chart, gaps, good_seeds, table
from entropax.experiments.control import COPIES, REFERENCE, Learned
from entropax.experiments.findings import Findings, numbers_of
from entropax.experiments.problems import Problem


def findings(budget: Budget, learned: Sequence[Learned]) -> Findings:
    """What the cells say, task by task."""
    cells = [one.cell for one in learned]
    tasks = by_task(cells)
    said = [[good_seeds(problem, here), *gaps(problem, here, REFERENCE)] for problem, here in tasks.items()]
    return Findings(
        name="control",
        title="Which methods learn the published control tasks?",
        about=_about(budget, list(tasks)),
        sentences=(*(words for task in said for words in task), *_nonfinite(learned)),
        tables=(table(list(tasks), cells),),
        charts=tuple(chart(problem, here) for problem, here in tasks.items()),
        numbers=tuple(numbers_of(cell) for cell in cells),
    )


def _nonfinite(learned: Sequence[Learned]) -> list[str]:
    """Where something was not finite."""
    return [
        f"{one.cell.env.removeprefix('entropax/')}: in {one.nonfinite} of {len(one.cell.rows)} rows of "
        f"{one.cell.method} something was not finite; such steps and updates were undone."
        for one in learned
        if one.nonfinite
    ]


def _about(budget: Budget, problems: Sequence[Problem]) -> tuple[str, ...]:
    steps = "; ".join(
        f"{problem.name} {problem.training(budget).steps:,} steps, of which {problem.training(budget).warmup:,} "
        f"random, learning rate {budget.rate * problem.learning_rate:g}, SAC-AdaEnt's threshold {problem.threshold:g}"
        for problem in problems
    )
    return (
        budget.words(),
        f"{steps}.",
        "A seed's return is the mean of its last two deterministic evaluations; the p values of a task's comparisons "
        f"with {REFERENCE} are adjusted for their number by Holm's method. Published are up to 2,000,000 steps "
        "(1,000,000 for Acrobot, 50,000 for Obstacle2D), networks of 256 and 256 and batches of 256; where the authors "
        "evaluate PPO by drawn actions, everything here is deterministic.",
        f"PPO learns from rollouts of {budget.rollout} steps of {COPIES} copies of the environment (published: 128 of "
        "16, of 1 on Vehicle and of 64 on Hopper) and, like all methods here, acts in [-1, 1] (published: in the "
        "environment's units). Its log sigma begins at -0.5 (published: -1 on Vehicle and Quadrotor), its advantages "
        "are estimated once a rollout (published: anew before each pass, but on Obstacle2D), and its critic's error "
        "weighs 0.25 (published: 0.5 on Obstacle2D). Its steps are counted over all copies; it has no warm-up.",
    )
