"""What the settings of SAC-AdaEnt's switch and of DecomposedSAC's gate are worth on the toy."""

from collections.abc import Mapping

import altair as alt
import numpy as np

from entropax.experiments.budget import Budget
from entropax.experiments.charts import Rule, line_chart, over_seeds
from entropax.experiments.findings import Findings, numbers_of, undone_words
from entropax.experiments.sweeps import Swept
from entropax.experiments.threshold import QUESTIONS
from entropax.experiments.toy import PUBLISHED_ALPHA
from entropax.experiments.toy_page import good_way, outcomes
from entropax.report.charts import Chart

Trained = Mapping[str, Mapping[str, Swept]]


def findings(budget: Budget, trained: Trained) -> Findings:
    """One table and one chart a question."""
    return Findings(
        name="threshold",
        title="How much hangs on the threshold, and on the gate?",
        about=(
            f"The toy at the published alpha of {PUBLISHED_ALPHA:g}, where SAC takes the wrong way. {budget.words()}",
            "A seed succeeds if the mean of the last two evaluations of its deterministic policy is 0 or more; the "
            "optimum is 1, the wrong way pays -1. The return of drawn actions also shows how often the policy errs.",
            "A threshold of 0 and a sharpness of 0 are SAC; a threshold of 1.01 climbs the plain value everywhere.",
        ),
        sentences=(
            *(_sentence(question, trained[question]) for question in trained),
            *undone_words(one.skipped for by_name in trained.values() for one in by_name.values()),
        ),
        tables=tuple(outcomes(QUESTIONS[question], "setting", one) for question, one in trained.items()),
        charts=tuple(_chart(question, trained[question]) for question in ("threshold", "sharpness")),
        numbers=tuple(
            numbers_of(one.cell, question=question, drawn=one.drawn, good_way=good_way(one.actors))
            for question, by_name in trained.items()
            for one in by_name.values()
        ),
    )


def _sentence(question: str, by_name: Mapping[str, Swept]) -> str:
    """Which settings succeed with all seeds, with some, with none."""
    groups: dict[str, list[str]] = {"all": [], "some": [], "none": []}
    for name, one in by_name.items():
        solved, seeds = one.cell.solved_seeds(), one.cell.seeds
        groups["all" if solved == seeds else "none" if solved == 0 else "some"].append(name)
    parts = [f"{count} of the seeds succeed at {', '.join(names)}" for count, names in groups.items() if names]
    return f"{QUESTIONS[question]}: {'; '.join(parts)}."


def _chart(question: str, by_name: Mapping[str, Swept]) -> Chart:
    ways = np.stack([good_way(one.actors) for one in by_name.values()])
    return line_chart(
        question,
        QUESTIONS[question],
        "Probability of the good way: interquartile mean over seeds with its 95 % bootstrap interval.",
        [over_seeds("P(good way)", [float(name) for name in by_name], ways)],
        x=alt.X("x:Q", title=question, scale=alt.Scale(nice=False, zero=False)),
        y="P(a <= 0) at the start",
        level=(Rule("either way", 0.5),),
    )
