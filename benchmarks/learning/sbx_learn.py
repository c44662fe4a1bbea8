"""Learning curves of SBX's SAC with its own defaults, one seed after the other; finished seeds are kept."""

import time

import numpy as np
import tasks
from sbx import SAC
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy


def learn(task: tasks.Task, seed: int) -> dict[str, list[float] | float]:
    """Trains one seed; returns the steps of its evaluations, their returns, and its seconds."""
    evaluation = make_vec_env(task.env, seed=10_000 + seed)
    model = SAC("MlpPolicy", task.env, seed=seed, device="cpu")
    steps: list[float] = []
    returns: list[float] = []

    def evaluate() -> None:
        each, _ = evaluate_policy(
            model, evaluation, n_eval_episodes=tasks.EPISODES, deterministic=True, return_episode_rewards=True
        )
        steps.append(model.num_timesteps)
        returns.append(float(np.mean(each)))
        print(f"sbx {task.env} seed {seed} step {steps[-1]:.0f}: {returns[-1]:.1f}", flush=True)

    def callback(local_variables: dict, _: dict) -> bool:
        if model.num_timesteps % task.evaluate_every == 0 and model.num_timesteps < task.steps:
            evaluate()
        return True

    started = time.perf_counter()
    model.learn(task.steps, callback=callback)
    evaluate()
    evaluation.close()
    return {"steps": steps, "returns": returns, "seconds": time.perf_counter() - started}


def main() -> None:
    """Trains the seeds that the result file lacks."""
    task, results = tasks.chosen(__doc__)
    path = tasks.result_path(results, "sbx", task)
    versions = tasks.versions("sbx-rl", "stable-baselines3", "jax", "flax", "optax", "gymnasium", "mujoco", "numpy")
    for seed in range(task.seeds):
        kept = tasks.finished(path, task)
        if str(seed) not in kept:
            kept[str(seed)] = learn(task, seed)
            tasks.write(path, {**tasks.header("sbx", task, versions), "seeds": kept})


if __name__ == "__main__":
    main()
