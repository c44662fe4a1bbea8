"""What decides between soft and plain value: SAC-AdaEnt's threshold, samples and similarity, DecomposedSAC's gate."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from entropax.algorithms.base import AbstractAlgorithm
from entropax.algorithms.decomposed_sac import DecomposedSAC
from entropax.algorithms.landscapes import Correlation, Ranking
from entropax.algorithms.sac import SAC
from entropax.algorithms.sac_adaent import SACAdaEnt
from entropax.experiments.budget import Budget
from entropax.experiments.sweeps import Member, Swept, swept
from entropax.experiments.toy import ENV, PUBLISHED_ALPHA, sweep_of, task, toy_sac

THRESHOLDS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 1.01)
SAMPLES = (4, 16, 64)
CORRELATIONS = (-0.5, 0.0, 0.5)
RANKINGS = (0.25, 0.5, 0.75)
SHARPNESS = (0.0, 0.5, 1.0, 2.0, 8.0)
PAIRS = (1, 2, 4)

BUDGETS: Mapping[str, Budget] = {
    "small": Budget((ENV,), 5, 10_000, (32, 32), 64, samples=16, episodes=64, rate=3.0),
    "full": Budget((ENV,), 10, 100_000, (32, 32), 256, samples=100, episodes=256, rate=1.0),
}


def settings(sac: SAC, samples: int) -> Mapping[str, Mapping[str, AbstractAlgorithm[Any]]]:
    """Algorithms by question and by setting; those of a question may differ in structure."""
    return {
        "threshold": {f"{value:g}": SACAdaEnt(sac, value, samples) for value in THRESHOLDS},
        "samples": {str(count): SACAdaEnt(sac, 0.9, count) for count in SAMPLES},
        "correlation": {f"{value:g}": SACAdaEnt(sac, value, samples, Correlation()) for value in CORRELATIONS},
        "ranking": {f"{value:g}": SACAdaEnt(sac, value, samples, Ranking()) for value in RANKINGS},
        "sharpness": {f"{value:g}": DecomposedSAC(sac, value) for value in SHARPNESS},
        "pairs": {str(count): DecomposedSAC(sac, pairs=count) for count in PAIRS},
    }


QUESTIONS: Mapping[str, str] = {
    "threshold": "SAC-AdaEnt by threshold",
    "samples": "SAC-AdaEnt by number of actions, threshold 0.9",
    "correlation": "SAC-AdaEnt with the correlation, by threshold",
    "ranking": "SAC-AdaEnt with the share of pairs ranked alike, by threshold",
    "sharpness": "DecomposedSAC by sharpness",
    "pairs": "DecomposedSAC by mirrored pairs of actions",
}
APART = ("samples", "pairs")
"""Questions whose settings differ in structure: a program each."""


def train(budget: Budget, root: Path) -> dict[str, dict[str, Swept]]:
    """Trains every setting on the toy at the published alpha; by question and setting."""
    found: dict[str, dict[str, Swept]] = {}
    for question, by_name in settings(toy_sac(budget, PUBLISHED_ALPHA), budget.samples).items():
        members = [Member(name, algorithm, task(), task()) for name, algorithm in by_name.items()]
        groups = [[member] for member in members] if question in APART else [members]
        done = [
            one
            for group in groups
            for one in swept(sweep_of(budget, group), root / "-".join([question, *(m.method for m in group[:1])]))
        ]
        found[question] = dict(zip(by_name, done, strict=True))
    return found
