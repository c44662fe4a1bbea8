"""verl's own registry, aggregation and loss step, with our policy losses in them."""

import functools
import importlib.metadata
import json
import logging
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("verl", reason="verl is not installed here: make test-llm")

import numpy as np
import torch
from verl.trainer.ppo.core_algos import POLICY_LOSS_REGISTRY, get_policy_loss_fn
from verl.utils.metric import AggregationType, Metric
from verl.utils.py_functional import append_to_dict
from verl.workers.config import ActorConfig

from entropax import EntropaxError
from entropax.llm import CEGPPO, Clip, KLCov, ScoreBonus, SettingWarning, ThisBatch, TopEntropy, begin, tokens
from entropax.plugins import verl as plugin
from entropax.plugins.versions import UntestedVersionWarning

MODES = ["token-mean", "token-sum", "seq-mean-token-sum", "seq-mean-token-mean", "seq-mean-token-sum-norm"]


def config(**info):
    """verl's actor configuration, as its loss step fills it in."""
    made = ActorConfig(strategy="fsdp", rollout_n=1, ppo_micro_batch_size_per_gpu=1)
    made.global_batch_info.update({"dp_size": 1} | info)
    return made


def batch(seed=0, rows=6, length=8):
    """Log-probabilities of two policies, advantages and a mask of completions of unequal length."""
    noise = torch.Generator().manual_seed(seed)
    new, change, advantages = torch.randn(3, rows, length, generator=noise)
    mask = torch.arange(length) < torch.randint(2, length + 1, (rows, 1), generator=noise)
    return {"old_log_prob": new - 0.3 * change, "log_prob": new, "advantages": advantages, "response_mask": mask}


def gradient(function, given, mode="token-mean", **info):
    """Of a policy loss, with respect to the log-probabilities; and its metrics."""
    leaf = given["log_prob"].clone().requires_grad_()
    loss, metrics = function(**given | {"log_prob": leaf}, loss_agg_mode=mode, config=config(**info))
    return torch.autograd.grad(loss, leaf)[0], metrics


def test_the_entry_point_leads_to_the_plug_in():
    (entry,) = [one for one in importlib.metadata.entry_points(group="verl.plugins") if one.name == "entropax"]
    assert entry.value == "entropax.plugins.verl"


def test_importing_verl_registers():
    assert set(plugin.METHODS) <= set(POLICY_LOSS_REGISTRY)


def test_what_is_registered_is_said(caplog, monkeypatch):
    monkeypatch.setenv(plugin.ENVIRONMENT, json.dumps({"entropax_kl_cov": {"strength": 0.25}}))
    monkeypatch.setattr(plugin, "register_policy_loss", lambda name: lambda function: function)
    plugin._register_all()
    (line,) = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert "KLCov(fraction=0.002, strength=0.25)" in line


def test_a_wrong_setting_is_logged_as_an_error_though_verl_passes_over_it():
    code = "import verl.trainer.ppo.core_algos as verl; print('entropax_clip' in verl.POLICY_LOSS_REGISTRY)"
    changed = os.environ | {plugin.ENVIRONMENT: "{"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=changed)
    assert done.stdout.split()[-1] == "False"
    assert "Entropax registers no policy loss: ENTROPAX_VERL is no JSON" in done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"entropax_kl": {}}',
        '{"entropax_clip": {"width": 1}}',
        '{"entropax_clip": 1}',
        '{"entropax_clip": {"upper": "0.28"}}',
        '{"entropax_clip_cov": {"bounds": {"lower": 0.98}}}',
        '{"entropax_score_bonus": {"inner": "entropax_ce_gppo"}}',
        '{"entropax_kl_cov": {"fraction": 20}}',
    ],
)
def test_wrong_settings_are_refused(text):
    with pytest.raises(EntropaxError, match="ENTROPAX_VERL"):
        plugin.read_settings(text)


@pytest.mark.parametrize("mode", MODES)
def test_clip_has_the_gradient_of_verl_s_own(mode):
    """verl clips a second time at r = 3 where A < 0; these ratios stay below."""
    given = batch()
    assert (given["log_prob"] - given["old_log_prob"]).exp().max() < 3
    ours, _ = gradient(get_policy_loss_fn("entropax_clip"), given, mode)
    theirs, _ = gradient(get_policy_loss_fn("vanilla"), given, mode)
    torch.testing.assert_close(ours, theirs)
    assert ours.any()


