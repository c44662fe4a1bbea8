"""The entropy bifurcation extension keeps its three promises, and would not if it were built otherwise."""

import dataclasses

import numpy as np
import pytest
from problems import CASES, problem, worst_action_target

from entropax.errors import EntropaxError
from entropax.tabular import (
    MDP,
    bifurcation_extension,
    plain_policy_iteration,
    plain_value_iteration,
    random_mdp,
    soft_policy_iteration,
    soft_value_iteration,
)

EXACT = 1e-10


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_three_promises(case):
    alpha, (mdp, target) = case[0], problem(case)
    extension = bifurcation_extension(mdp, 0, target, alpha)
    old, actions = extension.old, mdp.measure.shape[1]
    plain, extended_plain = plain_policy_iteration(mdp), plain_policy_iteration(extension.mdp)
    soft, extended_soft = soft_policy_iteration(mdp, alpha), soft_policy_iteration(extension.mdp, alpha)
    others = np.delete(np.arange(len(mdp.names)), 0)

    np.testing.assert_allclose(extended_soft.density[0, :actions], target, rtol=0, atol=EXACT, err_msg="T")
    np.testing.assert_allclose(extended_plain.values[old], plain.values, rtol=0, atol=EXACT, err_msg="P1")
    assert (extended_plain.greedy[old] == plain.greedy).all(), "P1"
    np.testing.assert_allclose(extended_soft.values[old], soft.values, rtol=0, atol=EXACT, err_msg="P2")
    # A density may be large, so the tolerance is of probabilities.
    probability, extended = (
        one.measure * solution.density for one, solution in ((mdp, soft), (extension.mdp, extended_soft))
    )
    np.testing.assert_allclose(extended[others, :actions], probability[others], rtol=0, atol=EXACT, err_msg="P2")

    worst = np.argmax(target * mdp.measure[0])
    assert worst != extended_plain.greedy[0], "the policy was bent away from what is best"
    assert probability[0, worst] < case[4] - 0.05, "and it was not there before"


def test_the_promises_hold_for_the_other_solver_too():
    alpha, (mdp, target) = CASES[0][0], problem(CASES[0])
    extension = bifurcation_extension(mdp, 0, target, alpha)
    soft = soft_value_iteration(extension.mdp, alpha, 1e-11)
    np.testing.assert_allclose(soft.density[0], target, rtol=0, atol=EXACT)
    plain = plain_value_iteration(extension.mdp, 1e-11).values[extension.old]
    np.testing.assert_allclose(plain, plain_policy_iteration(mdp).values, rtol=0, atol=EXACT)


def test_the_cases_have_chains_of_many_lengths():
    layers = {bifurcation_extension(problem(case)[0], 0, problem(case)[1], case[0]).layers for case in CASES}
    assert len(layers) >= 8
    assert min(layers) <= 3
    assert max(layers) >= 20


@pytest.mark.parametrize("case", CASES[::4], ids=str)
def test_no_shorter_chain_would_do(case):
    """Even if every action continued, a chain one state shorter would leave some action below what it needs."""
    alpha, (mdp, target) = case[0], problem(case)
    extension = bifurcation_extension(mdp, 0, target, alpha)
    plain, soft = plain_policy_iteration(mdp).values, soft_policy_iteration(mdp, alpha).values
    needed = (soft[0] + alpha * np.log(target) - mdp.rewards[0]) / mdp.discount

    def most(layers):
        value = mdp.transitions[0] @ soft
        for _ in range(layers):
            value = (1 - mdp.discount) * mdp.transitions[0] @ plain + alpha * np.log(2) + mdp.discount * value
        return value

    assert extension.layers > 1
    assert (most(extension.layers) > needed).all()
    assert (most(extension.layers - 1) <= needed).any()


def altered(extension, **arrays):
    return dataclasses.replace(extension.mdp, **arrays)


@pytest.fixture(scope="module")
def built():
    alpha, (mdp, target) = CASES[0][0], problem(CASES[0])
    return mdp, target, alpha, bifurcation_extension(mdp, 0, target, alpha)


def test_another_measure_breaks_t_and_p2_but_plain_values_do_not_see_it(built):
    mdp, target, alpha, extension = built
    measure = extension.mdp.measure.copy()
    measure[extension.chain[0], 0] *= 0.95
    measure[extension.chain[0], 1] = 2 - measure[extension.chain[0], 0]
    other = altered(extension, measure=measure)
    soft = soft_policy_iteration(other, alpha)
    assert np.abs(soft.density[0] - target).max() > 1e-4
    assert np.abs(soft.values[extension.old] - soft_policy_iteration(mdp, alpha).values).max() > 1e-4
    plain = plain_policy_iteration(other)
    np.testing.assert_allclose(plain.values[extension.old], plain_policy_iteration(mdp).values, rtol=0, atol=EXACT)


