"""An alpha that is thrown about instead of regulated."""

import numpy as np

from entropax.diagnostics.dialects import Knob
from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.one_seed import OneSeed
from entropax.diagnostics.rules.entropy import log_alpha
from entropax.diagnostics.rules.rule import Evidence, Rule
from entropax.diagnostics.window import in_last_half, number

SWING = 0.5
"""Standard deviation of log alpha around its trend, a factor 1.6: a law that regulates stays within a tenth of it."""
TURNS = 1 / 3
"""Share of rows at which alpha turns round: pure noise turns at two thirds, a law that settles in a few long waves."""
LEAST_ROWS = 8
"""Of the last half of the run, so that turns can be counted."""


def swinging(one: OneSeed) -> Evidence | None:
    """Alpha moves up and down by large factors from row to row, without going anywhere."""
    steps, alpha = log_alpha(one)
    half = in_last_half(steps)
    if half.sum() < LEAST_ROWS:
        return None
    steps, alpha = steps[half], alpha[half]
    time = (steps - steps[0]) / (steps[-1] - steps[0])
    around = alpha - np.polyval(np.polyfit(time, alpha, 1), time)
    signs = np.sign(np.diff(alpha))
    turns = float(np.mean(signs[1:] * signs[:-1] < 0))
    swing = float(around.std())
    if swing < SWING or turns < TURNS:
        return None
    rate = one.facts.temperature_rate
    return Evidence(
        Kind.MISLEADING,
        Severity.WARNING,
        (int(steps[0]), int(steps[-1])),
        {
            "swing of alpha (factor)": float(np.exp(swing)),
            "rows at which it turns (%)": 100 * turns,
            "alpha": one.late("train/ent_coef"),
        },
        "train/ent_coef",
        f"Alpha swings by a factor {number(float(np.exp(swing)))} around its trend and turns round at "
        f"{number(100 * turns)} % of the rows: the entropy may be right on average and is at no moment.",
        (
            "a learning rate of alpha so large that it overshoots before the policy can answer",
            "an actor that is too slow for its temperature",
        ),
        (one.say(Knob.ALPHA_RATE, number(rate / 100 if rate > 0 else 3e-4)) + ": alpha a hundred times slower",),
    )


RULES = (Rule("alpha-swings", swinging, ("train/ent_coef",)),)
