"""Deep sea: its only paying path, its costs, its episodes, and the values of dynamic programming."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rolls import roll, to_mdp
from scripted import deep_sea

from entropax.envs.base import Episodes
from entropax.envs.deep_sea import DeepSea, DeepSeaState, rightwards
from entropax.errors import EntropaxError
from entropax.tabular.plain import plain_value_iteration

KEY = jax.random.key(0)
N = 4
SEA = DeepSea(N)


def moves(directions):
    """The actions that move right where a direction is 1, and what the rules of the task say of them."""
    column, actions, reward = 0, [], 0.0
    for row, right in enumerate(directions):
        actions.append(rightwards(N)[row, column] if right else 1 - rightwards(N)[row, column])
        reward += (column == N - 1) * right - 0.01 / N * right
        column = min(max(column + (1 if right else -1), 0), N - 1)
    return np.array(actions), reward


def test_of_all_paths_one_pays_and_the_steps_to_the_right_cost():
    returns = {}
    for directions in itertools.product((0, 1), repeat=N):
        actions, expected = moves(directions)
        observations, rewards, terminated = roll(SEA, SEA.initial(key=KEY), actions)
        np.testing.assert_allclose(rewards.sum(), expected, atol=1e-6)
        assert terminated.tolist() == [False] * (N - 1) + [True]
        np.testing.assert_array_equal(observations.sum(axis=1), [1] * (N - 1) + [0])
        returns[directions] = expected
    assert sorted(returns.values())[-2:] == pytest.approx([0, 0.99])
    assert returns[(1,) * N] == pytest.approx(0.99)
    assert returns[(0,) + (1,) * (N - 1)] == pytest.approx(-0.0075), "one wrong step loses the treasure"


def test_observations_are_the_cell_row_by_row():
    for row, column in itertools.product(range(N), repeat=2):
        seen = SEA.observe(DeepSeaState(jnp.int32(row), jnp.int32(column)))
        np.testing.assert_array_equal(seen.reshape(N, N), np.outer(np.eye(N)[row], np.eye(N)[column]))


def test_which_action_moves_right_differs_from_cell_to_cell_as_bsuite_draws_it():
    """The first numbers of NumPy's legacy stream from seed 42, one after the other."""
    stream = np.random.RandomState(42)
    expected = [[int(stream.random_sample() > 0.5) for _ in range(10)] for _ in range(10)]
    np.testing.assert_array_equal(rightwards(10), expected)
    assert 0.3 < rightwards(10).mean() < 0.7


def test_an_episode_has_as_many_steps_as_rows_and_is_never_truncated():
    episodes = Episodes(DeepSea(10), 10)
    state, _ = episodes.reset(key=KEY)

    def forward(state, key):
        return episodes.step(state, jax.random.randint(key, (), 0, 2), key=key)

    _, steps = jax.lax.scan(forward, state, jax.random.split(KEY, 40))
    assert np.flatnonzero(steps.terminated).tolist() == [9, 19, 29, 39]
    assert not steps.truncated.any()


def test_the_optimum_of_dynamic_programming_is_the_diagonal():
    mdp, start = to_mdp(SEA, N**2, discount=0.99)
    solution = plain_value_iteration(mdp)
    costs = 0.01 / N * sum(0.99**t for t in range(N))
    assert solution.values[start] == pytest.approx(0.99 ** (N - 1) - costs, abs=1e-6)
    diagonal = [row * N + row for row in range(N)]
    assert solution.greedy[diagonal].tolist() == [int(deep_sea(np.eye(N**2)[place])) for place in diagonal]
    left = 1 - rightwards(N)[0, 0]
    assert solution.action_values[start, left] == pytest.approx(0, abs=1e-6), "the local optimum"


@pytest.mark.parametrize("size", [1, 0])
def test_a_sea_without_a_choice_is_refused(size):
    with pytest.raises(EntropaxError, match=r"size.*2 or more"):
        DeepSea(size)
