"""What the sums show: entropy under each method, what it was worth, and entropies held."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
from scipy.stats import spearmanr

from entropax.experiments import tokens_quiz_page
from entropax.experiments.budget import TokenBudget
from entropax.experiments.charts import Line, Rule, line_chart, over_seeds
from entropax.experiments.findings import Findings, Table, gap_words, holm, middle_words, rank_chance, rounded
from entropax.experiments.tokens import (
    BEFORE,
    FEW,
    GROUPS,
    LEARNING_RATE,
    MANY,
    REFERENCE,
    RIGHT_SHARE,
    SHALLOW,
    Results,
)
from entropax.experiments.tokens_control import BAND, CONTROLLED, TARGETS, Held, quality
from entropax.experiments.tokens_learning import EXTRA, GROUP, MINIBATCHES, UPDATES
from entropax.experiments.tokens_measures import fits, predictions, said, words
from entropax.experiments.tokens_run import Outcome
from entropax.experiments.tokens_task import LENGTH, SUMS, right
from entropax.llm import AbstractMethod
from entropax.report.charts import Chart

METHODS: Mapping[str, AbstractMethod] = {name: one for group in GROUPS.values() for name, one in group.items()}
HELD: Mapping[str, Held] = {name: one for group in CONTROLLED.values() for name, one in group.items()}
FREE = [name for group in ("clip", "cispo", "gspo", "cegppo") for name in GROUPS[group]]
"""Methods without anything made for the entropy but how they treat ratios: those that a law is fitted to."""
MEASURES: Mapping[str, str] = {
    "nats": "nats a token",
    "right": "right",
    "pass": f"pass@{SHALLOW}",
    "distinct": f"different right answers in {MANY}",
    "falling_pass": f"harder: pass@{FEW}",
    "falling_after": "harder: learned",
}
"""Columns, by exact measure."""
POINTS = 50
"""Rows of a curve that the JSON and the charts hold at most."""


def findings(budget: TokenBudget, results: Results) -> Findings:
    """Methods, laws, predictions and controllers on the sums; then the quiz."""
    heard = tokens_quiz_page.heard(results.quiz)
    return Findings(
        name="tokens",
        title="Entropy of a policy of tokens: who spends it, what was it good for, and can it be held?",
        about=(*_about(budget), *tokens_quiz_page.about(budget)),
        sentences=(
            *_method_words(results),
            _worth_words(results),
            *_law_words(results),
            _prediction_words(results),
            *_control_words(results),
            *tokens_quiz_page.sentences(results.quiz, heard),
        ),
        tables=(_methods(results), _controllers(results), _laws(results), tokens_quiz_page.table(results.quiz, heard)),
        charts=(
            *_method_charts(results),
            _worth_chart(results),
            *_control_charts(results),
            *tokens_quiz_page.charts(results.quiz),
        ),
        numbers=(
            _numbers(BEFORE, results.before),
            *(_numbers(name, one) for name, one in results.sums.items()),
            *tokens_quiz_page.numbers(results.quiz),
        ),
    )


def _about(budget: TokenBudget) -> tuple[str, ...]:
    counts = right().sum(axis=1)
    nats = float(np.log(counts).mean()) / LENGTH
    return (
        f"{budget.seeds} seeds a setting. A prompt is a sum from {SUMS[0]} to {SUMS[-1]}; an answer is {LENGTH} "
        f"digits, right if they have that sum: {counts.min()} to {counts.max()} answers have. Right answers all alike "
        f"would be {nats:.2f} nats a token.",
        "The policy is a transformer of 2 layers and 32 units. It first imitates, for "
        f"{budget.examples} steps of 256 examples, right answers drawn alike, and in {100 * (1 - RIGHT_SHARE):.0f} % "
        "of the cases any answer at all. All settings of a seed begin with the same policy.",
        f"Then {budget.steps // UPDATES} rollouts of {GROUP} answers to each of the {len(SUMS)} prompts, {UPDATES} "
        f"steps of Adam each (two epochs in {MINIBATCHES} parts, learning rate {LEARNING_RATE:g}, gradients of norm 1 "
        "at most), reward 1 if right, GRPO's advantages. Coefficients are published or round ones, tuned for none: a "
        "row says what that setting does, not what its method could do. After a first run, at twice the learning rate, "
        "that was halved, as CISPO and CE-GPPO lost most of their accuracy, and PI's gains were raised, as it came "
        "back too late; so the targets, which have to lie above where GRPO ends, are higher than at first.",
        f"A part has {GROUP // MINIBATCHES * len(SUMS) * LENGTH} tokens, so published fractions would be less than one "
        "of them: Clip-Cov and KL-Cov select 0.02 (published 2e-4 and 2e-3), Clip-Cov among the fifth of highest "
        "covariance. GSPO's widths are 0.1, half of a token's, as its ratio is a mean over four; its published ones "
        f"are for answers of hundreds of tokens. AEPO draws {EXTRA} more answers a prompt and rollout, at a target of "
        "0.9 nats.",
        "Probabilities of all 10,000 answers are computed, so entropies, shares, pass@k and numbers of different "
        "answers are exact; curves of reward and entropy are those of the rollouts.",
        "The harder question is never trained on: the same sum with falling digits, which 5 to 18 answers are. "
        f"*Learned* is the share of such answers after {budget.follow_up} further rollouts of plain GRPO that reward "
        "only them, from the policy that a setting left.",
        f"Targets are {', '.join(f'{target:g}' for target in TARGETS)} nats a token, chosen before this run; a "
        "controller acts once a rollout, one rollout late. Held is within "
        f"{100 * BAND:.0f} % of the target. *Higher* and *lower* stand where the interval of the difference excludes 0 "
        "and a rank test gives p < 0.05 after Holm's correction for the number of settings in the sentence. Five seeds "
        "are too few for any, ten are not.",
    )


def _compared(results: Results, names: Collection[str], key: str, others: np.ndarray) -> str:
    """Which settings are higher than others in a measure, which lower, which neither."""
    groups: dict[str, list[str]] = {"higher": [], "lower": [], "not clearly either": []}
    chances = holm([rank_chance(results.sums[name].exact[key], others) for name in names])
    for name, chance in zip(names, chances, strict=True):
        side = gap_words(results.sums[name].exact[key], others, chance).split(" ")[0]
        groups[side if side in groups else "not clearly either"].append(name)
    return "; ".join(f"{side}: {', '.join(names) or 'none'}" for side, names in groups.items())


def _method_words(results: Results) -> list[str]:
    base, grpo = results.before.exact, results.sums[REFERENCE].exact
    found = [
        f"Before any reward the policy has {middle_words(base['nats'])} nats a token and is right with "
        f"{middle_words(base['right'])}; GRPO leaves {middle_words(grpo['nats'])} nats, right with "
        f"{middle_words(grpo['right'])}, and of {MANY} answers {middle_words(grpo['distinct'])} different right ones "
        f"(before {middle_words(base['distinct'])})."
    ]
    titles = {
        "nats": "Entropy at the end",
        "right": "Share of right answers",
        "distinct": f"Different right answers in {MANY}",
        "falling_pass": f"pass@{FEW} on the harder question, without learning it",
        "falling_after": "Share on the harder question after learning it",
    }
    rivals = [name for name in METHODS if name != REFERENCE]
    found += [f"{title}, against GRPO – {_compared(results, rivals, key, grpo[key])}." for key, title in titles.items()]
    key = "falling_after"
    return [
        *found,
        f"The same of held entropies, against GRPO – {_compared(results, HELD, key, grpo[key])}.",
        f"Against a start from before any reward – {_compared(results, results.sums, key, base[key])}.",
    ]


def _worth_words(results: Results) -> str:
    """Rank correlations over settings."""
    parts = {"right": "the share of right answers", "falling_after": "what the harder question is learned to"}
    found: dict[str, Any] = {key: spearmanr(_middles(results, "nats"), _middles(results, key)) for key in parts}
    said_of = [
        f"{parts[key]} by a rank correlation of {one.statistic:.2f} (p = {one.pvalue:.2g})"
        for key, one in found.items()
    ]
    return (
        f"Over all {len(results.sums)} settings the entropy at the end goes with {' and with '.join(said_of)}; "
        "settings are not independent, as seeds share their start."
    )


def _middles(results: Results, key: str) -> list[float]:
    return [float(np.mean(one.exact[key])) for one in results.sums.values()]


def _law_words(results: Results) -> list[str]:
    grpo = fits(results.sums[REFERENCE].curves)
    missed = {name: fits(results.sums[name].curves).missed for name in FREE}
    if not np.isfinite(grpo.missed).any():
        return ["The law R = -a exp(H) + b could not be fitted to runs as short as these."]
    worst = max(missed, key=lambda name: float(np.nanmean(np.abs(missed[name]))))
    return [
        f"The law R = -a exp(H) + b fits GRPO with a = {middle_words(grpo.a)} and b = {middle_words(grpo.b)}, leaving "
        f"{middle_words(grpo.residual)} of reward. Fitted on the first third of a run alone, it misses GRPO's reward "
        f"at the end by {middle_words(grpo.missed)}, and that of {worst}, which it fits worst of the methods without "
        f"anything for the entropy, by {middle_words(missed[worst])}."
    ]


def _prediction_words(results: Results) -> str:
    found = predictions(results.sums[REFERENCE].curves)
    return (
        "Predicted against measured change of entropy over GRPO's rollouts: lemma 1 with the true change of the logits "
        f"correlates by {middle_words(found.exact)} at a measured change of {middle_words(found.scale)} times the "
        "predicted one; what a trainer can log, entropax/predicted_change, correlates with the change until the next "
        f"rollout by {middle_words(found.weights)}."
    )


def _control_words(results: Results) -> list[str]:
    found = []
    for law in dict.fromkeys(one.law for one in HELD.values()):
        mine = {name: one for name, one in HELD.items() if one.law == law}
        quals = {one.target: quality(results.sums[name].curves["entropy"], one.target) for name, one in mine.items()}
        parts = [
            f"{target:g} nats in {100 * float(np.mean(each.within)):.0f} % of the last half's rollouts "
            f"({int(np.isfinite(each.settled).sum())} of {len(each.settled)} seeds settle)"
            for target, each in quals.items()
        ]
        found.append(f"{law} holds {', '.join(parts)}.")
    ends = results.sums[REFERENCE].curves["entropy"][-1]
    above = [f"{target:g}" for target in TARGETS if ends.max() > target]
    found += [
        f"In some seed GRPO itself ends above {', '.join(above)} nats, where nothing is held."
        if above
        else "GRPO itself ends below every target in every seed."
    ]
    named = Counter(rule for name, one in HELD.items() for rule in _said(results, name, one))
    said_of = ", ".join(f"{rule} of {settings} of them" for rule, settings in named.items())
    return [*found, f"The diagnosis of logs says of these {len(HELD)} settings: {said_of or 'nothing'}."]


def _said(results: Results, name: str, held: Held) -> Counter[str]:
    """What the diagnosis finds where an entropy is held; the method is its group's, with the knob that is moved."""
    (group,) = (group for group, each in CONTROLLED.items() if name in each)
    return said(next(iter(GROUPS[group].values())), results.sums[name].curves, held)


