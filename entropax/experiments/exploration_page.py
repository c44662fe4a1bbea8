"""What the ways to explore show: is it the entropy bonus that helps, or would something else?"""

from collections.abc import Sequence

import altair as alt
import numpy as np
from scipy.stats import fisher_exact

from entropax.algorithms.a2c import A2C
from entropax.diagnostics.window import number
from entropax.experiments.alternatives import ALPHA, BETA, BONUS, COPIES, NONE, SIZE, WITHOUT
from entropax.experiments.budget import Budget
from entropax.experiments.cells import Cell
from entropax.experiments.charts import shares
from entropax.experiments.exploration import EVALUATIONS, Explored, methods, solved, steps_of
from entropax.experiments.findings import Findings, Table, gap_words, holm, middle_words, numbers_of, rank_chance
from entropax.report.charts import Chart
from entropax.report.data import plain


def findings(budget: Budget, results: Sequence[Explored]) -> Findings:
    """What the results say, task by task."""
    tasks = {env: [found for found in results if found.cell.env == env] for env in budget.envs}
    return Findings(
        name="exploration",
        title="Is it the entropy bonus that helps, or would something else?",
        about=_about(budget),
        sentences=tuple(words for env, here in tasks.items() for words in _sentences(env, here)),
        tables=tuple(_table(env, here) for env, here in tasks.items()),
        charts=tuple(_chart(env, here) for env, here in tasks.items()),
        numbers=tuple(numbers_of(found.cell, microseconds=plain(found.pace)) for found in results),
    )


def _sentences(env: str, results: Sequence[Explored]) -> list[str]:
    """Does the bonus help, and what else does?"""
    name, without = _name(env), _without_entropy(env, results)
    reference, *others = [found.cell for found in results]
    said = [] if without is None else [_bonus(name, reference, without.cell)]
    chances = holm([rank_chance(cell.returns, reference.returns) for cell in others])
    groups: dict[str, list[str]] = {"clearly higher": [], "clearly lower": [], "not clearly different": []}
    for cell, chance in zip(others, chances, strict=True):
        groups[_word(cell, reference, chance)].append(cell.method)
    words = "; ".join(f"{word}: {', '.join(here)}" for word, here in groups.items() if here)
    if others:
        said.append(f"{name}: returns beside those of {reference.method} are {words}.")
    most = max(found.cell.solved_seeds() for found in results)
    best = ", ".join(found.cell.method for found in results if found.cell.solved_seeds() == most)
    ends = f"most seeds, {most} of {reference.seeds}, are solved by {best}" if most else "no method solves a seed"
    return [*said, f"{name}: {ends}."]


def _without_entropy(env: str, results: Sequence[Explored]) -> Explored | None:
    """The first method's own learner without its entropy; None where one of the two was not run."""
    known = methods(env)
    bare = next((method for method in known if known[method].family == NONE), None)
    comparable = results[0].cell.method == next(iter(known))
    return next((found for found in results if comparable and found.cell.method == bare), None)


def _bonus(name: str, reference: Cell, without: Cell) -> str:
    """What becomes of the reference without its entropy."""
    counts = [[cell.solved_seeds(), cell.seeds - cell.solved_seeds()] for cell in (reference, without)]
    _, chance = np.asarray(fisher_exact(counts))
    return (
        f"{name}: {reference.method} solves {counts[0][0]} of {reference.seeds} seeds, and {without.method} "
        f"{counts[1][0]} of {without.seeds} (Fisher's exact test p = {number(float(chance))}); its return is "
        f"{gap_words(reference.returns, without.returns)} with the entropy than without."
    )


def _word(cell: Cell, reference: Cell, chance: float) -> str:
    if chance >= 0.05:
        return "not clearly different"
    pairs = np.sign(cell.returns[:, None] - reference.returns)
    return "clearly higher" if pairs.mean() > 0 else "clearly lower"


def _table(env: str, results: Sequence[Explored]) -> Table:
    """A row a method."""
    heads = ("method", "explores by", "solved", "return", "first solved after", "time per step")
    rows = tuple(_row(env, found, results[0]) for found in results)
    note = (
        f"Seeds solved at the end (return from {number(solved(env))}) with Wilson's 95 % interval of their share; "
        "interquartile mean return over seeds with its 95 % bootstrap interval; steps of the first evaluation that is "
        "solved, the median over all seeds, where one without any counts as later than the run, and how many have one; "
        f"wall time per step beside that of {results[0].cell.method}, {_timing(env, results)}."
    )
    return Table(_name(env), heads, rows, note)


def _timing(env: str, results: Sequence[Explored]) -> str:
    """How far times per step can be relied on: the first method's learner without entropy does the same arithmetic."""
    without, beside = _without_entropy(env, results), "taken at several times beside other work"
    if without is None:
        return beside
    share = number(without.pace / results[0].pace)
    return f"{beside}: {without.cell.method}, whose arithmetic is the same, has {share}, so that far they can be off"


