"""The callback's run folder, verdicts and logger; and that it changes nothing it only measures."""

import csv
import re
import runpy
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("stable_baselines3", reason="Stable-Baselines3 is not installed here: make test-plugins")

import torch
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

import entropax
from entropax.diagnostics.findings import Kind
from entropax.plugins.sb3 import EntropyCallback, FindingWarning, LawAlpha
from entropax.report import read_run, write_report
from entropax.temperature import Dual


@pytest.fixture(scope="module")
def collapsed(make_sac, tmp_path_factory):
    """A run that nothing keeps from collapsing, told to stop where it has."""
    callback = EntropyCallback(runs=tmp_path_factory.mktemp("runs"), log_every=50, judge_every=100, on_finding="stop")
    model = make_sac(ent_coef=1e-3)
    with pytest.warns(FindingWarning, match="almost deterministic"):
        model.learn(3000, callback)
    return model, callback


def test_a_finding_stops_the_training(collapsed):
    model, callback = collapsed
    assert model.num_timesteps < 3000
    assert read_run(callback.path).verdict.kind is Kind.COLLAPSED
    events = [event.name for event in entropax.load(callback.path).metrics.events]
    assert events == ["start", "finding", "finished"]


def test_a_finding_warns_once_and_goes_on(make_sac, tmp_path):
    callback = EntropyCallback(runs=tmp_path, log_every=25, judge_every=25)
    model = make_sac(ent_coef=1e-3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.learn(450, callback)
    assert model.num_timesteps == 450
    assert [one.category for one in caught].count(FindingWarning) == 1


def test_the_run_folder_opens_and_is_reported(collapsed):
    model, callback = collapsed
    run = entropax.load(callback.path)
    assert run.manifest.environment == {"id": "Pendulum-v1", "backend": "gymnasium", "num_envs": 1}
    assert run.manifest.algorithm["type"] == "stable_baselines3.SAC"
    assert run.manifest.algorithm["temperature"] == {"type": "stable_baselines3.constant", "alpha": pytest.approx(1e-3)}
    assert run.spec.observation_size == 3
    assert {"torch", "stable_baselines3", "entropax"} <= run.manifest.versions.keys()
    steps, _ = run.metrics.series("entropy/nats")
    assert list(steps) == list(range(150, model.num_timesteps + 1, 50))
    last = run.metrics.rows[-1].values
    assert last["rollout/ep_len_mean"] == 200 or last["rollout/episodes"] == 0
    assert last["train/n_updates"] == model.num_timesteps - 101
    assert last["entropy/per_dimension"].shape == (1, 1)
    assert np.isfinite(last["train/q_mean"]) and np.isfinite(last["train/critic_loss"])
    page = write_report([callback.path], command="entropax report").read_text("utf-8")
    assert "Collapsed" in page and "stable_baselines3.SAC" in page


def test_another_library_s_run_is_not_resumed(collapsed):
    with pytest.raises(entropax.EntropaxError, match="stable_baselines3"):
        entropax.resume(collapsed[1].path)


def test_measuring_changes_nothing(make_sac, tmp_path):
    plain = make_sac()
    plain.learn(150)
    measured = make_sac()  # made now, because that seeds all generators
    measured.learn(150, EntropyCallback(runs=tmp_path, log_every=10))
    for one, other in zip(plain.policy.parameters(), measured.policy.parameters(), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(plain.log_ent_coef, measured.log_ent_coef)


def test_their_own_law_is_logged_with_its_target(make_sac, tmp_path):
    callback = EntropyCallback(runs=tmp_path, log_every=20)
    model = make_sac(target_entropy=-0.5)
    model.learn(200, callback)
    run = entropax.load(callback.path)
    nats, slack = (run.metrics.series(f"entropy/{name}")[1].ravel() for name in ("nats", "slack"))
    np.testing.assert_allclose(slack, nats + 0.5, atol=1e-6)
    assert run.manifest.algorithm["temperature"]["learning_rate"] == 3e-3
    # The entropy is above its target, so Adam lowers log alpha by its rate.
    np.testing.assert_allclose(run.metrics.series("train/ent_coef_step")[1].ravel()[1:], -3e-3, rtol=0.05)


def test_a_second_call_of_learn_counts_its_own_updates(make_sac, tmp_path):
    model = make_sac()
    model.learn(200)
    callback = EntropyCallback(runs=tmp_path, log_every=20)
    model.learn(60, callback, reset_num_timesteps=False)
    moved = entropax.load(callback.path).metrics.series("train/ent_coef_step")[1].ravel()
    np.testing.assert_allclose(moved[0], -3e-3, rtol=0.1)


def test_losses_stay_where_an_episode_ends_between_two_calls_of_train(make_sac, box, tmp_path):
    """Stable-Baselines3 then has emptied its logger."""
    callback = EntropyCallback(runs=tmp_path, log_every=5)
    make_sac(box, "MultiInputPolicy", train_freq=40, gradient_steps=1).learn(200, callback, log_interval=1)
    rows = entropax.load(callback.path).metrics.rows
    assert len(rows) > 10
    assert all(np.isfinite(row.values["train/critic_loss"]).all() for row in rows)


def test_states_are_gathered_for_rows_alone(make_sac, tmp_path, monkeypatch):
    gathered = []
    observations = EntropyCallback._observations
    monkeypatch.setattr(EntropyCallback, "_observations", lambda self: (gathered.append(1), observations(self))[1])
    make_sac().learn(150, EntropyCallback(runs=tmp_path, log_every=25))
    assert len(gathered) == 2


def test_their_logger_gets_our_names(make_sac, tmp_path):
    model = make_sac()
    model.set_logger(configure(str(tmp_path / "theirs"), ["csv"]))
    model.learn(201, EntropyCallback(runs=tmp_path / "ours", log_every=50), log_interval=1)
    model.logger.close()
    with (tmp_path / "theirs" / "progress.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1]["entropy/nats"]) <= 0.6845
    assert float(rows[-1]["entropy/per_dimension/0"]) == float(rows[-1]["entropy/nats"])


def test_many_normalised_environments_of_dictionaries(make_ppo, box, tmp_path):
    environments = VecNormalize(DummyVecEnv([lambda: box, lambda: type(box)()]))
    callback = EntropyCallback(LawAlpha(Dual(learning_rate=0.1)), runs=tmp_path, log_every=100)
    model = make_ppo(environments, "MultiInputPolicy")
    model.learn(512, callback)
    run = entropax.load(callback.path)
    assert run.manifest.environment == {"id": "unregistered", "backend": "gymnasium", "num_envs": 2}
    steps, nats = run.metrics.series("entropy/environment_nats")
    assert list(steps) == [300, 400, 500, 512]
    exact = model.policy.log_std.detach().numpy() + 0.5 * np.log(2 * np.pi * np.e)
    assert nats[-1, 0] == pytest.approx(exact.sum(), abs=0.05)
    assert model.ent_coef == pytest.approx(run.metrics.series("train/ent_coef")[1][-1, 0])


def test_the_page_s_example_runs(tmp_path, monkeypatch):
    page = Path(entropax.__file__).parents[1] / "docs" / "plugins" / "sb3.md"
    example = re.search(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    assert example is not None and "20_000" in example.group(1)
    (tmp_path / "example.py").write_text(example.group(1).replace("20_000", "120"), "utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path("example.py")
    (run,) = (tmp_path / "runs").iterdir()
    assert read_run(run).manifest.algorithm["temperature"]["type"] == "PI"


def _refused(model, tmp_path, match):
    with pytest.raises(entropax.EntropaxError, match=match):
        model.learn(10, EntropyCallback(runs=tmp_path))
    assert not list(tmp_path.iterdir())


def test_other_methods_and_actions_are_refused(make_sac, tmp_path):
    _refused(DQN("MlpPolicy", "CartPole-v1", device="cpu"), tmp_path, "SAC and PPO")
    _refused(PPO("MlpPolicy", "CartPole-v1", device="cpu", n_steps=64), tmp_path, "bounded box")
    _refused(make_sac(use_sde=True), tmp_path, "gSDE")


def test_settings_out_of_range_are_refused():
    with pytest.raises(entropax.EntropaxError, match="log_every"):
        EntropyCallback(log_every=0)
    with pytest.raises(entropax.EntropaxError, match="judge_every"):
        EntropyCallback(judge_every=0)
