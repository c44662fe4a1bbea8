"""A controller's state through JSON: exact to the last bit, and refused where it is not what was written."""

import copy
import json
import math

import equinox as eqx
import jax
import numpy as np
import pytest

from entropax.llm import BonusCoefficient, Controller, TwoSided, UpperClip
from entropax.temperature import (
    PI,
    AnnealOverRun,
    Clamp,
    Dual,
    Fixed,
    FractionOfInitial,
    Guard,
    Linear,
    Nats,
    Plateau,
    Scheduled,
    StepRule,
)

BAND = Clamp(1e-4, 5e-3)
HALF = Nats(0.5)


def pi(target=HALF, **settings):
    return PI(**{"initial_alpha": 1e-4, "target_entropy": target, "band": BAND, "smoothing": 0.3, **settings})


def controller(law):
    return Controller(law, BonusCoefficient(), 1000)


CONTROLLERS = [
    pytest.param(controller(pi()), id="pi"),
    pytest.param(controller(pi(FractionOfInitial(0.4, 20.0))), id="pi, fraction of initial"),
    pytest.param(controller(pi(Guard(Nats(0.6), FractionOfInitial(0.3, 3.0)))), id="pi, guard"),
    pytest.param(controller(pi(Plateau(Nats(0.6), Nats(0.2), patience=3.0))), id="pi, plateau"),
    pytest.param(controller(StepRule(1e-4, 0.01, 1e-4, AnnealOverRun(Nats(0.6), Nats(0.2)), BAND)), id="step rule"),
    pytest.param(controller(Dual(0.03, 1e-4, Nats(0.5), band=BAND)), id="dual"),
    pytest.param(controller(Scheduled(Linear(4e-3, 1e-3, 20.0))), id="scheduled"),
    pytest.param(controller(Fixed(1e-3)), id="fixed"),
    pytest.param(
        Controller(pi(initial_alpha=0.1, band=Clamp(0.05, 0.18)), UpperClip(rest=0.1), 1000, TwoSided(0.1)), id="two"
    ),
]


def run(controller, state, first, last):
    """States after batches of a run, whose numbers depend on the batch's number alone."""
    states = [state]
    for number in range(first, last):
        entropy, reward = np.random.default_rng(number).uniform(0.2, 0.8, 2)
        states.append(controller.update(states[-1], entropy, number / 30, reward if number % 3 else None))
    return states


def memory(state):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(state)]


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_a_resumed_run_is_the_uninterrupted_one_to_the_last_bit(controller):
    whole = run(controller, controller.begin(), 0, 30)
    for at in (0, 13):
        text = json.dumps(controller.to_json(whole[at]), allow_nan=False)
        resumed = run(controller, controller.from_json(json.loads(text)), at, 30)
        assert jax.tree.structure(resumed[0]) == jax.tree.structure(whole[at])
        assert [memory(state) for state in resumed] == [memory(state) for state in whole[at:]]
        assert [controller.value(state) for state in resumed] == [controller.value(state) for state in whole[at:]]


def test_names_and_settings_are_readable():
    saved = controller(pi()).to_json(controller(pi()).begin())
    assert saved["state"] == {
        "law.log_alpha": float(np.log(np.float32(1e-4))),
        "law.error": 0.0,
        "law.begun": False,
        "acting": False,
        "mean_reward": "nan",
    }
    assert saved["settings"]["controller.law"] == "PI"
    assert saved["settings"]["controller.law.target_entropy.nats"] == 0.5
    assert saved["settings"]["controller.actuator.high"] == 5e-3


@pytest.mark.parametrize(
    ("other", "words"),
    [
        pytest.param(controller(pi(integral=0.5)), ("controller.law.integral was 0.001, is 0.5",), id="a gain"),
        pytest.param(controller(pi(Nats(0.4))), ("target_entropy.nats was 0.5, is 0.4",), id="the target"),
        pytest.param(controller(Dual(0.03, 1e-4, Nats(0.5), band=BAND)), ("law was 'PI', is 'Dual'",), id="the law"),
        pytest.param(Controller(pi(), BonusCoefficient(), 999), ("vocabulary was 1000, is 999",), id="the vocabulary"),
        pytest.param(Controller(pi(), UpperClip(), 1000), ("actuator was 'BonusCoefficient'",), id="the actuator"),
    ],
)
def test_another_controller_is_refused(other, words):
    saved = controller(pi()).to_json(controller(pi()).begin())
    with pytest.raises(ValueError) as refusal:
        other.from_json(saved)
    for word in (*words, "start anew"):
        assert word in str(refusal.value)


def changed(path, value):
    """A sound state with one entry changed, or dropped where the value is None."""
    law = pi(FractionOfInitial())
    saved = copy.deepcopy(controller(law).to_json(controller(law).begin()))
    inner = saved
    for name in path[:-1]:
        inner = inner[name]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return saved


@pytest.mark.parametrize(
    ("saved", "words"),
    [
        pytest.param([], ("object of schema", "list"), id="no object"),
        pytest.param(changed(["state"], None), ("['schema', 'settings']", "backup"), id="no state"),
        pytest.param(changed(["schema"], 2), ("schema 2", "Upgrade"), id="newer"),
        pytest.param(changed(["settings"], "PI"), ("'PI' is no object",), id="settings of text"),
        pytest.param(changed(["state", "law.error"], None), ("lacks or adds ['law.error']",), id="a number lost"),
        pytest.param(changed(["state", "law.more"], 1.0), ("['law.more']",), id="a number more"),
        pytest.param(changed(["state"], [1.0]), ("all of them",), id="numbers without names"),
        pytest.param(changed(["state", "law.error"], "0.1"), ("law.error = '0.1'", "float32"), id="text"),
        pytest.param(changed(["state", "law.error"], 0.1), ("law.error = 0.1",), id="no float32"),
        pytest.param(changed(["state", "law.error"], 1e300), ("1e+300",), id="beyond float32"),
        pytest.param(changed(["state", "law.error"], 1), ("law.error = 1,",), id="an integer for a float"),
        pytest.param(changed(["state", "law.begun"], 0), ("law.begun = 0", "bool"), id="an integer for a bool"),
        pytest.param(changed(["state", "law.target.updates"], True), ("int32",), id="a bool for an integer"),
        pytest.param(changed(["state", "law.target.updates"], 2**40), ("int32",), id="beyond int32"),
        pytest.param(changed(["state", "law.target.updates"], 2.5), ("int32",), id="half an update"),
        pytest.param(changed(["state", "law.log_alpha"], "nan"), ("alpha of nan",), id="alpha is nan"),
        pytest.param(changed(["state", "law.log_alpha"], "inf"), ("alpha of inf",), id="alpha is infinite"),
    ],
)
def test_what_was_not_written_is_refused(saved, words):
    with pytest.raises(ValueError) as refusal:
        controller(pi(FractionOfInitial())).from_json(saved)
    for word in words:
        assert word in str(refusal.value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0, 1e-45, 3.4028234663852886e38, 0.1])
def test_every_float32_survives(value):
    state = controller(pi()).begin()
    state = eqx.tree_at(lambda state: (state.law.error, state.mean_reward), state, (np.float32(value), value))
    back = controller(pi()).from_json(json.loads(json.dumps(controller(pi()).to_json(state), allow_nan=False)))
    assert memory(back) == memory(state)
