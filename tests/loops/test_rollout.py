"""On-policy learners in both loops: fed with the newest steps alone, resumed bit for bit, no Q to look back at."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

from entropax import (
    A2C,
    PPO,
    ClippedGaussian,
    Dense,
    EntropaxError,
    TanhGaussian,
    Training,
    begin,
    chunk,
    fit,
    load,
    make,
)
from entropax.algorithms.on_policy_parts import AbstractPolicy
from entropax.cli import main
from entropax.diagnostics.dialects import ON_POLICY
from entropax.loops.assemble import build
from entropax.loops.driver import Driver
from entropax.loops.host_lane import HostLane
from entropax.loops.snapshots import attribute_run
from entropax.loops.train import train
from entropax.replay import HostReplay, Replay, Rollout, Windows, newest, unpack
from entropax.report import diagnose
from entropax.types import Bounds, Spec

LOOP = Training(
    steps=384, num_envs=2, warmup=0, log_every=128, evaluate_every=192, evaluation_episodes=1, checkpoint_every=192
)
SQUASHED = TanhGaussian(Dense((16, 16)))


def ppo(policy: AbstractPolicy = SQUASHED) -> PPO:
    return PPO(torso=Dense((16, 16)), policy=policy, num_steps=32, epochs=2, minibatches=4)


def _numbered(num_envs: int, capacity: int, writes: list[int]):
    """Both forms after so many rows in each ring, numbered from 0."""
    spec = Spec(3, Bounds((-1.0,), (1.0,)))
    host = HostReplay(spec, num_envs, num_envs * capacity)
    for number in range(max(writes)):
        rows = np.full((num_envs, host.rows.shape[-1]), number, np.float32)
        host.add(rows, np.array([number < count for count in writes]))
    return Replay(*(jnp.asarray(x) for x in (host.rows, host.cursor, host.size))), host


@pytest.mark.parametrize("capacity", [5, 8])
@pytest.mark.parametrize("writes", [[5, 5], [7, 12], [2, 6]])
def test_the_newest_rows_come_in_order_on_device_and_on_host(capacity, writes):
    device, host = _numbered(2, capacity, writes)
    on_device = newest(device, 5)[..., 0]
    on_host = host.read(host.newest((1,), 5))[0, ..., 0]
    expected = [[max(count - 5 + i, max(count - capacity, 0)) for i in range(5)] for count in writes]
    np.testing.assert_array_equal(on_device, expected)
    np.testing.assert_array_equal(on_host, expected)


def test_a_host_rollout_counts_on_the_coming_rows_and_awaits_them():
    _, host = _numbered(2, 4, [6, 6])
    draw = Rollout(4).draw(host, 1, np.random.default_rng(0), 4)
    assert draw.awaits
    for number in range(6, 10):
        host.add(np.full((2, host.rows.shape[-1]), number, np.float32), np.ones(2, bool))
    np.testing.assert_array_equal(host.cursor, draw.cursor)
    np.testing.assert_array_equal(host.read(draw)[0, ..., 0], [[6, 7, 8, 9]] * 2)


def test_an_update_on_the_device_sees_the_steps_of_its_own_round_only(monkeypatch):
    seen, update = [], PPO.update

    def noted(self, spec, state, batch, progress, *, key):
        jax.debug.callback(lambda *parts: seen.append(parts), batch.observation, batch.next_observation, batch.last)
        return update(self, spec, state, batch, progress, key=key)

    monkeypatch.setattr(PPO, "update", noted)
    algorithm, environment = ppo(), make("entropax/Pendulum-v0")
    carry = begin(algorithm, environment, LOOP, key=jax.random.key(0))
    assert carry.replay.rows.shape[:2] == (2, 32)
    for _ in range(2):
        before = carry.observation
        carry, _ = chunk(algorithm, carry, environment, LOOP, 1)
        jax.effects_barrier()
        observation, following, last = seen[-1]
        assert observation.shape == (2, 32, 3)
        np.testing.assert_allclose(observation[:, 0], before, atol=1e-6)
        np.testing.assert_allclose(following[:, -1], carry.observation, atol=1e-6)
        np.testing.assert_allclose(observation[:, 1:], following[:, :-1], atol=1e-6)
        assert not last.any()
    assert len(seen) == 2


def test_an_update_on_the_host_sees_the_steps_of_its_own_round_only(monkeypatch):
    environments = [build("Pendulum-v1", 2) for _ in range(2)]
    lane = HostLane(ppo(), environments, build("Pendulum-v1", 1), LOOP, (0, 1), jax.local_devices()[0])
    launched, launch = [], lane._launch

    def noted(rows, progress):
        launched.append(rows)
        launch(rows, progress)

    monkeypatch.setattr(lane, "_launch", noted)
    for _ in range(2):
        before = [worker.observation.copy() for worker in lane.workers]
        lane.advance(1)
        for rows, first, worker in zip(launched[-1], before, lane.workers, strict=True):
            batch = unpack(jnp.asarray(rows[0]), lane.spec)
            assert batch.observation.shape == (2, 32, 3)
            np.testing.assert_array_equal(batch.observation[:, 0], first)
            np.testing.assert_array_equal(batch.next_observation[:, -1], worker.observation)
    lane.close()


@pytest.mark.parametrize("env", ["entropax/Pendulum-v0", pytest.param("Pendulum-v1", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "policy",
    [SQUASHED, pytest.param(ClippedGaussian(Dense((16, 16)), initial_log_std=1.0), marks=pytest.mark.slow)],
)
def test_ppo_runs_in_both_loops(env, policy, tmp_path):
    run = fit(ppo(policy), env, LOOP, seeds=2, root=tmp_path, progress=False)
    assert [row.step for row in run.metrics.rows] == [128, 256, 384]
    values = run.metrics.rows[-1].values
    np.testing.assert_array_equal(values["train/n_updates"], 6)
    np.testing.assert_array_equal(values["train/skipped_updates"], 0)
    assert np.isfinite(values["train/value_mean"]).all()
    assert "train/q_mean" not in values
    assert "entropy/share_of_soft_value" not in values
    assert np.isnan(values["entropy/target"]).all()
    np.testing.assert_array_equal(values["train/ent_coef"], 0)
    assert [event.name for event in run.metrics.events][:2] == ["start", "checkpoint"]
    counts = (run.training.warmup, run.training.train_every, run.training.updates, run.training.capacity)
    assert counts == (0, 32, 1, 64)
    assert not (run.path / "snapshots").exists()
    with pytest.raises(EntropaxError, match="action values"):
        attribute_run(run.path)


@pytest.mark.slow
def test_actions_of_the_published_policy_are_stored_as_drawn():
    policy = ClippedGaussian(Dense((16, 16)), initial_log_std=1.0)
    environment = make("entropax/Pendulum-v0")
    carry, _ = train(ppo(policy), environment, LOOP, key=jax.random.key(0))
    actions = np.abs(np.asarray(unpack(carry.replay.rows, environment.spec).action))
    assert (actions > 1).mean() > 0.3
    squashed, _ = train(ppo(), environment, LOOP, key=jax.random.key(0))
    assert np.abs(np.asarray(unpack(squashed.replay.rows, environment.spec).action)).max() <= 1


def test_a_resumed_run_of_ppo_is_the_uninterrupted_one(tmp_path, monkeypatch):
    from entropax import resume

    whole = fit(ppo(), "entropax/Pendulum-v0", LOOP, seeds=2, root=tmp_path / "whole", progress=False)
    save = Driver.save

    class PowerCutError(Exception):
        """The process is gone."""

    def save_and_die(self) -> None:
        save(self)
        raise PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(Driver, "save", save_and_die)
        with pytest.raises(PowerCutError):
            fit(ppo(), "entropax/Pendulum-v0", LOOP, seeds=2, root=tmp_path / "cut", progress=False)
    (path,) = (tmp_path / "cut").iterdir()
    resume(path, progress=False)
    one, two = (load_file(p / "checkpoints" / "step_000000384" / "state.safetensors") for p in (whole.path, path))
    assert set(one) == set(two)
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name], err_msg=name)


def test_a2c_updates_every_few_steps(tmp_path):
    algorithm = A2C(torso=Dense((16,)), policy=SQUASHED, num_steps=4)
    loop = dataclasses.replace(LOOP, evaluate_every=0)
    run = fit(algorithm, "entropax/Pendulum-v0", loop, root=tmp_path, progress=False)
    np.testing.assert_array_equal(run.metrics.rows[-1].values["train/n_updates"], 384 / 8)


@pytest.mark.parametrize(
    "settings",
    [{"train_every": 2}, {"updates": 3}, {"warmup": 100}, {"capacity": 500}, {"acting": "overlapped"}],
    ids=str,
)
def test_counts_that_a_rollout_dictates_cannot_be_set_otherwise(settings):
    training = dataclasses.replace(LOOP, **settings)
    with pytest.raises(EntropaxError, match=f"{next(iter(settings))} is .* Leave"):
        training.fed_by(Rollout(32))
    assert training.fed_by(Windows(16, 1)) == training


def test_what_is_dictated_stays_when_dictated_again():
    once = LOOP.fed_by(Rollout(32))
    assert once.fed_by(Rollout(32)) == once
    assert once.rows == 64
    assert once.rounds == 6


@pytest.mark.slow
def test_no_warm_up_means_no_random_step(small):
    training = Training(steps=20, warmup=0, capacity=100, log_every=10)
    assert (training.warmup_rounds, training.rounds) == (0, 20)
    carry, metrics = train(small, make("entropax/Pendulum-v0"), training, key=jax.random.key(0))
    np.testing.assert_array_equal(carry.learner.updates, 20)
    assert np.isfinite(metrics["train/critic_loss"]).all()


@pytest.mark.slow
@pytest.mark.parametrize(("word", "own"), [("ppo", ("--algorithm.clip", "0.1")), ("a2c", ())])
def test_the_command_line_trains_and_diagnoses_them(word, own, tmp_path, capsys):
    counts = ("--steps", "160", "--warmup", "0", "--num-envs", "2", "--log-every", "16", "--evaluate-every", "0")
    settings = ("--algorithm.num-steps", "8", *own, "algorithm.policy:clipped-gaussian")
    if word == "ppo":
        settings = ("--algorithm.minibatches", "2", "--algorithm.epochs", "1", *settings)
    main(("train", word, "--env", "entropax/Pendulum-v0", "--root", str(tmp_path), *counts, *settings))
    (path,) = tmp_path.iterdir()
    run = load(path)
    assert path.name.startswith(f"{word}-")
    assert run.training.train_every == 8
    assert isinstance(run.algorithm, PPO | A2C)
    assert isinstance(run.algorithm.policy, ClippedGaussian)
    capsys.readouterr()
    (found,) = diagnose([path])
    assert found.facts.dialect is ON_POLICY
    assert (found.attribution, found.notes) == (None, ())
    main(("report", str(path)))
    assert "attributing" not in capsys.readouterr().err


def test_overlapped_acting_is_refused_by_the_command_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(("train", "ppo", "--env", "Pendulum-v1", "--root", str(tmp_path), "--acting", "overlapped"))
    assert stop.value.code == 2
    assert "it can only be newest" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
