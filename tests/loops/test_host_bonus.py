"""Bonuses on host environments: every stored step is seen once, in order, before its round's updates, and kept."""

import dataclasses
import json

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

from entropax import (
    DQN,
    ICM,
    PPO,
    RND,
    SAC,
    Counts,
    Dense,
    Disagreement,
    Exploration,
    Fixed,
    Training,
    White,
    fit,
    load,
    resume,
)
from entropax.envs.gymnasium_adapter import GymnasiumEnvironments, VectorEnvironments
from entropax.exploration import PLAIN, PerReturnDeviation
from entropax.intrinsic.ensemble import Ensemble
from entropax.loops import host_lane
from entropax.loops.driver import Driver
from entropax.loops.host_lane import HostLane
from entropax.loops.update import guarded_update
from entropax.replay import unpack

pytestmark = pytest.mark.slow

SMALL = SAC(torso=Dense((8,)), batch_size=8)
ON_POLICY = PPO(torso=Dense((8,)), num_steps=6, epochs=1, minibatches=1)
LOOP = Training(steps=400, num_envs=2, warmup=100, train_every=2, capacity=400, log_every=100)
ROLLOUTS = Training(steps=400, num_envs=2, warmup=0, log_every=100)
ORDERED = Counts(Fixed(1.0), PerReturnDeviation(), bits=4)
"""Its scale depends on the order of steps."""


def pendulum(*limits):
    return GymnasiumEnvironments([gymnasium.make("Pendulum-v1", max_episode_steps=limit) for limit in limits])


def lane_of(algorithm, training, exploration, seeds=(0, 1)):
    environments = [pendulum(*[4, 6][: training.num_envs]) for _ in seeds]
    return HostLane(algorithm, environments, pendulum(4), training, seeds, jax.local_devices()[0], exploration)


def memory_of(lane):
    """A copy, since an update overwrites it."""
    return jax.tree.map(np.array, lane._memory)


def noted(lane):
    """What each round of updates is given, `[seeds, updates, …]`, as it is launched."""
    launched, launch = [], lane._launch

    def note(rows, progress):
        launched.append((np.stack(rows), progress))
        launch(rows, progress)

    lane._launch = note
    return launched


def by_hand(bonus, lane, first, rows):
    """The memory of one seed after its stored rows `[envs, steps, width]`, seen step after step."""
    observe = jax.jit(lambda memory, steps: bonus.observe(lane.spec, memory, steps, jnp.ones(len(steps.reward), bool)))
    for step in range(rows.shape[1]):
        first = observe(first, unpack(jnp.asarray(rows[:, step]), lane.spec))
    return first


def arrivals(lane, memory, seed):
    """How often each cell was arrived at, counted from the replay."""
    replay = lane.workers[seed].replay
    stored = [replay.rows[env, : replay.size[env]] for env in range(len(replay.rows))]
    following = np.asarray(unpack(jnp.asarray(np.concatenate(stored)), lane.spec).next_observation)
    projection = memory.novelty.projection[seed]
    codes = (following @ projection.T > 0) @ 2 ** np.arange(len(projection))
    return np.bincount(codes, minlength=2 ** len(projection))


@pytest.mark.parametrize(
    ("algorithm", "training"),
    [(SMALL, LOOP), (SMALL, dataclasses.replace(LOOP, acting="overlapped")), (ON_POLICY, ROLLOUTS)],
    ids=["newest", "overlapped", "on-policy"],
)
def test_every_stored_step_is_seen_once_and_in_order_before_its_round_is_paid_for(algorithm, training):
    lane = lane_of(algorithm, training, Exploration(bonus=ORDERED))
    first, launched = memory_of(lane), noted(lane)
    expected = [jax.tree.map(lambda leaf: leaf[seed], first) for seed in range(2)]  # noqa: B023
    lane.warm_up(lane.training.warmup_rounds)
    for coming in (lane.training.warmup_rounds + 1, 1, 1, 1):
        lane.advance(1)
        after, paid = memory_of(lane), lane.collect()["exploration/bonus"]
        for seed, worker in enumerate(lane.workers):
            newest = worker.replay.newest((), coming * lane.training.train_every)
            expected[seed] = by_hand(ORDERED, lane, expected[seed], worker.replay.read(newest))
            np.testing.assert_array_equal(after.novelty.counts[seed], expected[seed].novelty.counts)
            np.testing.assert_allclose(after.scale.returns[seed], expected[seed].scale.returns, rtol=1e-5)
            batch = unpack(jnp.asarray(launched[-1][0][seed, 0]), lane.spec)
            bonus = ORDERED.rewarded(lane.algorithm, lane.spec, expected[seed], batch).reward - batch.reward
            np.testing.assert_allclose(paid[seed], np.mean(bonus), rtol=1e-4)
    np.testing.assert_array_equal(after.novelty.counts.sum(1), lane.rounds * lane.training.stride)
    lane.close()


