"""What an environment tells a diagnosis: its action bounds, and the returns that need no training."""

import numpy as np

from entropax.diagnostics.readers import Known
from entropax.envs.base import AbstractHostEnvironments, Episodes
from entropax.envs.registry import make
from entropax.loops.host_lane import run_episodes
from entropax.types import continuous

EPISODES = 10
"""Of each baseline: they are compared with a run's late returns, whose noise is of the same order."""


def known_of(env: str) -> Known:
    """Action dimensions, half range, and the mean returns of the zero action and of uniform actions.

    Raises:
        EntropaxError: there is no such environment, or its actions are not continuous and bounded.
    """
    environment = host_environment(env)
    bounds = continuous(environment.spec)
    size, generator = bounds.size, np.random.default_rng(0)
    low, high = np.array(bounds.low, np.float32), np.array(bounds.high, np.float32)
    still = (np.clip(0.0, low, high) - low) / bounds.half_range - 1  # the environment's zero, in the policy's units
    policies = {
        "zero action": lambda observation: np.tile(still, (len(observation), 1)),
        "uniform policy": lambda observation: generator.uniform(-1, 1, (len(observation), size)).astype(np.float32),
    }
    returns = {name: run_episodes(environment, policy, EPISODES, 0)[0] for name, policy in policies.items()}
    environment.close()
    return Known(
        action_dimensions=size,
        log_half_range=bounds.log_half_range,
        baselines=tuple((name, float(np.mean(each))) for name, each in returns.items()),
    )


def host_environment(env: str) -> AbstractHostEnvironments:
    """An environment to step from Python; one in JAX comes through Gymnasium's registry."""
    import gymnasium

    from entropax.envs.gymnasium_adapter import adapt

    made = make(env, 1)
    return adapt(gymnasium.make(env)) if isinstance(made, Episodes) else made
