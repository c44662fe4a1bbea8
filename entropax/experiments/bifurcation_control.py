"""Bent problems beside their controls: what of a method's failures is the bend's, and why the others fail."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import altair as alt
import numpy as np
from jaxtyping import Bool, Int
from scipy.stats import binomtest

from entropax.diagnostics.statistics import interquartile_mean
from entropax.diagnostics.window import number
from entropax.experiments.bifurcation import ACTIONS, ALPHA, Problem
from entropax.experiments.bifurcation_learned import Cause, Learned, Theory, causes
from entropax.experiments.charts import SHARE, line_chart, shares
from entropax.experiments.conclusion import Difference, paired_difference
from entropax.experiments.findings import Table
from entropax.report.charts import Chart

REFERENCE, PLAIN = "SAC", ("PPO", "TD3")
"""Who is said to fail at the bent state, and who is not."""
WITHOUT = (*PLAIN, "TD3 unsmoothed")
"""All methods without entropy."""
ENTROPIC = ("SAC", "SAC-AdaEnt", "DecomposedSAC")
"""Those whose critics count the entropies to come."""
MIDDLE = ACTIONS // 2
"""The action between the others on [-1, 1]."""
PLACES = ("bent", "control")
"""The two of a problem, in this order."""

Pairs = Bool[np.ndarray, "2 problem seeds"]
"""What has something: bent and control, or two methods."""


class Both(NamedTuple):
    """Results of one method, a problem each, in the same order."""

    bent: Sequence[Learned]
    control: Sequence[Learned]


class Effect(NamedTuple):
    """How much more often something happens in one of two groups than in the other, on the same problems and seeds."""

    gap: Difference
    """Of the shares of learners, as pairs."""
    more: int
    """Problems on which it happens to more learners of the first group."""
    fewer: int
    chance: float
    """That of so uneven a split of these problems, or a more uneven one, if there were no difference: a sign test."""

    def words(self) -> str:
        """More, fewer, or that nothing is shown: the interval and the sign test must both say so."""
        return self.gap.words() if self.chance < 0.05 else "not clearly more or fewer"


def failing(tasks: Sequence[Problem], both: Sequence[Sequence[Learned]]) -> Pairs:
    """Whose deterministic action in the first state is not the plain-best one: of two groups, a problem each."""
    best = np.array([task.best for task in tasks])[:, None]
    return np.stack([np.stack([one.choice for one in each]) != best for each in both])


def misled(tasks: Sequence[Problem], both: Both) -> Pairs:
    """Whose deterministic action there is the target."""
    target = np.array([task.target for task in tasks])[:, None]
    return np.stack([np.stack([one.choice for one in each]) == target for each in both])


def effect(pairs: Pairs) -> Effect:
    """How much more often something happens in the first group, such as the bent problems."""
    return Effect(paired_difference(pairs[0].ravel(), pairs[1].ravel()), *_signs(_added(pairs)))


def _added(pairs: Pairs) -> Int[np.ndarray, " problem"]:
    """How many learners more where bent, by problem."""
    return pairs[0].sum(axis=1) - pairs[1].sum(axis=1)


def _signs(differences: Int[np.ndarray, " problem"]) -> tuple[int, int, float]:
    """How many are above 0, how many below, and the chance of so uneven a split."""
    more, fewer = int(np.sum(differences > 0)), int(np.sum(differences < 0))
    return more, fewer, float(binomtest(more, more + fewer).pvalue) if more + fewer else 1.0


def control_words(
    tasks: Sequence[Problem], bent: Sequence[Theory], controls: Sequence[Theory], results: Mapping[str, Both]
) -> list[str]:
    """What the bend does to each method, whether that is more than it does to those without entropy, and why.

    Args:
        tasks: The bent problems.
        bent: What theory says of them, and
        controls: of their controls.
        results: What was learned, by method.
    """
    count = len(tasks)
    target, best = (
        sum(one.choice == wanted for wanted, one in zip(which, controls, strict=True))
        for which in ([task.target for task in tasks], [task.best for task in tasks])
    )
    exact = [one.exact[task.target] for task, one in zip(tasks, controls, strict=True)]
    found = [
        f"In the controls, whose chains leave MaxEnt as it was, the MaxEnt-optimal policy gives the target "
        f"{number(min(exact))} to {number(max(exact))}; the best tanh-Gaussian's deterministic action is the target in "
        f"{target} of {count} and the plain-best action in {best}."
    ]
    for name, both in results.items():
        fail, take = effect(failing(tasks, both)), effect(misled(tasks, both))
        found.append(
            f"{name} has {fail.words()} learners that fail on the bent problems than on their controls "
            f"({effect_words(fail)}), and {take.words()} that take the target ({effect_words(take)})."
        )
    found += [_middle_words(tasks, results[REFERENCE], controls)] if REFERENCE in results else []
    found += [_more_than(tasks, results, name) for name in WITHOUT if {name, REFERENCE} <= set(results)]
    return [*found, _noise_words(tasks, bent, controls, results), *_cause_words(tasks, results)]


def _noise_words(
    tasks: Sequence[Problem], bent: Sequence[Theory], controls: Sequence[Theory], results: Mapping[str, Both]
) -> str:
    """Where noise alone makes the target worth most, and whether methods without entropy take it there."""
    there, without = (
        np.array([one.noisiest == task.target for task, one in zip(tasks, each, strict=True)])
        for each in (bent, controls)
    )
    bends = "bends noise too" if there.sum() > without.sum() else "does not bend noise"
    words = [
        f"Where actions elsewhere are uniform, the target has the most plain value in {there.sum()} of {len(tasks)} "
        f"bent problems and {without.sum()} of the controls: what bends MaxEnt {bends}."
    ]
    for name in (name for name in WITHOUT if name in results):
        taken = misled(tasks, results[name])[0]
        shares = (f"{taken[which].sum()} of {taken[which].size}" for which in (there, ~there))
        words.append(
            f"{name} takes the target with {' learners on those bent problems and '.join(shares)} on the others."
        )
    return " ".join(words)


def _middle_words(tasks: Sequence[Problem], both: Both, controls: Sequence[Theory]) -> str:
    """How often the deterministic action is the middle one, where the mode of a wide policy lies whatever is best."""
    taken = np.stack([one.choice for one in both.control])
    exact = sum(one.choice == MIDDLE for one in controls)
    target = taken[misled(tasks, both)[1]]
    return (
        f"In the controls the deterministic action of {REFERENCE} is the middle one of {ACTIONS} with "
        f"{np.sum(taken == MIDDLE)} of {taken.size} learners, the best tanh-Gaussian's in {exact} of {len(tasks)} "
        f"problems; of those that take the target there, {np.sum(target == MIDDLE)} of {target.size} do where it "
        "is the middle one."
    )


def effect_words(found: Effect) -> str:
    """The difference in points with its interval, and the problems' sign test."""
    gap = found.gap
    return (
        f"{100 * gap.value:+.0f} points, 95 % [{100 * gap.low:.0f}, {100 * gap.high:.0f}]; problems with more: "
        f"{found.more}, with fewer: {found.fewer}, p = {number(found.chance)}"
    )


