"""Critics that lose touch with the rewards."""

import numpy as np

from entropax.diagnostics.dialects import Knob
from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.learning import returns
from entropax.diagnostics.one_seed import OneSeed
from entropax.diagnostics.rules.rule import Evidence, Rule
from entropax.diagnostics.window import in_last_quarter, number

GROWTH = 10.0
"""Factor of |Q| from one quarter of the run to the next: a value being learned grows in step with the return, or by
1 / (1 - discount) over the whole of learning, not tenfold late in the run."""
MARGIN = 100.0
"""|Q| above this many times the largest return and entropy value of the run cannot be a value of its rewards; the
factor leaves room for episodes that a time limit cuts short of 1 / (1 - discount) steps."""
LEAST_ROWS = 8
"""Two rows a quarter, so that neither is a single batch."""


def diverging_q(one: OneSeed) -> Evidence | None:
    """Q that grows tenfold in a quarter of the run, to a size that the rewards and entropies cannot give."""
    steps, q = one.rows("train/q_mean")
    _, seen = returns(one)
    if len(steps) < LEAST_ROWS or not len(seen):
        return None
    late = in_last_quarter(steps)
    before = (steps >= steps[-1] - (steps[-1] - steps[0]) / 2) & ~late
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


RULES = (
    Rule(
        "q-divergence", diverging_q, ("train/q_mean", "rollout/ep_rew_mean"), silences=("reward-drowned",), least_rows=0
    ),
)
