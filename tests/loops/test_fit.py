"""`fit` on both kinds of environment: a whole run folder, every documented number, seeds side by side."""

import dataclasses
import itertools
import re
from pathlib import Path

import jax
import numpy as np
import pytest

from entropax import (
    PI,
    AnnealOverRun,
    DecomposedSAC,
    Dual,
    EachDimension,
    Fixed,
    MetaSAC,
    PerDimension,
    SACAdaEnt,
    SACLite,
    Training,
    fit,
    load,
)
from entropax.errors import EntropaxError
from entropax.loops.assemble import build
from entropax.loops.host_lane import HostLane
from entropax.replay import Rollout, Windows
from entropax.runs import read_checkpoint_meta

UNWRITTEN = {"train/kept_updates", "rollout/return_sum", "rollout/length_sum"}
META = {"train/meta_objective", "train/meta_gradient"}
PLAIN = {
    "train/plain_critic_loss",
    "train/plain_q_mean",
    "train/plain_critic_grad_norm",
    "train/plain_critic_param_norm",
}
ON_POLICY = {"train/value_mean"}
ADAENT = {"train/switched_states", "train/landscape_similarity"} | PLAIN
SIGNED = {"train/plain_q_mean", "train/switched_states", "train/q_reward_mean", "train/q_entropy_mean"}
"""Of these, what need not be positive."""
DECOMPOSED = {"train/ranking_agreement", "train/q_reward_mean", "train/q_entropy_mean"}

INFORMED = {f"train/{name}" for name in ("information_gain", "information_slack", "model_loss")}
INFORMED |= {"train/information_coef", "train/information_coef_step"}
RULES = {"rollout/exploration_rate", "train/noise_scale"}
OTHERS = META | ON_POLICY | ADAENT | DECOMPOSED | INFORMED | RULES
"""What SAC itself does not measure."""

BOTH = ["entropax/Pendulum-v0", pytest.param("Pendulum-v1", marks=pytest.mark.slow)]


def _documented() -> set[str]:
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text("utf-8")
    return {match[1] for match in re.finditer(r"`((?:rollout|train|entropy|eval|time)/[a-z_]+)`", text)} - UNWRITTEN


@pytest.fixture(params=["jax_run", "host_run"])
def run(request):
    return request.getfixturevalue(request.param)


def test_the_run_folder_is_complete(run):
    for name in ("run.json", "metrics.jsonl", "policy.safetensors", "checkpoints", "tensorboard"):
        assert (run.path / name).exists(), name
    assert [path.name for path in sorted((run.path / "checkpoints").iterdir())] == ["step_000000400", "step_000000600"]
    assert sorted(path.name for path in (run.path / "tensorboard").iterdir()) == ["seed_0", "seed_1"]
    events = [event.name for event in run.metrics.events]
    assert events == ["start", "warmup_done", "checkpoint", "checkpoint", "finished"]
    assert load(run.path).manifest == run.manifest
    assert read_checkpoint_meta(run.path)[1] == 600


def test_rows_come_at_the_steps_asked_for(run):
    assert [row.step for row in run.metrics.rows] == [200, 400, 600]
    evaluated = [row.step for row in run.metrics.rows if "eval/mean_reward" in row.values]
    assert evaluated == [400, 600]


def test_every_documented_metric_is_finite_in_the_last_row(run):
    values = run.metrics.rows[-1].values
    assert set(values) == _documented() - OTHERS
    broken = {name for name, value in values.items() if not np.isfinite(value).all()}
    assert broken == set()
    vectors = {
        "entropy/per_dimension",
        "entropy/sigma_per_dimension",
        "entropy/action_std",
        "train/ent_coef_per_dimension",
    }
    assert {name: value.shape for name, value in values.items()} == {
        name: (2, 1) if name in vectors else (2,) for name in values
    }
    np.testing.assert_array_equal(values["train/n_updates"], 500)
    np.testing.assert_array_equal(values["eval/mean_ep_length"], 200)
    np.testing.assert_array_equal(values["rollout/episodes"], 1)
    np.testing.assert_array_equal(values["rollout/terminations"], 0)
    np.testing.assert_array_equal(values["rollout/skipped_steps"], 0)
    np.testing.assert_array_equal(values["train/skipped_updates"], 0)
    assert (values["rollout/ep_rew_mean"] < -100).all()
    np.testing.assert_allclose(values["entropy/target"], -1.0)
    np.testing.assert_allclose(values["entropy/nats"] - values["entropy/target"], values["entropy/slack"], rtol=1e-4)
    np.testing.assert_allclose(values["entropy/environment_nats"] - values["entropy/nats"], np.log(2), rtol=1e-4)


