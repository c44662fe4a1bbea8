"""Episodes: time limit, auto-reset in the same step, vmap = loop; JAX ids through Gymnasium."""

import warnings

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from entropax.envs.base import Episodes
from entropax.envs.jax_env import JaxEnv
from entropax.envs.mountain_car import MountainCarContinuous
from entropax.envs.pendulum import Pendulum
from entropax.envs.probes import DelayedReward
from entropax.envs.registration import register_all
from entropax.envs.registry import TASKS, make
from entropax.envs.wrappers import TerminalTimeLimit
from entropax.errors import EntropaxError
from entropax.types import Bounds, transition

register_all()


def rollout(episodes, key, steps, action):
    state, observation = episodes.reset(key=key)
    seen = [observation]
    out = []
    step = jax.jit(episodes.step)
    for step_key in jax.random.split(jax.random.fold_in(key, 1), steps):
        state, result = step(state, action, key=step_key)
        out.append(result)
        seen.append(result.observation)
    return np.stack(seen), jax.tree.map(lambda *rows: np.stack(rows), *out)


def test_time_limit_truncates_and_bootstraps_from_the_last_observation():
    seen, steps = rollout(Episodes(Pendulum(), 5), jax.random.key(0), 12, jnp.ones(1))
    assert steps.truncated.tolist() == [False] * 4 + [True] + [False] * 4 + [True, False, False]
    assert not steps.terminated.any()
    assert steps.valid.all()
    ended = steps.truncated
    np.testing.assert_array_equal(steps.observation[~ended], steps.final_observation[~ended])
    assert (np.abs(steps.observation - steps.final_observation)[ended].max(-1) > 1e-3).all()
    stored = transition(seen[4], np.ones(1), jax.tree.map(lambda leaf: leaf[4], steps))
    np.testing.assert_array_equal(stored.next_observation, steps.final_observation[4])
    assert (stored.terminated, stored.last) == (0.0, 1.0)
    assert (np.abs(seen[[5, 10], 2]) <= 1).all(), "fresh velocities are within 1 rad/s"


def test_termination_wins_over_the_time_limit():
    _, steps = rollout(Episodes(DelayedReward(), 2), jax.random.key(0), 4, jnp.zeros(1))
    assert steps.terminated.tolist() == [False, True, False, True]
    assert not steps.truncated.any()
    np.testing.assert_array_equal(steps.reward, [0, 1, 0, 1])
    np.testing.assert_array_equal(steps.observation[:, 0], [1, 0, 1, 0])


def test_a_terminal_time_limit_terminates_there_or_where_the_task_does():
    for steps, ends in ((3, [False, False, True]), (500, [False, False, False])):
        _, result = rollout(Episodes(TerminalTimeLimit(Pendulum(), steps), 500), jax.random.key(0), 3, jnp.ones(1))
        assert result.terminated.tolist() == ends
        assert not result.truncated.any()
    _, result = rollout(Episodes(TerminalTimeLimit(DelayedReward(), 9), 9), jax.random.key(0), 4, jnp.zeros(1))
    assert result.terminated.tolist() == [False, True, False, True]
    bare, _ = rollout(Episodes(Pendulum(), 500), jax.random.key(0), 3, jnp.ones(1))
    wrapped, _ = rollout(Episodes(TerminalTimeLimit(Pendulum(), 9), 500), jax.random.key(0), 3, jnp.ones(1))
    np.testing.assert_allclose(wrapped, bare, atol=1e-6)


def test_the_goal_of_the_mountain_car_terminates():
    episodes = Episodes(MountainCarContinuous(), 999)
    state, observation = episodes.reset(key=jax.random.key(3))

    def forward(carry, key):
        state, observation = carry
        state, step = episodes.step(state, jnp.sign(observation[1:]) + (observation[1:] == 0), key=key)
        return (state, step.observation), step

    keys = jax.random.split(jax.random.key(0), 999)
    _, steps = jax.jit(lambda carry: jax.lax.scan(forward, carry, keys))((state, observation))
    first = int(np.argmax(steps.terminated))
    assert 50 < first < 200
    assert steps.reward[first] == pytest.approx(99.9, abs=1e-4)
    assert steps.final_observation[first, 0] >= 0.45
    assert steps.observation[first, 0] <= -0.4


