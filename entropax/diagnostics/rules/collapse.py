"""Entropy that goes before the return comes."""

import math

import numpy as np

from entropax.diagnostics.dialects import Knob
from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.learning import EARLY, Learning, climbs, learning, returns
from entropax.diagnostics.one_seed import USUAL_BONUS, OneSeed
from entropax.diagnostics.rules.entropy import (
    LOW_FRACTION,
    NARROW,
    WIDE,
    Entropy,
    entropy,
    gone_for_a_while,
    gone_since,
    log_alpha,
)
from entropax.diagnostics.rules.rule import DIMENSIONS, SPREAD, TOLERANCE, Evidence, Rule
from entropax.diagnostics.window import in_last_half, in_last_quarter, number

LONG = 0.2
"""Share of the run without entropy that is too long to be a law's first swing: two of the ten parts that learning is
told in."""
SLOW_FALL = 0.5
"""Nats per dimension over the last half, a factor 1.6 in sigma: twice the tolerance around a target."""


def premature(one: OneSeed) -> Evidence | None:
    """Entropy gone while most of the learning was to come, and the return does not rise any more.

    Where no target asks for entropy, its loss is a fault only if the gain did not come, or did not stay.
    """
    seen, learned = entropy(one), learning(one)
    since = gone_since(one, seen)
    if since is None or learned.rising or learned.share_before(since) >= EARLY:
        return None
    if math.isnan(seen.goal) and learned.kept:
        return None
    late = seen.late
    share = float(seen.fraction[late].mean())
    deficit = seen.goal - float(seen.nats[late].mean())
    gap = f" and {number(deficit)} nats per dimension less than its target" if math.isfinite(deficit) else ""
    return Evidence(
        Kind.COLLAPSED,
        Severity.CRITICAL,
        (since, int(seen.steps[-1])),
        {
            "entropy (nats per dimension)": float(seen.nats[late].mean()),
            "share of the feasible range (%)": 100 * share,
            "sigma": one.late("entropy/sigma"),
            "alpha": one.late("train/ent_coef"),
            "share of the return's gain made by then (%)": 100 * learned.share_before(since),
        },
        "entropy/nats",
        f"The policy has become almost deterministic: since step {since} it holds {number(100 * share)} % of the "
        f"feasible range{gap}, so it no longer explores. {_state(learned, since)}",
        _causes(one),
        _hold_alpha_up(one),
    )


def _state(learned: Learning, since: int) -> str:
    if not learned.known:
        return "No return was logged that would show whether it had learned first."
    if not learned.learned:
        return "The return has not risen beyond its noise in the whole run."
    share = 100 * learned.share_before(since)
    return f"By then {number(share)} % of the return's gain had been made, and it has stopped rising."


def _causes(one: OneSeed) -> tuple[str, ...]:
    _, alpha = log_alpha(one)
    fell = len(alpha) > 0 and alpha[-1] < alpha.max() - 1
    first = (
        "alpha fell faster than the critics learned what to explore for: its learning rate is too large"
        if fell
        else "alpha is too small for the size of the rewards, so nothing holds the entropy up"
    )
    return (
        first,
        "critics that prefer one action too strongly too early: overestimation, or rewards on too large a scale",
        "a target entropy that asks for little: in environment units the same number means another sigma",
    )


def _hold_alpha_up(one: OneSeed) -> tuple[str, ...]:
    """Hold alpha up: where it fell, from below; where it did not, with a larger one and a target to steer to."""
    _, alpha = log_alpha(one)
    if not len(alpha):
        return one.target("-1.0", "0.5"), one.say(Knob.FIXED_ALPHA, USUAL_BONUS)
    middle = math.exp(float(np.median(alpha)))
    if alpha[-1] >= alpha.max() - 1:
        return one.target("-1.0", "0.5"), one.say(Knob.FIXED_ALPHA, number(10 * middle))
    rate = one.facts.temperature_rate
    slower = (
        one.say(Knob.ALPHA_RATE, number(rate / 10)) + ": alpha falls ten times slower than now"
        if rate > 0
        else one.say(Knob.ALPHA_RATE, "3e-5") + ": a tenth of the published rate"
    )
    return (
        slower,
        one.say(Knob.ALPHA_MINIMUM, number(middle)) + ", the median alpha of this run",
    )


