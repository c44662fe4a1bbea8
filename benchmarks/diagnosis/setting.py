"""A setting of the benchmark: what is trained, what its run folder says of it, and when it counts as solved."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from entropax.algorithms.base import AbstractAlgorithm
from entropax.algorithms.sac import SAC
from entropax.distributions import max_tanh_normal_entropy
from entropax.envs.base import Episodes
from entropax.loops.device_lane import DeviceLane
from entropax.loops.driver import Driver
from entropax.loops.fit import prepare
from entropax.loops.progress import Display
from entropax.loops.run import Run, load, spec_to_json
from entropax.loops.training import Training
from entropax.networks import Dense
from entropax.runs import MetricsLog, create_run, new_manifest, to_config
from entropax.temperature import AbstractTemperature
from entropax.types import continuous

SEEDS = (0, 1, 2, 3)
BASELINE_EPISODES = 10
"""As `entropax diagnose --env` plays."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """One population of seeds.

    Attributes:
        name: of its folder and its row.
        environment: what it is trained and evaluated on.
        solved: undiscounted return, in this environment's rewards, from which a seed counts as solved.
        algorithm: what trains.
        declared: what `run.json` says trains: the same, unless the fault is one that nobody has written down.
        steps: environment steps per seed.
    """

    name: str
    environment: Any
    solved: float
    algorithm: AbstractAlgorithm[Any]
    declared: AbstractAlgorithm[Any]
    steps: int

    @property
    def training(self) -> Training:
        """The loop's settings: 40 rows and 10 evaluations a run, so that late returns are means of 20 episodes."""
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
    """The finished run of a setting: a kept one of the same settings, or a new one."""
    folder = root / setting.name.replace("/", "-").replace(" ", "-")
    for path in sorted(folder.glob("*/run.json")):
        run = load(path.parent)
        asked = (to_config(setting.declared), to_config(setting.training), SEEDS)
        same = (run.manifest.algorithm, run.manifest.training, run.manifest.seeds) == asked
        if same and any(event.name == "finished" for event in run.metrics.events):
            return run
    return _train(setting, folder)


def _train(setting: Setting, folder: Path) -> Run:
    """As `entropax.fit` does, but with a manifest that says what is declared and what needs no training returns."""
    prepare(len(SEEDS))
    environment: Episodes[Any] = setting.environment
    lane = DeviceLane(setting.algorithm, environment, setting.training, SEEDS, jax.local_devices()[0])
    manifest = new_manifest(
        algorithm=to_config(setting.declared),
        environment={"id": setting.name, "backend": "jax", "num_envs": 1},
        training=to_config(setting.training),
        seeds=SEEDS,
        spec=spec_to_json(lane.spec),
        baselines={"entropy_maximum_per_dimension": max_tanh_normal_entropy(), **baselines(environment)},
    )
    run = Run(create_run(folder, "run", manifest), manifest)
    log = MetricsLog(run.path, SEEDS)
    with Display(setting.name, setting.steps, shown=False) as display:
        driver = Driver(run, [lane], setting.training, log, display)
        driver.run()
    log.close()
    return run


def baselines(environment: Episodes[Any]) -> dict[str, float]:
    """Mean returns of the zero action and of uniform actions, as a manifest names them."""
    bounds = continuous(environment.spec)
    still = -1 - np.asarray(bounds.low, np.float32) / bounds.half_range

    def episode(key: Key[Array, ""], noise: float) -> Float[Array, ""]:
        def step(carry: Any, key: Key[Array, ""]) -> tuple[Any, Float[Array, ""]]:
            state, alive = carry
            drawn = jax.random.uniform(key, still.shape, jnp.float32, -1, 1)
            action = bounds.to_environment(noise * drawn + (1 - noise) * still)
            state, step = environment.step(state, action, key=key)
            return (state, alive & ~(step.terminated | step.truncated)), jnp.where(alive, step.reward, 0)

        reset_key, key = jax.random.split(key)
        first = (environment.reset(key=reset_key)[0], jnp.ones((), bool))
        _, rewards = jax.lax.scan(step, first, jax.random.split(key, environment.time_limit))
        return jnp.nansum(rewards)

    keys = jax.random.split(jax.random.key(7), BASELINE_EPISODES)
    returns = jax.jit(jax.vmap(lambda key, noise: jax.vmap(lambda k: episode(k, noise))(key), in_axes=(None, 0)))
    zero, uniform = np.asarray(returns(keys, jnp.asarray([0.0, 1.0]))).mean(axis=1)
    return {"return_of_zero_action": float(zero), "return_of_uniform_policy": float(uniform)}
