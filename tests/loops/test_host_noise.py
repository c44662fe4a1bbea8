"""Noise on host environments: a memory for every copy that begins anew with its episodes, saved and taken back."""

import dataclasses
import json

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import (
    GSDE,
    SAC,
    Dense,
    EntropaxError,
    Exploration,
    ParameterNoise,
    Pink,
    TableCounts,
    Training,
    White,
    fit,
    load,
    resume,
)
from entropax.envs.gymnasium_adapter import GymnasiumEnvironments, VectorEnvironments
from entropax.loops.driver import Driver
from entropax.loops.host_lane import HostLane
from entropax.replay import unpack

pytestmark = pytest.mark.slow

SMALL = SAC(torso=Dense((8,)), batch_size=8)
LOOP = Training(steps=400, num_envs=2, warmup=0, capacity=400, log_every=100)


def pendulum(*limits):
    return GymnasiumEnvironments([gymnasium.make("Pendulum-v1", max_episode_steps=limit) for limit in limits])


def lane_of(noise, environments):
    seeds = tuple(range(len(environments)))
    return HostLane(SMALL, environments, pendulum(200), LOOP, seeds, jax.local_devices()[0], Exploration(noise))


def states(lane):
    return lane._acting.save()["states"]


@pytest.fixture(scope="module")
def pink():
    """Two seeds of two copies whose episodes have 4 and 6 steps, after 4 steps without updates."""
    lane = lane_of(Pink(0.3), [pendulum(4, 6), pendulum(4, 6)])
    first = states(lane)
    lane._acting.steps(lane.workers, 4)
    return lane, first, states(lane)


def test_noise_begins_anew_where_a_copy_s_episode_ends_and_only_there(pink):
    _, first, after = pink
    assert first.sequence.shape == (2, 2, 6, 1), "the horizon is the longest time limit"
    np.testing.assert_array_equal(after.position, [[0, 4], [0, 4]])
    np.testing.assert_array_equal(after.sequence[:, 1], first.sequence[:, 1])
    assert np.abs(after.sequence[:, 0] - first.sequence[:, 0]).min() > 0
    drawn = np.concatenate([first.sequence, after.sequence[:, :1]], axis=1).reshape(6, 6)
    assert len(np.unique(drawn[:, 0])) == 6, "copies and seeds differ"


def test_the_actions_stored_are_the_mode_with_the_noise(pink):
    lane, first, _ = pink
    for seed, worker in enumerate(lane.workers):
        learner = jax.tree.map(lambda leaf: leaf[seed], lane._learner)  # noqa: B023, used at once
        for copy in range(2):
            stored = unpack(jnp.asarray(worker.replay.rows[copy, :4]), lane.spec)
            modes = jax.vmap(lambda o: SMALL.mode(learner, o))(stored.observation)  # noqa: B023
            expected = np.clip(modes + 0.3 * first.sequence[seed, copy, :4], -1, 1)
            np.testing.assert_allclose(stored.action, expected, atol=1e-6)


def test_loading_begins_all_episodes_anew_and_always_the_same(pink):
    lane, _, after = pink
    tree, meta = jax.device_get(lane.save()[0]), lane.save()[1]
    again = [lane_of(Pink(0.3), [pendulum(4, 6), pendulum(4, 6)]) for _ in range(2)]
    for other in again:
        other.load(tree, json.loads(json.dumps(meta)))
        np.testing.assert_array_equal(states(other).position, 0)
        assert np.abs(states(other).sequence - after.sequence)[:, 1].min() > 0
        other._acting.steps(other.workers, 5)
    jax.tree.map(np.testing.assert_array_equal, *(other._acting.save() for other in again))
    for one, other in zip(*(lane.workers for lane in again), strict=True):
        np.testing.assert_array_equal(one.replay.rows, other.replay.rows)


