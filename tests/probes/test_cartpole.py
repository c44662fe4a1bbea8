"""Learners of discrete actions balance a pole for longer and longer: short runs, far above what random actions earn."""

import dataclasses

import numpy as np
import pytest

from entropax import A2C, DQN, PPO, Dense, DiscreteSAC, Orthogonal, TanhGaussian, Training, fit

SMALL = {"torso": Dense((32, 32)), "batch_size": 64, "critic_learning_rate": 1e-3}
ROLLOUT = {"torso": Orthogonal((32, 32)), "policy": TanhGaussian(Orthogonal((32, 32), output_gain=0.01))}
UNIFORM = 22
"""Return of uniformly random actions; the most is 500."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "steps", "copies"),
    [
        (PPO(num_steps=128, minibatches=8, epochs=4, learning_rate=1e-3, **ROLLOUT), 20_480, 8),
        (A2C(entropy_coefficient=0.01, **ROLLOUT), 40_960, 8),
        (DiscreteSAC(actor_learning_rate=1e-3, polyak=0.02, **SMALL), 6_000, 1),
        (DQN(**SMALL), 8_000, 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_half_of_the_seeds_hold_the_pole_five_times_as_long_as_random_actions(algorithm, steps, copies, tmp_path):
    rows = Training(steps=steps, num_envs=copies, log_every=steps // 10, evaluate_every=0, checkpoint_every=steps)
    training = dataclasses.replace(rows, warmup=500, capacity=steps) if copies == 1 else rows
    run = fit(algorithm, "entropax/CartPole-v0", training, seeds=4, root=tmp_path, progress=False)
    _, returns = run.metrics.series("rollout/ep_rew_mean")
    assert np.nanmean(returns[0]) < 3 * UNIFORM
    assert np.median(np.nanmean(returns[-3:], axis=0)) > 5 * UNIFORM
