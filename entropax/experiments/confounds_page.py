"""What the grid of confounds shows: is it entropy that fails SAC on vehicle and quadrotor?"""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np

from entropax.diagnostics.window import number
from entropax.experiments.budget import Budget
from entropax.experiments.charts import DASHED, SOLID, SYMLOG, Rule, line_chart, over_seeds
from entropax.experiments.conclusion import difference
from entropax.experiments.confounds import ALPHAS, FACTORS, OBSERVED, PUBLISHED, STATISTICS_EPISODES, Grid, Setting
from entropax.experiments.findings import Findings, Table, gap_words, middle_words, numbers_of, undone_words
from entropax.experiments.problems import PROBLEMS, Problem
from entropax.experiments.sweeps import Swept
from entropax.report.charts import Chart


def findings(budget: Budget, grids: Mapping[str, Grid]) -> Findings:
    """What the grids say, by task."""
    sentences = [sentence for env, grid in grids.items() for sentence in _sentences(PROBLEMS[env], grid)]
    charts = [chart for env, grid in grids.items() for chart in _charts(PROBLEMS[env], grid)]
    return Findings(
        name="confounds",
        title="Is it entropy that fails SAC on vehicle and quadrotor?",
        about=_about(budget, grids),
        sentences=tuple(sentences),
        tables=tuple(_table(PROBLEMS[env], grid) for env, grid in grids.items()),
        charts=tuple(charts),
        numbers=tuple(
            numbers_of(one.cell, **setting._asdict(), drawn=one.drawn, skipped=one.skipped)
            for grid in grids.values()
            for setting, one in grid.items()
        ),
    )


def _about(budget: Budget, grids: Mapping[str, Grid]) -> tuple[str, ...]:
    steps = "; ".join(
        f"{PROBLEMS[env].name}: {PROBLEMS[env].training(budget).steps:,} steps, of which "
        f"{PROBLEMS[env].training(budget).warmup:,} random, good from {number(PROBLEMS[env].good)}, no action "
        f"{number(PROBLEMS[env].zero)}, best known {number(PROBLEMS[env].best)}"
        for env in grids
    )
    return (
        budget.words(),
        f"{steps}. A seed's return is the mean of its last two evaluations, always in the task's own rewards.",
        "Published are an alpha of 0.2, rewards and observations as they are, deterministic evaluation, 2,000,000 "
        "steps after 10,000 random ones, networks of 256 and 256, batches of 256; what is called as published above "
        "has the first three. Alpha about 0 is 1e-6.",
        "Observations are normalised by the mean and standard deviation of each entry over "
        f"{STATISTICS_EPISODES} episodes of uniformly random actions, fixed before training.",
    )


def _good(one: Swept) -> str:
    return f"{one.cell.solved_seeds()} of {one.cell.seeds}"


def _sentences(problem: Problem, grid: Grid) -> list[str]:
    """The verdict of a task, then what each factor does."""
    name, published = problem.name, grid[PUBLISHED]
    without = grid[PUBLISHED._replace(alpha="about 0")]
    best = max(grid, key=lambda setting: grid[setting].cell.middle()[0])
    as_published, drawn = middle_words(published.cell.returns), _drawn(published)
    return [
        f"{name}: {verdict(grid)}",
        f"{name}: with alpha about 0 the return {middle_words(without.cell.returns)} is "
        f"{gap_words(without.cell.returns, published.cell.returns)} than with 0.2, {as_published}.",
        f"{name}: the best setting is {best.words()}: {middle_words(grid[best].cell.returns)}, {_good(grid[best])} "
        f"seeds good.",
        *(f"{name}: {sentence}" for sentence in _factor_words(grid)),
        f"{name}: as published, deterministic actions return {as_published} and drawn ones {middle_words(drawn)}: "
        f"{gap_words(drawn, published.cell.returns)}.",
        *(f"{name}: {words}" for words in undone_words(one.skipped for one in grid.values())),
    ]


