"""The gridworld: its walls and ends, and that its near end is a local optimum, by dynamic programming."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rolls import roll, to_mdp

from entropax.envs.gridworld import FAR, FOLLOWING, HEIGHT, NEAR, PLAN, START, WIDTH, Gridworld, GridworldState
from entropax.tabular.evaluation import reward_values
from entropax.tabular.mdp import action_values
from entropax.tabular.plain import plain_value_iteration
from entropax.tabular.soft import soft_policy_iteration

KEY = jax.random.key(0)
GRID = Gridworld()
UP, RIGHT, DOWN, LEFT = range(4)
TO_FAR = [RIGHT] * 3 + [DOWN] * 2 + [LEFT] * 5 + [DOWN] * 2 + [RIGHT] * 5
LIMIT = 100


@pytest.fixture(scope="module")
def exact():
    """The problem, where it starts, and the solution."""
    mdp, start = to_mdp(GRID, HEIGHT * WIDTH, discount=0.99)
    return mdp, start, plain_value_iteration(mdp)


@pytest.mark.parametrize(("actions", "reward", "end"), [([LEFT] * 2, 0.1, NEAR), (TO_FAR, 1.0, FAR)])
def test_either_end_pays_and_terminates(actions, reward, end):
    observations, rewards, terminated = roll(GRID, GRID.initial(key=KEY), np.array(actions))
    np.testing.assert_allclose(rewards, [0] * (len(actions) - 1) + [reward])
    assert terminated.tolist() == [False] * (len(actions) - 1) + [True]
    np.testing.assert_array_equal(observations[-1], np.eye(HEIGHT * WIDTH)[end])


def test_walls_and_the_edge_hold():
    free = [place for place, letter in enumerate("".join(PLAN)) if letter != "#"]
    assert set(FOLLOWING[free].ravel()) == set(free), "no move ends in a wall, and every cell is reached"
    for action in (UP, DOWN):
        after, reward, terminated = GRID.step(GRID.initial(key=KEY), jnp.int32(action), key=KEY)
        assert (int(after.place), float(reward), bool(terminated)) == (START, 0.0, False)
    corner = GridworldState(jnp.int32(WIDTH - 1))
    assert int(GRID.step(corner, jnp.int32(RIGHT), key=KEY)[0].place) == WIDTH - 1
    assert int(GRID.step(corner, jnp.int32(DOWN), key=KEY)[0].place) == 2 * WIDTH - 1


def test_the_optimum_goes_far_and_is_worth_what_the_page_says(exact):
    _, start, solution = exact
    assert solution.values[start] == pytest.approx(0.99**16, abs=1e-6)
    assert round(0.99**16, 2) == 0.85
    assert solution.action_values[start, LEFT] == pytest.approx(0.99**2 * solution.values[start], abs=1e-6)
    place = START
    for action in TO_FAR:
        assert solution.greedy[place] == action
        place = FOLLOWING[place, action]


def test_the_near_end_is_a_local_optimum(exact):
    """It is what the greedy step on uniform actions leads to, and there the far end is out of sight."""
    mdp, start, solution = exact
    uniform = np.full(mdp.rewards.shape, 0.25)
    values = action_values(mdp, reward_values(mdp, uniform))[start]
    assert values.argmax() == LEFT
    assert values[LEFT] > 1.05 * values[RIGHT]
    lazy = np.eye(4)[np.full(len(mdp.names), LEFT)]
    local = action_values(mdp, reward_values(mdp, lazy))[start]
    assert local[LEFT] == pytest.approx(0.99 * 0.1, abs=1e-6)
    assert (local[[UP, RIGHT, DOWN]] < local[LEFT]).all(), "no single other action is better"
    assert solution.values[start] > 8 * local[LEFT]


def test_uniform_actions_end_near_in_78_and_far_in_1_3_percent_of_episodes(exact):
    mdp, start, _ = exact
    step = mdp.transitions.mean(axis=1)
    step[mdp.terminal] = np.eye(len(mdp.names))[mdp.terminal]
    after = np.linalg.matrix_power(step, LIMIT)[start]
    assert after[[NEAR, FAR]] == pytest.approx([0.778, 0.0133], abs=5e-4)


@pytest.mark.parametrize(("alpha", "end"), [(0.005, FAR), (0.007, FAR), (0.008, None), (0.1, None)])
def test_a_bonus_for_entropy_soon_outweighs_both_ends(exact, alpha, end):
    """The mode of the MaxEnt optimum: an end ends all bonuses too, so only a small alpha lets it be walked to."""
    mdp, _, _ = exact
    density, place = soft_policy_iteration(mdp, alpha).density, START
    for _ in range(LIMIT):
        if place in (NEAR, FAR):
            break
        place = FOLLOWING[place, np.argmax(density[place])]
    assert place == end if end is not None else place not in (NEAR, FAR)
