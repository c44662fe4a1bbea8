"""Rows that do not follow on one another, around a missing step or a restart: no window and no advantage spans them."""

import dataclasses
from typing import Any, final

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import Training, begin, warm_up
from entropax.envs.base import AbstractDynamics, Episodes
from entropax.envs.gymnasium_adapter import GymnasiumEnvironments
from entropax.loops.host_seed import HostSeed
from entropax.replay import Windows, unpack
from entropax.types import Bounds, Spec

LIMIT, BROKEN = 9, 5
"""Steps of an episode, and the step of it whose reward is NaN."""
TRAINING = Training(steps=60, num_envs=2, warmup=40, capacity=60)


@final
class BreaksInTime(AbstractDynamics[jax.Array]):
    """Shows the time of its episode; the reward of one step is NaN."""

    @property
    def spec(self) -> Spec:
        return Spec(1, Bounds((-1.0,), (1.0,)))

    def initial(self, *, key):
        del key
        return jnp.zeros((), jnp.float32)

    def observe(self, state):
        return state[None]

    def step(self, state, action, *, key):
        del action, key
        return state + 1, jnp.where(state + 1 == BROKEN, jnp.nan, 1.0), jnp.zeros((), bool)


class Counts(gymnasium.Env[np.ndarray, np.ndarray]):
    """Shows the time of its episode, and breaks in the first one only, where it is told to."""

    observation_space = gymnasium.spaces.Box(-1, 100, (1,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)

    def __init__(self, breaks: bool) -> None:
        self.time, self.breaks = 0, breaks

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        del seed, options
        self.time = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.time += 1
        broken = self.breaks and self.time == BROKEN
        self.breaks &= not broken
        return np.full(1, self.time, np.float32), float("nan") if broken else 1.0, False, self.time == LIMIT, {}


def _check(rows: np.ndarray, spec: Spec) -> int:
    """Within an episode each row begins where the one before has led; returns how many of them end one early."""
    steps = unpack(jnp.asarray(rows), spec)
    goes_on = np.asarray(steps.last)[:-1] == 0
    np.testing.assert_array_equal(
        np.asarray(steps.next_observation)[:-1][goes_on], np.asarray(steps.observation)[1:][goes_on]
    )
    early = np.asarray(steps.last).astype(bool) & (np.asarray(steps.next_observation)[:, 0] < LIMIT)
    np.testing.assert_array_equal(np.asarray(steps.terminated), 0)
    return int(early.sum())


@pytest.fixture
def worker():
    def make(*breaks: bool) -> HostSeed:
        environments = GymnasiumEnvironments([Counts(False) for _ in breaks])
        for env, each in zip(environments.envs, breaks, strict=True):
            env.unwrapped.breaks = each
        return HostSeed(environments, dataclasses.replace(TRAINING, num_envs=len(breaks)), Windows(4, 3), seed=0)

    return make


def test_on_device_the_row_before_a_missing_step_ends_its_episode(small):
    environment = Episodes(BreaksInTime(), LIMIT)
    carry = begin(small, environment, TRAINING, key=jax.random.key(0))
    carry, metrics = jax.jit(lambda c: warm_up(c, environment, TRAINING, 20))(carry)
    assert float(metrics["rollout/skipped_steps"]) == 2 * 4
    for env in range(2):
        assert _check(np.asarray(carry.replay.rows)[env, : int(carry.replay.size[env])], environment.spec) == 4


def test_on_the_host_a_missing_step_ends_the_episodes_of_all_copies(worker):
    seed = worker(True, False)
    for _ in range(20):
        seed.step_randomly()
    arrays = seed.replay.arrays()
    np.testing.assert_array_equal(arrays["size"], [19, 20])
    for rows, size in zip(arrays["rows"], arrays["size"], strict=True):
        assert _check(rows[:size], seed.environments.spec) == 1


def test_a_resumed_run_s_new_episodes_do_not_follow_on_those_that_were_under_way(worker):
    seed = worker(False)
    for _ in range(LIMIT + 3):
        seed.step_randomly()
    again = worker(False)
    again.load(*seed.save())
    for _ in range(4):
        again.step_randomly()
    arrays = again.replay.arrays()
    assert arrays["size"][0] == LIMIT + 7
    assert _check(arrays["rows"][0], again.environments.spec) == 1