def _spent(seen: Entropy, learned: Learning, step: int) -> bool:
    """Whether entropy that is low from this step on is what was left of learning, and no target asks for more."""
    return math.isnan(seen.goal) and learned.was_done(step)


def slow(one: OneSeed) -> Evidence | None:
    """Entropy that falls steadily through the last half, away from any target, and pays nothing in return."""
    seen = entropy(one)
    half = in_last_half(seen.steps)
    if half.sum() < 4 or gone_since(one, seen) is not None:
        return None
    steps, nats = seen.steps[half], seen.nats[half]
    span = float(steps[-1] - steps[0])
    fall = -float(np.polyfit((steps - steps[0]) / span, nats, 1)[0])
    later = nats[steps >= steps[0] + span / 2]
    going = len(later) > 1 and float(later[0] - later[-1]) > fall / 4
    towards = math.isfinite(seen.goal) and nats[-1] > seen.goal - TOLERANCE
    left = (float(nats[-1]) - seen.floor) / max(fall, 1e-12) * span
    whole = float(seen.steps[-1] - seen.steps[0])
    learned = learning(one)
    gain = 1 - learned.share_before(int(steps[0])) if learned.learned else 0.0
    paid = gain > 0 and gain * learned.gains[-1] > learned.noise
    if fall < SLOW_FALL or not going or towards or left > whole or paid or _spent(seen, learned, int(steps[0])):
        return None
    return Evidence(
        Kind.COLLAPSED,
        Severity.WARNING,
        (int(steps[0]), int(steps[-1])),
        {
            "fall over the last half (nats per dimension)": fall,
            "share of the feasible range (%)": 100 * float(seen.fraction[-1]),
            "alpha": one.late("train/ent_coef"),
        },
        "entropy/nats",
        f"The entropy is on its way down: it lost {number(fall)} nats per dimension over the last half of the run, the "
        f"return gained nothing by it, and at this pace is gone in about {number(max(left, 0.0))} more steps.",
        _causes(one),
        _hold_alpha_up(one),
    )


def mended(one: OneSeed) -> Evidence | None:
    """Entropy that was gone for a good part of the run and came back, while the return still makes up for it."""
    seen = entropy(one)
    gone = gone_for_a_while(seen)
    if not len(gone) or gone.mean() < LONG or gone[seen.late].any() or not climbs(*returns(one)):
        return None
    steps, alpha = log_alpha(one)
    first, last = seen.steps[gone][0], seen.steps[gone][-1]
    if _spent(seen, learning(one), int(last)):
        return None
    then = alpha[(steps >= first) & (steps <= last)]
    alphas = {"alpha then": math.exp(float(np.median(then))), "alpha": one.late("train/ent_coef")} if len(then) else {}
    return Evidence(
        Kind.COLLAPSED,
        Severity.WARNING,
        (int(first), int(last)),
        {
            "share of the run without entropy (%)": 100 * float(gone.mean()),
            "lowest entropy (nats per dimension)": float(seen.nats.min()),
            **alphas,
        },
        "entropy/nats",
        f"The policy was almost deterministic for {number(100 * float(gone.mean()))} % of the run, down to "
        f"{number(float(seen.nats.min()))} nats per dimension. Its entropy has come back, but the return, which still "
        "rises at the end, is that much behind.",
        (
            "alpha that started too small for the size of the rewards, and took this long to grow",
            "critics that preferred one action too strongly too early",
        ),
        (
            one.say(Knob.INITIAL_ALPHA, number(one.late("train/ent_coef"))) + ", where alpha went"
            if len(alpha)
            else one.say(Knob.FIXED_ALPHA, USUAL_BONUS),
            "scale the rewards to about 1",
            one.say(Knob.MORE_STEPS, f"{2 * int(seen.steps[-1])}") + ": train longer",
        ),
    )