def _methods(results: Results) -> Table:
    def row(name: str, one: Outcome, heard: str) -> tuple[str, ...]:
        return (name, *(middle_words(one.exact[key]) for key in MEASURES), heard)

    seeds = results.before.exact["nats"].size
    rows = [row(BEFORE, results.before, "–")]
    for name, method in METHODS.items():
        one = results.sums[name]
        rows.append(row(name, one, words(said(method, one.curves), seeds)))
    rows += [row(name, results.sums[name], words(_said(results, name, held), seeds)) for name, held in HELD.items()]
    note = (
        "Interquartile means over seeds with 95 % bootstrap intervals, exact for each policy. Diagnosis: rules of "
        "entropax.llm.diagnosis with a finding, and in how many seeds."
    )
    return Table("Settings on the sums", ("setting", *MEASURES.values(), "diagnosis"), tuple(rows), note)


def _controllers(results: Results) -> Table:
    rows = []
    for one, name in ((held, name) for name, held in HELD.items()):
        found = quality(results.sums[name].curves["entropy"], one.target)
        settled = found.settled[np.isfinite(found.settled)]
        rows.append(
            (
                name,
                f"{len(settled)} of {len(found.settled)}",
                middle_words(settled) if len(settled) else "–",
                middle_words(100 * found.overshoot) if np.isfinite(found.overshoot).any() else "never came down to it",
                middle_words(100 * found.within),
                middle_words(results.sums[name].curves[one.controller.actuator.knob][-1]),
            )
        )
    heads = ("controller, target (nats)", "seeds settled", "rollouts until then", "overshoot (%)", "held (%)", "knob")
    note = (
        f"Settled: within {100 * BAND:.0f} % of the target from then to the end, rollouts counted from the start, of "
        "the seeds that settle. Overshoot: how far below the target, in % of it, of the seeds that come down to it. "
        "Held: share of the last half within the band. Knob: at the end. Interquartile means over seeds with their "
        "95 % intervals."
    )
    return Table("Entropy held", heads, tuple(rows), note)


