"""Learning curves of Entropax's algorithms, all seeds in one run; a stopped one goes on."""

import dataclasses
import shutil
from pathlib import Path

import tasks

import entropax

A2C = entropax.A2C(discount=0.9, gae_lambda=0.9, num_steps=8)
"""As the RL Zoo tunes it on Pendulum-v1 (eight copies), but for its scaled rewards, falling rate and state-dependent
noise: no bonus for entropy."""
PPO = entropax.PPO(discount=0.9, learning_rate=1e-3, num_steps=1024, minibatches=64)
"""As the RL Zoo tunes it on Pendulum-v1 (four copies, minibatches of 64), but for its state-dependent noise."""

SMALL = entropax.Dense((64, 64))
SMALL_SAC = entropax.SAC(torso=SMALL, batch_size=64, actor_learning_rate=1e-3, critic_learning_rate=1e-3)
"""For those that cost more than SAC."""
DISCRETE_SAC = entropax.DiscreteSAC(
    torso=SMALL, batch_size=64, actor_learning_rate=1e-3, critic_learning_rate=1e-3, polyak=0.02
)
"""Smaller and faster than the defaults, as soft Q-learning's on its page."""
DQN = entropax.DQN(torso=SMALL, batch_size=64, critic_learning_rate=1e-3)
"""Likewise."""

DISCRETE = (
    *("discrete-sac", "discrete-sac-0.89", "dqn", "dqn-huber", "dqn-double-dueling", "dqn-boltzmann", "dqn-noisy"),
    "dqn-zoo",
)

ALGORITHMS = {
    "sac": entropax.SAC(),
    "sac-lite": entropax.SACLite(),
    "decomposed-sac": entropax.DecomposedSAC(SMALL_SAC),
    "sac-adaent": entropax.SACAdaEnt(SMALL_SAC, samples=16),
    "meta-sac": entropax.MetaSAC(dataclasses.replace(SMALL_SAC, temperature=entropax.Fixed(1.0))),
    "max-info-sac": entropax.MaxInfoSAC(SMALL_SAC),
    "soft-q": entropax.SoftQ(torso=SMALL, batch_size=64, actor_learning_rate=1e-3, critic_learning_rate=1e-3),
    "td3": entropax.TD3(),
    "ddpg": entropax.DDPG(),
    "ppo": PPO,
    "ppo-clipped": dataclasses.replace(PPO, policy=entropax.ClippedGaussian()),
    "a2c": dataclasses.replace(A2C, entropy_coefficient=0.01, max_grad_norm=10.0),
    "a2c-bare": A2C,
    "discrete-sac": DISCRETE_SAC,
    "discrete-sac-0.89": dataclasses.replace(
        DISCRETE_SAC, temperature=entropax.Dual(target_entropy=entropax.FractionOfUniform(0.89))
    ),
    "dqn": DQN,
    "dqn-huber": dataclasses.replace(DQN, loss=entropax.Huber()),
    "dqn-double-dueling": dataclasses.replace(DQN, bootstrap=entropax.Double(), head=entropax.Dueling()),
    "dqn-boltzmann": dataclasses.replace(DQN, exploration=entropax.Boltzmann()),
    "dqn-noisy": dataclasses.replace(DQN, exploration=entropax.NoisyNet()),
    "dqn-zoo": entropax.DQN(
        critic_learning_rate=6.3e-4,
        exploration=entropax.EpsilonGreedy(1.0, 0.1, 0.12),
        loss=entropax.Huber(),
        following=entropax.HardCopy(250),
        torso=SMALL,
    ),
}
"""With their own defaults where nothing else is said."""
FAMILY = ("sac", "sac-lite", "decomposed-sac", "sac-adaent", "meta-sac", "max-info-sac", "soft-q")
WARMUP = dict.fromkeys(FAMILY, 100) | dict.fromkeys(("td3", "ddpg", *DISCRETE), 1_000)
"""Random steps: SAC's and its family's as SBX and Stable-Baselines3 have it; the others explore little by themselves,
and TD3's paper gives them 1,000 on its smaller tasks. On policy there are none."""
COPIES = {"ppo": 4, "ppo-clipped": 4, "a2c": 8, "a2c-bare": 8}
"""Copies of the environment that a seed steps together, one where nothing is said."""
ROUNDS = {"dqn-zoo": {"train_every": 4, "updates": 4}}
"""Steps and updates of a round, one and one where nothing is said."""


def learn(task: tasks.Task, root: Path) -> dict[str, dict[str, list[float] | float]]:
    """Trains all seeds, or goes on where a stopped run left off.

    Returns, by seed, the steps of the evaluations, their returns, and the seconds of the run.
    """
    algorithm = ALGORITHMS[task.algorithm]
    training = entropax.Training(
        steps=task.steps,
        num_envs=COPIES.get(task.algorithm, 1),
        warmup=WARMUP.get(task.algorithm, 0),
        **ROUNDS.get(task.algorithm, {}),
        log_every=min(1_000, task.evaluate_every),
        evaluate_every=task.evaluate_every,
        evaluation_episodes=tasks.EPISODES,
        checkpoint_every=task.evaluate_every,
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
    task, results = tasks.chosen(__doc__)
    path = tasks.result_path(results, "entropax", task)
    if len(tasks.finished(path, task)) >= task.seeds:
        print(f"{path} is complete.")
        return
    versions = tasks.versions("entropax", "jax", "equinox", "optax", "gymnasium", "mujoco", "numpy")
    root = results / ".runs" / path.stem
    tasks.write(path, {**tasks.header("entropax", task, versions), "seeds": learn(task, root)})
    shutil.rmtree(root)


if __name__ == "__main__":
    main()
