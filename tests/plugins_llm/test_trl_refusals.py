"""Settings that would be wrong beside a method are refused, and what is odd is said."""

import warnings

import pytest

pytest.importorskip("trl", reason="TRL is not installed here: make test-llm")

import torch

from entropax import EntropaxError
from entropax.llm import (
    AEPO,
    CEGPPO,
    CISPO,
    GSPO,
    BonusCoefficient,
    Clip,
    Controller,
    EntropyBonus,
    KLCov,
    RepoBeta,
    SamplingTemperature,
    ScoreBonus,
    SettingWarning,
    UpperClip,
)
from entropax.plugins.trl import EmptyBatchWarning, EntropyGRPOTrainer, UntestedVersionWarning, fit, inputs
from entropax.plugins.trl.steering import NoController
from entropax.temperature import Clamp, Fixed, Nats, StepRule

OFF_POLICY = {"num_iterations": 2}


CLIP = Clip()


NONE = NoController()


def check(settings, method=CLIP, controller=NONE, **changed):
    """Whether a configuration fits."""
    fit.require_fit(method, controller, vars(settings(**changed)))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"loss_type": "cispo"}, r"CISPO\(\)"),
        ({"loss_type": "sapo"}, "objectives themselves"),
        ({"importance_sampling_level": "sequence"}, r"GSPO\(\)"),
        ({"epsilon": 0.1}, r"Clip\(lower"),
        ({"epsilon_high": 0.28}, r"Clip\(lower"),
        ({"delta": 10.0}, "Leave it out"),
        ({"off_policy_mask_threshold": 0.5}, "Leave it out"),
        ({"top_entropy_quantile": 0.2}, "TopEntropy"),
        ({"entropy_coef": 0.01}, "EntropyBonus"),
        ({"use_adaptive_entropy": True}, "two controllers"),
        ({"beta": 0.04, **OFF_POLICY}, "use_bias_correction_kl=False"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_setting_that_would_be_wrong_is_refused(settings, changed, message):
    with pytest.raises(EntropaxError, match=message):
        check(settings, **changed)


def test_the_same_settings_pass_where_they_are_right(settings):
    check(settings, beta=0.04)
    check(settings, beta=0.04, use_bias_correction_kl=False, **OFF_POLICY)


def test_a_method_that_selects_needs_its_whole_step(settings):
    split = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 4, "steps_per_generation": 2}
    with pytest.raises(EntropaxError, match="multiple of gradient_accumulation_steps"):
        check(settings, KLCov(), **split)
    check(settings, ScoreBonus(), **split)


def test_a_method_with_rollouts_of_its_own_is_refused(settings):
    with pytest.raises(EntropaxError, match="SamplingTemperature"):
        check(settings, AEPO())


def test_vllm_s_correction_would_scale_an_entropy_term(settings):
    config = vars(settings()) | {"use_vllm": True}
    with pytest.raises(EntropaxError, match="ScoreBonus"):
        fit.require_fit(EntropyBonus(), NONE, config)
    fit.require_fit(EntropyBonus(), NONE, config | {"vllm_importance_sampling_correction": False})
    fit.require_fit(ScoreBonus(), NONE, config)


def test_a_sampling_temperature_needs_trl_s_own_generation_at_1(settings):
    controller = Controller(Fixed(0.1), SamplingTemperature(), vocabulary=10)
    with pytest.raises(EntropaxError, match="Set it to 1"):
        check(settings, controller=controller, temperature=0.7)
    with pytest.raises(EntropaxError, match="use_vllm"):
        fit.require_fit(Clip(), controller, vars(settings()) | {"use_vllm": True})


@pytest.mark.parametrize("method", [CEGPPO(), KLCov(), CISPO(), Clip(0.2, 0.28)], ids=lambda one: type(one).__name__)
def test_a_method_that_does_nothing_on_policy_warns(settings, method):
    """TRL's defaults are on-policy: one optimiser step a generation."""
    with pytest.warns(SettingWarning, match="plain policy gradient"):
        check(settings, method)
    check(settings, method, **OFF_POLICY)
    check(settings, method, steps_per_generation=2)


def test_a_bonus_that_begins_at_0_warns_only_where_no_controller_moves_it(settings):
    law = StepRule(0.1, dead_band=0.0, initial_alpha=1e-8, target_entropy=Nats(0.4), band=Clamp(1e-8, 5e-3))
    check(settings, EntropyBonus(Clip(), 0.0), Controller(law, BonusCoefficient(), vocabulary=10))
    with pytest.warns(SettingWarning, match="let a controller move it"):
        check(settings, EntropyBonus(Clip(), 0.0))


@pytest.mark.parametrize("method", [GSPO(), Clip(0.2, 0.28)], ids=["GSPO", "clip-higher"])
def test_a_rest_that_is_not_the_method_s_own_setting_warns(settings, method):
    """The controller's number takes the place of the method's, which would be lost without a word."""
    law = StepRule(0.01, dead_band=0.0, initial_alpha=1e-8, target_entropy=Nats(0.4), band=Clamp(1e-8, 0.01))
    with pytest.warns(SettingWarning, match=r"UpperClip puts it at its own rest, 0\.2"):
        check(settings, method, Controller(law, UpperClip(), vocabulary=10), **OFF_POLICY)
    own = UpperClip(rest=method.upper, high=0.5)
    check(settings, method, Controller(law, own, vocabulary=10), **OFF_POLICY)


