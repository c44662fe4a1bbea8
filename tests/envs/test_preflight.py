"""Every refusal of the preflight, with what it says, and every warning."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Text

from entropax.envs.gymnasium_adapter import GymnasiumEnvironments, adapt
from entropax.envs.preflight import preflight
from entropax.errors import EntropaxError
from entropax.types import Bounds

SMALL = Box(-1, 1, (2,), np.float32)


class Scripted(gymnasium.Env):
    """Answers with what it is told."""

    def __init__(self, observation_space=SMALL, action_space=SMALL, reset=None, step=None):
        self.observation_space, self.action_space = observation_space, action_space
        self.resets = (np.zeros(2, np.float32), {}) if reset is None else reset
        self.steps = (np.zeros(2, np.float32), 0.0, False, False, {}) if step is None else step

    def reset(self, *, seed=None, options=None):
        return self.resets

    def step(self, action):
        return self.steps


def box(low, high):
    return Box(np.array(low, np.float32), np.array(high, np.float32))


def observed(value):
    return value, {}


def rewarded(value):
    return np.zeros(2, np.float32), value, False, False, {}


REFUSED = {
    "one action": (Scripted(action_space=Discrete(1)), r"Discrete\(1\).*nothing to decide.*Check"),
    "many choices": (
        Scripted(action_space=MultiDiscrete([16, 16, 17])),
        r"MultiDiscrete\(\[16 16 17\]\), 4,352 actions jointly.*4,096 are the most.*ActionWrapper",
    ),
    "choices of one": (Scripted(action_space=MultiDiscrete([1, 1])), r"MultiDiscrete.*nothing to decide.*Check"),
    "switches": (Scripted(action_space=MultiBinary(3)), r"MultiBinary.*a MultiDiscrete.*ActionWrapper"),
    "integer action": (Scripted(action_space=Box(0, 5, (2,), np.int32)), r"Box of int32.*Declare a float"),
    "empty action": (Scripted(action_space=Box(-1, 1, (0,))), r"action space is empty \(shape \(0,\)\)"),
    "unbounded action": (
        Scripted(action_space=Box(-np.inf, np.inf, (2,))),
        r"not finite.*infinite box.*TransformAction",
    ),
    "half-bounded action": (Scripted(action_space=box([0, -1], [np.inf, 1])), r"not finite"),
    "flat action": (Scripted(action_space=box([0, 1], [1, 1])), r"low bound is not below.*Remove"),
    "text observation": (Scripted(observation_space=Text(3)), r"Text.*MLPs.*FlattenObservation"),
    "no integer of the space": (
        Scripted(observation_space=Discrete(4)),
        r"reset\(\) returned array.*Discrete\(4\).*one-hot",
    ),
    "image": (Scripted(observation_space=Box(0, 255, (8, 8, 3), np.uint8)), r"image.*MLPs.*state-based"),
    "integer observation": (Scripted(observation_space=Box(0, 9, (2,), np.int64)), r"int64.*TransformObservation"),
    "empty observation": (Scripted(observation_space=Box(-1, 1, (0,))), r"observation space is empty"),
    "empty dict": (Scripted(observation_space=Dict({})), r"empty Dict.*Add an observation"),
    "image in a dict": (
        Scripted(observation_space=Dict({"camera": Box(0, 255, (4, 4), np.uint8)})),
        r"observation space\['camera'\] is an image",
    ),
    "NaN": (Scripted(reset=observed(np.array([0, np.nan]))), r"reset\(\).*NaN or infinity.*every weight"),
    "infinity": (Scripted(step=(np.array([np.inf, 0]), 0.0, False, False, {})), r"step\(\).*NaN or infinity"),
    "shape": (Scripted(reset=observed(np.zeros(3))), r"reset\(\).*shape \(3,\), the space says \(2,\)"),
    "object": (Scripted(reset=observed(np.array([0, "a"], object))), r"dtype object.*Return numbers"),
    "not a dict": (
        Scripted(observation_space=Dict({"a": SMALL}), reset=observed(np.zeros(2))),
        r"ndarray where the space is a Dict of \['a'\]",
    ),
    "reward vector": (Scripted(step=rewarded(np.zeros(1))), r"reward of shape \(1,\).*float\(reward\)"),
    "reward NaN": (Scripted(step=rewarded(float("nan"))), r"reward nan.*division by zero"),
    "reward None": (Scripted(step=rewarded(None)), r"reward None \(NoneType\)"),
    "old reset": (Scripted(reset=np.zeros(2)), r"\(observation, info\).*Gymnasium API.*shimmy"),
    "old step": (Scripted(step=(np.zeros(2), 0.0, False, {})), r"terminated, truncated, info\).*gymnasium >= 1\.0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_say_what_why_and_the_remedy(case):
    env, message = REFUSED[case]
    with pytest.raises(EntropaxError, match=message) as caught:
        preflight(env)
    assert str(caught.value).count(". ") >= 1, "a remedy follows the reason"
    with pytest.raises(EntropaxError, match=message):
        adapt(env)


WARNED = {
    "huge": (Scripted(action_space=Box(-5000, 5000, (2,))), "reach 5000"),
    "one-sided": (Scripted(action_space=Box(0, 1, (2,))), r"Action 0 is bounded by [0, 1], far from symmetric"),
    "uneven": (Scripted(action_space=box([-1, -0.01], [1, 0.01])), "differ by a factor 100"),
    "outside": (Scripted(reset=observed(np.full(2, 3.0))), "reset() returned an observation outside"),
}


@pytest.mark.parametrize("case", WARNED)
def test_warnings_are_returned_and_training_goes_on(case):
    env, message = WARNED[case]
    (warning,) = preflight(env)
    assert message in warning
    assert GymnasiumEnvironments([env]).warnings == (warning,)


def test_sound_environments_pass_in_silence():
    assert preflight(Scripted()) == []
    assert preflight(Scripted(action_space=Box(-3, 5, (2,)))) == [], "mildly asymmetric is fine"
    assert preflight(Scripted(action_space=Discrete(3, start=-1))) == []
    assert preflight(Scripted(action_space=MultiDiscrete([16, 16, 16], start=[0, -3, 5]))) == []
    for id in ("Pendulum-v1", "MountainCarContinuous-v0", "CartPole-v1"):
        assert preflight(gymnasium.make(id)) == []


@pytest.mark.parametrize("id", ["Blackjack-v1"])
def test_the_remedy_for_observations_that_are_no_box_of_floats_works(id):
    with pytest.raises(EntropaxError, match=r"DtypeObservation\(FlattenObservation\(env\), numpy\.float32\)"):
        adapt(gymnasium.make(id))
    flat = gymnasium.wrappers.DtypeObservation(gymnasium.wrappers.FlattenObservation(gymnasium.make(id)), np.float32)
    assert adapt(flat).warnings == ()


def test_the_remedy_for_bounds_that_are_not_finite_works():
    env = Scripted(action_space=Box(-np.inf, np.inf, (2,), np.float32))
    bounded = gymnasium.wrappers.TransformAction(env, lambda action: action, Box(-2, 2, (2,), np.float32))
    assert adapt(bounded).spec.action == Bounds((-2.0, -2.0), (2.0, 2.0))
