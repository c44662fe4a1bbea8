"""Entropy and alpha that run away upwards."""

import math

import numpy as np

from entropax.diagnostics.dialects import Knob
from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.learning import learning
from entropax.diagnostics.one_seed import OneSeed, holds_since, late_change
from entropax.diagnostics.rules.entropy import NARROW, WIDE, entropy, log_alpha
from entropax.diagnostics.rules.motion import travelling
from entropax.diagnostics.rules.rule import DIMENSIONS, SPREAD, TOLERANCE, Evidence, Rule
from entropax.diagnostics.window import number

FOLD = 10.0
"""Factor of alpha from its lowest that counts as growth and not as tuning."""
REACH = 0.02
"""Nats per dimension under the widest policy that a target must leave: closer, only a policy that looks the same in
every state meets it, and alpha grows as if the target were out of reach (0.98 log n with few actions)."""


def out_of_reach(one: OneSeed) -> Evidence | None:
    """A target that the policy class cannot have, or only by not looking at the state."""
    seen = entropy(one)
    steps, alpha = log_alpha(one)
    if not seen.goal > one.widest - REACH or not math.isfinite(one.facts.entropy_maximum):
        return None
    fold = math.exp(min(alpha[-1] - alpha.min(), 700.0)) if len(alpha) else math.nan
    first = int(steps[np.argmin(alpha)]) if len(alpha) else int(seen.steps[0])
    rising = travelling(one) > 0
    return Evidence(
        Kind.EXPLODING if rising else Kind.TARGET_NOT_REACHED,
        Severity.CRITICAL,
        (first, int(seen.steps[-1])),
        {
            "target (nats per dimension)": seen.goal,
            "largest possible (nats per dimension)": one.widest,
            "alpha": one.late("train/ent_coef"),
            "alpha's factor from its lowest": fold,
        },
        "train/ent_coef",
        f"The target of {number(seen.goal)} nats per dimension {_beyond(one, seen.goal)}, so nothing ever stops alpha"
        f"{_whereabouts(rising, fold)}.",
        (
            "a target with the wrong sign, or one meant for another unit: log n of a finite set, or environment units",
            "a target close to the uniform policy's, which asks that the policy ignore the state",
        ),
        _lower_targets(one),
    )


def _beyond(one: OneSeed, goal: float) -> str:
    """How a target stands to the largest entropy."""
    if goal > one.widest:
        return f"is above the {number(one.widest)} that the policy can have"
    return f"is so close to the {number(one.widest)} of the widest policy that only one blind to the state meets it"


def _whereabouts(rising: bool, fold: float) -> str:
    """What alpha does; nothing where it was not logged."""
    if math.isnan(fold):
        return ""
    return f"; it {'still rises' if rising else 'is at rest for now'}, {number(fold)}-fold from its lowest"


def _lower_targets(one: OneSeed) -> tuple[str, ...]:
    """Targets that leave the policy something to decide."""
    if one.facts.categories:
        return (one.say(Knob.TARGET, "0.5") + ", half of log n",)
    return (
        one.say(Knob.TARGET, number(one.widest - 0.7)) + ", half the largest sigma",
        one.say(Knob.TARGET, "-1.0") + ", the published one",
    )


def near_uniform(one: OneSeed) -> Evidence | None:
    """A target that leaves the policy next to nothing to decide."""
    goal = entropy(one).goal
    share = math.exp(goal - one.widest) if math.isfinite(goal) else 0.0
    if share <= WIDE or not math.isfinite(one.facts.entropy_maximum):
        return None
    steps, _ = one.rows("entropy/target")
    return Evidence(
        Kind.MISLEADING,
        Severity.WARNING,
        (int(steps[0]), int(steps[-1])),
        {
            "target (nats per dimension)": goal,
            "its share of the feasible range (%)": 100 * share,
            "alpha": one.late("train/ent_coef"),
        },
        "entropy/target",
        f"The target of {number(goal)} nats per dimension asks for {number(100 * share)} % of the feasible range: a "
        "policy that meets it is nearly uniform in most states, however well it has learned.",
        (
            "a target given as a share of the largest entropy, such as 0.98 log n of a finite set",
            "a target in another unit: nats of the environment's own box, or of another library's",
        ),
        _lower_targets(one),
    )


