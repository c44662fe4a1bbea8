"""The NumPy environments that ours are timed against have the same numbers, step by step, to rounding."""

import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.envs.quadrotor import Quadrotor, QuadrotorState
from entropax.envs.registry import TASKS
from entropax.envs.vehicle import Vehicle

FILE = Path(__file__).parents[2] / "benchmarks" / "numpy_envs.py"
PLACE, SPEED = (0.05, -0.07, 0.6), (0.02, -0.03, 0.08)


@pytest.fixture(scope="module")
def plain():
    spec = importlib.util.spec_from_file_location("numpy_envs", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ours(dynamics, state, actions):
    def one(state, action):
        state, reward, _ = dynamics.step(state, action, key=jax.random.key(0))
        return state, (dynamics.observe(state), reward)

    first = dynamics.observe(state)
    return first, *jax.jit(lambda s, a: jax.lax.scan(one, s, a)[1])(state, jnp.asarray(actions))


def theirs(environment, first, actions):
    observations, rewards, ends = [], [], []
    for action in actions:
        observation, reward, terminated, truncated, _ = environment.step(action)
        observations.append(observation)
        rewards.append(reward)
        ends.append(terminated)
        assert not truncated
    return first, np.array(observations), np.array(rewards), ends


@pytest.mark.parametrize("task", ["Vehicle", "Quadrotor"])
def test_every_step_is_the_same(plain, task):
    limit = TASKS[f"entropax/{task}-v0"].time_limit
    environment = plain.TASKS[task]()
    space = environment.action_space
    # Beyond the box on both sides, so that the cut is compared too.
    middle, half = (space.high + space.low) / 2, (space.high - space.low) / 2
    actions = middle + 1.2 * half * np.random.default_rng(0).uniform(-1, 1, (limit, *space.shape))
    with jax.enable_x64(True):
        if task == "Vehicle":
            first, _ = environment.reset()
            expected = ours(Vehicle(), Vehicle().initial(key=jax.random.key(0)), actions)
        else:
            first, _ = environment.reset(options={"position": PLACE, "velocity": SPEED})
            still = jnp.zeros(3)
            state = QuadrotorState(jnp.asarray(PLACE), jnp.asarray(SPEED), still, still, jnp.zeros((), jnp.int32))
            expected = ours(Quadrotor(), state, actions)
        *found, ends = theirs(environment, first, actions)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-8)
    # As published, the time limit terminates.
    assert ends == [False] * (limit - 1) + [True]


def test_the_quadrotor_starts_within_the_published_ranges(plain):
    environment = plain.Quadrotor()
    environment.reset(seed=0)
    starts = np.array([environment.reset()[0] for _ in range(2000)])
    for column, half in ((0, 0.1), (1, 0.1), (2, 1.0), (7, 0.1), (8, 0.1)):
        assert 0.98 * half < np.abs(starts[:, column]).max() <= half
    assert (starts[:, 3:6] == 0).all()


def test_it_is_timed_over_whole_episodes(plain):
    assert plain.steps_per_second("Quadrotor", 2, 0.05, seed=3) > 0
