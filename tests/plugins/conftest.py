"""Small models of Stable-Baselines3; the tests here skip themselves where it is not installed."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

LOW, HIGH = np.array([-2.0, 0.0], np.float32), np.array([2.0, 10.0], np.float32)


class Box(gymnasium.Env):
    """Two action dimensions with different units, observations in two parts, episodes of ten steps."""

    observation_space = spaces.Dict(
        {"position": spaces.Box(-1, 1, (3,), np.float32), "clock": spaces.Box(0, 1, (1,), np.float32)}
    )
    action_space = spaces.Box(LOW, HIGH)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self._observe(), {}

    def step(self, action):
        self.steps += 1
        return self._observe(), float(-np.sum(np.square(action))), False, self.steps == 10, {}

    def _observe(self):
        position = self.np_random.uniform(-1, 1, 3).astype(np.float32)
        return {"position": position, "clock": np.full(1, self.steps / 10, np.float32)}


@pytest.fixture(scope="session")
def one_thread():
    """These networks are too small to be split, and other processes may want the other core."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def box():
    return Box()


@pytest.fixture(scope="session")
def make_sac(one_thread):
    """SAC small and fast enough to change its policy within some hundred gradient steps."""
    from stable_baselines3 import SAC

    def make(environment="Pendulum-v1", policy="MlpPolicy", **settings):
        defaults = {"seed": 0, "device": "cpu", "batch_size": 64, "learning_rate": 3e-3, "learning_starts": 100}
        return SAC(policy, environment, policy_kwargs={"net_arch": [16]}, **{**defaults, **settings})

    return make


@pytest.fixture(scope="session")
def make_ppo(one_thread):
    """PPO with rollouts of 128 steps."""
    from stable_baselines3 import PPO

    def make(environment="Pendulum-v1", policy="MlpPolicy", log_std_init=0.0, **settings):
        defaults = {"seed": 0, "device": "cpu", "n_steps": 128, "batch_size": 64, "n_epochs": 4}
        shape = {"net_arch": [16], "log_std_init": log_std_init}
        return PPO(policy, environment, policy_kwargs=shape, **{**defaults, **settings})

    return make
