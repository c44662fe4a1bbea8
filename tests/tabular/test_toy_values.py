"""The toy: its exact values, and where the MaxEnt-optimal policy changes sides."""

import numpy as np
import pytest

from entropax.tabular import plain_policy_iteration, reward_values, soft_policy_iteration, toy

CRITICAL = 2 / np.log(10)
"""Without the reward of missing, V_soft(good) = V_soft(bad) is 1 + alpha log 0.2 = -1 + alpha log 2."""


@pytest.mark.parametrize("alpha", [0.1, 0.2, 1.0, 5.0])
def test_soft_values_are_the_closed_forms(alpha):
    mdp = toy()
    solution = soft_policy_iteration(mdp, alpha)
    good = alpha * np.log(0.2 * np.exp(1 / alpha) + 1.8 * np.exp(-20 / alpha))
    bad = -1 + alpha * np.log(2)
    start = alpha * np.log(np.exp(0.99 * good / alpha) + np.exp(0.99 * bad / alpha))
    np.testing.assert_allclose(solution.values, [start, good, bad, 0, 0, 0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(solution.action_values[0], [0.99 * good, 0.99 * bad], rtol=0, atol=1e-12)


def test_the_published_setting():
    """The values at alpha = 1 and 0.2 of an independent calculation, to the digits that it gives."""
    solution = soft_policy_iteration(toy(), 1.0)
    np.testing.assert_allclose(solution.values[1:3], [-0.6094, -0.3069], rtol=0, atol=5e-5)
    np.testing.assert_allclose(solution.action_values[0], [-0.6033, -0.3038], rtol=0, atol=5e-5)
    assert round(float(solution.density[0, 1]), 3) == 0.574
    np.testing.assert_allclose(soft_policy_iteration(toy(), 0.2).values[1:3], [0.678, -0.861], rtol=0, atol=5e-4)


def test_the_critical_alpha():
    assert round(CRITICAL, 3) == 0.869

    def lead(alpha):
        values = soft_policy_iteration(toy(), alpha).values
        return values[1] - values[2]

    # Missing lifts the gate by alpha log(1 + 9 exp(-21 / alpha)), which is 2.5e-10 here.
    np.testing.assert_allclose(lead(CRITICAL), CRITICAL * np.log1p(9 * np.exp(-21 / CRITICAL)), rtol=0, atol=1e-14)
    assert lead(CRITICAL - 1e-3) > 1e-4
    assert lead(CRITICAL + 1e-3) < -1e-4


def test_plain_values_prefer_the_gate():
    solution = plain_policy_iteration(toy())
    np.testing.assert_allclose(solution.values, [0.99, 1, -1, 0, 0, 0], rtol=0, atol=1e-15)
    assert solution.greedy[:2].tolist() == [0, 0]


def test_the_plain_value_of_the_maxent_policy_prefers_it_too():
    """Soft and plain landscapes are opposed at the start: what the policy earns says left, its entropy says right."""
    mdp, soft = toy(), soft_policy_iteration(toy(), 1.0)
    earned = reward_values(mdp, soft.density)
    assert earned[1] > 0.99 > -1 == earned[2]
    assert soft.values[1] < soft.values[2]
