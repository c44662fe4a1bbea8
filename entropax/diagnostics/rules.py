"""The rules: each looks at one seed and says what is wrong with it, or nothing."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from entropax.diagnostics.findings import Finding, Kind, Severity, worst_first
from entropax.diagnostics.window import Facts, Series, in_last_quarter, last_quarter, measured, number, per_seed

COLLAPSED_FRACTION = 0.02
"""Share exp(H/d - H_max) of the feasible volume: a sigma of about 0.01 in [-1, 1], fifty times less than the widest
policy and a tenth of what the usual target of -1 nat per dimension leaves (share 0.19, sigma 0.09)."""
COLLAPSED_DEFICIT = 1.0
"""Nats per dimension below the target: a factor e in sigma, which no law leaves standing if it can still push."""
TOLERANCE = 0.25
"""Nats per dimension around the target, 28 % in sigma: the batch-to-batch noise of a tracking law is below it."""
AT_LIMIT = 0.5
"""Share of Adam's step limit: a law that moves faster than this is travelling, not regulating."""
EXPLOSION_FOLD = 10.0
"""Factor from the lowest alpha, or from the quarter before for Q, that counts as growth and not as tuning."""
REWARD_MARGIN = 100.0
"""Q above this many times the largest return and entropy value of the run cannot be a value of its rewards."""

_PATIENCE = ("nothing, while the return still rises or the task is unsolved: entropy above its target is exploration",)


def judge(series: Mapping[str, Series], facts: Facts) -> list[Finding]:
    """Applies every rule to every seed; seeds with the same finding share one, worst first."""
    found: list[Finding] = []
    enough = measured(series, facts)
    for index in range(len(facts.seeds)):
        found += nonfinite(series, facts, index)
        found += diverging_q(series, facts, index)
        if enough[index]:
            runaway = runaway_alpha(series, facts, index)
            low = [] if runaway else collapsed(series, facts, index)
            off = [] if runaway or low else target_not_reached(series, facts, index)
            found += [*runaway, *low, *off]
    return worst_first(_merge(found))


def _merge(findings: list[Finding]) -> list[Finding]:
    """Joins findings of one rule over seeds: numbers become means, the explanation names the seed it is of."""
    groups: dict[tuple[Kind, tuple[str, ...]], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.kind, tuple(finding.numbers)), []).append(finding)
    merged = []
    for group in groups.values():
        worst = max(group, key=lambda finding: list(Severity).index(finding.severity))
        merged.append(
            replace(
                worst,
                explanation=worst.explanation if len(group) == 1 else f"Seed {worst.seeds[0]}: {worst.explanation}",
                seeds=tuple(seed for finding in group for seed in finding.seeds),
                steps=(min(f.steps[0] for f in group), max(f.steps[1] for f in group)),
                numbers={key: float(np.mean([f.numbers[key] for f in group])) for key in worst.numbers},
            )
        )
    return merged


def _late(series: Mapping[str, Series], name: str, facts: Facts, index: int) -> float:
    return float(last_quarter(series, name, facts)[index])


def _log_alpha(series: Mapping[str, Series], index: int) -> tuple[np.ndarray, np.ndarray]:
    steps, alpha = per_seed(series, "train/ent_coef", index)
    positive = alpha > 0
    return steps[positive], np.log(alpha[positive])


def _late_change(steps: np.ndarray, values: np.ndarray) -> float:
    """Net change over the last quarter; 0 where it has fewer than two rows."""
    late = values[in_last_quarter(steps)] if len(steps) else values
    return float(late[-1] - late[0]) if len(late) > 1 else 0.0


def _share_of_limit(series: Mapping[str, Series], facts: Facts, index: int) -> float:
    """Signed mean change of log alpha per update over the last quarter, in units of Adam's limit; NaN if unknown."""
    return _late(series, "train/ent_coef_step", facts, index) / facts.temperature_rate


def _travelling(series: Mapping[str, Series], facts: Facts, index: int) -> int:
    """+1 or -1 where alpha still travels up or down, 0 where it is at rest."""
    share = _share_of_limit(series, facts, index)
    if math.isfinite(share):
        return int(np.sign(share)) if abs(share) >= AT_LIMIT else 0
    change = _late_change(*_log_alpha(series, index))
    return int(np.sign(change)) if abs(change) >= 0.5 else 0


