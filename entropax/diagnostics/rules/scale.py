"""The size of the rewards against the size of the entropy bonus."""

import numpy as np

from entropax.diagnostics.dialects import Knob
from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.learning import learning
from entropax.diagnostics.one_seed import OneSeed
from entropax.diagnostics.rules.rule import DIMENSIONS, SPREAD, TOLERANCE, Evidence, Rule
from entropax.diagnostics.window import in_last_quarter, number

IRRELEVANT = 0.01
"""Share of the value that the entropy of all steps to come makes up, under which it moves no action's rank: a critic's
own error is of that order."""
DROWNED = 0.9
"""The same share above which the reward is a tenth of the value or less."""
LEAST_ENTROPY = 0.25
"""Nats per dimension, in size, that a row must have: around 0 the bonus vanishes whatever alpha is."""


def _share(one: OneSeed) -> tuple[int, int, float] | None:
    """First and last step of the last quarter, and the entropy's share there of all value to come, in [0, 1]."""
    steps, share = one.rows("entropy/share_of_soft_value")
    nats_steps, nats = one.rows("entropy/nats")
    if not len(steps) or not len(nats_steps):
        return None
    at = np.interp(steps, nats_steps, nats) / one.dimensions
    late = in_last_quarter(steps)
    clear = late & (np.abs(at) >= LEAST_ENTROPY)
    if clear.sum() * 2 < late.sum():
        return None
    whole = float(share[clear].mean()) / max(1 - one.facts.discount, 1e-3)
    return int(steps[late][0]), int(steps[-1]), min(whole, 1.0)


def irrelevant(one: OneSeed) -> Evidence | None:
    """Alpha is too small for the rewards to matter, and no law holds the entropy where it should be."""
    found = _share(one)
    slack = one.late("entropy/slack") / one.dimensions
    if found is None or found[2] >= IRRELEVANT or abs(slack) <= TOLERANCE:
        return None
    first, last, share = found
    alpha = one.late("train/ent_coef")
    return Evidence(
        Kind.MISLEADING,
        Severity.WARNING,
        (first, last),
        {"entropy's share of the value (%)": 100 * share, "alpha": alpha, "Q": one.late("train/q_mean")},
        "entropy/share_of_soft_value",
        f"Alpha is irrelevant: entropy makes up {number(100 * share)} % of the value, so this is an algorithm without "
        "entropy bonus, whatever its name.",
        ("rewards on a large scale against a fixed alpha", "a law of alpha that has gone to its lower end"),
        (
            "divide the rewards by their typical size",
            one.say(Knob.FIXED_ALPHA, number(alpha * 0.1 / max(share, 1e-9))) + ", ten times less than the value",
            one.say(Knob.TARGET, "-1.0"),
        ),
    )


def drowned(one: OneSeed) -> Evidence | None:
    """The entropy bonus is nearly all of the value, and nothing is learned of the reward."""
    found = _share(one)
    learned = learning(one)
    if found is None or found[2] < DROWNED or not learned.known or learned.learned:
        return None
    first, last, share = found
    alpha = one.late("train/ent_coef")
    return Evidence(
        Kind.MISLEADING,
        Severity.WARNING,
        (first, last),
        {"entropy's share of the value (%)": 100 * share, "alpha": alpha, "Q": one.late("train/q_mean")},
        "entropy/share_of_soft_value",
        f"The reward drowns: entropy makes up {number(100 * share)} % of the value, and the return has not risen "
        "beyond its noise. The policy maximises entropy.",
        (
            "rewards that are rare or tiny: nothing but entropy has a value yet",
            "an alpha that started far too high, and has not come down",
        ),
        (
            "multiply the rewards until they are about 1, if they are smaller",
            one.say(Knob.INITIAL_ALPHA, number(alpha / 10)),
        ),
    )


_NEEDS = ("entropy/share_of_soft_value", "entropy/nats")
RULES = (
    Rule("alpha-irrelevant", irrelevant, _NEEDS, (DIMENSIONS, SPREAD)),
    Rule("reward-drowned", drowned, (*_NEEDS, "rollout/ep_rew_mean"), (DIMENSIONS, SPREAD)),
)
