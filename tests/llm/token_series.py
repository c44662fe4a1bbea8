"""Series of a made-up run of tokens, for tests of its rules."""

import math

import numpy as np

from entropax.diagnostics.dialects import TRL
from entropax.diagnostics.rules import judge
from entropax.diagnostics.window import Facts, Series
from entropax.llm.diagnosis.rules import RULES

ROWS = 100
STEPS = np.arange(1, ROWS + 1)
T = np.linspace(0, 1, ROWS)
FACTS = Facts(seeds=(0,), action_dimensions=1, entropy_maximum=math.nan, dialect=TRL)


def column(values):
    return Series(STEPS, np.broadcast_to(np.asarray(values, float), (ROWS,))[:, None].copy())


def run(nats, reward=0.5, target=None, **more):
    """Series from entropy and reward, each a number or `[rows]`; `_` in a name stands for `entropax/`."""
    series = {"entropy/nats": column(nats), "rollout/ep_rew_mean": column(reward)}
    if target is not None:
        series["entropy/target"] = column(target)
        series["entropy/slack"] = column(np.subtract(nats, target))
    return series | {f"entropax/{name}": column(values) for name, values in more.items()}


def spoken(series):
    """Findings by rule."""
    return {finding.rule: finding for finding in judge(series, FACTS, RULES)}