def test_another_reward_for_continuing_breaks_p1(built):
    mdp, _, _, extension = built
    rewards = extension.mdp.rewards.copy()
    best = plain_policy_iteration(mdp).greedy[0]
    rewards[extension.chain[best], 0] -= 0.01
    plain = plain_policy_iteration(altered(extension, rewards=rewards)).values[extension.old]
    assert np.abs(plain - plain_policy_iteration(mdp).values).max() > 1e-3


def test_a_pleasant_way_out_breaks_p1(built):
    mdp, _, _, extension = built
    rewards = extension.mdp.rewards.copy()
    rewards[extension.chain, 1] = plain_policy_iteration(mdp).values.max() + 1
    plain = plain_policy_iteration(altered(extension, rewards=rewards)).values[extension.old]
    assert np.abs(plain - plain_policy_iteration(mdp).values).max() > 1e-1


def test_a_worse_way_out_breaks_t(built):
    _, target, alpha, extension = built
    rewards = extension.mdp.rewards.copy()
    rewards[extension.chain, 1] -= 10
    soft = soft_policy_iteration(altered(extension, rewards=rewards), alpha)
    assert np.abs(soft.density[0] - target).max() > 1e-3, "measures allow for what leaving pays"


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_at_another_alpha_only_p1_holds(built, factor):
    mdp, target, alpha, extension = built
    soft = soft_policy_iteration(extension.mdp, factor * alpha)
    assert np.abs(soft.density[0] - target).max() > 1e-2
    assert np.abs(soft.values[extension.old] - soft_policy_iteration(mdp, factor * alpha).values).max() > 1e-2


@pytest.mark.parametrize("margin", [1e-3, 1.0, 1e4])
def test_the_margin_does_not_matter(margin, built):
    mdp, target, alpha, _ = built
    extension = bifurcation_extension(mdp, 0, target, alpha, margin=margin)
    soft = soft_policy_iteration(extension.mdp, alpha)
    np.testing.assert_allclose(soft.density[0], target, rtol=0, atol=EXACT)
    plain = plain_policy_iteration(extension.mdp).values
    np.testing.assert_allclose(plain[extension.old], plain_policy_iteration(mdp).values, rtol=0, atol=EXACT)
    assert extension.end_reward <= (mdp.transitions[0] @ plain[extension.old]).min() - margin


def test_states_can_be_extended_in_turn():
    mdp, first = problem(CASES[0])
    alpha = CASES[0][0]
    second = worst_action_target(mdp, 3, 0.9)
    once = bifurcation_extension(mdp, 0, first, alpha)
    twice = bifurcation_extension(once.mdp, 3, second, alpha)
    soft, old = soft_policy_iteration(twice.mdp, alpha), slice(0, len(mdp.names))
    np.testing.assert_allclose(soft.density[0], first, rtol=0, atol=EXACT)
    np.testing.assert_allclose(soft.density[3], second, rtol=0, atol=EXACT)
    np.testing.assert_allclose(soft.values[old], soft_policy_iteration(mdp, alpha).values, rtol=0, atol=EXACT)
    plain = plain_policy_iteration(twice.mdp)
    np.testing.assert_allclose(plain.values[old], plain_policy_iteration(mdp).values, rtol=0, atol=EXACT)


def test_a_state_with_actions_missing_and_more_mass_than_others():
    mdp = random_mdp(np.random.default_rng(0))
    measure = mdp.measure.copy()
    measure[2, [0, 3]] = 0
    measure[2] *= 3
    mdp = dataclasses.replace(mdp, measure=measure)
    target = worst_action_target(dataclasses.replace(mdp, measure=np.where(measure > 0, measure, 1)), 2, 0.2)
    target = np.where(measure[2] > 0, target, 0)
    target /= measure[2] @ target
    extension = bifurcation_extension(mdp, 2, target, 0.5)
    soft = soft_policy_iteration(extension.mdp, 0.5)
    np.testing.assert_allclose(soft.density[2], target, rtol=0, atol=EXACT)
    np.testing.assert_allclose(soft.values[extension.old], soft_policy_iteration(mdp, 0.5).values, rtol=0, atol=EXACT)
    assert [name.split("/")[1] for name in extension.mdp.names if name.endswith("/1")] == ["a1", "a2", "a4"]


