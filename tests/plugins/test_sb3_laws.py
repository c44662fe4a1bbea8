"""Our laws drive Stable-Baselines3's alpha: when, how, and to what effect on its entropy."""

import math

import gymnasium
import numpy as np
import pytest

pytest.importorskip("stable_baselines3", reason="Stable-Baselines3 is not installed here: make test-plugins")

import torch
from stable_baselines3 import SAC
from stable_baselines3.common.callbacks import CheckpointCallback

import entropax
from entropax.plugins.sb3 import EntropyCallback, LawAlpha
from entropax.plugins.sb3.models import model_of
from entropax.temperature import PI, Dual, EachDimension, Fixed, Linear, PerDimension, Scheduled

TARGET = 0.4
"""Nats per dimension: wide, sigma 0.4. Without a price for it, Pendulum's policy is far narrower in no time."""


def _series(callback, name):
    return entropax.load(callback.path).metrics.series(name)[1].ravel()


@pytest.fixture(scope="module")
def steered(make_sac, tmp_path_factory):
    law = PI(initial_alpha=1e-3, integral=0.03, max_step=0.05, smoothing=0.2, target_entropy=PerDimension(TARGET))
    callback = EntropyCallback(LawAlpha(law), runs=tmp_path_factory.mktemp("runs"), log_every=100)
    model = make_sac()
    model.learn(600, callback)
    return model, callback


@pytest.fixture(scope="module")
def unsteered(make_sac, tmp_path_factory):
    callback = EntropyCallback(runs=tmp_path_factory.mktemp("runs"), log_every=100)
    make_sac(ent_coef=1e-3).learn(600, callback)
    return callback


def test_a_law_raises_alpha_and_holds_the_entropy(steered, unsteered):
    _, callback = steered
    assert _series(callback, "train/ent_coef")[-1] > 20 * 1e-3
    assert _series(callback, "entropy/target") == pytest.approx(TARGET)
    with_law, without = _series(callback, "entropy/nats")[-1], _series(unsteered, "entropy/nats")[-1]
    assert _series(unsteered, "train/ent_coef") == pytest.approx(1e-3)
    assert abs(with_law - TARGET) < 0.3
    assert without < TARGET - 2


def test_their_alpha_is_the_law_s(steered):
    model, callback = steered
    assert float(model.log_ent_coef.detach().exp()) == pytest.approx(_series(callback, "train/ent_coef")[-1], rel=0.2)
    assert callback.alpha.updates(model_of(model)) == model._n_updates == 500


def test_a_constant_stays(make_sac, tmp_path):
    model = make_sac()
    model.learn(130, EntropyCallback(LawAlpha(Fixed(alpha=0.05)), runs=tmp_path))
    assert model.logger.name_to_value["train/ent_coef"] == pytest.approx(0.05, rel=1e-6)
    assert float(model.log_ent_coef.detach().exp()) == pytest.approx(0.05, rel=1e-6)


def test_alpha_moves_after_every_gradient_step_of_sac(make_sac, tmp_path):
    model = make_sac(learning_starts=20, train_freq=22, gradient_steps=10)
    model.learn(22, EntropyCallback(LawAlpha(Scheduled(Linear(1.0, 11.0, 10.0))), runs=tmp_path))
    # Ten gradient steps used alpha = 1, 2, …, 10: each the alpha that the step before had left.
    assert model.logger.name_to_value["train/ent_coef"] == pytest.approx(5.5, rel=1e-5)
    assert float(model.log_ent_coef.detach().exp()) == pytest.approx(11.0, rel=1e-5)


def test_alpha_moves_before_every_training_phase_of_ppo(make_ppo, tmp_path):
    model = make_ppo()
    used = []
    train = model.train
    model.train = lambda: (used.append(model.ent_coef), train())
    model.learn(3 * 128, EntropyCallback(LawAlpha(Scheduled(Linear(1.0, 11.0, 10.0))), runs=tmp_path))
    assert used == pytest.approx([2.0, 3.0, 4.0], rel=1e-6)