@pytest.mark.parametrize("mode", MODES)
def test_aggregation_is_that_of_the_global_batch(mode):
    """Two micro-batches of three rows have together the gradient of one of six."""
    given = batch()
    info = {"batch_num_tokens": int(given["response_mask"].sum()), "global_batch_size": 6, "loss_scale_factor": 8}
    function = get_policy_loss_fn("entropax_ce_gppo")
    whole, _ = gradient(function, given, mode, **info)
    halves = [{name: value[part] for name, value in given.items()} for part in (slice(0, 3), slice(3, 6))]
    parts = [gradient(function, half, mode, **info)[0] for half in halves]
    torch.testing.assert_close(torch.cat(parts), whole)


def test_rollout_weights_multiply_the_gradient():
    given, weights = batch(), torch.rand(6, 8)
    function = get_policy_loss_fn("entropax_ce_gppo")
    plain, _ = gradient(function, given)
    weighted, _ = gradient(function, given | {"rollout_is_weights": weights})
    torch.testing.assert_close(weighted, plain * weights)


def test_a_selection_sees_the_micro_batches_before():
    """Of four micro-batches the last one's weights are those that it has in all four together."""
    method, given = KLCov(0.019, 10.0), [batch(seed, 2, 40) for seed in range(4)]
    # The largest covariances lie in the first one.
    given[0]["advantages"] *= 10
    size = sum(int(one["response_mask"].sum()) for one in given)
    loss = plugin.PolicyLoss("test", method)
    info = {"batch_num_tokens": size, "global_batch_size": 8}
    answers = [gradient(loss, one, **info)[0] for one in given]
    fields = {name: torch.cat([one[name] for one in given]) for name in given[0]}
    whole = tokens(fields["log_prob"], fields["old_log_prob"], fields["advantages"], fields["response_mask"])
    expected = method.weights(whole, begin(method), ThisBatch()).w[-2:] / size
    torch.testing.assert_close(-answers[-1], expected)
    own = tokens(*(given[-1][name] for name in ("log_prob", "old_log_prob", "advantages", "response_mask")))
    assert not torch.allclose(method.weights(own, begin(method), ThisBatch()).w / size, expected)


def test_tokens_older_than_a_global_batch_are_forgotten():
    method, given = KLCov(0.019, 10.0), [batch(seed, 2, 40) for seed in range(6)]
    last_two = sum(int(one["response_mask"].sum()) for one in given[-2:])
    info = {"batch_num_tokens": last_two, "global_batch_size": 4}
    long, short = plugin.PolicyLoss("long", method), plugin.PolicyLoss("short", method)
    for one in given[:-2]:
        gradient(long, one, **info)
    answers = [[gradient(loss, one, **info)[0] for one in given[-2:]][-1] for loss in (long, short)]
    torch.testing.assert_close(*answers)


def test_a_method_that_needs_entropies_is_refused():
    with pytest.raises(EntropaxError, match="log-probabilities alone"):
        plugin.register("no", TopEntropy())
    assert "no" not in POLICY_LOSS_REGISTRY


def test_a_method_of_one_s_own_settings():
    plugin.register("mine", ScoreBonus(CEGPPO(), 0.01))
    answer, metrics = gradient(get_policy_loss_fn("mine"), batch())
    assert answer.any() and metrics["entropax/off_policy_fraction"] > 0.9
    assert all(isinstance(value, float) for value in metrics.values())


def test_verl_s_own_clip_settings_are_said_to_have_no_effect(caplog):
    made = config()
    object.__setattr__(made, "clip_ratio_high", 0.28)
    with caplog.at_level(logging.WARNING):
        plugin.PolicyLoss("mine", Clip())(**batch(), config=made)
    assert "clip_ratio_high have no effect" in caplog.text


def test_bad_input():
    loss, given = plugin.PolicyLoss("mine", Clip()), batch()
    with pytest.raises(EntropaxError, match="actor configuration"):
        loss(**given)
    bad = given["log_prob"].clone()
    bad[0, 0] = float("nan")
    with pytest.raises(EntropaxError, match="NaN or infinite at 1"):
        loss(**given | {"log_prob": bad}, config=config())
    with pytest.raises(EntropaxError, match="advantages"):
        loss(**given | {"advantages": torch.zeros(6, 3)}, config=config())
    with pytest.raises(EntropaxError, match=r"rollout_is_weights is \(6, 1\)"):
        loss(**given, rollout_is_weights=torch.ones(6, 1), config=config())
    with pytest.raises(EntropaxError, match="rollout_is_weights is NaN"):
        loss(**given, rollout_is_weights=torch.full((6, 8), float("nan")), config=config())