def test_a_step_of_resetting_moves_no_memory():
    envs = gymnasium.make_vec("Pendulum-v1", num_envs=2, vectorization_mode="sync", max_episode_steps=3)
    lane = lane_of(ParameterNoise(0.1), [VectorEnvironments(envs)])
    steps, sigmas = [], []
    for _ in range(6):
        lane._acting.steps(lane.workers, 1)
        steps.append(states(lane).steps[0].tolist())
        sigmas.append(states(lane).sigma[0].tolist())
    assert steps == [[1, 1], [2, 2], [0, 0], [0, 0], [1, 1], [2, 2]]
    assert sigmas[3] == sigmas[2] != sigmas[1], "adapted once, at the end of the episode"


def test_a_broken_step_starts_all_copies_of_its_seed_anew(monkeypatch):
    lane = lane_of(Pink(0.3), [pendulum(9, 9), pendulum(9, 9)])
    broken = lane.workers[1].environments
    step = type(broken).step

    def breaks(environments, actions):
        done = step(environments, actions)
        return done._replace(reward=np.array([np.nan, 0.0], np.float32)) if environments is broken else done

    lane._acting.steps(lane.workers, 2)
    monkeypatch.setattr(type(broken), "step", breaks)
    lane._acting.steps(lane.workers, 1)
    np.testing.assert_array_equal(states(lane).position, [[3, 3], [0, 0]])


@pytest.mark.parametrize("acting", ["newest", "overlapped"])
def test_noise_acts_with_the_learner_of_before_the_update_that_is_under_way(acting):
    """The actions of each round are the mode of the parameters that the order of acting says, whatever has begun."""
    training = dataclasses.replace(LOOP, acting=acting, num_envs=1)
    lane = HostLane(SMALL, [pendulum(200)], pendulum(200), training, (0,), jax.local_devices()[0], Exploration(GSDE()))
    lane.warm_up(100)
    learners = [jax.tree.map(np.array, lane._learner)]
    for _ in range(12):
        lane.advance(1)
        learners.append(jax.tree.map(np.array, lane._learner))
    late = 1 if acting == "overlapped" else 0
    drawn = states(lane).drawn[0, 0] * np.exp(-3)
    for number in range(late, 12):
        learner = jax.tree.map(lambda leaf: leaf[0], learners[number - late])
        row = unpack(jnp.asarray(lane.workers[0].replay.rows[0, 100 + number]), lane.spec)
        hidden = SMALL.actor(learner).network.hidden(row.observation)
        expected = np.clip(SMALL.mode(learner, row.observation) + hidden @ drawn, -1, 1)
        np.testing.assert_allclose(row.action, expected, atol=2e-6)
    lane.close()


class Endless(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        return np.zeros(2, np.float32), {}

    def step(self, action):
        return np.zeros(2, np.float32), 0.0, False, False, {}


def test_what_a_host_environment_cannot_have_is_refused_with_the_remedy(tmp_path):
    alone = dataclasses.replace(LOOP, num_envs=1)
    with pytest.raises(EntropaxError, match=r"no time limit .*max_episode_steps.* OU or Repeated"):
        fit(SMALL, Endless, alone, root=tmp_path, progress=False, exploration=Exploration(Pink()))
    with pytest.raises(EntropaxError, match=r"these are 3 numbers of any size.* Take Counts"):
        fit(SMALL, "Pendulum-v1", LOOP, root=tmp_path, progress=False, exploration=Exploration(bonus=TableCounts()))
    assert list(tmp_path.iterdir()) == []


class _PowerCutError(Exception):
    """The process is gone."""


@pytest.mark.parametrize("noise", [White(0.2), ParameterNoise(0.1)], ids=lambda noise: type(noise).__name__)
def test_a_run_with_noise_is_trained_and_resumed(noise, tmp_path, monkeypatch):
    training = Training(steps=600, warmup=100, log_every=200, evaluate_every=300, checkpoint_every=300)
    save, settings = Driver.save, {"seeds": 2, "progress": False, "exploration": Exploration(noise)}

    def save_and_die(self):
        save(self)
        raise _PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(Driver, "save", save_and_die)
        with pytest.raises(_PowerCutError):
            fit(SMALL, "Pendulum-v1", training, root=tmp_path, **settings)
    (path,) = tmp_path.iterdir()
    run = resume(path, progress=False)
    assert load(path).exploration == Exploration(noise)
    assert [row.step for row in run.metrics.rows][-1] == 600