def test_a_version_that_was_not_tested_warns(settings, monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: "99.0")
    with pytest.warns(UntestedVersionWarning, match=r"TRL 99\.0"):
        check(settings)


@pytest.mark.parametrize("method", [KLCov, "kl_cov"], ids=["a class", "a name"])
def test_what_is_no_method_is_refused(settings, method):
    with pytest.raises(EntropaxError, match="no method of entropax"):
        check(settings, method)


@pytest.mark.parametrize("controller", [None, Fixed(0.1), Controller], ids=["None", "a law", "a class"])
def test_what_is_no_controller_is_refused(settings, controller):
    with pytest.raises(EntropaxError, match="leave it out"):
        check(settings, controller=controller)


def test_a_configuration_of_another_trl_is_refused_in_a_sentence(settings):
    fewer = {name: value for name, value in vars(settings()).items() if name not in ("delta", "epsilon_high")}
    with pytest.raises(EntropaxError, match=r"has no delta, epsilon_high.*Install TRL"):
        fit.require_fit(CLIP, NONE, fewer)


def test_a_controller_of_another_vocabulary_is_refused(make_trainer, settings):
    """Its bound on targets would be that of another model: 4 nats are within log 100, and beyond log 10."""
    law = StepRule(0.1, dead_band=0.0, initial_alpha=1e-8, target_entropy=Nats(4.0), band=Clamp(1e-8, 5e-3))
    controller = Controller(law, RepoBeta(), vocabulary=100)
    with pytest.raises(EntropaxError, match=r"log 10 = 2\.3026 nats.*vocabulary=10"):
        make_trainer(settings(), EntropyGRPOTrainer, method=ScoreBonus(), controller=controller)


def test_a_loss_that_asks_for_no_log_probabilities_is_refused(make_trainer, settings, monkeypatch):
    """As TRL before 0.20 has it: the method would do nothing, and nobody would see it."""
    from trl import GRPOTrainer

    trainer = make_trainer(settings(), EntropyGRPOTrainer, method=Clip())
    monkeypatch.setattr(GRPOTrainer, "_compute_loss", lambda self, model, inputs: model.lm_head.weight.sum())
    with pytest.raises(EntropaxError, match="would have done nothing"):
        trainer.train()


def micro(mask, log_prob=None, **changed):
    """A micro-batch of two completions of three tokens."""
    zeros = torch.zeros(2, 3)
    given = {"completion_mask": torch.tensor(mask), "advantages": torch.ones(2)} | changed
    return inputs.micro_batch(given, zeros if log_prob is None else log_prob, zeros)


def test_numbers_that_are_not_finite_are_refused():
    bad = torch.tensor([[0.0, float("nan"), 0.0], [0.0, 0.0, 0.0]])
    with pytest.raises(EntropaxError, match="log_prob is NaN or infinite at 1 of 6 tokens"):
        micro([[1, 1, 1], [1, 1, 1]], bad)
    assert not micro([[1, 0, 1], [1, 1, 1]], bad).log_prob.any()


def test_shapes_that_differ_are_refused():
    with pytest.raises(EntropaxError, match="old_log_prob"):
        micro([[1, 1, 1], [1, 1, 1]], old_per_token_logps=torch.zeros(2, 4))


def test_a_micro_batch_without_a_token_warns():
    """TRL itself makes them, of completions that are all truncated, so the run goes on."""
    with pytest.warns(EmptyBatchWarning, match="mask_truncated_completions"):
        batch = micro([[0, 0, 0], [0, 0, 0]])
    assert not batch.advantages.any() and not batch.mask.any()


def test_tokens_of_a_tool_are_not_learned_from():
    batch = micro([[1, 1, 0], [1, 1, 1]], tool_mask=torch.tensor([[1, 0, 1], [1, 1, 1]]))
    assert batch.mask.tolist() == [[True, False, False], [True, True, True]]


def test_an_empty_micro_batch_changes_nothing_and_is_survived(trained, settings):
    """No completion may end, so that every one is truncated and masked."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        args = settings(mask_truncated_completions=True, generation_kwargs={"suppress_tokens": [0, 1]}, max_steps=1)
        run = trained(args, EntropyGRPOTrainer, method=Clip())
    assert EmptyBatchWarning in [one.category for one in caught]
    assert run.state.log_history[0]["grad_norm"] == 0
    assert run.steering.state.updates == 0


def test_an_entropy_without_a_gradient_is_refused(make_trainer, settings, monkeypatch):
    from trl import GRPOTrainer

    theirs = GRPOTrainer._get_per_token_logps_and_entropies

    def without(self, *arguments, **keywords):
        log_prob, entropy, rest = theirs(self, *arguments, **keywords)
        return log_prob, None if entropy is None else entropy.detach(), rest

    trainer = make_trainer(settings(), EntropyGRPOTrainer, method=EntropyBonus())
    monkeypatch.setattr(GRPOTrainer, "_get_per_token_logps_and_entropies", without)
    with pytest.raises(EntropaxError, match="ScoreBonus"):
        trainer.train()
