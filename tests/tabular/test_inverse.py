"""Maximum causal entropy: occupancies against forward recursion, gradients, and experts recovered."""

import dataclasses

import numpy as np
import pytest

from entropax.errors import EntropaxError
from entropax.tabular import (
    causal_likelihood,
    demonstrated_policy,
    inverse,
    maximum_causal_entropy,
    occupancy,
    random_mdp,
    reward_values,
    soft_policy_iteration,
    toy,
)


def from_state_0(mdp):
    return np.eye(len(mdp.names))[0]


def spread(mdp):
    """Episodes begin anywhere."""
    return np.full(len(mdp.names), 1 / len(mdp.names))


def tabular_features(mdp):
    """One for every state and action."""
    return np.eye(mdp.rewards.size).reshape(*mdp.rewards.shape, -1)


def expert_of(mdp, alpha, start):
    return occupancy(mdp, soft_policy_iteration(mdp, alpha).density, start)


def drawn(mdp, density, start, episodes, seed):
    """Episodes of a policy, cut off after 60 steps."""
    generator, found = np.random.default_rng(seed), []
    for _ in range(episodes):
        state, episode = int(generator.choice(len(start), p=start)), []
        while not mdp.terminal[state] and len(episode) < 60:
            chances = mdp.measure[state] * density[state]
            action = int(generator.choice(len(chances), p=chances / chances.sum()))
            episode.append((state, action))
            state = int(generator.choice(len(start), p=mdp.transitions[state, action]))
        found.append(episode)
    return found


@pytest.mark.parametrize("terminals", [0, 2])
def test_occupancy_is_the_forward_recursion(terminals):
    mdp = random_mdp(np.random.default_rng(0), terminals=terminals, discount=0.8)
    density, start = soft_policy_iteration(mdp, 0.5).density, spread(mdp)
    total, here, weight = np.zeros_like(density), start, 1.0
    for _ in range(150):
        now = here[:, None] * mdp.measure * density
        total, here, weight = total + weight * now, np.einsum("sa,sat->t", now, mdp.transitions), weight * 0.8
    found = occupancy(mdp, density, start)
    np.testing.assert_allclose(found, total, rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.sum(found * mdp.rewards), start @ reward_values(mdp, density), rtol=1e-12)
    if not terminals:
        np.testing.assert_allclose(found.sum(), 5, rtol=1e-12)


@pytest.mark.parametrize("alpha", [0.3, 1.0])
@pytest.mark.parametrize("terminals", [0, 1])
def test_the_gradient_is_that_of_finite_differences(alpha, terminals):
    generator = np.random.default_rng(1)
    mdp = random_mdp(generator, terminals=terminals, discount=0.9)
    features, weights = generator.standard_normal((6, 5, 4)), generator.standard_normal(4)
    start = spread(mdp)
    expert = expert_of(mdp, alpha, start)

    def value(at):
        return causal_likelihood(mdp, features, at, expert, start, alpha).value

    slopes = [(value(weights + step) - value(weights - step)) / 2e-5 for step in 1e-5 * np.eye(4)]
    found = causal_likelihood(mdp, features, weights, expert, start, alpha)
    np.testing.assert_allclose(found.gradient, slopes, rtol=1e-6, atol=1e-6)
    assert np.abs(found.gradient).max() > 0.1


def test_the_likelihood_is_that_of_the_expert_s_actions():
    mdp = random_mdp(np.random.default_rng(2), discount=0.9)
    features, weights, start = tabular_features(mdp), np.random.default_rng(3).standard_normal(30), from_state_0(mdp)
    expert = expert_of(mdp, 0.5, start)
    explained = soft_policy_iteration(dataclasses.replace(mdp, rewards=weights.reshape(6, 5)), 0.5).density
    found = causal_likelihood(mdp, features, weights, expert, start, 0.5).value
    np.testing.assert_allclose(found, np.sum(expert * np.log(explained)), rtol=1e-10)


@pytest.mark.parametrize(("alpha", "terminals", "branches"), [(1.0, 0, 2), (0.5, 1, 1), (0.3, 0, 3)])
def test_a_known_reward_s_occupancy_is_recovered(alpha, terminals, branches):
    mdp = random_mdp(np.random.default_rng(4), terminals=terminals, branches=branches, discount=0.9)
    start = spread(mdp)
    expert = expert_of(mdp, alpha, start)
    nothing_known = dataclasses.replace(mdp, rewards=np.zeros_like(mdp.rewards))
    found = maximum_causal_entropy(nothing_known, tabular_features(mdp), expert, start, alpha)
    np.testing.assert_allclose(found.occupancy, expert, rtol=0, atol=1e-5)
    np.testing.assert_allclose(occupancy(mdp, found.density, start), found.occupancy, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.density, soft_policy_iteration(mdp, alpha).density, rtol=0, atol=1e-3)
    at_first = maximum_causal_entropy(nothing_known, tabular_features(mdp)[..., :0], expert, start, alpha)
    assert np.abs(at_first.occupancy - expert).max() > 0.1