def test_the_page_s_argument_of_verl_s_command_reaches_the_processes_as_settings():
    """Through verl's own configuration and its parser of arguments."""
    from hydra import compose, initialize_config_module

    page = (Path(__file__).parents[2] / "docs" / "llm.md").read_text("utf-8")
    (argument,) = re.findall(r"^'(\+ray_kwargs.*)'$", page, re.MULTILINE)
    with initialize_config_module("verl.trainer.config", version_base=None):
        read = compose("ppo_trainer", [argument, "actor_rollout_ref.actor.policy_loss.loss_mode=entropax_kl_cov"])
    assert read.actor_rollout_ref.actor.policy_loss.loss_mode in plugin.METHODS
    settings = read.ray_kwargs.ray_init.runtime_env.env_vars.ENTROPAX_VERL
    assert plugin.read_settings(settings)["entropax_kl_cov"] == KLCov(2e-4, 1.0)


def test_fractions_that_look_like_percents_warn():
    with pytest.warns(SettingWarning, match=r"20 % of all tokens.*not percents"):
        plugin.read_settings('{"entropax_kl_cov": {"fraction": 0.2}}')


def test_a_version_that_was_not_tested_warns(monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: "99.0")
    monkeypatch.setattr(plugin, "register_policy_loss", lambda name: lambda function: function)
    with pytest.warns(UntestedVersionWarning, match=r"verl 99\.0"):
        plugin._register_all()


def test_a_second_bonus_is_told(caplog):
    made = config()
    object.__setattr__(made, "entropy_coeff", 0.001)
    with caplog.at_level(logging.WARNING):
        plugin.PolicyLoss("mine", ScoreBonus())(**batch(), config=made)
    assert "entropy_coeff=0.001" in caplog.text


def test_a_micro_batch_without_a_token_has_no_gradient_and_is_told(caplog):
    given = batch() | {"response_mask": torch.zeros(6, 8, dtype=torch.bool)}
    with caplog.at_level(logging.WARNING):
        answer, metrics = gradient(plugin.PolicyLoss("mine", KLCov()), given, batch_num_tokens=10, global_batch_size=6)
    assert not answer.any() and metrics and not any(metrics.values())
    assert "no token to learn from" in caplog.text


def test_processes_have_as_many_metrics_whichever_has_a_micro_batch_without_a_token():
    """verl puts those of all processes together, and fails where one has fewer."""
    empty = batch(2) | {"response_mask": torch.zeros(6, 8, dtype=torch.bool)}
    info = {"batch_num_tokens": 60, "global_batch_size": 12, "dp_size": 2}
    ranks = []
    for second in (batch(1), empty):
        loss = plugin.PolicyLoss("mine", Clip())
        both = [Metric.from_dict(gradient(loss, one, **info)[1], AggregationType.MEAN) for one in (batch(0), second)]
        ranks.append(functools.reduce(lambda all_, new: append_to_dict(all_, new) or all_, both, {}))
    means = {name: Metric.aggregate_dp([rank[name] for rank in ranks]) for name in ranks[0]}
    assert means["entropax/surprise"] == pytest.approx(
        np.mean([rank["entropax/surprise"].aggregate() for rank in ranks])
    )
    assert all(math.isfinite(value) for value in means.values())


def test_measures_are_of_an_optimiser_step_and_not_of_a_micro_batch():
    """Within a single completion the advantage is one number, and every covariance with it is 0."""
    given = batch()
    given["advantages"] = given["advantages"][:, :1].expand(6, 8)
    info = {"batch_num_tokens": int(given["response_mask"].sum()), "global_batch_size": 6}
    loss = plugin.PolicyLoss("mine", Clip())
    parts = [gradient(loss, {name: one[row : row + 1] for name, one in given.items()}, **info)[1] for row in range(6)]
    _, whole = gradient(plugin.PolicyLoss("mine", Clip()), given, **info)
    assert abs(whole["entropax/covariance"]) > 1e-2 and abs(whole["entropax/predicted_change"]) > 1e-3
    assert parts[-1] == pytest.approx(whole, abs=1e-6)
