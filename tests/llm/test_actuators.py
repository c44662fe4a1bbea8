"""Actuators: every one moves its method's gradient towards more entropy in the direction that it documents."""

import math

import numpy as np
import pytest
from token_plant import ascent, entropy_of, softmax

from entropax.llm import (
    CEGPPO,
    CISPO,
    GSPO,
    BonusCoefficient,
    Clip,
    Corridor,
    EntropyBonus,
    NegativeBeta,
    PositiveBeta,
    Reinforce,
    RepoBeta,
    SamplingTemperature,
    ScoreBonus,
    UpperClip,
    begin,
)

# A token that is likely and four that are not, of which the second optimiser step of a rollout has moved two past the
# clip's bounds: one that was good up, one that was bad down.
DREW = softmax(np.asarray([4.0, 0.0, 0.5, 0.2, -0.3]))
ADVANTAGES = np.asarray([0.0, 1.0, -1.0, 0.1, -0.1])
POLICY = softmax(np.log(DREW) + np.asarray([0.0, 0.6, -0.6, 0.0, 0.0]))

PAIRS = [
    pytest.param(BonusCoefficient(), EntropyBonus(Clip()), id="bonus"),
    pytest.param(BonusCoefficient(low=-5e-3), EntropyBonus(Clip()), id="bonus, and penalty"),
    pytest.param(BonusCoefficient(), Corridor(Clip()), id="corridor"),
    pytest.param(RepoBeta(), ScoreBonus(Clip()), id="repo"),
    pytest.param(UpperClip(high=2.0), Clip(), id="clip"),
    pytest.param(UpperClip(high=0.5), CISPO(), id="cispo"),
    pytest.param(UpperClip(rest=4e-4, high=3.0), GSPO(), id="gspo"),
    pytest.param(NegativeBeta(), CEGPPO(), id="negative"),
    pytest.param(PositiveBeta(), CEGPPO(), id="positive"),
]


def entropy_slope(policy, gradient):
    """Change of the entropy to first order in a step along a gradient by the logits."""
    return float(-(policy * (np.log(policy) + entropy_of(policy))) @ gradient)


@pytest.mark.parametrize(("actuator", "method"), PAIRS)
def test_effort_raises_entropy_through_the_method_s_weights(actuator, method):
    least, most = actuator.room()
    slopes, knobs = [], []
    for effort in np.linspace(least, most, 3):
        state = actuator.apply(actuator.place(effort), begin(method))
        knobs.append(state.knobs[actuator.knob])
        slopes.append(entropy_slope(POLICY, ascent(method, state, POLICY, DREW, ADVANTAGES)))
    assert slopes[0] < slopes[-1]
    assert np.all(np.diff(slopes) >= -1e-12)
    assert np.all(np.sign(np.diff(knobs)) == actuator.direction)


@pytest.mark.parametrize(("actuator", "method"), PAIRS)
def test_only_its_own_knob_moves(actuator, method):
    before = begin(method)
    after = actuator.apply(0.123, before)
    assert {name for name in before.knobs if after.knobs[name] != before.knobs[name]} == {actuator.knob}
    assert before.knobs == begin(method).knobs


def test_a_higher_sampling_temperature_raises_entropy_by_good_completions_and_lowers_it_by_bad_ones():
    policy = softmax(np.asarray([1.0, 0.5, 0.0, -0.5]))
    good = np.asarray([1.0, 1.0, 1.0, 0.0])
    state = begin(Reinforce())
    slopes = []
    for sign in (1, -1):
        by_effort = []
        for effort in SamplingTemperature().room():
            drew = softmax(np.log(policy) / SamplingTemperature().place(effort))
            by_effort.append(entropy_slope(policy, ascent(Reinforce(), state, policy, drew, sign * good)))
        slopes.append(by_effort)
    assert slopes[0][0] < slopes[0][1]
    assert slopes[1][0] > slopes[1][1]


def test_the_sampling_temperature_leaves_the_method_alone():
    state = begin(Clip())
    assert SamplingTemperature().apply(1.2, state) is state


@pytest.mark.parametrize("actuator", [UpperClip(), NegativeBeta(), PositiveBeta(), SamplingTemperature(), RepoBeta()])
def test_places_stay_in_the_range(actuator):
    assert actuator.place(0.0) == actuator.rest
    ends = sorted((actuator.place(-100.0), actuator.place(100.0)))
    assert ends == [actuator.low, actuator.high]
    for effort in actuator.room():
        assert actuator.place(effort) in (actuator.low, actuator.high)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        pytest.param(lambda: UpperClip(rest=0.3), ("UpperClip", "low <= rest <= high", "0.28"), id="rest above"),
        pytest.param(lambda: UpperClip(low=-0.1), ("at least 0", "low -0.1"), id="a negative clip"),
        pytest.param(lambda: NegativeBeta(high=math.inf), ("NegativeBeta", "finite"), id="infinite"),
        pytest.param(lambda: PositiveBeta(rest=math.nan), ("PositiveBeta", "nan"), id="nan"),
        pytest.param(lambda: BonusCoefficient(high=0.0), ("low < high",), id="no room"),
        pytest.param(lambda: SamplingTemperature(low=0.0), ("at least 0.01",), id="temperature 0"),
        pytest.param(
            lambda: BonusCoefficient().apply(1e-3, begin(ScoreBonus())),
            ("'bonus'", "'clip_upper', 'score_bonus'", "EntropyBonus(inner)"),
            id="another method's knob",
        ),
        pytest.param(lambda: UpperClip().apply(0.2, begin(Reinforce())), ("has none", "CISPO"), id="no knob at all"),
    ],
)
def test_refused(build, words):
    with pytest.raises(ValueError) as refusal:
        build()
    for word in words:
        assert word in str(refusal.value)