def test_the_toy_s_occupancy_is_recovered_where_its_expert_misses_nothing():
    """At alpha 5 the gate is missed often enough to be seen."""
    mdp = toy()
    expert = expert_of(mdp, 5.0, from_state_0(mdp))
    found = maximum_causal_entropy(mdp, tabular_features(mdp), expert, from_state_0(mdp), 5.0)
    np.testing.assert_allclose(found.occupancy, expert, rtol=0, atol=1e-5)


def test_a_reward_of_few_features_is_recovered_itself():
    """Two features of 30 numbers: nothing can be shaped away, so the weights are found, in units of alpha."""
    generator = np.random.default_rng(5)
    features = generator.standard_normal((6, 5, 2))
    mdp = dataclasses.replace(random_mdp(generator, discount=0.9), rewards=features @ np.array([0.7, -0.4]))
    expert = expert_of(mdp, 0.5, spread(mdp))
    found = maximum_causal_entropy(mdp, features, expert, spread(mdp), 0.5)
    np.testing.assert_allclose(found.weights, [0.7, -0.4], rtol=0, atol=1e-5)
    doubled = maximum_causal_entropy(mdp, features, expert, spread(mdp), 1.0)
    np.testing.assert_allclose(doubled.weights, [1.4, -0.8], rtol=0, atol=1e-5)


def test_of_all_policies_with_the_expectations_it_is_the_one_of_most_entropy():
    """An expert whose reward is not among the features: expectations agree, occupancies do not, entropy is higher."""
    generator = np.random.default_rng(6)
    mdp, features = random_mdp(generator, discount=0.9), generator.standard_normal((6, 5, 3))
    start, density = spread(mdp), soft_policy_iteration(mdp, 0.3).density
    expert = occupancy(mdp, density, start)
    found = maximum_causal_entropy(mdp, features, expert, start)
    wanted, learned = (np.einsum("sa,saf->f", one, features) for one in (expert, found.occupancy))
    np.testing.assert_allclose(learned, wanted, rtol=0, atol=1e-6)
    assert np.abs(found.occupancy - expert).max() > 0.05
    of_expert, of_found = -np.sum(expert * np.log(density)), -np.sum(found.occupancy * np.log(found.density))
    assert of_found > of_expert + 0.1


def test_demonstrations_do():
    mdp = random_mdp(np.random.default_rng(7), states=4, actions=2, terminals=1, discount=0.9)
    start, density = spread(mdp), soft_policy_iteration(mdp, 1.0).density
    expert = occupancy(mdp, density, start)
    errors = []
    for episodes in (30, 3_000):
        shown = occupancy(mdp, demonstrated_policy(mdp, drawn(mdp, density, start, episodes, seed=0)), start)
        found = maximum_causal_entropy(mdp, tabular_features(mdp), shown, start)
        np.testing.assert_allclose(found.occupancy, shown, rtol=0, atol=1e-5)
        errors.append(np.abs(found.occupancy - expert).max())
    assert errors[1] < 0.05 < errors[0]


def test_a_policy_from_demonstrations_by_hand():
    """Shares of 1/4 and 3/4 on actions of measures 0.5 and 1.5; uniform where never seen, none where it is over."""
    mdp = random_mdp(np.random.default_rng(8), states=3, actions=2, terminals=1)
    mdp = dataclasses.replace(mdp, measure=np.array([[0.5, 1.5], [1.0, 1.0], [0.0, 0.0]]))
    found = demonstrated_policy(mdp, [[(0, 1), (0, 0)], [(0, 1)], [(0, 1)]])
    np.testing.assert_allclose(found, [[0.5, 0.5], [0.5, 0.5], [0, 0]], rtol=1e-15)


def test_what_is_refused(monkeypatch):
    mdp = random_mdp(np.random.default_rng(9), terminals=1)
    features, start = tabular_features(mdp), spread(mdp)
    expert = expert_of(mdp, 1.0, start)
    with pytest.raises(EntropaxError, match=r"features are \[state, action, feature\]"):
        maximum_causal_entropy(mdp, features[:, :3], expert[:, :3], start)
    with pytest.raises(EntropaxError, match=r"sums to 0\.5"):
        maximum_causal_entropy(mdp, features, expert, start / 2)
    with pytest.raises(EntropaxError, match="occupancy are not finite"):
        maximum_causal_entropy(mdp, features, expert * np.nan, start)
    with pytest.raises(EntropaxError, match="not available"):
        maximum_causal_entropy(mdp, features, expert + 0.1, start)
    with pytest.raises(EntropaxError, match="positive and finite"):
        maximum_causal_entropy(mdp, features, expert, start, 0.0)
    with pytest.raises(EntropaxError, match="take `occupancy` of `demonstrated_policy`"):
        maximum_causal_entropy(mdp, features, 1.01 * expert, start)
    with pytest.raises(EntropaxError, match="at least one episode"):
        demonstrated_policy(mdp, [])
    with pytest.raises(EntropaxError, match="takes action 0 in state 5"):
        demonstrated_policy(mdp, [[(5, 0)]])
    monkeypatch.setattr(inverse, "MOST_STEPS", 2)
    with pytest.raises(EntropaxError, match="no finite reward"):
        maximum_causal_entropy(mdp, features, expert, start)
