"""The experiments by name, and the one way to run them: from a budget to the files of a page."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from entropax.experiments import (
    bifurcation,
    bifurcation_page,
    confounds,
    confounds_page,
    control,
    control_page,
    exploration,
    exploration_page,
    threshold,
    threshold_page,
    tokens,
    tokens_page,
    toy,
    toy_page,
)
from entropax.experiments.budget import Budget, TokenBudget
from entropax.experiments.findings import Findings, write
from entropax.loops.fit import prepare


class Experiment(NamedTuple):
    """What `entropax reproduce` runs."""

    train: Callable[[Any, Path], Any]
    """Trains below a folder what is not there yet; all results."""
    findings: Callable[[Any, Any], Findings]
    """What such results say."""
    budgets: Mapping[str, Budget] | Mapping[str, TokenBudget]
    """By name: small and full."""


EXPERIMENTS: Mapping[str, Experiment] = {
    "toy": Experiment(toy.train, toy_page.findings, toy.BUDGETS),
    "bifurcation": Experiment(bifurcation.train, bifurcation_page.findings, bifurcation.BUDGETS),
    "confounds": Experiment(confounds.train, confounds_page.findings, confounds.BUDGETS),
    "control": Experiment(control.train, control_page.findings, control.BUDGETS),
    "threshold": Experiment(threshold.train, threshold_page.findings, threshold.BUDGETS),
    "exploration": Experiment(exploration.train, exploration_page.findings, exploration.BUDGETS),
    "tokens": Experiment(tokens.train, tokens_page.findings, tokens.BUDGETS),
}


def reproduce(name: str, budget: Budget | TokenBudget, root: Path, *, command: str) -> list[Path]:
    """Runs an experiment of `EXPERIMENTS`, or what is left of it.

    Args:
        name: of the experiment.
        budget: how much of it.
        root: folder of its runs and pages.
        command: what to type to have it again, for its pages.

    Returns:
        The files written: NAME.html, NAME.json, NAME.md and its figures.

    Raises:
        EntropaxError: the folder holds runs with other settings.
        Interrupted: Ctrl-C or SIGTERM; run it again to go on.
    """
    prepare(budget.seeds)  # Before anything is computed: then JAX has as many devices as there are cores.
    experiment = EXPERIMENTS[name]
    return write(experiment.findings(budget, experiment.train(budget, root)), root, command=command)
