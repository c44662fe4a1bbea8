"""What an environment tells a diagnosis: its action bounds, and the returns that need no training."""

import contextlib
from collections.abc import Callable, Mapping

import numpy as np

from entropax.diagnostics.readers import Known
from entropax.envs.base import AbstractHostEnvironments, Episodes
from entropax.envs.registry import make
from entropax.loops.host_lane import run_episodes
from entropax.types import Bounds, Spec

EPISODES = 10
"""Of each baseline: they are compared with a run's late returns, whose noise is of the same order."""
STEPS = 100_000
"""That a baseline may take. One whose episodes have not ended by then, as on a task without an end, is not known."""


def known_of(env: str) -> Known:
    """Action dimensions, half range, and the mean returns of the zero action and of uniform actions.

    Of a finite set of actions only the latter's: it has no zero, and its entropies have no dimensions.

    Raises:
        EntropaxError: there is no such environment.
    """
    environment = host_environment(env)
    with contextlib.closing(environment):
        ran = {
            name: run_episodes(environment, policy, EPISODES, 0, STEPS)[0]
            for name, policy in _untrained(environment.spec).items()
        }
    baselines = tuple((name, float(np.mean(each))) for name, each in ran.items() if len(each) == EPISODES)
    action = environment.spec.action
    if not isinstance(action, Bounds):
        return Known(baselines=baselines)
    return Known(action_dimensions=action.size, log_half_range=action.log_half_range, baselines=baselines)


def _untrained(spec: Spec) -> Mapping[str, Callable[[np.ndarray], np.ndarray]]:
    """Policies `[envs, observation] -> [envs, action]` by name."""
    generator, action = np.random.default_rng(0), spec.action
    policies = {"uniform policy": lambda observation: action.uniform_on_host(generator, len(observation))}
    if not isinstance(action, Bounds):
        return policies
    low, high = np.array(action.low, np.float32), np.array(action.high, np.float32)
    still = (np.clip(0.0, low, high) - low) / action.half_range - 1  # the environment's zero, in the policy's units
    return {"zero action": lambda observation: np.tile(still, (len(observation), 1)), **policies}


def host_environment(env: str) -> AbstractHostEnvironments:
    """An environment to step from Python; one in JAX comes through Gymnasium's registry."""
    import gymnasium

    from entropax.envs.gymnasium_adapter import adapt

    made = make(env, 1)
    return adapt(gymnasium.make(env)) if isinstance(made, Episodes) else made