def nonfinite(series: Mapping[str, Series], facts: Facts, index: int) -> list[Finding]:
    """A loss, Q, the entropy or alpha that was finite and is not any more, or updates that were skipped for it."""
    watched = ("train/critic_loss", "train/actor_loss", "train/q_mean", "entropy/nats", "train/ent_coef")
    broken = []
    for name in watched:
        steps, _ = per_seed(series, name, index)
        if len(steps) and steps[-1] < series[name].steps[-1]:
            broken.append((int(steps[-1]), int(series[name].steps[-1]), name))
    steps, skipped = per_seed(series, "train/skipped_updates", index)
    count = float(np.sum(skipped))
    if not broken and count == 0:
        return []
    first, last, name = min(broken, default=(0, 0, ""))
    if not broken:
        first, last = int(steps[np.argmax(skipped > 0)]), int(steps[-1])
    what = f"{name} was last finite at step {first}" if broken else f"{count:.0f} updates were not finite and skipped"
    return [
        Finding(
            Kind.EXPLODING,
            Severity.CRITICAL if broken else Severity.WARNING,
            (facts.seeds[index],),
            (first, last),
            {"skipped updates": count, "metrics no longer finite": float(len(broken))},
            f"Numbers stopped being finite: {what}.",
            (
                "critic_learning_rate=1e-4, a third of the published step",
                "look for rewards or observations that are not finite or very large, and scale them",
            ),
        )
    ]


def diverging_q(series: Mapping[str, Series], facts: Facts, index: int) -> list[Finding]:
    """Q that grows tenfold in a quarter of the run, to a size that the rewards and entropies cannot give."""
    steps, q = per_seed(series, "train/q_mean", index)
    _, returns = per_seed(series, "rollout/ep_rew_mean", index)
    if len(steps) < 8 or not len(returns):
        return []
    span = steps[-1] - steps[0]
    late = in_last_quarter(steps)
    before = (steps >= steps[-1] - span / 2) & ~late
    growth = float(np.median(np.abs(q[late])) / max(float(np.median(np.abs(q[before]))), 1e-12))
    bonus = _late(series, "train/ent_coef", facts, index) * abs(_late(series, "entropy/nats", facts, index))
    possible = float(np.max(np.abs(returns))) + np.nan_to_num(bonus) / max(1 - facts.discount, 1e-3)
    size = float(np.median(np.abs(q[late])))
    if growth < EXPLOSION_FOLD or size < REWARD_MARGIN * max(possible, 1e-12):
        return []
    return [
        Finding(
            Kind.EXPLODING,
            Severity.CRITICAL,
            (facts.seeds[index],),
            (int(steps[before][0]), int(steps[-1])),
            {"|Q|": size, "growth of |Q| in a quarter": growth, "largest |return| and entropy value": possible},
            f"Q diverges: |Q| is {number(size)} and grew {growth:.0f}-fold in a quarter of the run, but the largest "
            f"return plus entropy value seen is {number(possible)}.",
            ("critic_learning_rate=1e-4", "polyak=0.002, slower target critics", "scale the rewards to about 1"),
        )
    ]


def runaway_alpha(series: Mapping[str, Series], facts: Facts, index: int) -> list[Finding]:
    """Alpha grows without end while the entropy stays under its target and does not answer."""
    steps, log_alpha = _log_alpha(series, index)
    slack = _late(series, "entropy/slack", facts, index) / facts.action_dimensions
    if len(steps) < 2 or _travelling(series, facts, index) <= 0 or not slack < -TOLERANCE:
        return []
    lowest = int(np.argmin(log_alpha))
    fold = math.exp(min(log_alpha[-1] - log_alpha[lowest], 700.0))
    _, gap = per_seed(series, "entropy/slack", index)
    slack_steps, _ = per_seed(series, "entropy/slack", index)
    answer = _late_change(slack_steps, gap) / facts.action_dimensions
    if fold < EXPLOSION_FOLD or answer > -slack / 4:
        return []
    target = _late(series, "entropy/target", facts, index) / facts.action_dimensions
    unreachable = target > facts.entropy_maximum
    why = (
        f"the target of {number(target)} nats per dimension is above the {number(facts.entropy_maximum)} that the "
        "policy can have, so nothing ever stops alpha"
        if unreachable
        else f"the entropy is {number(-slack)} nats per dimension under its target and has not answered"
    )
    reachable = f"target_entropy=PerDimension({number(facts.entropy_maximum - 0.7)}), half the largest sigma"
    return [
        Finding(
            Kind.EXPLODING,
            Severity.CRITICAL,
            (facts.seeds[index],),
            (int(steps[lowest]), int(steps[-1])),
            {
                "alpha": _late(series, "train/ent_coef", facts, index),
                "factor from its lowest": fold,
                "slack (nats per dimension)": slack,
                "entropy share of the soft value": _late(series, "entropy/share_of_soft_value", facts, index),
            },
            f"Alpha runs away: it has grown {number(fold)}-fold since step {int(steps[lowest])} because {why}.",
            (reachable if unreachable else "target_entropy=PerDimension(-1.0) or lower", "band=Clamp(maximum=1.0)"),
        )
    ]


