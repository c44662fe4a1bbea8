"""Several discrete actions at once: every combination is one action."""

import itertools

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, MultiDiscrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from entropax.envs.gymnasium_adapter import (
    GymnasiumEnvironments,
    adapt,
)
from entropax.types import Categories, Spec

STEPS = 40
# Episode k of an environment ends with ENDINGS[k % 3] after LENGTHS[k % 3] steps.
ENDINGS = ((True, False), (False, True), (True, True))
LENGTHS = (3, 5, 2)


class Choosing(gymnasium.Env):
    """Shows the choices it was last given and forgets them; two rows of three, which begin where they like."""

    observation_space = Box(-10, 10, (2, 3), np.float32)
    action_space = MultiDiscrete([[2, 3, 1], [2, 2, 2]], start=[[0, -1, 4], [7, 0, 0]])

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros((2, 3), np.float32), {}

    def step(self, action):
        assert self.action_space.contains(action), repr(action)
        shown = action.astype(np.float32)
        action[:] = 99
        return shown, float(shown.sum()), False, False, {}


@pytest.mark.parametrize(
    "environments",
    [
        lambda: GymnasiumEnvironments([Choosing(), Choosing()]),
        lambda: adapt(SyncVectorEnv([Choosing, Choosing], autoreset_mode=AutoresetMode.SAME_STEP)),
    ],
    ids=["single", "vector"],
)
def test_every_combination_of_choices_is_one_action(environments):
    made = environments()
    assert made.spec == Spec(6, Categories(48))
    made.reset(seed=0)
    seen = []
    for index in range(0, 48, 2):
        pair = np.array([[index], [index + 1]], np.float32)
        seen.extend(made.step(made.spec.action.to_environment(pair)).observation.astype(int).tolist())
    digits = itertools.product((0, 1), (-1, 0, 1), (4,), (7, 8), (0, 1), (0, 1))
    assert seen == [list(choices) for choices in digits], "the last choice runs fastest"
    made.close()
