"""Which temperature law keeps SAC from collapsing before it has seen the reward, and at what price on dense tasks."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from entropax.algorithms.base import AbstractAlgorithm
from entropax.algorithms.meta_sac import MetaSAC
from entropax.algorithms.sac import SAC
from entropax.envs.registry import TASKS as REGISTRY
from entropax.errors import EntropaxError
from entropax.experiments.cells import Cell, measured, trained
from entropax.loops.training import Training
from entropax.networks import Dense
from entropax.temperature import PI, AbstractTemperature, Dual, Fixed, Guard, PerDimension, Plateau


@dataclasses.dataclass(frozen=True)
class Task:
    """A task of the benchmark.

    Attributes:
        env: id in our registry, whose `solved` is the threshold.
        steps: environment steps per seed.
        dense: whether its reward leads to the goal from everywhere: the do-no-harm set.
    """

    env: str
    steps: int
    dense: bool


TASKS: tuple[Task, ...] = (
    Task("entropax/MountainCarContinuous-v0", 50_000, dense=False),
    Task("entropax/PendulumSparse-v0", 30_000, dense=False),
    Task("entropax/CartpoleSwingupSparse-v0", 60_000, dense=False),
    Task("entropax/DeceptiveMaze-v0", 30_000, dense=False),
    Task("entropax/PendulumActionCost-v0", 20_000, dense=True),
    Task("entropax/Pendulum-v0", 20_000, dense=True),
    Task("entropax/CartpoleSwingup-v0", 40_000, dense=True),
)

_LAWS: Mapping[str, AbstractTemperature] = {
    "Dual": Dual(),
    "Dual, rate / 10": Dual(learning_rate=3e-5),
    "Dual, target -0.5": Dual(target_entropy=PerDimension(-0.5)),
    "Dual, target 0": Dual(target_entropy=PerDimension(0.0)),
    "Dual, alpha from 0.01": Dual(initial_alpha=0.01),
    "PI": PI(),
    "Guard": PI(initial_alpha=0.01, target_entropy=Guard()),
    "Plateau": Dual(target_entropy=Plateau()),
    "Fixed": Fixed(),
}


def algorithms() -> Mapping[str, AbstractAlgorithm[Any]]:
    """The contenders by name: SAC with each law, and Meta-SAC: 64x64 networks, batches of 128, else defaults."""

    def sac(law: AbstractTemperature) -> SAC:
        return SAC(torso=Dense((64, 64)), batch_size=128, temperature=law)

    return {name: sac(law) for name, law in _LAWS.items()} | {"Meta-SAC": MetaSAC(sac(Fixed(1.0)))}


@dataclasses.dataclass(frozen=True)
class Scale:
    """How much of the benchmark is run.

    Attributes:
        tasks: environment ids, of `TASKS`.
        laws: names, of `algorithms()`.
        seeds: seeds of every cell.
        share: of each task's steps, in (0, 1].

    Raises:
        EntropaxError: a name that is none, no seed, or a share outside (0, 1].
    """

    tasks: tuple[str, ...] = tuple(task.env for task in TASKS)
    laws: tuple[str, ...] = tuple(algorithms())
    seeds: int = 10
    share: float = 1.0

    def __post_init__(self) -> None:
        for chosen, known in ((self.tasks, [task.env for task in TASKS]), (self.laws, list(algorithms()))):
            unknown = [name for name in chosen if name not in known]
            if unknown:
                raise EntropaxError(f"{unknown[0]!r} is not part of this benchmark. Choose from: {'; '.join(known)}.")
        if self.seeds < 1 or not 0 < self.share <= 1:
            raise EntropaxError(f"seeds is {self.seeds} and share {self.share}: take 1 seed or more, and (0, 1].")


SHORT = Scale(
    tasks=("entropax/MountainCarContinuous-v0", "entropax/PendulumSparse-v0", "entropax/Pendulum-v0"),
    laws=("Dual", "Dual, rate / 10", "Dual, target 0", "PI"),
    seeds=4,
    share=0.4,
)
"""Some ten minutes on two cores: enough to see the page, too little to decide between laws."""


def collapse(scale: Scale, root: Path) -> list[Cell]:
    """Trains what is not yet trained and measures every cell.

    Args:
        scale: what to run.
        root: folder of the runs, a folder a cell; what is finished there is not run again.

    Returns:
        Cells, tasks outermost, in the order of the scale.

    Raises:
        EntropaxError: a kept run of a cell has other settings.
        Interrupted: Ctrl-C or SIGTERM; run again to go on.
    """
    contenders, cells = algorithms(), []
    for task in (task for task in TASKS if task.env in scale.tasks):
        steps = max(round(task.steps * scale.share), 2_000)
        training = Training(
            steps=steps,
            capacity=steps,
            log_every=max(steps // 50, 1),
            evaluate_every=max(steps // 10, 1),
            evaluation_episodes=5,
            checkpoint_every=steps,
        )
        for law in scale.laws:
            folder = root / f"{task.env.split('/')[-1]}--{law.replace(' / ', ' by ')}"
            run = trained(contenders[law], task.env, training, scale.seeds, folder)
            cells.append(measured(run, task.env, law, REGISTRY[task.env].solved))
    return cells