def collapsed(series: Mapping[str, Series], facts: Facts, index: int) -> list[Finding]:
    """The policy holds a tiny share of the feasible range, or is far under its target while alpha lets it be."""
    d = facts.action_dimensions
    steps, nats = per_seed(series, "entropy/nats", index)
    _, target = per_seed(series, "entropy/target", index)
    goal = float(target[-1]) / d if len(target) else math.nan
    fraction = np.exp(nats / d - facts.entropy_maximum)
    deficit = goal - nats / d
    tiny = (fraction < COLLAPSED_FRACTION) & ~(deficit < TOLERANCE)
    abandoned = (deficit > COLLAPSED_DEFICIT) & (_late_change(*_log_alpha(series, index)) <= 0)
    low = tiny | abandoned
    late = in_last_quarter(steps)
    if low[late].mean() <= 0.5 or not low[-1]:
        return []
    since = int(steps[np.flatnonzero(~low)[-1] + 1]) if (~low).any() else int(steps[0])
    share = float(fraction[late].mean())
    alpha = _late(series, "train/ent_coef", facts, index)
    gap = f" and {number(float(deficit[-1]))} nats per dimension less than its target" if math.isfinite(goal) else ""
    return [
        Finding(
            Kind.COLLAPSED,
            Severity.CRITICAL,
            (facts.seeds[index],),
            (since, int(steps[-1])),
            {
                "entropy (nats per dimension)": float((nats / d)[late].mean()),
                "share of the feasible range (%)": 100 * share,
                "sigma": _late(series, "entropy/sigma", facts, index),
                "alpha": alpha,
            },
            f"The policy has become almost deterministic: since step {since} it holds {number(100 * share)} % of the "
            f"feasible range{gap}, so it no longer explores.",
            _collapse_remedy(_log_alpha(series, index)[1], facts),
        )
    ]


def _collapse_remedy(log_alpha: np.ndarray, facts: Facts) -> tuple[str, ...]:
    """Hold alpha up: where it fell, from below; where it did not, with a larger one and a target to steer to."""
    fell = len(log_alpha) and log_alpha[-1] < log_alpha.max() - 1
    rate = facts.temperature_rate
    slower = f"learning_rate={number(rate / 10)} for the temperature, so that alpha falls slower than Q is learned"
    floor = math.exp(float(np.median(log_alpha))) if len(log_alpha) else 0.1
    if fell:
        return (f"band=Clamp(minimum={number(floor)}), the median alpha of this run", slower) if rate > 0 else (slower,)
    return ("temperature=Dual(target_entropy=PerDimension(-1.0))", f"a fixed alpha of {number(10 * floor)}")


def target_not_reached(series: Mapping[str, Series], facts: Facts, index: int) -> list[Finding]:
    """The entropy misses its target, on either side, on average over the last quarter."""
    slack = _late(series, "entropy/slack", facts, index) / facts.action_dimensions
    if not abs(slack) > TOLERANCE:
        return []
    steps, values = per_seed(series, "entropy/slack", index)
    outside = np.abs(values / facts.action_dimensions) > TOLERANCE
    since = int(steps[np.flatnonzero(~outside)[-1] + 1]) if (~outside[:-1]).any() and outside[-1] else int(steps[0])
    direction, alpha = _travelling(series, facts, index), _late(series, "train/ent_coef", facts, index)
    side = "above" if slack > 0 else "below"
    helping = direction == (-1 if slack > 0 else 1)
    moving = {1: "still rises", -1: "still falls", 0: "is at rest"}[direction]
    near = number(alpha / 10 if slack > 0 else alpha * 10)
    remedy = (
        (f"initial_alpha={near}, where alpha is heading, or {number(3 * facts.temperature_rate)} as its learning rate",)
        if helping and facts.temperature_rate > 0
        else (f"initial_alpha={near}, and no band that stops alpha", "a target nearer to the entropy seen")
    )
    return [
        Finding(
            Kind.TARGET_NOT_REACHED,
            Severity.WARNING,
            (facts.seeds[index],),
            (since, int(steps[-1])),
            {
                f"slack, {side} (nats per dimension)": slack,
                "alpha": alpha,
                "alpha's step (share of its limit)": _share_of_limit(series, facts, index),
            },
            f"The entropy is {number(abs(slack))} nats per dimension {side} its target and alpha {moving}"
            + (": it has not had the updates to arrive." if helping else "."),
            remedy + (("train longer",) if helping else ()) + (_PATIENCE if slack > 0 else ()),
        )
    ]