def test_vmap_equals_loop():
    episodes = Episodes(Pendulum(), 3)
    keys = jax.random.split(jax.random.key(7), 4)
    states, _ = jax.vmap(lambda key: episodes.reset(key=key))(keys)
    action = jnp.linspace(-2, 2, 4)[:, None]
    step = jax.vmap(lambda state, act, key: episodes.step(state, act, key=key))
    for _ in range(4):
        rows = [jax.tree.map(lambda leaf, i=i: leaf[i], states) for i in range(4)]
        looped = [episodes.step(row, action[i], key=keys[i]) for i, row in enumerate(rows)]
        states, result = step(states, action, keys)
        expected = jax.tree.map(lambda *leaves: jnp.stack(leaves), *[one[1] for one in looped])
        for got, want in zip(jax.tree.leaves(result), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(got, want, atol=1e-6)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_gymnasium_accepts_every_registered_task(task):
    env = gymnasium.make(task.id)
    assert env.spec.max_episode_steps == task.time_limit
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*we recommend using a symmetric and normalized space.*")
        check_env(env.unwrapped, skip_render_check=task.picture is None)
    env.close()


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_observations_stay_in_the_declared_box(task):
    episodes = make(task.id)
    low, high = np.asarray(task.observation.low, np.float32), np.asarray(task.observation.high, np.float32)
    state, observation = episodes.reset(key=jax.random.key(0))
    actions = episodes.spec.action

    def one(carry, key):
        act_key, step_key = jax.random.split(key)
        action = actions.to_environment(actions.uniform(key=act_key))
        state, step = episodes.step(carry, action, key=step_key)
        return state, step

    _, steps = jax.jit(lambda s: jax.lax.scan(one, s, jax.random.split(jax.random.key(1), 500)))(state)
    for values in map(np.asarray, (observation[None], steps.observation, steps.final_observation)):
        assert ((values >= low) & (values <= high)).all()
    assert episodes.spec.observation_size == task.observation.size
    assert (steps.truncated | steps.terminated).sum() >= 500 // task.time_limit


def test_gymnasium_time_limit_and_same_physics():
    env = gymnasium.make("entropax/Pendulum-v0")
    peer = gymnasium.make("Pendulum-v1")
    observation, _ = env.reset(seed=3)
    peer.reset(seed=0)
    peer.unwrapped.state = np.array([np.arctan2(observation[1], observation[0]), observation[2]])
    for step in range(1, 201):
        action = np.array([np.sin(step)], np.float32)
        got, expected = env.step(action), peer.step(action)
        if step <= 20:
            np.testing.assert_allclose(got[0], expected[0], atol=1e-4)
            assert got[1] == pytest.approx(expected[1], abs=1e-3)
        assert got[2:4] == expected[2:4] == (False, step == 200)


def test_categories_through_gymnasium_are_a_discrete_space():
    env, peer = gymnasium.make("entropax/CartPole-v0"), gymnasium.make("CartPole-v1")
    assert env.action_space == peer.action_space == gymnasium.spaces.Discrete(2)
    observation, _ = env.reset(seed=3)
    peer.reset(seed=0)
    peer.unwrapped.state = observation.astype(np.float64)
    fallen = False
    for action in (0, np.int64(1), *[0] * 20):
        if not fallen:
            got, expected = env.step(action), peer.step(action)
            np.testing.assert_allclose(got[0], expected[0], atol=1e-5)
            assert got[1:4] == expected[1:4]
            fallen = got[2]
    assert fallen


def test_jax_env_says_what_is_wrong():
    with pytest.raises(EntropaxError, match=r"2 entries.*observation 3"):
        JaxEnv(Pendulum(), Bounds((-1.0,) * 2, (1.0,) * 2))
    with pytest.raises(EntropaxError, match=r"Call reset\(\) first"):
        JaxEnv(Pendulum(), TASKS["entropax/Pendulum-v0"].observation).step(np.zeros(1, np.float32))


def test_registering_twice_changes_nothing():
    before = dict(gymnasium.registry)
    register_all()
    assert dict(gymnasium.registry) == before
