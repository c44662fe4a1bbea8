"""A policy whose likeliest answers earn far more than its answers do: it is paid to be random, or told to."""

import numpy as np

from entropax.diagnostics.dialects import TokenKnob
from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.learning import returns
from entropax.diagnostics.one_seed import OneSeed
from entropax.diagnostics.rules.rule import Evidence, Rule
from entropax.diagnostics.window import in_last_quarter, number
from entropax.llm.diagnosis.likeliest import LIKELIEST

PRICE = 0.25
"""Share of the run's range of rewards, of all answers and of the likeliest, each a mean of a quarter of the run; and of
the difference itself, which the last quarter has not made good. A choice, and no measurement."""
SIZE = 0.1
"""Share of the largest such mean that the difference must exceed too: a policy that has learned all it can is not at
fault for a few answers in a hundred."""
ERRORS = 3.0
"""Standard errors, likewise."""


def costly(one: OneSeed) -> Evidence | None:
    """Late, the likeliest answers earn a quarter of the range of rewards more than all do, and it stays like that."""
    steps, likeliest = one.rows(LIKELIEST)
    at, mean = returns(one)
    both, mine, theirs = np.intersect1d(steps, at, return_indices=True)
    if len(both) < 4:
        return None
    likeliest, mean, late = likeliest[mine], mean[theirs], in_last_quarter(both)
    gap = likeliest[late] - mean[late]
    error = float(gap.std(ddof=1)) / np.sqrt(len(gap)) if len(gap) > 1 else np.inf
    course = _quarters(mean)
    quarters = np.concatenate([_quarters(likeliest), course])
    spread, price = float(np.ptp(quarters)), float(gap.mean())
    lessens = course[-1] - course[-2] > PRICE * price
    if lessens or not price > max(PRICE * spread, SIZE * float(np.abs(quarters).max()), ERRORS * error):
        return None
    earned = {"likeliest answers earn": float(likeliest[late].mean()), "all answers earn": float(mean[late].mean())}
    return Evidence(
        Kind.MISLEADING,
        Severity.WARNING,
        (int(both[late][0]), int(both[-1])),
        earned | {"share of the range of rewards (%)": 100 * price / spread},
        LIKELIEST,
        f"The policy knows better than it acts: the likeliest of a prompt's answers earns {number(price)} more than "
        "they do on average, and that does not lessen.",
        (
            "entropy, or nearness to a reference, that is paid for in the reward: many answers of little worth then "
            "outweigh few of great worth",
            "a bonus per token that keeps answers from being precise",
            "answers drawn at a higher temperature than they are scored at",
        ),
        (
            one.say(TokenKnob.BONUS, "a third of now"),
            "the same for the coefficient of what the reward pays for entropy or nearness",
            "a lower temperature where the policy is used: its likeliest answers are the better ones",
        ),
    )


def _quarters(values: np.ndarray) -> np.ndarray:
    return np.array([part.mean() for part in np.array_split(values, 4)])


RULES = (Rule("likeliest-earn-more", costly, (LIKELIEST, "rollout/ep_rew_mean")),)
