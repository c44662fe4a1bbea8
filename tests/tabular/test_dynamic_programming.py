"""Plain and soft dynamic programming: closed forms, one solver against the other, and what is refused."""

import dataclasses

import numpy as np
import pytest

from entropax.errors import EntropaxError
from entropax.tabular import (
    MDP,
    action_values,
    entropy_values,
    plain_policy_iteration,
    plain_value_iteration,
    random_mdp,
    reward_values,
    soft_policy_iteration,
    soft_value_iteration,
)


def random(seed, **options):
    return random_mdp(np.random.default_rng(seed), **options)


def stay_or_leave(discount=0.9):
    """Staying pays 1 and has measure 0.5, leaving pays 3, ends and has measure 1.5."""
    rewards = np.array([[1.0, 3.0], [0.0, 0.0]])
    transitions = np.zeros((2, 2, 2))
    transitions[0, 0, 0] = transitions[0, 1, 1] = 1
    return MDP(rewards, transitions, np.array([[0.5, 1.5], [0.0, 0.0]]), discount, ("stay", "over"))


@pytest.mark.parametrize("solve", [plain_value_iteration, plain_policy_iteration])
@pytest.mark.parametrize(("discount", "value", "best"), [(0.9, 10.0, 0), (0.5, 3.0, 1), (0.0, 3.0, 1)])
def test_plain_closed_form(solve, discount, value, best):
    solution = solve(stay_or_leave(discount))
    np.testing.assert_allclose(solution.values, [value, 0], rtol=0, atol=1e-10)
    np.testing.assert_allclose(solution.action_values[0], [1 + discount * value, 3], rtol=0, atol=1e-10)
    assert (solution.action_values[1] == -np.inf).all()
    assert solution.greedy.tolist() == [best, 0]


@pytest.mark.parametrize("solve", [soft_value_iteration, soft_policy_iteration])
def test_soft_closed_form_in_one_step(solve):
    solution = solve(stay_or_leave(discount=0.0), 0.7)
    mass = 0.5 * np.exp(1 / 0.7) + 1.5 * np.exp(3 / 0.7)
    np.testing.assert_allclose(solution.values, [0.7 * np.log(mass), 0], rtol=1e-13)
    np.testing.assert_allclose(solution.density, [np.exp([1 / 0.7, 3 / 0.7]) / mass, [0, 0]], rtol=1e-12)


@pytest.mark.parametrize("solve", [soft_value_iteration, soft_policy_iteration])
def test_soft_closed_form_for_ever(solve):
    """Where nothing matters the policy is uniform, and every step pays r + alpha log mass."""
    mdp = dataclasses.replace(random(0, mass=3.0), rewards=np.full((6, 5), 2.0))
    solution = solve(mdp, 0.4)
    np.testing.assert_allclose(solution.values, (2 + 0.4 * np.log(3)) / 0.05, rtol=0, atol=1e-10)
    np.testing.assert_allclose(solution.density, 1 / 3, rtol=0, atol=1e-10)


