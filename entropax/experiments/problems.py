"""The tasks of "When Maximum Entropy Misleads Policy Optimization": published settings, and what returns mean."""

import dataclasses
import math
from collections.abc import Mapping

from entropax.experiments.budget import Budget
from entropax.loops.training import Training


@dataclasses.dataclass(frozen=True)
class Problem:
    """A task, how the authors' code trains on it, and its scale of returns, which `docs/environments.md` explains.

    Attributes:
        env: id.
        steps: environment steps after the warm-up.
        warmup: uniformly random steps before.
        learning_rate: of actor and critics.
        threshold: SAC-AdaEnt's.
        zero: mean return of no action.
        uniform: mean return of uniformly random actions.
        good: return from which a seed counts as good.
        best: best return known.
    """

    env: str
    steps: int
    warmup: int
    learning_rate: float
    threshold: float
    zero: float
    uniform: float
    good: float
    best: float

    @property
    def name(self) -> str:
        """The id without its namespace."""
        return self.env.removeprefix("entropax/")

    def training(self, budget: Budget) -> Training:
        """The published counts, cut to a budget: 20 evaluations, and a warm-up of at most a quarter of the steps."""
        learned = min(self.steps, budget.steps)
        warmup = min(self.warmup, learned // 4)
        row = math.gcd(warmup, learned // 100)
        return Training(
            steps=warmup + learned,
            warmup=warmup,
            capacity=min(warmup + learned, 1_000_000),
            log_every=row,
            evaluate_every=learned // 20,
            evaluation_episodes=budget.episodes,
            checkpoint_every=learned // 4,
        )


PROBLEMS: Mapping[str, Problem] = {
    problem.env: problem
    for problem in (
        Problem("entropax/Vehicle-v0", 2_000_000, 10_000, 1e-3, 0.8, -76_859.0, -77_632.0, -1_000.0, -560.0),
        Problem("entropax/Quadrotor-v0", 2_000_000, 10_000, 3e-4, 0.9, -6_238.0, -33_894.0, -250.0, -72.0),
        Problem("entropax/Acrobot-v0", 1_000_000, 25_000, 1e-3, 0.9, -4_008.0, -8_458.0, -100.0, -44.0),
        Problem("entropax/Obstacle2D-v0", 50_000, 25_000, 1e-3, 0.9, 0.0, -108.7, 450.0, 502.9),
        Problem("Hopper-v5", 2_000_000, 10_000, 1e-3, 0.9, 146.0, 18.0, 2_300.0, 3_572.0),
    )
}
"""By id. Good is, for the vehicle, close to what a policy by hand earns (-892), for quadrotor and acrobot between the
hand-written or searched best and hovering or falling; for Hopper what CleanRL's and Stable-Baselines3's SAC earn after
1M steps, best is the best mean published for SAC, and its baselines are means of 400 episodes."""
