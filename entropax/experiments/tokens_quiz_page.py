"""What the quiz shows: whom room for idle words misleads, beside exact optima, and what a diagnosis makes of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np

from entropax.experiments.budget import TokenBudget
from entropax.experiments.charts import SHARE, Line, Rule, line_chart, over_seeds, without_band
from entropax.experiments.findings import Table, middle_words, rounded
from entropax.experiments.tokens_learning import GROUP
from entropax.experiments.tokens_measures import said, words
from entropax.experiments.tokens_quiz import (
    COEFFICIENTS,
    OBJECTIVES,
    PER_TOKEN,
    PROMPTS,
    ROOMS,
    Setting,
    best,
    change_over,
)
from entropax.experiments.tokens_run import Outcome
from entropax.llm import Clip, EntropyBonus
from entropax.report.charts import Chart

Quiz = Mapping[Setting, Outcome]
Heard = Mapping[Setting, Counter[str]]


def about(budget: TokenBudget) -> tuple[str, ...]:
    """What was asked."""
    return (
        f"The quiz: {PROMPTS} prompts, each with one right tail of three digits. A first digit below 5 commits: 1 if "
        "the tail is right, else -1. Any other hedges and earns 0: in the wide room whatever follows, in the narrow "
        "one if one certain tail does (else -1). Plain optimal values are the same in both. The policy begins as one "
        "that commits, rightly, every other time.",
        f"{budget.quiz} rollouts of {GROUP} answers a prompt, advantages in reward, not divided by their deviation "
        "(Dr. GRPO), so that a coefficient is in reward per nat. Entropy in the reward: R - alpha log pi(y), MaxEnt's "
        "objective, as with a penalty for the distance from a uniform reference. Bonus per token: the gradient of each "
        "token's entropy, `EntropyBonus`.",
    )


def heard(quiz: Quiz) -> Heard:
    """What the rules of `entropax.llm.diagnosis` find in every setting.

    With the entropy in the reward the method is the clip, which selects nothing and logs no such share.
    """
    found = {}
    for one, outcome in quiz.items():
        clip = {name: values for name, values in outcome.curves.items() if name != "entropax/selected_fraction"}
        per_token = one.objective == PER_TOKEN
        found[one] = said(EntropyBonus(), outcome.curves) if per_token else said(Clip(), clip)
    return found


def sentences(quiz: Quiz, found_in: Heard) -> list[str]:
    """Where committing is given up, by theory and by training, and what the rules say."""
    found = []
    for objective in OBJECTIVES:
        wide, narrow = (change_over(room, objective) for room in ("wide", "narrow"))
        given_up = {room: _given_up(quiz, room, objective) for room in ROOMS}
        beyond = f"{narrow:.3f}" if np.isfinite(narrow) else "nowhere up to 1"
        found.append(
            f"Quiz, {objective}: by theory committing is given up from {wide:.3f} on in the wide room, {beyond} in the "
            f"narrow one; all seeds give it up at {given_up['wide'] or 'none'} in the wide room and at "
            f"{given_up['narrow'] or 'none'} in the narrow one."
        )
    return [*found, *_misled_words(quiz), *_unable_words(quiz), _seen_words(quiz, found_in)]


def _given_up(quiz: Quiz, room: str, objective: str) -> str:
    """The coefficients at which every seed commits less than half of the time."""
    names = [
        f"{value:g}" for value in COEFFICIENTS if (quiz[Setting(room, objective, value)].exact["commits"] < 0.5).all()
    ]
    return ", ".join(names)


def misled(quiz: Quiz) -> list[Setting]:
    """Settings in the wide room that give up in all seeds what the same policies would earn well by: above half."""
    return [
        one
        for one, outcome in quiz.items()
        if one.room == "wide" and (outcome.exact["commits"] < 0.5).all() and (outcome.exact["after_commit"] > 0.5).all()
    ]


def _misled_words(quiz: Quiz) -> list[str]:
    return [
        f"Misled, not unable: with {one.objective} of {one.coefficient:g} the policy commits "
        f"{middle_words(quiz[one].exact['commits'])} of the time and earns {middle_words(quiz[one].exact['reward'])}, "
        f"though where it does commit it earns {middle_words(quiz[one].exact['after_commit'])}."
        for one in misled(quiz)
    ]


def _unable_words(quiz: Quiz) -> list[str]:
    """Settings that give up in the wide room where theory would not, beside the room that misleads nobody."""
    found = []
    for one, outcome in quiz.items():
        if one.room == "wide" and best(one).commits > 0.5 and (outcome.exact["commits"] < 0.5).all():
            wide, narrow = (quiz[one._replace(room=room)].exact["after_commit"] for room in ("wide", "narrow"))
            found.append(
                f"Unable, not misled: with {one.objective} of {one.coefficient:g} training gives up what the exact "
                f"policy would not ({best(one).commits:.2f}), but it has lost the right tails: once committed it earns "
                f"{middle_words(wide)}, in the narrow room {middle_words(narrow)} (exact {best(one).after_commit:.2f})."
            )
    return found


def _seen_words(quiz: Quiz, found_in: Heard) -> str:
    """Whether the rules see it: what they say where policies are misled, and in the other room, where they are not."""
    bent = misled(quiz)
    if not bent:
        return "No setting was misled in all seeds, so there was nothing for the diagnosis to see."

    def listed(settings: Sequence[Setting]) -> str:
        seeds = {one: quiz[one].exact["nats"].size for one in settings}
        return "; ".join(f"{one.coefficient:g}: {words(found_in[one], seeds[one])}" for one in settings)

    twins = [one._replace(room="narrow") for one in bent]
    silent = sum(not found_in[one] for one in bent)
    others = [one for one in quiz if one not in bent]
    heard_too = [one for one in others if found_in[one]["likeliest-earn-more"]]
    narrow = sum(one.room == "narrow" for one in heard_too)
    return (
        f"Of {len(bent)} misled settings the diagnosis of logs is silent at {silent} ({listed(bent)}); in the narrow "
        f"room at the same coefficients it says {listed(twins)}. What looks for this is `likeliest-earn-more`, which "
        "compares what a prompt's likeliest answers earn with what all do; a threshold and a condition of it were set "
        f"on this quiz. It does not tell who is misled from others who pay: it speaks, in a seed or more, at "
        f"{len(heard_too)} of the {len(others)} other settings too, {narrow} of them in the narrow room."
    )


def table(quiz: Quiz, found_in: Heard) -> Table:
    """Learned and exact, a row a setting."""
    rows = tuple(
        (
            f"{one.room}, {one.objective}, {one.coefficient:g}",
            middle_words(outcome.exact["commits"]),
            f"{best(one).commits:.3f}",
            middle_words(outcome.exact["reward"]),
            middle_words(outcome.exact["after_commit"]),
            f"{best(one).after_commit:.3f}",
            middle_words(outcome.exact["nats"]),
            words(found_in[one], outcome.exact["nats"].size),
        )
        for one, outcome in quiz.items()
    )
    heads = (
        "room, objective, coefficient",
        *("commits", "exact", "reward", "reward once committed", "exact", "nats a token", "diagnosis"),
    )
    note = "Interquartile means over seeds with 95 % bootstrap intervals; beside them what the objective's optimum has."
    return Table("The quiz", heads, rows, note)


def charts(quiz: Quiz) -> tuple[Chart, ...]:
    """Probability of committing over the coefficient, a chart a room."""
    return tuple(_chart(quiz, room) for room in ROOMS)


def _chart(quiz: Quiz, room: str) -> Chart:
    fine = np.geomspace(COEFFICIENTS[0], COEFFICIENTS[-1], 60)
    lines: list[Line] = []
    for objective in OBJECTIVES:
        commits = np.stack([quiz[Setting(room, objective, value)].exact["commits"] for value in COEFFICIENTS])
        exact = np.array([best(Setting(room, objective, float(value))).commits for value in fine])
        lines += [
            over_seeds(objective, COEFFICIENTS, commits),
            without_band(f"{objective}, exact", fine.tolist(), exact),
        ]
    upright = [Rule(objective, at) for objective in OBJECTIVES if (at := change_over(room, objective)) < fine[-1]]
    x = alt.X("x:Q", title="coefficient, reward per nat", scale=alt.Scale(type="log", nice=False))
    caption = "Interquartile mean over seeds with its 95 % bootstrap interval. Upright: exact changes of side."
    title = f"Quiz, {room} room: probability of committing"
    return line_chart(f"quiz-{room}", title, caption, lines, x=x, y="P(commit)", scale=SHARE, upright=upright)


def numbers(quiz: Quiz) -> list[dict[str, Any]]:
    """Settings as JSON."""
    return [
        {"task": "quiz", **one._asdict(), "exact": {key: rounded(values) for key, values in outcome.exact.items()}}
        for one, outcome in quiz.items()
    ]