def runaway_alpha(one: OneSeed) -> Evidence | None:
    """Alpha grows without end while the entropy stays under its target and does not answer."""
    steps, alpha = log_alpha(one)
    slack = one.late("entropy/slack") / one.dimensions
    if len(steps) < 2 or travelling(one) <= 0 or not slack < -TOLERANCE:
        return None
    lowest = int(np.argmin(alpha))
    fold = math.exp(min(alpha[-1] - alpha[lowest], 700.0))
    answer = late_change(*one.rows("entropy/slack")) / one.dimensions
    if fold < FOLD or answer > -slack / 4:
        return None
    return Evidence(
        Kind.EXPLODING,
        Severity.CRITICAL,
        (int(steps[lowest]), int(steps[-1])),
        {
            "alpha": one.late("train/ent_coef"),
            "factor from its lowest": fold,
            "slack (nats per dimension)": slack,
            "entropy share of the soft value": one.late("entropy/share_of_soft_value"),
        },
        "train/ent_coef",
        f"Alpha runs away: it has grown {number(fold)}-fold since step {int(steps[lowest])} because the entropy is "
        f"{number(-slack)} nats per dimension under its target and has not answered.",
        (
            "saturated actions, or a floor or ceiling of the actor's log-std: its entropy cannot rise",
            "an actor that does not learn: its gradients vanish, or its learning rate is far below the temperature's",
            "rewards so large that alpha has to be huge to matter",
        ),
        (
            one.target("-1.0", "0.5") + " or lower",
            one.say(Knob.ALPHA_MAXIMUM, "1.0"),
            "scale the rewards to about 1",
        ),
    )


def exploding_entropy(one: OneSeed) -> Evidence | None:
    """A policy that had narrowed becomes nearly uniform again, and what was learned goes with it."""
    seen, learned = entropy(one), learning(one)
    if not len(seen.steps) or not learned.learned or learned.kept:
        return None
    since = holds_since(seen.steps, seen.fraction > WIDE)
    if since is None or not (seen.fraction[seen.steps < since] < NARROW).any():
        return None
    _, alpha = log_alpha(one)
    middle = math.exp(float(np.median(alpha))) if len(alpha) else 1.0
    lost = 100 * (1 - learned.late / float(learned.gains[-1]))
    return Evidence(
        Kind.EXPLODING,
        Severity.CRITICAL,
        (since, int(seen.steps[-1])),
        {
            "share of the feasible range (%)": 100 * float(seen.fraction[-1]),
            "alpha": one.late("train/ent_coef"),
            "share of the return's gain lost (%)": lost,
        },
        "entropy/nats",
        f"The entropy has exploded: since step {since} the policy is nearly uniform again, and {number(lost)} % of "
        "what it had gained in return is lost.",
        (
            "alpha that grew past the size of the rewards: look at its learning rate and its target",
            "a critic that was lost, so that no action looks better than another",
            "a reward that stopped coming",
        ),
        (
            one.say(Knob.ALPHA_RATE, "3e-5"),
            one.say(Knob.ALPHA_MAXIMUM, number(middle)) + ", the median alpha of this run",
        ),
    )


RULES = (
    Rule(
        "target-out-of-reach",
        out_of_reach,
        ("entropy/target", "entropy/nats"),
        (DIMENSIONS, SPREAD),
        silences=(
            "alpha-runaway",
            "premature-collapse",
            "alpha-clamped",
            "alpha-travelling",
            "target-missed",
            "reward-drowned",
            "target-near-uniform",
        ),
    ),
    Rule("target-near-uniform", near_uniform, ("entropy/target", "entropy/nats"), (DIMENSIONS, SPREAD)),
    Rule(
        "alpha-runaway",
        runaway_alpha,
        ("train/ent_coef", "entropy/slack"),
        (DIMENSIONS, SPREAD),
        silences=("premature-collapse", "slow-collapse", "target-missed", "alpha-travelling", "reward-drowned"),
    ),
    Rule(
        "entropy-explosion",
        exploding_entropy,
        ("entropy/nats", "rollout/ep_rew_mean"),
        (DIMENSIONS, SPREAD),
        silences=("target-missed", "alpha-travelling"),
    ),
)
