"""What the curves of a setting say: the law's fit, predicted and measured change of entropy, and findings."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from entropax.errors import EntropaxError
from entropax.experiments.tokens_control import Held
from entropax.experiments.tokens_run import Measured
from entropax.llm import AbstractMethod
from entropax.llm.diagnosis import TokenDiagnosis, agreement, control_measures, fit_law

EARLY, LATE = 1 / 3, 0.1
"""Shares of the rollouts: the first, on which a law is fitted to predict the rest, and the last, taken for the end."""


class Fit(NamedTuple):
    """R = -a exp(H) + b by seed, NaN where it cannot be fitted."""

    a: Float[np.ndarray, " seed"]
    b: Float[np.ndarray, " seed"]
    residual: Float[np.ndarray, " seed"]
    """Root of the mean squared residual over the whole run, in reward."""
    missed: Float[np.ndarray, " seed"]
    """Reward at the end less what a fit of the first third makes of the entropy there."""


def fits(curves: Measured) -> Fit:
    """The law of every seed."""
    found = [_fit(*pair) for pair in zip(curves["entropy"].T, curves["reward"].T, strict=True)]
    return Fit(*np.array(found).T)


def _fit(entropy: Float[np.ndarray, " rollout"], reward: Float[np.ndarray, " rollout"]) -> tuple[float, ...]:
    early, late = round(EARLY * len(entropy)), max(round(LATE * len(entropy)), 1)
    try:
        whole, start = (fit_law(entropy[:rows], reward[:rows], controlled=False) for rows in (len(entropy), early))
    except EntropaxError:
        return (float("nan"),) * 4
    missed = float(reward[-late:].mean()) - start.reward(float(entropy[-late:].mean()))
    return whole.a, whole.b, whole.residual, missed


class Prediction(NamedTuple):
    """How predicted changes of entropy go with measured ones, by seed, over rollouts."""

    exact: Float[np.ndarray, " seed"]
    """Correlation of the change at the places visited with what lemma 1 makes of the logits' change there."""
    scale: Float[np.ndarray, " seed"]
    """Measured over predicted, by least squares through 0; 1 where the first order is all."""
    weights: Float[np.ndarray, " seed"]
    """Correlation of the change until the next rollout with what the weights predict, `entropax/predicted_change`."""


def predictions(curves: Measured) -> Prediction:
    """The agreement of every seed."""
    lemma, here = curves["lemma"], curves["here"]
    exact = [float(np.corrcoef(*pair)[0, 1]) for pair in zip(lemma.T, here.T, strict=True)]
    columns = zip(curves["entropax/predicted_change"].T, curves["entropy"].T, strict=True)
    weights = [agreement(predicted, entropy).correlation for predicted, entropy in columns]
    scale = (lemma * here).sum(axis=0) / (lemma**2).sum(axis=0)
    return Prediction(np.array(exact), scale, np.array(weights))


def said(method: AbstractMethod, curves: Measured, held: Held | None = None) -> Counter[str]:
    """How many seeds have a finding of each rule of `entropax.llm.diagnosis`, a row a rollout."""
    names = [name for name in curves if name.startswith("entropax/")]
    found: Counter[str] = Counter()
    for seed in range(curves["reward"].shape[1]):
        diagnosis = TokenDiagnosis(method)
        for row in range(len(curves["reward"])):
            numbers = {name: float(curves[name][row, seed]) for name in names}
            steered = {} if held is None else _steered(held, curves, row, seed)
            reward = float(curves["reward"][row, seed])
            diagnosis.record(row, {**numbers, **steered, "entropax/reward": reward})
        found.update({finding.rule for finding in diagnosis.findings()})
    return found


def _steered(held: Held, curves: Measured, row: int, seed: int) -> Mapping[str, float]:
    actuator = held.controller.actuator
    knob = float(curves[actuator.knob][row, seed])
    return control_measures(knob, held.target, actuator.rest, held.most)


def words(found: Counter[str], seeds: int) -> str:
    """Rules and seeds: `entropy-wasted (2 of 5)`; a dash where there is none."""
    return ", ".join(f"{rule} ({count} of {seeds})" for rule, count in sorted(found.items())) or "–"