@pytest.mark.parametrize("discount", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("seed", range(3))
def test_value_iteration_and_policy_iteration_agree(seed, discount):
    mdp = random(seed, terminals=seed, branches=seed + 1, discount=discount)
    plain, exact = plain_value_iteration(mdp, 1e-9), plain_policy_iteration(mdp)
    np.testing.assert_allclose(plain.values, exact.values, rtol=0, atol=1.01e-9)
    assert (plain.greedy == exact.greedy).all()
    for alpha in (0.05, 1.0):
        soft, exact_soft = soft_value_iteration(mdp, alpha, 1e-9), soft_policy_iteration(mdp, alpha)
        np.testing.assert_allclose(soft.values, exact_soft.values, rtol=0, atol=1.01e-9)
        np.testing.assert_allclose(soft.density, exact_soft.density, rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_solutions_satisfy_the_bellman_equations(seed):
    mdp = random(seed, terminals=1, discount=0.99)
    plain, soft = plain_policy_iteration(mdp), soft_policy_iteration(mdp, 0.3)
    acting = ~mdp.terminal
    np.testing.assert_allclose(plain.action_values.max(axis=1)[acting], plain.values[acting], rtol=0, atol=1e-11)
    mass = np.sum(mdp.measure * np.exp((soft.action_values - soft.values[:, None]) / 0.3), axis=1)
    np.testing.assert_allclose(mass[acting], 1, rtol=0, atol=1e-10)
    assert plain.values[-1] == soft.values[-1] == 0


def test_no_policy_is_better():
    mdp, generator = random(4, discount=0.9), np.random.default_rng(0)
    plain, soft = plain_policy_iteration(mdp).values, soft_policy_iteration(mdp, 0.5).values
    for _ in range(200):
        density = generator.dirichlet(np.full(5, 0.5), 6) / mdp.measure
        reward, entropy = reward_values(mdp, density), entropy_values(mdp, density)
        assert (reward <= plain).all()
        assert (reward + 0.5 * entropy <= soft).all()


@pytest.mark.parametrize("alpha", [0.05, 0.5, 3.0])
def test_reward_and_alpha_times_entropy_make_the_soft_value(alpha):
    mdp = random(5, terminals=2)
    solution = soft_policy_iteration(mdp, alpha)
    apart = reward_values(mdp, solution.density), entropy_values(mdp, solution.density)
    np.testing.assert_allclose(apart[0] + alpha * apart[1], solution.values, rtol=0, atol=1e-11)
    assert (apart[0] <= plain_policy_iteration(mdp).values + 1e-12).all()


def test_values_of_a_policy_in_closed_form():
    """Staying with probability 1/2: reward 2 a step, entropy of the density (1, 1/3) on sets of 0.5 and 1.5."""
    density = np.array([[1.0, 1 / 3], [0.0, 0.0]])
    np.testing.assert_allclose(reward_values(stay_or_leave(), density), [2 / 0.55, 0], rtol=1e-14)
    np.testing.assert_allclose(entropy_values(stay_or_leave(), density), [0.5 * np.log(3) / 0.55, 0], rtol=1e-14)


def test_the_soft_value_tends_to_the_plain_one():
    mdp = random(6)
    plain = plain_policy_iteration(mdp)
    gaps = [np.abs(soft_policy_iteration(mdp, alpha).values - plain.values).max() for alpha in (1e-2, 1e-4, 1e-6)]
    # |V_soft - V*| <= alpha max |log measure| / (1 - discount), up to log of the number of actions.
    for alpha, gap in zip((1e-2, 1e-4, 1e-6), gaps, strict=True):
        assert 0 < gap < alpha * (np.log(5) + np.abs(np.log(mdp.measure)).max()) / 0.05


def test_cutting_an_action_in_two_changes_nothing():
    """A measure says how much an action stands for: two halves of a set are worth the set."""
    mdp = random(7)
    halves = MDP(
        np.repeat(mdp.rewards, 2, axis=1),
        np.repeat(mdp.transitions, 2, axis=1),
        np.repeat(mdp.measure / 2, 2, axis=1),
        mdp.discount,
        mdp.names,
    )
    whole, parts = soft_policy_iteration(mdp, 0.4), soft_policy_iteration(halves, 0.4)
    np.testing.assert_allclose(parts.values, whole.values, rtol=0, atol=1e-11)
    np.testing.assert_allclose(parts.density, np.repeat(whole.density, 2, axis=1), rtol=1e-10)


def test_action_values_look_one_step_ahead():
    np.testing.assert_allclose(
        action_values(stay_or_leave(), np.array([2.0, 5.0])), [[1 + 1.8, 3 + 4.5], [-np.inf, -np.inf]], rtol=1e-15
    )


def test_the_generator_draws_what_it_says():
    mdp = random(8, states=7, actions=3, branches=2, terminals=2, mass=4.0, discount=0.8)
    assert mdp.rewards.shape == (7, 3)
    assert mdp.terminal.tolist() == [False] * 5 + [True] * 2
    assert ((mdp.transitions > 0).sum(axis=2) == 2).all()
    np.testing.assert_allclose(mdp.measure[:5].sum(axis=1), 4, rtol=1e-15)
    assert (mdp.measure[:5].max(axis=1) <= 3 * mdp.measure[:5].min(axis=1)).all()
    assert mdp.discount == 0.8
    assert (random(8).rewards == random(8).rewards).all()
    assert (random(8).rewards != random(9).rewards).all()
    with pytest.raises(EntropaxError, match="7 branches"):
        random(0, branches=7)


BROKEN = {
    "sum to": {"transitions": np.full((2, 2, 2), 0.4)},
    "the smallest is -1": {"transitions": np.broadcast_to([2.0, -1.0], (2, 2, 2)).copy()},
    "transitions has shape": {"transitions": np.full((2, 2, 3), 1 / 3)},
    "measure has shape": {"measure": np.ones((2, 3))},
    r"must be \[state, action\]": {"rewards": np.ones(2)},
    "rewards is float32": {"rewards": np.ones((2, 2), np.float32)},
    "rewards has NaN": {"rewards": np.full((2, 2), np.nan)},
    "negative entries": {"measure": np.array([[0.5, -1.5], [0.0, 0.0]])},
    "discount = 1": {"discount": 1.0},
    r"discount = -0\.1": {"discount": -0.1},
    "discount = nan": {"discount": float("nan")},
    "1 names for 2 states": {"names": ("one",)},
    "1 of them different": {"names": ("one", "one")},
}


@pytest.mark.parametrize(("message", "changes"), BROKEN.items(), ids=BROKEN)
def test_what_is_no_problem(message, changes):
    with pytest.raises(EntropaxError, match=message):
        dataclasses.replace(stay_or_leave(), **changes)


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("solve", [soft_value_iteration, soft_policy_iteration])
def test_what_is_no_alpha(solve, alpha):
    with pytest.raises(EntropaxError, match="positive and finite"):
        solve(stay_or_leave(), alpha)


@pytest.mark.parametrize("tolerance", [0.0, -1.0, float("nan")])
def test_what_is_no_tolerance(tolerance):
    with pytest.raises(EntropaxError, match="tolerance"):
        plain_value_iteration(stay_or_leave(), tolerance)


@pytest.mark.parametrize(
    "density", [np.ones((2, 3)), np.ones((2, 2)), np.array([[-1.0, 1.0], [0, 0]]), np.full((2, 2), np.nan)]
)
def test_what_is_no_density(density):
    for values in (reward_values, entropy_values):
        with pytest.raises(EntropaxError, match="density"):
            values(stay_or_leave(), density)


def test_a_state_without_that_name():
    assert stay_or_leave().state("over") == 1
    with pytest.raises(EntropaxError, match="stay, over"):
        stay_or_leave().state("gone")
