"""Learning curves of Entropax's SAC with its own defaults, all seeds in one run."""

import tempfile
import time

import tasks

import entropax


def learn(task: tasks.Task) -> dict[str, dict[str, list[float] | float]]:
    """Trains all seeds; returns, by seed, the steps of the evaluations, their returns, and the seconds of the run."""
    training = entropax.Training(
        steps=task.steps,
        warmup=100,  # As SBX and Stable-Baselines3 have it.
        log_every=min(1_000, task.evaluate_every),
        evaluate_every=task.evaluate_every,
        evaluation_episodes=tasks.EPISODES,
        checkpoint_every=task.steps,
    )
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as root:
        run = entropax.fit(entropax.SAC(), task.env, training, seeds=task.seeds, root=root)
        steps, returns = run.metrics.series("eval/mean_reward")
    seconds = time.perf_counter() - started
    return {
        str(seed): {"steps": steps.tolist(), "returns": returns[:, seed].tolist(), "seconds": seconds}
        for seed in range(task.seeds)
    }


def main() -> None:
    """Trains the task unless its result is there."""
    task, results = tasks.chosen(__doc__)
    path = tasks.result_path(results, "entropax", task.env)
    if len(tasks.finished(path, task)) >= task.seeds:
        print(f"{path} is complete.")
        return
    versions = tasks.versions("entropax", "jax", "equinox", "optax", "gymnasium", "mujoco", "numpy")
    tasks.write(path, {**tasks.header("entropax", task, versions), "seeds": learn(task)})


if __name__ == "__main__":
    main()
