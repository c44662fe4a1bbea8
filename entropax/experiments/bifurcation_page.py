"""What bent random problems show: who takes the action that MaxEnt was made to prefer, and does theory say so?"""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
from jaxtyping import Float

from entropax.algorithms.td3 import TD3
from entropax.experiments.bifurcation import (
    ACTIONS,
    ALPHA,
    BENT,
    BRANCHES,
    DISCOUNT,
    EPISODE_GAP,
    GAP,
    LAYERS,
    LEARNING_RATE,
    MARGIN,
    NARROWEST,
    STATES,
    TARGET_CHANCE,
    TERMINALS,
    TIME_LIMIT,
    Problem,
    problems,
)
from entropax.experiments.bifurcation_control import (
    PLAIN,
    REFERENCE,
    Both,
    cause_table,
    control_chart,
    control_table,
    control_words,
    effect,
    effect_words,
    failing,
)
from entropax.experiments.bifurcation_learned import Learned, Smoothing, Theory, learned, theory
from entropax.experiments.budget import Budget
from entropax.experiments.charts import SHARE, Line, Rule, line_chart, over_seeds, without_band
from entropax.experiments.conclusion import wilson
from entropax.experiments.findings import Findings, Table, middle_words, numbers_of, undone_words
from entropax.experiments.sweeps import Swept
from entropax.report.charts import Chart
from entropax.tabular import plain_policy_iteration

_SMOOTHING = Smoothing(TD3().target_noise, TD3().target_noise_clip)
SMOOTHINGS: Mapping[str, Smoothing] = {"TD3": _SMOOTHING, "TD3 unsmoothed": _SMOOTHING._replace(limit=0.0)}
"""By method: the noise in its critics' targets, where these do not average over drawn actions."""


def findings(budget: Budget, trained: Mapping[str, Sequence[Swept]]) -> Findings:
    """Theory beside what was learned."""
    tasks = problems(len(budget.envs))
    controls = [task.control() for task in tasks]
    theories, without = ([theory(task) for task in each] for each in (tasks, controls))
    read = {
        name: [
            learned(task, one.actors, SMOOTHINGS.get(name))
            for task, one in zip([*tasks, *controls], sweep, strict=True)
        ]
        for name, sweep in trained.items()
    }
    results = {name: each[: len(tasks)] for name, each in read.items()}
    both = {name: Both(each[: len(tasks)], each[len(tasks) :]) for name, each in read.items()}
    return Findings(
        name="bifurcation",
        title="Bent random problems: who takes the action that entropy was made to prefer?",
        about=_about(budget),
        sentences=(
            *_theory_words(tasks, theories),
            *_method_words(tasks, results),
            claim(counted(tasks, results)),
            *control_words(tasks, theories, without, both),
            *undone_words(one.skipped for sweep in trained.values() for one in sweep),
        ),
        tables=(
            _method_table(tasks, results),
            control_table(tasks, both),
            cause_table(tasks, both),
            _problem_table(tasks, theories, both),
        ),
        charts=(
            _curves(tasks, trained),
            control_chart(tasks, both),
            _chances_chart(tasks, theories, results),
        ),
        numbers=tuple(
            numbers_of(
                one.cell,
                target=task.target,
                best=task.best,
                choice=result.choice.tolist(),
                **{key: value for key, value in result._asdict().items() if key != "choice"},
            )
            for name, sweep in trained.items()
            for task, one, result in zip([*tasks, *controls], sweep, read[name], strict=True)
        ),
    )


def counted(tasks: Sequence[Problem], results: Mapping[str, Sequence[Learned]]) -> dict[str, tuple[int, int]]:
    """By method: how many learners fail, and how many there are.

    A learner fails if its deterministic action in the bent state is not the best one in plain values.
    """
    return {
        name: (
            sum(int(np.sum(one.choice != task.best)) for task, one in zip(tasks, each, strict=True)),
            sum(one.choice.size for one in each),
        )
        for name, each in results.items()
    }