@pytest.mark.slow
def test_each_dimension_s_entropy_has_its_own_price_in_the_share_of_the_soft_value(small, loop, tmp_path):
    priced = dataclasses.replace(small, temperature=EachDimension(Dual(learning_rate=0.1)))
    short = dataclasses.replace(loop, steps=200, evaluate_every=0)
    run = fit(priced, "entropax/Obstacle2D-v0", short, root=tmp_path, progress=False)
    values = {name: value[0] for name, value in run.metrics.rows[-1].values.items()}
    alphas, nats = values["train/ent_coef_per_dimension"], values["entropy/per_dimension"]
    bonus = abs(float(alphas @ nats))
    assert abs(bonus - abs(alphas.mean() * nats.sum())) > 1e-3 * bonus
    share = bonus / (abs(values["train/q_mean"]) + bonus)
    np.testing.assert_allclose(values["entropy/share_of_soft_value"], share, rtol=1e-5)


def _one_step_on_the_host():
    import gymnasium

    return gymnasium.make("entropax/ConstantReward-v0")


@pytest.mark.parametrize("env", ["entropax/ConstantReward-v0", _one_step_on_the_host], ids=["jax", "host"])
def test_episodes_that_the_environment_ends_are_counted_as_terminations(env, small, loop, tmp_path):
    short = dataclasses.replace(loop, steps=160, log_every=20, evaluate_every=0)
    (row, *_) = fit(small, env, short, root=tmp_path, progress=False).metrics.rows[1:]
    np.testing.assert_array_equal(row.values["rollout/terminations"], 20)
    np.testing.assert_array_equal(row.values["rollout/episodes"], 20)