def _row(env: str, found: Explored, reference: Explored) -> tuple[str, ...]:
    cell = found.cell
    share = shares(cell.method, ["end"], (cell.returns >= cell.solved)[None])
    return (
        cell.method,
        methods(env)[cell.method].family,
        f"{cell.solved_seeds()} of {cell.seeds} [{share.low[0]:.2f}, {share.high[0]:.2f}]",
        middle_words(cell.returns),
        _first_solved(cell),
        f"{found.pace / reference.pace:.2f}",
    )


def _first_solved(cell: Cell) -> str:
    """Steps after which half of the seeds had been solved, and how many ever were."""
    ever, after = int(np.sum((cell.evaluations >= cell.solved).any(axis=0))), cell.solved_after()
    if not ever:
        return "never"
    return f"{f'{after:,.0f}' if np.isfinite(after) else 'never half'} ({ever} of {cell.seeds})"


def _chart(env: str, results: Sequence[Explored]) -> Chart:
    """Returns by method, coloured by what explores, with the number of seeds solved."""
    known, rows = methods(env), []
    for cell in (found.cell for found in results):
        middle, low, high = cell.middle()
        end = {"v": plain(middle), "l": plain(low), "h": plain(high)}
        label = f"{cell.method} ({cell.solved_seeds()})"
        rows.append({"method": label, "by": known[cell.method].family, **end})
    families = list(dict.fromkeys(method.family for method in known.values()))
    colours = alt.Scale(domain=families, range=[f"var(--run-{index})" for index in range(len(families))])
    legend = alt.Legend(orient="top", symbolOpacity=1, columns=2, columnPadding=24)
    names = [row["method"] for row in rows]
    # A page inherits its font, which Vega cannot measure: room for names of letters 6.5 pixels wide.
    axis = alt.Axis(labelLimit=220, minExtent=6.5 * max(map(len, names)))
    chart = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y("method:N", title=None, sort=names, axis=axis),
        color=alt.Color("by:N", title=None, scale=colours, legend=legend),
    )
    across = alt.X("l:Q", title="return", scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    threshold = alt.Chart(alt.InlineData(values=[{"v": solved(env)}]))
    layers = alt.layer(
        chart.mark_rule(strokeWidth=2).encode(x=across, x2="h:Q"),
        chart.mark_point(filled=True, size=60).encode(x="v:Q"),
        threshold.mark_rule(color="var(--muted)", strokeDash=[2, 2]).encode(x="v:Q"),
    )
    sized = layers.properties(width="container", height=22 * len(rows), background="transparent")
    caption = (
        "Interquartile mean return over seeds with its 95 % bootstrap interval, by what explores; in brackets, seeds "
        f"solved of {results[0].cell.seeds}; dotted, the return from which a seed counts as solved."
    )
    return Chart(_name(env).lower(), _name(env), caption, sized.to_dict())


def _name(env: str) -> str:
    return env.removeprefix("entropax/")


def _about(budget: Budget) -> tuple[str, ...]:
    steps = "; ".join(f"{_name(env)} {steps_of(env, budget):,}" for env in budget.envs)
    return (
        f"{budget.seeds} seeds a method and task, trained together; policies and critics with hidden layers of "
        f"{' and '.join(map(str, budget.hidden))} units, batches of {budget.batch_size}, a learning rate of "
        f"{3e-4 * budget.rate:g}, for A2C's RMSprop {A2C().learning_rate:g}; {budget.episodes} "
        f"episode{'s' * (budget.episodes > 1)} an evaluation, {EVALUATIONS} evaluations at most. Models of the "
        "environment, and those of a bonus, are at their defaults.",
        f"Steps per seed, a twentieth of them random: {steps}; PPO and A2C take no random ones, and whole rollouts. A "
        "seed's return is the mean of its last two "
        "evaluations, by the policy's mode, without noise and in the task's own rewards.",
        "Clearly higher and lower: Mann and Whitney's rank test over seeds, p < 0.05 after Holm's correction for the "
        "number of methods on the task. A clear difference may be a small one: the tables say how large it is. The "
        "first sentence of a task asks one question by itself, with the entropy or without, so its p is not adjusted; "
        "the second may call the same pair not clearly different.",
        f"Without the entropy, alpha is {WITHOUT:g}. Noise acts on the mode of that learner, with a root mean square "
        f"of {SIZE:g} over an episode, in units of [-1, 1], but state-dependent noise, whose size is its features'; "
        "intrinsic rewards go with white noise, or with epsilon-greedy DQN where actions are a finite set, and weigh "
        f"{BETA:g}. A fixed alpha is {ALPHA:g}; PPO and A2C step {COPIES} copies and weigh the entropy by {BONUS:g}. "
        "None of these is scaled to a task: beside rewards of hundreds a step they are hardly there.",
        f"What learns off policy takes a gradient step a step, A2C one every {COPIES * A2C().num_steps} steps.",
        "Nothing is tuned for a task: a method that fails here may do well with settings of its own.",
    )