def _about(budget: Budget) -> tuple[str, ...]:
    count = len(budget.envs)
    return (
        f"{budget.words()} The published rate is here the toy's, {LEARNING_RATE:g}, for every method; a tenth as many "
        "steps again come before, random ones except for PPO.",
        f"{count} problems: the first of those drawn with NumPy's generator of seed 0 ({STATES} states of which "
        f"{TERMINALS} are terminal, {ACTIONS} actions, {BRANCHES} branches, discount {DISCOUNT:g}) that fulfil a rule "
        f"which knows no training: chains of {LAYERS} layers suffice, every set that continues has a measure of "
        f"{NARROWEST:g} or more of 2, and the best action is better than the worst by {GAP:g} in plain value and by "
        f"{EPISODE_GAP:g} in an episode's return.",
        f"The entropy bifurcation extension bends the state in which episodes begin: at alpha {ALPHA:g} MaxEnt is to "
        f"give the plain-worst action, the target, a probability of {TARGET_CHANCE:g}. Leaving a chain costs at least "
        f"{MARGIN:g}; episodes are cut after {TIME_LIMIT} steps.",
        "A control is the same problem extended with the policy that MaxEnt has there anyway as the target: the same "
        "states, rewards, transitions and plain values, only the sets that continue are of other sizes. Seeds have the "
        "same random numbers on both.",
        f"SAC and its kin hold alpha at {ALPHA:g}. TD3 and PPO are at their defaults, but for discount, rates, sizes, "
        "PPO's rollouts, of which there are 55, and PPO's networks, which are SAC's; its sigma is the same in all "
        f"states. TD3 unsmoothed has no noise in its critics' targets; TD3's has a sigma of {_SMOOTHING.sigma:g}, "
        f"clipped to {_SMOOTHING.limit:g}.",
        "A learner fails if its deterministic action in the bent state is not the best one in plain values. Intervals "
        "of counts (Wilson's, and Newcombe's of pairs) take learners, or pairs of them, as independent, although seeds "
        "share problems. So more and fewer stand only where a sign test of the problems gives p < 0.05 as well. No p "
        "is adjusted for the number of comparisons.",
    )


def _theory_words(tasks: Sequence[Problem], theories: Sequence[Theory]) -> list[str]:
    error = max(abs(one.exact[task.target] - TARGET_CHANCE) for task, one in zip(tasks, theories, strict=True))
    change = max(one.plain_change for one in theories)
    target = sum(one.choice == task.target for task, one in zip(tasks, theories, strict=True))
    best = sum(one.choice == task.best for task, one in zip(tasks, theories, strict=True))
    return [
        f"Exactly, the MaxEnt-optimal policy gives the target {TARGET_CHANCE:g} in all {len(tasks)} problems (within "
        f"{error:.0e}), and plain values of the old states are what they were (within {change:.0e}).",
        f"The best tanh-Gaussian's deterministic action is the target in {target} of {len(tasks)} problems and the "
        f"plain-best action in {best}.",
    ]


def _method_words(tasks: Sequence[Problem], results: Mapping[str, Sequence[Learned]]) -> list[str]:
    counts = counted(tasks, results)
    said = ", ".join(f"{name} {failed} of {of}" for name, (failed, of) in counts.items())
    found = [f"Learners that fail: {said}."]
    for name, each in results.items():
        if name != REFERENCE and REFERENCE in results:
            gap = effect(failing(tasks, (each, results[REFERENCE])))
            found.append(f"With {name} {gap.words()} learners fail than with {REFERENCE} ({effect_words(gap)}).")
    return found


def claim(counts: Mapping[str, tuple[int, int]]) -> str:
    """Whether SAC fails and PPO and TD3 do not: most learners, or few, where the share's interval excludes a half."""
    words = {}
    for name in (REFERENCE, *PLAIN):
        _, low, high = wilson(*counts[name]) if name in counts else (0.5, 0.0, 1.0)
        words[name] = "fails" if low > 0.5 else "does not fail" if high < 0.5 else "is not clearly on either side"
    shown = words[REFERENCE] == "fails" and all(words[name] == "does not fail" for name in PLAIN)
    said = ", ".join(f"{name} {word}" for name, word in words.items())
    return (
        f"That {REFERENCE} fails where {' and '.join(PLAIN)} do not is {'' if shown else 'not '}shown here: {said} "
        "(judged by whether the 95 % interval of the share of failing learners excludes a half)."
    )