def _more_than(tasks: Sequence[Problem], results: Mapping[str, Both], name: str) -> str:
    """Whether the bend makes more of the reference take the target than of another method."""
    mine, theirs = (_added(misled(tasks, results[each])) for each in (REFERENCE, name))
    more, fewer, chance = _signs(mine - theirs)
    shown = chance < 0.05 and more > fewer
    return (
        f"That bending turns more learners of {REFERENCE} to the target than of {name} is {'' if shown else 'not '}"
        f"shown (problems with more: {more}, with fewer: {fewer}, sign test p = {number(chance)})."
    )


def _cause_words(tasks: Sequence[Problem], results: Mapping[str, Both]) -> list[str]:
    """The commonest cause of failing where bent, by method."""
    found = []
    for name, both in results.items():
        counts = _counted(tasks, both.bent, name)
        total = sum(counts.values())
        if total:
            cause, count = counts.most_common(1)[0]
            found.append(f"{name}, where bent: in {count} of {total} that fail, {_BECAUSE[cause]}.")
    return found


_BECAUSE: Mapping[Cause, str] = {
    Cause.ELSEWHERE: "the best action would not pay even with deterministic actions after it, so wrong are these",
    Cause.NOISE: "the best action would pay with deterministic actions after it but not with the noisy ones that are "
    "averaged over in learning",
    Cause.ENTROPY: "the best action would pay with the noisy actions after it, but not with entropies added",
    Cause.STUCK: "the policy's own values are for the best action, which it does not take",
}


