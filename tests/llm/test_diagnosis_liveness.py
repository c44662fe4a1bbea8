"""Which methods change no gradient when strictly on-policy, found by trying, and said in a sentence."""

import warnings
from dataclasses import dataclass

import pytest

from entropax.llm import (
    AEPO,
    CEGPPO,
    CISPO,
    GSPO,
    AbstractMethod,
    Clip,
    ClipCov,
    Corridor,
    EntropyBonus,
    KLCov,
    Reinforce,
    ScoreBonus,
    SettingWarning,
    ShapedAdvantage,
    TopEntropy,
    Weights,
)
from entropax.llm.diagnosis import idle, inert, plain, warn_if_inert


@pytest.mark.parametrize("method", [Clip(), Clip(0.2, 0.28), CEGPPO(), CISPO(), GSPO(), KLCov(), Reinforce()], ids=str)
def test_methods_of_the_ratio_are_inert_on_policy(method):
    why = inert(method)
    assert why is not None
    assert type(method).__name__ in why
    assert "one optimiser step a rollout" in why


@pytest.mark.parametrize(
    "method",
    [ClipCov(), EntropyBonus(), Corridor(), ScoreBonus(), ShapedAdvantage(), TopEntropy(), AEPO()],
    ids=lambda method: type(method).__name__,
)
def test_methods_that_act_at_a_ratio_of_1_are_not(method):
    assert inert(method) is None


def test_off_policy_a_symmetric_clip_is_ppo_s_and_the_others_act():
    assert "it is PPO's clip only from" in inert(Clip())
    assert all("it acts only from" in inert(method) for method in (KLCov(), CEGPPO(), CISPO(), Clip(0.2, 0.28)))


_IDLE = [(EntropyBonus(coefficient=0.0), "bonus"), (ScoreBonus(beta=0.0), "score_bonus")]


@pytest.mark.parametrize(("method", "knob"), _IDLE)
def test_a_knob_of_0_is_named(method, knob):
    why = inert(method)
    assert why is not None
    assert knob in why
    assert "let a controller move it" in why


def test_a_knob_of_0_that_a_controller_moves_is_no_fault():
    assert inert(EntropyBonus(Clip(), 0.0), "bonus") is None
    assert inert(CEGPPO(negative=0.0), "negative") is not None
    warn_if_inert(ScoreBonus(Clip(), 0.0), "score_bonus")


def test_a_method_of_somebody_else_is_tried_too():
    @dataclass(frozen=True)
    class Doubled(AbstractMethod):
        factor: float = 2.0

        @property
        def knobs(self):
            return {}

        @property
        def needs(self):
            return frozenset()

        def weights(self, batch, state, over):
            return Weights(self.factor * batch.advantages, 0 * batch.advantages)

    assert inert(Doubled()) is None
    assert inert(Doubled(1.0)) is not None
    assert plain(Doubled()) == Clip()


def test_a_method_that_promises_more_than_the_policy_gradient_warns():
    with pytest.warns(SettingWarning, match="KLCov is exactly the plain policy gradient"):
        warn_if_inert(KLCov())
    with pytest.warns(SettingWarning, match="Clip is exactly"):
        warn_if_inert(Clip(0.2, 0.28))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for method in (Reinforce(), Clip(), ClipCov(), EntropyBonus()):
            warn_if_inert(method)


_KNOBS = [
    (Clip(), "clip_upper"),
    (EntropyBonus(), "clip_upper"),
    (ClipCov(), "clip_upper"),
    (ScoreBonus(CEGPPO()), "negative"),
]


@pytest.mark.parametrize(("method", "knob"), _KNOBS)
def test_a_controller_of_a_knob_without_effect_is_told(method, knob):
    """The method itself is live, or promises nothing; what the controller moves does nothing at a ratio of 1."""
    assert f"knob {knob} of {type(method).__name__}" in idle(method, knob)
    with pytest.warns(SettingWarning, match="a controller of it holds no entropy"):
        warn_if_inert(method, knob)


def test_a_knob_with_an_effect_is_not():
    for method, knob in ((EntropyBonus(Clip(), 0.0), "bonus"), (ScoreBonus(), "score_bonus"), (Corridor(), "bonus")):
        assert idle(method, knob) is None
    assert idle(Clip(), "sampling_temperature") is None
    assert idle(AEPO(), "extra") is None