@pytest.mark.parametrize("env", BOTH)
def test_learners_are_told_how_far_the_run_is(env, small, loop, tmp_path):
    target = AnnealOverRun(PerDimension(0.0), PerDimension(-1.0), until=1.0)
    algorithm = dataclasses.replace(small, temperature=PI(target_entropy=target))
    run = fit(algorithm, env, loop, seeds=2, root=tmp_path, progress=False)
    steps, targets = run.metrics.series("entropy/target")
    np.testing.assert_allclose(targets, np.broadcast_to(-(steps[:, None] - 1) / loop.steps, targets.shape), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("env", BOTH)
def test_meta_sac_runs_in_both_loops(env, small, loop, tmp_path):
    algorithm = MetaSAC(dataclasses.replace(small, temperature=Fixed(0.5)))
    loop = dataclasses.replace(loop, evaluate_every=0)
    run = fit(algorithm, env, loop, seeds=2, root=tmp_path, progress=False)
    values = run.metrics.rows[-1].values
    assert set(values) >= META
    assert all(np.isfinite(values[name]).all() and (values[name] != 0).all() for name in META)
    assert np.isnan(values["entropy/target"]).all()
    assert (values["train/ent_coef"] != 0.5).all()
    assert load(run.path).algorithm == algorithm


@pytest.mark.slow
@pytest.mark.parametrize("env", BOTH)
@pytest.mark.parametrize(
    ("build", "own"),
    [(lambda small: SACAdaEnt(small, samples=8), ADAENT), (SACLite, set()), (DecomposedSAC, DECOMPOSED)],
    ids=["adaent", "lite", "decomposed"],
)
def test_what_wraps_sac_runs_in_both_loops(env, build, own, small, loop, tmp_path):
    algorithm = build(small)
    run = fit(algorithm, env, loop, seeds=2, root=tmp_path, progress=False)
    values = run.metrics.rows[-1].values
    assert set(values) == _documented() - OTHERS | own
    assert {name for name, value in values.items() if not np.isfinite(value).all()} == set()
    assert all((values[name] > 0).all() for name in own - SIGNED)
    assert load(run.path).algorithm == algorithm


def test_seeds_differ(run):
    for name in ("train/critic_loss", "entropy/nats", "rollout/ep_rew_mean"):
        one, two = run.metrics.rows[-1].values[name]
        assert one != two, name


def test_alpha_falls_by_adams_rate_while_the_entropy_is_above_its_target(run):
    alphas = run.metrics.series("train/ent_coef")[1]
    expected = np.exp(-3e-4 * run.metrics.series("train/n_updates")[1])
    np.testing.assert_allclose(alphas, expected, rtol=0.02)


def test_the_saved_policy_acts_in_the_environments_units(run):
    rng = np.random.default_rng(0)
    observations = rng.normal(size=(64, 3)).astype(np.float32) * 3
    for seed in range(2):
        actions = run.policy(observations, seed=seed)
        assert actions.shape == (64, 1)
        assert np.abs(actions).max() <= 2
        np.testing.assert_allclose(run.policy(observations[0], seed=seed), actions[0], rtol=1e-4, atol=1e-6)
    with pytest.raises(EntropaxError, match="vectors of 3"):
        run.policy(np.zeros(4, np.float32))
    with pytest.raises(EntropaxError, match="2 seeds"):
        run.actor(2)


def test_one_seed_keeps_the_seed_axis(overlapped_run):
    values = overlapped_run.metrics.rows[-1].values
    assert values["entropy/nats"].shape == (1,)
    assert values["entropy/per_dimension"].shape == (1, 1)
    assert overlapped_run.actors.network.layers[0].weight.shape == (1, 3, 16)
    np.testing.assert_array_equal(values["train/n_updates"], 300)


@pytest.mark.parametrize(("acting", "late"), [("newest", 0), ("overlapped", 1)])
def test_overlapped_acting_is_one_round_late(small, loop, acting, late, monkeypatch):
    training = dataclasses.replace(loop, acting=acting, warmup=50)
    environment, evaluation = build("Pendulum-v1", 1), build("Pendulum-v1", 1)
    lane = HostLane(small, [environment], evaluation, training, (0,), jax.local_devices()[0])
    made, used = [], []
    worker = lane.workers[0]
    step, probe = worker.step, np.ones((1, 3), np.float32)

    def noted(policy):
        used.append(policy.mode(probe))
        step(policy)

    monkeypatch.setattr(worker, "step", noted)
    lane.warm_up(50)
    for _ in range(5):
        made.append(jax.tree.map(lambda leaf: leaf[0], lane.actor()).on_host().mode(probe))
        lane.advance(1)
    for number in range(5):
        np.testing.assert_array_equal(used[number], made[max(number - late, 0)])
    assert all(not np.array_equal(one, two) for one, two in itertools.pairwise(made))
    lane.close()


@pytest.mark.parametrize("seeds", [0, [], [1, 1], [-1], [2**31]])
def test_seeds_that_cannot_be_are_refused(seeds, small, tmp_path):
    with pytest.raises(EntropaxError, match="seeds is"):
        fit(small, "entropax/Pendulum-v0", seeds=seeds, root=tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "settings", [{"steps": 0}, {"warmup": -1}, {"num_envs": 0}, {"capacity": 3, "num_envs": 2}, {"checkpoint_every": 0}]
)
def test_counts_that_contradict_each_other_are_refused(settings):
    with pytest.raises(EntropaxError, match="Training: "):
        Training(**settings)


@pytest.mark.parametrize("settings", [{"steps": 500}, {"steps": 99, "warmup": 97, "num_envs": 3}])
def test_a_warm_up_that_leaves_nothing_to_learn_in_is_refused_of_those_that_have_one(settings):
    """By threes, 97 random steps are 99: all there are. PPO and A2C take none of the 1000 that are the default."""
    training = Training(**settings)
    with pytest.raises(EntropaxError, match=r"nothing would be learned\. Raise steps or lower warmup"):
        training.fed_by(Windows(8, 1))
    assert Training(steps=500).fed_by(Rollout(32)).warmup == 0
    assert Training(steps=100, warmup=98, num_envs=3).fed_by(Windows(8, 1)).rounds == 34
