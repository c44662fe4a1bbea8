"""Learning curves of Entropax's SAC with its own defaults, of PPO and of A2C; a stopped run of all seeds goes on."""

import dataclasses
import shutil
from pathlib import Path

import tasks

import entropax

PPO = entropax.PPO(discount=0.9, learning_rate=1e-3, num_steps=1024, minibatches=64)
"""As the RL Zoo tunes PPO on Pendulum-v1 (four environments, minibatches of 64), but for state-dependent noise."""

LEARNERS = {
    "entropax": (entropax.SAC(), {"warmup": 100}),  # As SBX and Stable-Baselines3 have it.
    "entropax-ppo": (PPO, {"warmup": 0, "num_envs": 4}),
    "entropax-ppo-clipped": (dataclasses.replace(PPO, policy=entropax.ClippedGaussian()), {"warmup": 0, "num_envs": 4}),
    "entropax-a2c": (entropax.A2C(discount=0.9, gae_lambda=0.9, num_steps=8), {"warmup": 0, "num_envs": 8}),
}
"""Algorithms, and what their loops have of their own."""


def learn(task: tasks.Task, library: str, root: Path) -> dict[str, dict[str, list[float] | float]]:
    """Trains all seeds, or goes on where a stopped run left off.

    Returns, by seed, the steps of the evaluations, their returns, and the seconds of the run.
    """
    algorithm, counts = LEARNERS[library]
    training = entropax.Training(
        steps=task.steps,
        log_every=min(1_000, task.evaluate_every),
        evaluate_every=task.evaluate_every,
        evaluation_episodes=tasks.EPISODES,
        checkpoint_every=task.evaluate_every,
        **counts,
    ).fed_by(algorithm.data())
    started = next((entropax.load(path.parents[1]) for path in root.glob("*/checkpoints/step_*")), None)
    if started is None or started.training != training or len(started.manifest.seeds) != task.seeds:
        shutil.rmtree(root, ignore_errors=True)
        run = entropax.fit(algorithm, task.env, training, seeds=task.seeds, root=root)
    else:
        run = entropax.resume(started.path)
    steps, returns = run.metrics.series("eval/mean_reward")
    seconds = run.metrics.rows[-1].seconds
    return {
        str(seed): {"steps": steps.tolist(), "returns": returns[:, seed].tolist(), "seconds": seconds}
        for seed in range(task.seeds)
    }


def main() -> None:
    """Trains the task unless its result is there."""
    task, library, results = tasks.chosen(__doc__, tuple(LEARNERS))
    path = tasks.result_path(results, library, task.env)
    if len(tasks.finished(path, task)) >= task.seeds:
        print(f"{path} is complete.")
        return
    versions = tasks.versions("entropax", "jax", "equinox", "optax", "gymnasium", "mujoco", "numpy")
    root = results / ".runs" / path.stem
    tasks.write(path, {**tasks.header(library, task, versions), "seeds": learn(task, library, root)})
    shutil.rmtree(root)


if __name__ == "__main__":
    main()
