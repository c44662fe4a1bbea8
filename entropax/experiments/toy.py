"""The toy on which entropy misleads: SAC over alphas, and other methods at the published one."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from entropax.algorithms.base import AbstractAlgorithm
from entropax.algorithms.decomposed_sac import DecomposedSAC
from entropax.algorithms.sac import SAC
from entropax.algorithms.sac_adaent import SACAdaEnt
from entropax.algorithms.sac_lite import SACLite
from entropax.envs.base import Episodes
from entropax.envs.registry import TASKS
from entropax.experiments.budget import Budget
from entropax.experiments.sweeps import Member, Sweep, Swept, swept
from entropax.loops.training import Training
from entropax.networks import Dense
from entropax.temperature import Fixed

ENV = "entropax/Toy-v0"
ALPHAS = (0.2, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9, 1.0, 1.2)
PUBLISHED_ALPHA = 1.0
LEARNING_RATE = 1e-3
"""Published, like the networks of 32 and 32 units."""

BUDGETS: Mapping[str, Budget] = {
    "small": Budget((ENV,), 5, 20_000, (32, 32), 64, samples=16, episodes=64, rate=3.0),
    "full": Budget((ENV,), 10, 100_000, (32, 32), 256, samples=100, episodes=256, rate=1.0),
}
METHODS: Mapping[str, Callable[[SAC, Budget], AbstractAlgorithm[Any]]] = {
    "SAC-AdaEnt": lambda sac, budget: SACAdaEnt(sac, threshold=0.9, samples=budget.samples),
    "SACLite": lambda sac, budget: SACLite(sac),
    "DecomposedSAC": lambda sac, budget: DecomposedSAC(sac),
}
"""What is compared with SAC at the published alpha."""


class Trained(NamedTuple):
    """What was trained."""

    sweep: list[Swept]
    """SAC by alpha, in the order of `ALPHAS`."""
    methods: Mapping[str, Swept]
    """By name, at the published alpha; SAC is the one of the sweep."""


def train(budget: Budget, root: Path) -> Trained:
    """Trains the sweep of alpha, and the other methods at the published alpha."""
    members = [Member(f"alpha {alpha:g}", toy_sac(budget, alpha), task(), task()) for alpha in ALPHAS]
    sweep = swept(sweep_of(budget, members), root / "alpha")
    published, methods = toy_sac(budget, PUBLISHED_ALPHA), {"SAC": sweep[ALPHAS.index(PUBLISHED_ALPHA)]}
    for name, build in METHODS.items():
        member = Member(name, build(published, budget), task(), task())
        methods[name] = swept(sweep_of(budget, [member]), root / name)[0]
    return Trained(sweep, methods)


def task() -> Episodes[Any]:
    """The toy, in episodes."""
    return Episodes(TASKS[ENV].build(), TASKS[ENV].time_limit)


def toy_sac(budget: Budget, alpha: float) -> SAC:
    """SAC with the published settings, cut to a budget."""
    rate = budget.rate * LEARNING_RATE
    return SAC(
        torso=Dense(budget.hidden),
        batch_size=budget.batch_size,
        actor_learning_rate=rate,
        critic_learning_rate=rate,
        temperature=Fixed(alpha),
    )


def sweep_of(budget: Budget, members: Sequence[Member]) -> Sweep:
    """Members trained together on the toy, with 20 evaluations."""
    row = budget.steps // 100
    training = Training(
        steps=row + budget.steps,
        warmup=row,
        capacity=row + budget.steps,
        log_every=row,
        evaluate_every=5 * row,
        evaluation_episodes=budget.episodes,
        checkpoint_every=25 * row,
    )
    return Sweep(ENV, 0.0, tuple(members), budget.seeds, training)