def _laws(results: Results) -> Table:
    rows = []
    for name in METHODS:
        curves = results.sums[name].curves
        law, predicted = fits(curves), predictions(curves)
        fitted = tuple(map(middle_words, law)) if name in FREE and np.isfinite(law.a).any() else ("–",) * 4
        rows.append((name, *fitted, *map(middle_words, predicted)))
    heads = ("setting", "a", "b", "residual", "end less early fit", "lemma 1", "scale", "weights")
    note = (
        "R = -a exp(H) + b over all rollouts, where nothing is made for the entropy, with the root mean square "
        "residual; and the reward over the last tenth less what the fit of the first third makes of the entropy there. "
        "Change of entropy, measured and predicted: correlation for lemma 1 with the true change of the logits, its "
        "scale, and correlation for entropax/predicted_change. Interquartile means over seeds with 95 % bootstrap "
        "intervals."
    )
    return Table("Law and prediction", heads, tuple(rows), note)


def _line(name: str, values: np.ndarray) -> Line:
    rows = _thinned(values)
    return over_seeds(name, [float(row) for row in rows], values[rows])


def _thinned(values: np.ndarray) -> list[int]:
    return sorted({round(row) for row in np.linspace(0, len(values) - 1, min(POINTS, len(values)))})


def _curve_chart(
    results: Results, key: str, title: str, names: Mapping[str, str], curve: str, y: str, level: Sequence[Rule] = ()
) -> Chart:
    lines = [_line(label, results.sums[name].curves[curve]) for name, label in names.items()]
    caption = "Interquartile mean over seeds with its 95 % bootstrap interval."
    x = alt.X("x:Q", title="rollouts", scale=alt.Scale(nice=False, zero=False))
    return line_chart(key, title, caption, lines, x=x, y=y, level=level)