def test_a_row_without_an_update_of_alpha_has_no_step_of_it(make_ppo, tmp_path):
    callback = EntropyCallback(LawAlpha(Dual(learning_rate=0.1)), runs=tmp_path, log_every=32)
    make_ppo().learn(512, callback)
    moved = _series(callback, "train/ent_coef_step")
    updated = np.isfinite(moved)
    assert 0 < updated.sum() < len(moved) / 2
    np.testing.assert_allclose(np.abs(moved[updated]), 0.1, rtol=0.1)


def test_the_entropy_of_ppo_follows_a_law(make_ppo, tmp_path):
    def end(**law):
        law = Dual(learning_rate=1.0, initial_alpha=0.01, **law)
        callback = EntropyCallback(LawAlpha(law), runs=tmp_path, log_every=128)
        make_ppo(log_std_init=-1.0, learning_rate=1e-2).learn(10 * 128, callback)
        return _series(callback, "entropy/nats")[-1], _series(callback, "train/ent_coef")[-1]

    # It begins at 0.5 log(2 pi e) - 1 - log 2 = -0.27 nats; ten e-folds of alpha are to be had, either way.
    (wide, high), (narrow, low) = end(target_entropy=PerDimension(0.5)), end(target_entropy=PerDimension(-2.0))
    assert high > 1.0 > 1e-3 > low
    assert abs(wide - 0.5) < 0.3
    assert narrow < wide - 0.5


def test_the_law_sees_the_entropy_of_the_batch_at_hand(make_sac):
    model, seen = make_sac(), []

    def step(nats):
        normal = model.actor.action_dist.distribution
        latent = normal.sample((2000,))
        correction = 2 * (math.log(2.0) - latent - torch.nn.functional.softplus(-2 * latent))
        seen.append((np.asarray(nats), (correction - normal.log_prob(latent)).mean(0).detach().numpy()))
        return 0.2

    model_of(model).hold(0.1, step)
    model.learn(103)
    assert len(seen) == 3
    for nats, sampled in seen:
        assert nats.shape == (64, 1)
        np.testing.assert_allclose(nats, sampled, atol=0.1)
        assert nats.mean() == pytest.approx(sampled.mean(), abs=0.01)


def test_after_training_the_law_lets_go(make_sac, tmp_path):
    model, callback = make_sac(), EntropyCallback(LawAlpha(Fixed(alpha=0.05)), runs=tmp_path)
    model.learn(110, callback)
    model.learn(20, reset_num_timesteps=False)
    assert float(model.log_ent_coef.detach().exp()) != pytest.approx(0.05, rel=1e-4)
    assert callback.alpha.updates(model_of(model)) == 10


def test_a_model_saved_under_a_law_has_its_alpha(make_sac, tmp_path):
    both = [EntropyCallback(LawAlpha(Fixed(alpha=0.05)), runs=tmp_path), CheckpointCallback(110, str(tmp_path))]
    make_sac().learn(120, both)
    loaded = SAC.load(tmp_path / "rl_model_110_steps.zip", env=gymnasium.make("Pendulum-v1"), device="cpu")
    assert float(loaded.log_ent_coef.detach().exp()) == pytest.approx(0.05, rel=1e-6)
    loaded.learn(10)


def _refused(model, callback, runs, match):
    with pytest.raises(entropax.EntropaxError, match=match):
        model.learn(10, callback)
    assert not list(runs.iterdir())


def test_a_vector_of_alphas_is_refused(make_sac, tmp_path):
    _refused(make_sac(), EntropyCallback(LawAlpha(EachDimension()), runs=tmp_path), tmp_path, "a single one")


def test_a_model_without_temperature_updates_is_refused(make_sac, tmp_path):
    callback = EntropyCallback(LawAlpha(Dual()), runs=tmp_path)
    _refused(make_sac(ent_coef=0.1), callback, tmp_path, 'ent_coef="auto"')