def one_dimension(one: OneSeed) -> Evidence | None:
    """A single action dimension without entropy, hidden by a sum that looks right."""
    steps, each = one.rows("entropy/per_dimension")
    if each.ndim != 2 or each.shape[1] < 2 or not len(steps):
        return None
    seen = entropy(one)
    late = each[in_last_quarter(steps)].mean(axis=0)
    fraction = np.exp(late - one.widest)
    healthy = len(seen.steps) and float(seen.fraction[seen.late].mean()) >= LOW_FRACTION
    low = np.flatnonzero(fraction < LOW_FRACTION)
    if not healthy or not len(low) or gone_since(one, seen) is not None:
        return None
    names = ", ".join(map(str, low))
    return Evidence(
        Kind.MISLEADING,
        Severity.WARNING,
        (int(steps[0]), int(steps[-1])),
        {
            "lowest dimension (nats)": float(late.min()),
            "its share of the feasible range (%)": 100 * float(fraction.min()),
            "mean of all dimensions (nats)": float(late.mean()),
        },
        "entropy/per_dimension",
        f"Action dimension {names} of {len(late)} has become almost deterministic, which the sum hides: the others "
        f"have {number(float(np.delete(late, low).mean()))} nats each on average.",
        (
            "one alpha for all dimensions: the law trades entropy of a dimension that matters for one that does not",
            "a dimension that the task decides early, or whose bounds are far wider than it needs",
        ),
        (
            "narrow the bounds of that dimension to what the task uses, so that the same sigma means more",
            one.say(Knob.TARGET, "-0.5") + ": more for every dimension",
        ),
    )


def idle_dimension(one: OneSeed) -> Evidence | None:
    """A single action dimension that stays nearly uniform while the policy decides the others."""
    steps, each = one.rows("entropy/per_dimension")
    if each.ndim != 2 or each.shape[1] < 2 or not len(steps):
        return None
    late = in_last_quarter(steps)
    nats = each[late].mean(axis=0)
    fraction = np.exp(nats - one.widest)
    idle = fraction > WIDE
    if not idle.any() or idle.all() or float(np.exp(nats[~idle].mean() - one.widest)) >= NARROW:
        return None
    names = ", ".join(map(str, np.flatnonzero(idle)))
    return Evidence(
        Kind.MISLEADING,
        Severity.WARNING,
        (int(steps[late][0]), int(steps[-1])),
        {
            "widest dimension (nats)": float(nats.max()),
            "its share of the feasible range (%)": 100 * float(fraction.max()),
            "mean of the others (nats)": float(nats[~idle].mean()),
        },
        "entropy/per_dimension",
        f"Action dimension {names} of {len(nats)} is drawn nearly uniformly while the others have "
        f"{number(float(nats[~idle].mean()))} nats each: nothing is learned there, and the others have to do without "
        "the entropy that it holds for nothing.",
        (
            "a dimension that does nothing in the environment: a dead actuator, or an index or a mask that is off",
            "a dimension whose effect is far below the noise of the reward",
        ),
        (
            "check what that dimension does, and leave it out of the action space if nothing",
            "a target for the other dimensions alone, or a law with an alpha of its own for each dimension",
        ),
    )


_NEEDS = ("entropy/nats",)
RULES = (
    Rule(
        "premature-collapse",
        premature,
        _NEEDS,
        (DIMENSIONS, SPREAD),
        silences=("slow-collapse", "target-missed", "alpha-travelling", "alpha-irrelevant", "dimension-collapse"),
    ),
    Rule("slow-collapse", slow, _NEEDS, (DIMENSIONS, SPREAD), silences=("target-missed",)),
    Rule("mended-collapse", mended, (*_NEEDS, "rollout/ep_rew_mean"), (DIMENSIONS, SPREAD)),
    Rule("dimension-collapse", one_dimension, ("entropy/per_dimension", *_NEEDS), (DIMENSIONS, SPREAD)),
    Rule("dimension-idle", idle_dimension, ("entropy/per_dimension",), (DIMENSIONS, SPREAD)),
)
