"""Networks that are updated and do not change."""

import numpy as np

from entropax.diagnostics.dialects import Knob
from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.one_seed import OneSeed
from entropax.diagnostics.rules.rule import Evidence, Rule
from entropax.diagnostics.window import number

STILL = 1e-4
"""Relative change of a network's norm over a whole run that counts as none: a thousand updates of Adam at the
published rate change it by ten times this or more."""
LEAST_UPDATES = 1_000
"""Updates within which a network must have changed."""
NETWORKS = ("critic", "actor")


def frozen(one: OneSeed) -> Evidence | None:
    """A network whose parameters are the same after a thousand updates or more."""
    steps, updates = one.rows("train/n_updates")
    if not len(updates) or updates[-1] - updates[0] < LEAST_UPDATES:
        return None
    moved = {}
    for name in NETWORKS:
        _, norm = one.rows(f"train/{name}_param_norm")
        moved[name] = float(np.ptp(norm) / max(norm.max(), 1e-12)) if len(norm) > 1 else np.inf
    still = [name for name in NETWORKS if moved[name] < STILL]
    if not still:
        return None
    return Evidence(
        Kind.MISLEADING,
        Severity.CRITICAL,
        (int(steps[0]), int(steps[-1])),
        {f"change of the {name}'s norm (%)": 100 * moved[name] for name in still},
        f"train/{still[0]}_param_norm",
        f"The {' and the '.join(still)} did not change in {number(updates[-1] - updates[0])} updates: nothing is "
        "learned there, whatever the other numbers do.",
        (
            "a learning rate of 0, or so small that nothing can move in the run's updates",
            "gradients that do not arrive: a detached loss, or parameters that no optimiser was given",
        ),
        (
            *((one.say(Knob.CRITIC_RATE, "3e-4"),) if "critic" in still else ()),
            "look at the gradient norms: 0 is a detached loss, anything else a learning rate",
        ),
    )


RULES = (
    Rule(
        "frozen-network",
        frozen,
        ("train/n_updates", "train/actor_param_norm", "train/critic_param_norm"),
        silences=("q-off-returns",),
    ),
)