def _joined(each: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(list(each))


def _chance(
    tasks: Sequence[Problem], results: Sequence[Learned], action: Sequence[int]
) -> Float[np.ndarray, "problem seeds"]:
    """Probability of an action a problem."""
    return np.stack([one.chances[:, index] for one, index in zip(results, action, strict=True)])


def _method_table(tasks: Sequence[Problem], results: Mapping[str, Sequence[Learned]]) -> Table:
    rows = []
    for name, each in results.items():
        learners = sum(one.choice.size for one in each)
        best, target = (
            sum(int(np.sum(one.choice == index)) for one, index in zip(each, indices, strict=True))
            for indices in ([task.best for task in tasks], [task.target for task in tasks])
        )
        _, low, high = wilson(learners - best, learners)
        rows.append(
            (
                name,
                f"{learners - best} of {learners} [{low:.2f}, {high:.2f}]",
                str(target),
                middle_words(_chance(tasks, each, [task.best for task in tasks]).ravel()),
                middle_words(_chance(tasks, each, [task.target for task in tasks]).ravel()),
                middle_words(_joined([one.lost for one in each])),
                middle_words(_joined([one.lost_drawn for one in each])),
            )
        )
    heads = ("method", "fail", "take the target", "P(best)", "P(target)", "lost, deterministic", "lost, drawn")
    note = (
        "Fail: deterministic action in the bent state is not the plain-best one, with Wilson's 95 % interval of the "
        "share. P: of drawn actions there. Lost: exact discounted plain value at the bent state less than the optimum. "
        "Interquartile means over all learners with 95 % bootstrap intervals."
    )
    return Table("Methods over all problems", heads, tuple(rows), note)


def _problem_table(tasks: Sequence[Problem], theories: Sequence[Theory], results: Mapping[str, Both]) -> Table:
    heads = ("problem", "plain gap", "best continues", "target continues", "MaxEnt", "tanh-Gaussian", *results)
    rows = []
    for index, (task, one) in enumerate(zip(tasks, theories, strict=True)):
        q = plain_policy_iteration(task.mdp).action_values[BENT]
        failed = [" / ".join(str(np.sum(one[index].choice != task.best)) for one in each) for each in results.values()]
        shares = [f"{task.extension.continuing[action].min() / 2:.2f}" for action in (task.best, task.target)]
        policies = [f"{p[task.best]:.2f} / {p[task.target]:.2f}" for p in (one.exact, one.gaussian)]
        rows.append((task.name, f"{q[task.best] - q[task.target]:.2f}", *shares, *policies, *failed))
    note = (
        "Gap: discounted plain value of the best action above the target's. Continues: the smallest share of [-1, 1] "
        "that goes on in the chain behind the action. MaxEnt-optimal policies, of all and of tanh-Gaussians: P(best) / "
        "P(target). Then, by method, how many learners fail where bent / in the control."
    )
    return Table("Problems", heads, tuple(rows), note)


def _curves(tasks: Sequence[Problem], trained: Mapping[str, Sequence[Swept]]) -> Chart:
    lines = []
    for name, sweep in trained.items():
        bent = sweep[: len(tasks)]
        scores = [
            (one.cell.evaluations - task.low) / (task.high - task.low) for task, one in zip(tasks, bent, strict=True)
        ]
        steps = sweep[0].cell.evaluation_steps.tolist()
        lines.append(over_seeds(name, steps, np.concatenate(scores, axis=1)))
    return line_chart(
        "scores",
        "Deterministic returns on the way, on the bent problems",
        "Scaled by exact values: 1 is the plain-optimal policy, 0 the one that takes the target in the bent state and "
        "is optimal elsewhere. Interquartile mean over problems and seeds with its 95 % bootstrap interval.",
        lines,
        x=alt.X("x:Q", title="steps per seed", scale=alt.Scale(nice=False, zero=False)),
        y="score",
        level=(Rule("optimum", 1.0), Rule("target, then optimal", 0.0)),
    )


def _chances_chart(
    tasks: Sequence[Problem], theories: Sequence[Theory], results: Mapping[str, Sequence[Learned]]
) -> Chart:
    names, targets = [task.name for task in tasks], [task.target for task in tasks]
    lines: list[Line] = [over_seeds(name, names, _chance(tasks, each, targets)) for name, each in results.items()]
    exact, gaussian = (
        np.array([each[target] for each, target in zip(policies, targets, strict=True)])
        for policies in ([one.exact for one in theories], [one.gaussian for one in theories])
    )
    lines += [without_band("exact MaxEnt", names, exact), without_band("best tanh-Gaussian", names, gaussian)]
    return line_chart(
        "target",
        "Probability of the target in the bent state",
        "Drawn actions: interquartile mean over seeds with its 95 % bootstrap interval; lines only lead the eye from "
        "problem to problem.",
        lines,
        x=alt.X("x:O", title="problem", sort=names, axis=alt.Axis(labelAngle=0)),
        y="P(target)",
        scale=SHARE,
    )