def test_steps_that_are_not_stored_do_not_count(monkeypatch):
    training = dataclasses.replace(LOOP, train_every=1, warmup=0)
    vector = gymnasium.make_vec("Pendulum-v1", num_envs=2, vectorization_mode="sync", max_episode_steps=3)
    exploration = Exploration(bonus=Counts(bits=4))
    environments = VectorEnvironments(vector)
    lane = HostLane(SMALL, [environments], pendulum(4), training, (0,), jax.local_devices()[0], exploration)
    step, broken = environments.step, []

    def breaks(self, actions):
        done = step(actions)
        broken.append(len(broken) == 5)
        return done._replace(reward=np.array([np.nan, 0.0], np.float32)) if broken[-1] else done

    monkeypatch.setattr(VectorEnvironments, "step", breaks)
    lane.warm_up(4)
    lane.advance(8)
    after = memory_of(lane)
    np.testing.assert_array_equal(after.novelty.counts[0], arrivals(lane, after, 0))
    assert len(broken) == 12
    # Of 24, one was broken; after 3 steps of the first episodes a step of resetting, and again 3 steps after the break.
    assert after.novelty.counts.sum() == lane.workers[0].replay.size.sum() == 24 - 1 - 2 - 2


@pytest.mark.parametrize("acting", ["newest", "overlapped"])
def test_a_run_without_a_bonus_is_bit_for_bit_the_one_of_an_update_that_knows_of_none(acting, monkeypatch):
    def unpaid(algorithm, bonus, spec, state, rows, progress, *, key):
        learner, metrics = guarded_update(algorithm, spec, state[0], rows, progress, key=key)
        return (learner, ()), metrics

    def advanced():
        lane = lane_of(SMALL, dataclasses.replace(LOOP, acting=acting), PLAIN)
        launched = noted(lane)
        lane.warm_up(25)
        lane.advance(12)
        return lane, launched

    lane, launched = advanced()
    monkeypatch.setattr(host_lane, "rewarded_update", unpaid)
    other, as_before = advanced()
    for (one, _), (two, _) in zip(launched, as_before, strict=True):
        np.testing.assert_array_equal(one, two)
    assert jax.tree.leaves(lane.save()[0]["bonus"]) == []
    jax.tree.map(np.testing.assert_array_equal, lane.save()[0], other.save()[0])


@pytest.mark.parametrize("noise", [PLAIN.noise, White(0.2)], ids=["policy", "white"])
def test_a_bonus_worth_nothing_changes_nothing(noise):
    lanes = [lane_of(SMALL, LOOP, Exploration(noise, bonus)) for bonus in (PLAIN.bonus, Counts(Fixed(1e-30), bits=4))]
    for lane in lanes:
        lane.warm_up(4)
        lane.advance(12)
    plain, paid = lanes
    for one, other in zip(plain.workers, paid.workers, strict=True):
        np.testing.assert_allclose(one.replay.rows, other.replay.rows, atol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), plain.actor(), paid.actor())


