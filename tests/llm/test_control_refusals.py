"""Controllers that could not work, and evidence that is none: refused with the remedy."""

import math

import pytest

from entropax.llm import (
    BonusCoefficient,
    Clip,
    Controller,
    SamplingTemperature,
    TwoSided,
    UpperClip,
    begin,
)
from entropax.temperature import (
    PI,
    AnnealOverRun,
    Clamp,
    Dual,
    EachDimension,
    Fixed,
    Guard,
    Linear,
    Nats,
    PerDimension,
    Scheduled,
    StepRule,
)

BAND = Clamp(1e-3, 5e-3)
TARGET = Nats(0.2)


def build(target=TARGET, band=BAND, vocabulary=100):
    law = PI(initial_alpha=1e-3, target_entropy=target, band=band)
    return Controller(law, BonusCoefficient(), vocabulary)


def update(entropy=0.3, share=0.0, mean_reward=None):
    controller = build()
    return controller.update(controller.begin(), entropy, share, mean_reward)


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        pytest.param(lambda: build(Nats(4.7)), ("4.7 nats", "log 100 = 4.6052", "nats per token"), id="above log n"),
        pytest.param(lambda: build(Nats(math.log(100))), ("infinite alpha",), id="the uniform policy"),
        pytest.param(lambda: build(AnnealOverRun(Nats(5.0), Nats(1.0))), ("log 100",), id="a passage from above log n"),
        pytest.param(lambda: build(Guard(Nats(1.0), Nats(5.0))), ("log 100",), id="a guard to above log n"),
        pytest.param(lambda: build(PerDimension()), ("100 categories", "Use Nats"), id="a rule for boxes"),
        pytest.param(lambda: Controller(PI(band=BAND), BonusCoefficient(), 100), ("begins at alpha 1",), id="default"),
        pytest.param(lambda: update(entropy=[1.0, 2.0]), ("one number", "Take the mean"), id="entropies"),
        pytest.param(lambda: build(vocabulary=1), ("vocabulary", "at least 2"), id="one token"),
        pytest.param(lambda: Nats(0.0), ("above 0",), id="no entropy"),
        pytest.param(lambda: Nats(math.nan), ("finite",), id="nan"),
        pytest.param(
            lambda: Controller(PI(initial_alpha=1e-3, target_entropy=Nats()), BonusCoefficient(), 100),
            ("PI has no band", "wind up", "band=Clamp(0.001, 0.005)"),
            id="no band",
        ),
        pytest.param(
            lambda: Controller(Dual(target_entropy=Nats()), BonusCoefficient(), 100), ("Dual has no band",), id="dual"
        ),
        pytest.param(
            lambda: build(band=Clamp(1e-5, 5e-3)),
            ("down to 1e-05", "wind", "band=Clamp(0.001, 0.005)"),
            id="winds down",
        ),
        pytest.param(
            lambda: build(band=Clamp(1e-3, 0.1)), ("to 0.1", "BonusCoefficient has room for 0 to 0.005"), id="winds up"
        ),
        pytest.param(
            lambda: Controller(StepRule(target_entropy=Nats(), initial_alpha=1e-4), UpperClip(), 100),
            ("StepRule", "room for -0.2 to 0.08", "between 0 and 0.28"),
            id="the law's unit is not the knob's",
        ),
        pytest.param(lambda: Controller(Fixed(0.2), BonusCoefficient(), 100), ("Fixed", "room"), id="fixed too high"),
        pytest.param(
            lambda: Controller(Scheduled(Linear(1.0, 1e-3)), BonusCoefficient(), 100), ("Scheduled",), id="schedule"
        ),
        pytest.param(
            lambda: Controller(
                PI(initial_alpha=1.0, target_entropy=Nats(), band=Clamp(0.9, 1.1)),
                SamplingTemperature(),
                100,
                TwoSided(2.0),
            ),
            ("neutral 2", "[0.9, 1.1]", "first alpha"),
            id="never neutral",
        ),
        pytest.param(lambda: TwoSided(0.0), ("neutral", "above 0"), id="neutral 0"),
        pytest.param(
            lambda: Controller(EachDimension(), BonusCoefficient(), 100), ("continuous",), id="a law of dimensions"
        ),
        pytest.param(lambda: update(entropy=math.nan), ("nan nats per token", "skip a batch"), id="entropy nan"),
        pytest.param(lambda: update(entropy=57.0), ("57.0 nats", "[0, 4.6052]", "not a sum"), id="a sum of entropies"),
        pytest.param(lambda: update(entropy=-0.2), ("-0.2",), id="negative"),
        pytest.param(lambda: update(share=1.5), ("share", "[0, 1]", "1.5"), id="beyond the run"),
        pytest.param(lambda: update(share=math.nan), ("share",), id="share nan"),
        pytest.param(lambda: update(mean_reward=math.inf), ("mean_reward", "Leave it out"), id="infinite reward"),
        pytest.param(
            lambda: build().apply(build().begin(), begin(Clip())), ("'bonus'", "EntropyBonus"), id="a method without it"
        ),
    ],
)
def test_refused(attempt, words):
    with pytest.raises(ValueError) as refusal:
        attempt()
    for word in words:
        assert word in str(refusal.value)


@pytest.mark.parametrize("entropy", [-1e-3, 0.0, math.log(100) + 0.01])
def test_the_rounding_of_half_precision_is_forgiven(entropy):
    assert update(entropy=entropy).acting == (entropy < 0.2)
