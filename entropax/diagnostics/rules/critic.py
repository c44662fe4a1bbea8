"""Critics that lose touch with the rewards."""

import numpy as np

from entropax.diagnostics.dialects import Knob
from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.learning import returns
from entropax.diagnostics.one_seed import OneSeed
from entropax.diagnostics.rules.rule import Evidence, Rule
from entropax.diagnostics.window import in_last_half, in_last_quarter, number

GROWTH = 10.0
"""Factor of |Q| from one quarter of the run to the next: a value being learned grows in step with the return, or by
1 / (1 - discount) over the whole of learning, not tenfold late in the run."""
MARGIN = 100.0
"""|Q| above this many times the largest return and entropy value of the run cannot be a value of its rewards; the
factor leaves room for episodes that a time limit cuts short of 1 / (1 - discount) steps."""
OFF = 10.0
"""Factor between Q and what the returns are worth: Q is a mean over stored states, old ones among them, which moves it
by a factor of a few."""
SETTLED = 0.25
"""Share of its size by which Q may still change from one quarter of the run to the next and count as settled: at more
it would double within one more run. One that crosses 0, where rewards and entropy cancel, is small for that alone."""
LEAST_ROWS = 8
"""Two rows a quarter, so that neither is a single batch."""


def diverging_q(one: OneSeed) -> Evidence | None:
    """Q that grows tenfold in a quarter of the run, to a size that the rewards and entropies cannot give."""
    steps, q = one.rows("train/q_mean")
    _, seen = returns(one)
    if len(steps) < LEAST_ROWS or not len(seen):
        return None
    late = in_last_quarter(steps)
    before = in_last_half(steps) & ~late
    size = float(np.median(np.abs(q[late])))
    growth = size / max(float(np.median(np.abs(q[before]))), 1e-12)
    bonus = np.nan_to_num(one.late("train/ent_coef") * abs(one.late("entropy/nats")))
    possible = float(np.max(np.abs(seen)) + bonus / max(1 - one.facts.discount, 1e-3))
    if growth < GROWTH or size < MARGIN * max(possible, 1e-12):
        return None
    return Evidence(
        Kind.EXPLODING,
        Severity.CRITICAL,
        (int(steps[before][0]), int(steps[-1])),
        {"|Q|": size, "growth of |Q| in a quarter": growth, "largest |return| and entropy value": possible},
        "train/q_mean",
        f"Q diverges: |Q| is {number(size)} and grew {growth:.0f}-fold in a quarter of the run, but the largest "
        f"return plus entropy value seen is {number(possible)}.",
        (
            "critics that step too far for their targets: a large learning rate, or targets that follow too fast",
            "actions outside the data: bounds that are too wide, or a policy that saturates",
            "time limits stored as terminations, or the reverse",
        ),
        (
            one.say(Knob.CRITIC_RATE, "1e-4"),
            one.say(Knob.POLYAK, "0.002") + ", slower target critics",
            "scale the rewards to about 1",
        ),
    )


def off_returns(one: OneSeed) -> Evidence | None:
    """Q that has settled at a size which the returns do not have: ten times less, or more."""
    steps, q = one.rows("train/q_mean")
    _, seen = one.rows("rollout/ep_rew_mean")
    _, lengths = one.rows("rollout/ep_len_mean")
    if len(steps) < LEAST_ROWS or not len(seen) or len(seen) != len(lengths):
        return None
    late = in_last_quarter(steps)
    before = in_last_half(steps) & ~late
    size, change = abs(float(q[late].mean())), abs(float(q[late].mean() - q[before].mean()))
    discount = min(one.facts.discount, 1 - 1e-3)
    bonus = abs(np.nan_to_num(one.late("train/ent_coef") * one.late("entropy/nats"))) / (1 - discount)
    pace = seen / lengths
    # What episodes of the mean length are worth if they end there, by the smaller of what is earned late and overall.
    earned = min(abs(float(pace.mean())), abs(float(pace[-max(len(pace) // 4, 1) :].mean())))
    least = earned * (1 - discount ** float(lengths.mean())) / (1 - discount)
    most = max(float(np.abs(pace).max()) / (1 - discount), float(np.abs(seen).max())) + bonus
    settled = change <= SETTLED * size
    low, high = size < least / OFF and bonus < least / 2 and settled, size > OFF * most
    if not low and not high:
        return None
    side = "less" if low else "more"
    return Evidence(
        Kind.MISLEADING,
        Severity.WARNING,
        (int(steps[before][0]), int(steps[-1])),
        {"|Q|": size, "value of the returns, least": least, "value of the returns, most": most},
        "train/q_mean",
        f"Q does not fit the returns: its size is {number(size)}, and what was earned is worth "
        f"{number(least if low else most)} at {'least' if low else 'most'}, so it is ten times {side} or worse.",
        (
            "target critics that do not follow: a Polyak factor far too small for the run"
            if low
            else "critics that overestimate: a large learning rate, or targets that follow too fast",
            "a discount other than the one that was meant",
            "a reward that is scaled or clipped between the environment and the critic",
        ),
        (one.say(Knob.POLYAK, "0.005"), one.say(Knob.CRITIC_RATE, "3e-4")),
    )


RULES = (
    Rule(
        "q-divergence",
        diverging_q,
        ("train/q_mean", "rollout/ep_rew_mean"),
        silences=("reward-drowned", "q-off-returns"),
        least_rows=0,
    ),
    Rule("q-off-returns", off_returns, ("train/q_mean", "rollout/ep_rew_mean", "rollout/ep_len_mean")),
)
