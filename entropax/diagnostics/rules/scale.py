"""The size of the rewards against the size of the entropy bonus."""

import math
from typing import NamedTuple

import numpy as np

from entropax.diagnostics.dialects import Knob
from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.learning import learning
from entropax.diagnostics.one_seed import USUAL_BONUS, OneSeed, holds_since
from entropax.diagnostics.rules.entropy import log_alpha
from entropax.diagnostics.rules.rule import DIMENSIONS, SPREAD, TOLERANCE, Evidence, Rule
from entropax.diagnostics.window import in_last_quarter, number

IRRELEVANT = 0.01
"""Share of the value that the entropy of all steps to come makes up, under which it moves no action's rank: a critic's
own error is of that order."""
DROWNED = 0.9
"""The same share above which the reward is a tenth of the value or less."""
FOLD = 10.0
"""Factor of alpha down from its highest that is a law's doing: as much growth is a runaway's."""
LEAST_ENTROPY = 0.25
"""Nats per dimension, in size, that a row must have: around 0 the bonus vanishes whatever alpha is."""


class _Share(NamedTuple):
    """The entropy's share of all value to come, in [0, 1]."""

    first: int
    last: int
    """Steps of the last quarter."""
    late: float
    """Mean over it."""
    negligible_since: int
    """From where every row that tells it is under `IRRELEVANT`; the last quarter's first step where none is so."""


def _share(one: OneSeed) -> _Share | None:
    steps, share = one.rows("entropy/share_of_soft_value")
    nats_steps, nats = one.rows("entropy/nats")
    if not len(steps) or not len(nats_steps):
        return None
    at = np.interp(steps, nats_steps, nats) / one.dimensions
    late = in_last_quarter(steps)
    clear = np.abs(at) >= LEAST_ENTROPY
    if (late & clear).sum() * 2 < late.sum():
        return None
    whole = share / max(1 - one.facts.discount, 1e-3)
    since = holds_since(steps[clear], whole[clear] < IRRELEVANT)
    first = int(steps[late][0])
    mean = min(float(whole[late & clear].mean()), 1.0)
    return _Share(first, int(steps[-1]), mean, first if since is None else since)


def _let_go(one: OneSeed) -> bool:
    """Whether a law has brought alpha down by `FOLD` from its highest."""
    _, alpha = log_alpha(one)
    return len(alpha) > 0 and float(alpha.max() - alpha[-1]) >= math.log(FOLD)


def irrelevant(one: OneSeed) -> Evidence | None:
    """Alpha is too small for the rewards to matter, and no law holds the entropy where it should be.

    A law without a target may let alpha go once most has been learned; one that was given is too small from the start.
    """
    found = _share(one)
    slack = one.late("entropy/slack") / one.dimensions
    if found is None or found.late >= IRRELEVANT or abs(slack) <= TOLERANCE:
        return None
    if math.isnan(slack) and _let_go(one) and learning(one).was_done(found.negligible_since):
        return None
    first, last, share, _ = found
    alpha = one.late("train/ent_coef")
    tenth = number(alpha * 0.1 / share) if alpha * share > 0 else USUAL_BONUS
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
            one.say(Knob.FIXED_ALPHA, tenth) + (", ten times less than the value" if alpha * share > 0 else ""),
            one.target("-1.0", "0.5"),
        ),
    )


def drowned(one: OneSeed) -> Evidence | None:
    """The entropy bonus is nearly all of the value, and nothing is learned of the reward."""
    found = _share(one)
    learned = learning(one)
    if found is None or found.late < DROWNED or not learned.known or learned.learned:
        return None
    first, last, share, _ = found
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
