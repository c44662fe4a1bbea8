"""An alpha that is thrown about instead of regulated."""

import math

import numpy as np

from entropax.diagnostics.dialects import Knob
from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.one_seed import OneSeed
from entropax.diagnostics.rules.entropy import entropy, log_alpha
from entropax.diagnostics.rules.rule import DIMENSIONS, UNSPENT, Evidence, Rule, on_target
from entropax.diagnostics.window import in_last_half, number

SWING = 0.5
"""Standard deviation of log alpha around its trend, a factor 1.6: a law that regulates stays within a tenth of it."""
TURNS = 1 / 3
"""Share of rows at which alpha turns round: pure noise turns at two thirds, a law that settles in a few long waves."""
ASTRAY = UNSPENT / math.sqrt(2)
"""Nats per dimension, root mean square over the last half: a wave that takes the entropy half a nat up and down. Less
than that, and alpha swings without harm."""
LEAST_ROWS = 8
"""Of the last half of the run, so that turns can be counted."""


def _around(steps: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Distances from the straight line through the values."""
    time = (steps - steps[0]) / (steps[-1] - steps[0])
    return values - np.polyval(np.polyfit(time, values, 1), time)


def _astray(one: OneSeed) -> float:
    """Root mean square of the entropy's distance from its target over the last half, nats per dimension.

    Without a target it is the distance from the trend.
    """
    steps, slack = one.rows("entropy/slack")
    if len(steps):
        return float(np.sqrt(np.mean((slack[in_last_half(steps)] / one.dimensions) ** 2)))
    seen = entropy(one)
    half = in_last_half(seen.steps)
    return float(_around(seen.steps[half], seen.nats[half]).std()) if half.sum() >= LEAST_ROWS else 0.0


def swinging(one: OneSeed) -> Evidence | None:
    """Alpha moves up and down by large factors from row to row, and the entropy is not held by it."""
    steps, alpha = log_alpha(one)
    half = in_last_half(steps)
    if half.sum() < LEAST_ROWS:
        return None
    steps, alpha = steps[half], alpha[half]
    signs = np.sign(np.diff(alpha))
    turns = float(np.mean(signs[1:] * signs[:-1] < 0))
    swing, astray = float(_around(steps, alpha).std()), _astray(one)
    held = astray < ASTRAY and on_target(one.late("entropy/slack") / one.dimensions)
    if swing < SWING or turns < TURNS or held:
        return None
    rate = one.facts.temperature_rate
    return Evidence(
        Kind.MISLEADING,
        Severity.WARNING,
        (int(steps[0]), int(steps[-1])),
        {
            "swing of alpha (factor)": float(np.exp(swing)),
            "rows at which it turns (%)": 100 * turns,
            "entropy astray (nats per dimension)": astray,
            "alpha": one.late("train/ent_coef"),
        },
        "train/ent_coef",
        f"Alpha swings by a factor {number(float(np.exp(swing)))} around its trend and turns round at "
        f"{number(100 * turns)} % of the rows, and the entropy does not hold: it is {number(astray)} nats per "
        "dimension astray in the root mean square.",
        (
            "a learning rate of alpha so large that it overshoots before the policy can answer",
            "an actor that is too slow for its temperature",
        ),
        (
            one.say(Knob.ALPHA_RATE, number(rate / 100)) + ": alpha a hundred times slower"
            if rate > 0
            else one.say(Knob.ALPHA_RATE, "3e-4") + ", the published rate",
        ),
    )


RULES = (Rule("alpha-swings", swinging, ("train/ent_coef", "entropy/nats"), (DIMENSIONS,)),)
