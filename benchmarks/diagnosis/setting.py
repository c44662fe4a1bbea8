"""A setting of the benchmark: what is trained, what its run folder says of it, and when it counts as solved."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from episodes import baselines, deterministic

from entropax.algorithms.base import AbstractAlgorithm
from entropax.algorithms.sac import SAC
from entropax.distributions import max_tanh_normal_entropy
from entropax.envs.base import Episodes
from entropax.errors import EntropaxError
from entropax.exploration import PLAIN
from entropax.loops.device_lane import DeviceLane
from entropax.loops.driver import Driver
from entropax.loops.fit import prepare
from entropax.loops.progress import Display
from entropax.loops.run import POLICY, Run, actors_like, load, spec_to_json
from entropax.loops.training import Training
from entropax.networks import Dense
from entropax.runs import MetricsLog, create_run, load_policy, new_manifest, renewed, to_config
from entropax.temperature import AbstractTemperature

SEEDS = (0, 1, 2, 3)
OUTCOME_EPISODES = 100
"""The standard error of a pendulum's mean return, 90 an episode, is then 9."""
BASELINE_EPISODES = 10
"""As `entropax diagnose --env` plays."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """One population of seeds.

    Attributes:
        name: of its folder and its row.
        environment: what it is trained and evaluated on.
        judged_on: where its outcome is measured: the same, unless the fault is in what the environment pays or does.
        solved: undiscounted return there from which a seed counts as solved.
        algorithm: what trains.
        declared: what `run.json` says trains: the same, unless the fault is one that nobody has written down.
        steps: environment steps per seed.
        seeds: numbers of the runs.
    """

    name: str
    environment: Any
    judged_on: Any
    solved: float
    algorithm: AbstractAlgorithm[Any]
    declared: AbstractAlgorithm[Any]
    steps: int
    seeds: tuple[int, ...] = SEEDS

    @property
    def training(self) -> Training:
        """The loop's settings: 40 rows and 10 evaluations a run."""
        return Training(
            steps=self.steps,
            warmup=500,
            capacity=self.steps,
            log_every=self.steps // 40,
            evaluate_every=self.steps // 10,
            evaluation_episodes=10,
            checkpoint_every=self.steps,
            on_nonfinite="skip",
        )


def sac(law: AbstractTemperature[Any], rate: float = 1e-3) -> SAC:
    """SAC with small networks and batches, its actor and critics at one rate."""
    return SAC(
        torso=Dense((64, 64)), batch_size=128, actor_learning_rate=rate, critic_learning_rate=rate, temperature=law
    )


def trained(setting: Setting, root: Path) -> Run:
    """The finished run of a setting: a kept one, or a new one."""
    kept = finished(setting, root)
    return _train(setting, _folder(setting, root)) if kept is None else kept


def finished(setting: Setting, root: Path) -> Run | None:
    """The kept run of a setting, trained to its end with the same settings; None where there is none."""
    asked = (to_config(setting.declared), to_config(setting.training), setting.seeds)
    for path in sorted(_folder(setting, root).glob("*/run.json")):
        run = load(path.parent)
        kept = (_read_today(run.manifest.algorithm), _read_today(run.manifest.training), run.manifest.seeds)
        if kept == asked and any(event.name == "finished" for event in run.metrics.events):
            return run
    return None


def _read_today(config: Mapping[str, Any]) -> dict[str, Any]:
    """A kept configuration with the fields that came after it, at their defaults.

    A target out of reach is refused, which only a fault has; it is compared as it was written.
    """
    try:
        return renewed(config)
    except EntropaxError:
        return dict(config)


def outcome(setting: Setting, run: Run) -> list[float]:
    """Mean return of each seed's last policy over `OUTCOME_EPISODES` deterministic episodes; kept beside the run.

    A run's own evaluations play the same few starts each time, whose luck would decide who counts as solved.
    """
    kept = run.path / "outcome.json"
    if not kept.exists():
        actors, _ = load_policy(run.path / POLICY, actors_like(setting.algorithm, run.spec, len(setting.seeds)))
        keys = jax.random.split(jax.random.key(11), OUTCOME_EPISODES)
        returns = deterministic(setting.judged_on, jax.tree.map(jnp.asarray, actors), keys)
        kept.write_text(json.dumps([float(one) for one in returns]) + "\n")
    return json.loads(kept.read_text())


def _folder(setting: Setting, root: Path) -> Path:
    return root / setting.name.replace("/", "-").replace(" ", "-")


def _train(setting: Setting, folder: Path) -> Run:
    """As `entropax.fit` does, but with a manifest that says what is declared and what needs no training returns."""
    prepare(len(setting.seeds))
    environment: Episodes[Any] = setting.environment
    device = jax.local_devices()[0]
    lane = DeviceLane(setting.algorithm, environment, setting.training, setting.seeds, device, PLAIN)
    zero, uniform = baselines(environment, jax.random.split(jax.random.key(7), BASELINE_EPISODES))
    untrained = {"return_of_zero_action": float(zero), "return_of_uniform_policy": float(uniform)}
    manifest = new_manifest(
        algorithm=to_config(setting.declared),
        environment={"id": setting.name, "backend": "jax", "num_envs": 1},
        training=to_config(setting.training),
        seeds=setting.seeds,
        spec=spec_to_json(lane.spec),
        baselines={"entropy_maximum_per_dimension": max_tanh_normal_entropy(), **untrained},
    )
    run = Run(create_run(folder, "run", manifest), manifest)
    log = MetricsLog(run.path, setting.seeds)
    with Display(setting.name, setting.steps, shown=False) as display:
        driver = Driver(run, [lane], setting.training, log, display)
        driver.run()
    log.close()
    return run