@pytest.mark.parametrize(("algorithm", "training"), [(SMALL, LOOP), (ON_POLICY, ROLLOUTS)], ids=["sac", "ppo"])
def test_a_lane_that_is_loaded_remembers_what_was_new(algorithm, training):
    exploration = Exploration(bonus=RND(torso=Dense((8,)), features=4))
    lane = lane_of(algorithm, training, exploration)
    fresh = memory_of(lane)
    lane.warm_up(lane.training.warmup_rounds)
    lane.advance(3)
    tree, meta = jax.device_get(lane.save()[0]), lane.save()[1]
    again = [lane_of(algorithm, training, exploration) for _ in range(2)]
    like = again[0].like(meta)
    jax.tree.map(lambda shape, leaf: np.testing.assert_equal(shape.shape, np.shape(leaf)), like, tree)
    for other in again:
        other.load(tree, json.loads(json.dumps(meta)))
        jax.tree.map(np.testing.assert_array_equal, memory_of(other), memory_of(lane))
        other.advance(3)
    jax.tree.map(np.testing.assert_array_equal, *(memory_of(other) for other in again))
    seen = memory_of(again[0]).scale.moments.count - fresh.scale.moments.count
    np.testing.assert_array_equal(seen, again[0].rounds * again[0].training.stride)


@pytest.mark.parametrize(
    "bonus",
    [ICM(Fixed(1.0), learning_rate=3e-3, torso=Dense((8,)), features=4), Disagreement(ensemble=Ensemble(3e-3))],
    ids=["icm", "disagreement"],
)
def test_models_learn_from_a_host_environment_s_steps_and_pay_for_what_they_do_not_know(bonus):
    lane = lane_of(SMALL, LOOP, Exploration(bonus=bonus), seeds=(0,))
    lane.warm_up(lane.training.warmup_rounds)
    found = []
    for _ in range(10):
        lane.advance(10)
        found.append({name: float(value[0]) for name, value in lane.collect().items()})
    losses = [row["exploration/predictor_loss"] for row in found]
    assert np.mean(losses[-3:]) < 0.8 * losses[0]
    assert all(row["exploration/bonus"] > 0 and row["train/skipped_updates"] == 0 for row in found)
    lane.close()


class _PowerCutError(Exception):
    """The process is gone."""


@pytest.mark.parametrize(
    ("algorithm", "env", "training"),
    [
        (DQN(torso=Dense((8,)), batch_size=8), "CartPole-v1", {"warmup": 100}),
        (SMALL, "Pendulum-v1", {"warmup": 100}),
        (PPO(torso=Dense((8,)), num_steps=50, minibatches=2), "Pendulum-v1", {"warmup": 0, "num_envs": 2}),
    ],
    ids=["dqn", "sac", "ppo"],
)
def test_a_run_cut_off_goes_on_with_its_counts_and_reports_the_environment_s_rewards(
    algorithm, env, training, tmp_path, monkeypatch
):
    loop = Training(steps=600, log_every=100, evaluate_every=300, checkpoint_every=300, **training)
    exploration = Exploration(bonus=Counts(Fixed(1000.0), bits=6))
    save, settings = Driver.save, {"seeds": 2, "progress": False, "exploration": exploration}
    whole = fit(algorithm, env, loop, root=tmp_path / "whole", **settings)

    def save_and_die(self):
        save(self)
        raise _PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(Driver, "save", save_and_die)
        with pytest.raises(_PowerCutError):
            fit(algorithm, env, loop, root=tmp_path / "cut", **settings)
    (path,) = (tmp_path / "cut").iterdir()

    def tensors(place, step):
        return load_file(place / "checkpoints" / f"step_{step:09d}" / "state.safetensors")

    one, two = tensors(whole.path, 300), tensors(path, 300)
    assert set(one) == set(two)
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name], err_msg=name)
    run = resume(path, progress=False)
    assert load(path).exploration == exploration
    (counts,) = (name for name in one if name.endswith("novelty.counts"))
    np.testing.assert_array_equal(two[counts].sum(-1), 300)
    np.testing.assert_array_equal(tensors(path, 600)[counts].sum(-1), 600)
    last = run.metrics.rows[-1].values
    assert np.all(np.asarray(last["exploration/bonus"]) > 10), "a thousand over the root of at most 600"
    if env == "CartPole-v1":
        for kind in ("rollout/ep_rew_mean", "eval/mean_reward"):
            length = {"rollout/ep_rew_mean": "rollout/ep_len_mean", "eval/mean_reward": "eval/mean_ep_length"}[kind]
            np.testing.assert_array_equal(last[kind], last[length], err_msg="1 a step and nothing more")
    else:
        assert np.all(np.asarray(last["eval/mean_reward"]) < 0), "Pendulum's rewards are costs"