def test_old_states_and_chains_can_be_found(built):
    mdp, _, _, extension = built
    assert extension.mdp.names[extension.old] == mdp.names
    assert extension.chain.shape == extension.continuing.shape == (5, extension.layers)
    assert extension.mdp.state("s0/a3/2") == extension.chain[3, 1]
    end = extension.mdp.state("s0/end")
    assert extension.mdp.terminal[end]
    assert end == len(extension.mdp.names) - 1 == 6 + 5 * extension.layers
    np.testing.assert_array_equal(extension.mdp.measure[extension.chain][..., 0], extension.continuing)
    np.testing.assert_allclose(extension.mdp.measure[extension.chain].sum(axis=-1), 2, rtol=1e-15)


def test_a_target_that_no_chain_reaches():
    """With alpha 1 and discount 0.5 chains add less than alpha log 2 / (1 - discount) to the plain value behind."""
    mdp = random_mdp(np.random.default_rng(0), discount=0.5)
    target = worst_action_target(mdp, 0, 0.95)
    worst, plain = np.argmax(target * mdp.measure[0]), plain_policy_iteration(mdp)
    soft = soft_policy_iteration(mdp, 1.0).values[0]
    assert np.log(target[worst]) >= plain.action_values[0, worst] - soft + 0.5 / 0.5 * np.log(2)
    with pytest.raises(EntropaxError, match=rf"at most 100 layers .* behind action {worst} .* Raise alpha"):
        bifurcation_extension(mdp, 0, target, 1.0)


def test_a_target_that_longer_chains_reach(built):
    mdp, target, alpha, extension = built
    with pytest.raises(EntropaxError, match=f"at most {extension.layers - 1} layers"):
        bifurcation_extension(mdp, 0, target, alpha, max_layers=extension.layers - 1)


def test_longer_chains_than_needed_keep_the_promises_too(built):
    mdp, target, alpha, shortest = built
    extension = bifurcation_extension(mdp, 0, target, alpha, min_layers=shortest.layers + 3)
    assert extension.layers == shortest.layers + 3
    soft = soft_policy_iteration(extension.mdp, alpha)
    np.testing.assert_allclose(soft.density[0], target, rtol=0, atol=EXACT)
    np.testing.assert_allclose(soft.values[extension.old], soft_policy_iteration(mdp, alpha).values, rtol=0, atol=EXACT)
    plain = plain_policy_iteration(extension.mdp).values[extension.old]
    np.testing.assert_allclose(plain, plain_policy_iteration(mdp).values, rtol=0, atol=EXACT)


def test_a_target_so_small_that_a_set_has_no_measure_left():
    """In one layer the third action's chain would need the measure exp((log 1e-305 + ...) / 0.9), which is 0."""
    transitions = np.zeros((3, 3, 3))
    transitions[0, :, 1] = transitions[1, :, 2] = 1
    measure = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    mdp = MDP(np.zeros((3, 3)), transitions, measure, 0.9, ("choose", "last", "over"))
    target = np.array([0.5, 0.5, 1e-305])
    with pytest.raises(EntropaxError, match=r"behind action 2 .* measure 0 in float64"):
        bifurcation_extension(mdp, 0, target, 1.0, max_layers=1)
    assert bifurcation_extension(mdp, 0, target, 1.0).layers == 2


def test_what_is_refused(built):
    mdp, target, alpha, extension = built

    def refused(message, *arguments, **options):
        with pytest.raises(EntropaxError, match=message):
            bifurcation_extension(*arguments, **options)

    refused("alpha = 0", mdp, 0, target, 0.0)
    refused("State 9 is terminal or does not exist", mdp, 9, target, alpha)
    refused("is terminal", random_mdp(np.random.default_rng(0), terminals=1), 5, target, alpha)
    refused("margin = 0", mdp, 0, target, alpha, margin=0.0)
    refused("No chain has 3 to 2 layers", mdp, 0, target, alpha, min_layers=3, max_layers=2)
    refused("has been extended already", extension.mdp, 0, target, alpha)
    refused("it must be", mdp, 0, target[:4], alpha)
    refused("positive exactly at", mdp, 0, np.eye(5)[0] / mdp.measure[0, 0], alpha)
    refused("sums to 2", mdp, 0, 2 * target, alpha)
    refused("discount 0", dataclasses.replace(mdp, discount=0.0), 0, target, alpha)


def test_one_action_is_enough_for_a_chain_of_two():
    """The chain has two actions where the old problem had one; its target can only be what it was."""
    mdp = MDP(np.ones((1, 1)), np.ones((1, 1, 1)), np.full((1, 1), 2.0), 0.9, ("only",))
    extension = bifurcation_extension(mdp, 0, np.full(1, 0.5), 0.3)
    soft = soft_policy_iteration(extension.mdp, 0.3)
    np.testing.assert_allclose(soft.values[0], (1 + 0.3 * np.log(2)) / 0.1, rtol=0, atol=EXACT)
    np.testing.assert_allclose(soft.density[0], [0.5, 0], rtol=0, atol=EXACT)