def _method_charts(results: Results) -> list[Chart]:
    families: Mapping[str, Callable[[str], bool]] = {
        "ratios": lambda group: group in ("clip", "cispo", "gspo", "cegppo"),
        "selection": lambda group: group in ("clip-cov", "kl-cov", "shaped", "top"),
        "bonuses": lambda group: group in ("bonus", "corridor", "score", "aepo"),
    }
    found = []
    for family, member in families.items():
        names = {name: name for group in GROUPS if member(group) for name in GROUPS[group]}
        names = names if family == "ratios" else {REFERENCE: REFERENCE} | names
        draw = (results, family)
        found.append(_curve_chart(draw[0], f"entropy-{family}", f"Entropy: {family}", names, "entropy", "nats a token"))
        found.append(
            _curve_chart(draw[0], f"reward-{family}", f"Right answers: {family}", names, "reward", "share of a rollout")
        )
    return found


def _control_charts(results: Results) -> list[Chart]:
    found = []
    for law in dict.fromkeys(one.law for one in HELD.values()):
        names = {name: f"{one.target:g} nats" for name, one in HELD.items() if one.law == law}
        level = [Rule(f"{target:g}", target) for target in TARGETS]
        key = f"held-{law.lower().replace(' ', '-')}"
        chart = _curve_chart(
            results, key, f"Entropy held: {law}", {**names, REFERENCE: "GRPO"}, "entropy", "nats a token", level
        )
        found.append(chart)
    return found


def _worth_chart(results: Results) -> Chart:
    """Every setting as a point: its entropy, and what the harder question is learned to from there."""
    kinds = {name: "held" if name in HELD else "method" for name in results.sums} | {BEFORE: BEFORE}
    all_of = {BEFORE: results.before, **results.sums}
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "kind": kinds[name],
            "nats": float(np.mean(one.exact["nats"])),
            "learned": float(np.mean(one.exact["falling_after"])),
        }
        for name, one in all_of.items()
    ]
    colours = alt.Scale(domain=["method", "held", BEFORE], range=[f"var(--run-{index})" for index in range(3)])
    legend = alt.Legend(orient="top", symbolOpacity=1)
    points = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_point(filled=True, size=60)
        .encode(
            x=alt.X("nats:Q", title="entropy kept, nats a token"),
            y=alt.Y("learned:Q", title="harder question, learned"),
            color=alt.Color("kind:N", title=None, scale=colours, legend=legend),
            tooltip=[alt.Tooltip(f"{name}:N") for name in ("name", "nats", "learned")],
        )
        .properties(width="container", height=260, background="transparent")
    )
    caption = "A point a setting, means over seeds."
    return Chart("worth", "What kept entropy is worth for a harder question", caption, points.to_dict())


def _numbers(name: str, one: Outcome) -> dict[str, Any]:
    """A setting as JSON: exact measures and thinned curves, by seed."""
    kept = [key for key in one.curves if not key.startswith("entropax/") and key not in ("alpha", "learning_rate")]
    return {
        "task": "sums",
        "setting": name,
        "exact": {key: rounded(values) for key, values in one.exact.items()},
        "rollouts": {key: _thinned(one.curves[key]) for key in kept},
        "curves": {key: rounded(one.curves[key][_thinned(one.curves[key])]) for key in kept},
    }