def verdict(grid: Grid) -> str:
    """Whether entropy is what fails SAC: with alpha about 0, all else as published, are there more good seeds?

    A setting is good if at least half of its seeds are. That entropy is the cause is said only where the interval of
    the difference of the good shares excludes 0; that it is not, only of runs as long as these.
    """
    published, without = grid[PUBLISHED], grid[PUBLISHED._replace(alpha="about 0")]
    problem, steps = PROBLEMS[published.cell.env], published.cell.steps
    within = f"within {steps:,} steps" + (f" (published: {problem.steps:,})" if steps < problem.steps else "")
    good = [setting for setting, one in grid.items() if 2 * one.cell.solved_seeds() >= one.cell.seeds]
    counts = f"with alpha {PUBLISHED.alpha} {_good(published)} seeds are good, with alpha about 0 {_good(without)}"
    if PUBLISHED in good:
        return f"SAC does not fail {within}, so there is nothing to explain: {counts}."
    if PUBLISHED._replace(alpha="about 0") in good:
        clear = difference(without.cell, published.cell).low > 0
        cause = (
            "entropy is what fails SAC"
            if clear
            else "entropy may be what fails SAC, but the seeds are too few to tell,"
        )
        return f"{cause} {within}: {counts}, all else equal."
    others = "; ".join(setting.words() for setting in good)
    found = (
        f"At least half of the seeds are good with: {others}."
        if good
        else "No setting of the grid is good, so as many steps are not shown to be enough for anybody, and of what "
        "entropy does in longer runs this says nothing."
    )
    return f"SAC with alpha near 0 fails as well {within}, so in as many entropy is not the cause: {counts}. {found}"


def _drawn(one: Swept) -> np.ndarray:
    return one.drawn[-2:].mean(axis=0)


def _factor_words(grid: Grid) -> list[str]:
    """For each factor, the seeds that are good and the median return at each of its levels, over all other factors."""
    found = []
    for index, factor in enumerate(("alpha", "reward times", "observations")):
        parts = []
        for level in dict.fromkeys(setting[index] for setting in grid):
            cells = [one.cell for setting, one in grid.items() if setting[index] == level]
            returns = np.concatenate([cell.returns for cell in cells])
            shown = level if isinstance(level, str) else f"{level:g}"
            good = sum(cell.solved_seeds() for cell in cells)
            parts.append(f"{shown}: {good} of {len(returns)} good, median {number(float(np.median(returns)))}")
        found.append(f"by {factor}: {'; '.join(parts)}.")
    return found


def _table(problem: Problem, grid: Grid) -> Table:
    heads = ("reward, observations", *(f"alpha {alpha}" for alpha in ALPHAS))
    rows = tuple(
        (f"times {factor:g}, {observed}", *(_entry(grid[Setting(alpha, factor, observed)]) for alpha in ALPHAS))
        for factor in FACTORS
        for observed in OBSERVED
    )
    note = (
        f"Seeds that are good (from {number(problem.good)}); deterministic return; after the semicolon that of drawn "
        "actions. Interquartile means over seeds with 95 % bootstrap intervals."
    )
    return Table(problem.name, heads, rows, note)


def _entry(one: Swept) -> str:
    return f"{_good(one)}, {middle_words(one.cell.returns)}; {middle_words(_drawn(one))}"


def _charts(problem: Problem, grid: Grid) -> list[Chart]:
    """One a way of evaluating: a line a scale of the reward and way of observing."""
    ways = {
        "deterministic": {setting: one.cell.returns for setting, one in grid.items()},
        "drawn": {setting: _drawn(one) for setting, one in grid.items()},
    }
    return [_chart(problem, way, returns) for way, returns in ways.items()]


def _chart(problem: Problem, way: str, returns: Mapping[Setting, np.ndarray]) -> Chart:
    lines = []
    for factor in FACTORS:
        for observed in OBSERVED:
            dash = SOLID if observed == PUBLISHED.observed else DASHED
            values = np.stack([returns[Setting(alpha, factor, observed)] for alpha in ALPHAS])
            lines.append(over_seeds(f"reward times {factor:g}, {observed}", list(ALPHAS), values, dash))
    return line_chart(
        f"{problem.name.lower()}-{way}",
        f"{problem.name}: returns of {way} actions by alpha",
        "Interquartile mean over seeds with its 95 % bootstrap interval.",
        lines,
        x=alt.X("x:O", title="alpha", sort=list(ALPHAS), axis=alt.Axis(labelAngle=0)),
        y="episode return",
        scale=SYMLOG,
        level=_scale(problem),
    )


def _scale(problem: Problem) -> Sequence[Rule]:
    return (Rule("good", problem.good), Rule("no action", problem.zero))
