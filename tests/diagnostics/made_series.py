"""Series made for a rule: one seed from entropy, target and log alpha, and two seeds side by side."""

import math

import numpy as np

from entropax.diagnostics.rules import judge
from entropax.diagnostics.window import Facts, Series

H_MAX, RATE, UPDATES, ROWS, D = 0.684, 3e-4, 1000, 40, 2
STEPS = 1000 * np.arange(1, ROWS + 1)
T = np.linspace(0, 1, ROWS)
FLAT, CLIMB = 0 * T, 100 * T
EARLY_GAIN = 100 * np.minimum(T / 0.25, 1)
LATE_GAIN = 100 * np.clip((T - 0.5) / 0.25, 0, 1)


def facts(seeds=1, **changes):
    entries = {"action_dimensions": D, "entropy_maximum": H_MAX, "temperature_rate": RATE, **changes}
    return Facts(seeds=tuple(range(seeds)), **entries)


def column(values):
    values = np.broadcast_to(np.asarray(values, float), (ROWS,))
    return Series(STEPS, values[:, None].copy())


def run(nats, log_alpha=-3.0, target=-1.0, **more):
    """One seed from entropy and target per dimension and log alpha, each a number or `[rows]`."""
    log_alpha = np.broadcast_to(np.asarray(log_alpha, float), (ROWS,))
    series = {
        "entropy/nats": column(np.multiply(nats, D)),
        "train/ent_coef": column(np.exp(log_alpha)),
        "train/ent_coef_step": column(np.gradient(log_alpha) / UPDATES),
        "rollout/ep_rew_mean": column(10.0),
        "train/q_mean": column(5.0),
        "train/critic_loss": column(1.0),
    }
    if math.isfinite(target):
        series["entropy/target"] = column(target * D)
        series["entropy/slack"] = column(np.subtract(nats, target) * D)
    return series | more


def rising(rate):
    return rate * RATE * UPDATES * np.arange(ROWS)


def both(one, two):
    """Two seeds from two runs of one seed."""
    return {name: Series(STEPS, np.concatenate([one[name].values, two[name].values], axis=1)) for name in one}


def spoken(series, **known):
    """Findings by rule."""
    return {finding.rule: finding for finding in judge(series, facts(**known))}


def returns(values, **more):
    """A return, and whatever else."""
    return {"rollout/ep_rew_mean": column(values), **more}