def _counted(tasks: Sequence[Problem], each: Sequence[Learned], name: str) -> Counter[Cause]:
    alpha = ALPHA if name in ENTROPIC else 0.0
    return Counter(cause for task, one in zip(tasks, each, strict=True) for cause in causes(task, one, alpha))


def control_table(tasks: Sequence[Problem], results: Mapping[str, Both]) -> Table:
    """How often learners fail and take the target, bent and control, and the difference."""
    rows = []
    for name, both in results.items():
        row = [name]
        for pairs in (failing(tasks, both), misled(tasks, both)):
            found = effect(pairs)
            row += [f"{pairs[0].sum()} / {pairs[1].sum()} of {pairs[0].size}", _interval(found.gap)]
            row.append(f"{found.more} / {found.fewer}")
        chosen = ([one.chances[:, task.target] for task, one in zip(tasks, each, strict=True)] for each in both)
        rows.append((*row, " / ".join(number(float(interquartile_mean(np.concatenate(one)))) for one in chosen)))
    heads = ("method", "fail", "difference", "problems", "take the target", "difference", "problems", "P(target)")
    note = (
        "Bent / control. Difference: of the shares, in points, with Newcombe's 95 % interval for pairs. Problems: on "
        "how many there are more / fewer where bent. P(target): of drawn actions, interquartile means over learners."
    )
    return Table("Bent against control", heads, tuple(rows), note)


def _interval(gap: Difference) -> str:
    return f"{100 * gap.value:+.0f} [{100 * gap.low:.0f}, {100 * gap.high:.0f}]"


def cause_table(tasks: Sequence[Problem], results: Mapping[str, Both]) -> Table:
    """Why learners fail, by method, bent and control."""
    rows = []
    for name, both in results.items():
        bent, control = (_counted(tasks, each, name) for each in both)
        rows.append((name, *(f"{bent[cause]} / {control[cause]}" for cause in Cause)))
    note = (
        "Learners that fail, bent / control, by the first of these that holds, in exact values. Wrong elsewhere: "
        "taking the best action would gain nothing even with the learner's deterministic actions after it. Noise: it "
        "would, but not with the actions that are averaged over in learning (drawn ones; for TD3 the smoothed ones of "
        "its critics' targets). Entropy: it would with those too, but not with their entropies added (counted for "
        f"{', '.join(ENTROPIC)}, at alpha in full). Own values: it would in all of these, and yet is not taken."
    )
    return Table("Why they fail", ("method", *(cause.value for cause in Cause)), tuple(rows), note)


def control_chart(tasks: Sequence[Problem], results: Mapping[str, Both]) -> Chart:
    """Shares of learners that take the target, bent and control."""
    names = list(results)
    pairs = [misled(tasks, both) for both in results.values()]
    return line_chart(
        "control",
        "Learners that take the target",
        "With Wilson's 95 % intervals; lines only lead the eye from method to method.",
        [shares(title, names, np.stack([each[index].ravel() for each in pairs])) for index, title in enumerate(PLACES)],
        x=alt.X("x:O", title="method", sort=names, axis=alt.Axis(labelAngle=0)),
        y="share of learners",
        scale=SHARE,
    )
