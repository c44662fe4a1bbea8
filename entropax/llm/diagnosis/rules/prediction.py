"""Entropy that moves against what the batches' gradients predict: something else moves it."""

import math

import numpy as np

from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.one_seed import OneSeed
from entropax.diagnostics.rules.rule import Evidence, Rule
from entropax.diagnostics.window import number
from entropax.llm.diagnosis.change import agreement
from entropax.llm.diagnosis.rules.entropy import read

LEAST_ROWS = 16
"""Rows for a slope and a mean with errors that mean something."""
ERRORS = 3.0
"""Standard errors that the slope and the mean prediction must exceed: neighbouring rows are alike, which two do not
allow for."""
COURSE = 0.1
"""Share of the entropy at the start that it must have gone."""


def disagreeing(one: OneSeed) -> Evidence | None:
    """The entropy went one way, by far more than its noise, and the predictions went the other."""
    seen = read(one)
    steps, predicted = one.rows("entropax/predicted_change")
    if seen is None or min(len(steps), len(seen.steps)) < LEAST_ROWS or np.ptp(seen.nats) == 0:
        return None
    time = (seen.steps - seen.steps[0]) / (seen.steps[-1] - seen.steps[0])
    (course, _), spread = np.polyfit(time, seen.nats, 1, cov=True)
    mean, error = float(predicted.mean()), float(predicted.std(ddof=1)) / math.sqrt(len(predicted))
    clear = abs(course) > max(ERRORS * math.sqrt(spread[0, 0]), COURSE * seen.start) and abs(mean) > ERRORS * error
    if not clear or np.sign(course) == np.sign(mean):
        return None
    _, mine, theirs = np.intersect1d(steps, seen.steps, return_indices=True)
    return Evidence(
        Kind.MISLEADING,
        Severity.WARNING,
        (int(seen.steps[0]), int(seen.steps[-1])),
        {
            "course of the entropy (nats per token)": float(course),
            "predicted change, mean (nats per unit step)": mean,
            "correlation from row to row": agreement(predicted[mine], seen.nats[theirs]).correlation,
        },
        "entropax/predicted_change",
        f"The entropy {'rose' if course > 0 else 'fell'} by {number(abs(float(course)))} nats a token over the run, "
        f"while the weights of its tokens predict that it {'falls' if mean < 0 else 'rises'}: something else moves it.",
        (
            "a term of the loss that is not the method's: a KL penalty, an entropy bonus of the trainer, weight decay",
            "weights that do not reach the optimiser, or with another sign",
            "log-probabilities of another temperature or precision than the sampler's",
            "parameters that are shared: what a step does at one position it does at others too",
        ),
        (
            "run a few steps with the method alone, every other term of the loss at 0",
            "compare the sampler's log-probabilities with the trainer's",
        ),
    )


RULES = (Rule("prediction-off", disagreeing, ("entropax/predicted_change", "entropy/nats")),)
