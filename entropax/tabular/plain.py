"""Plain dynamic programming: the greatest expected discounted sum of rewards."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from entropax.tabular.evaluation import reward_values
from entropax.tabular.mdp import MDP, action_values, fixed_point


class PlainSolution(NamedTuple):
    """Optimal values and a greedy policy."""

    values: Float[np.ndarray, " state"]
    action_values: Float[np.ndarray, "state action"]
    """-inf where an action is not available."""
    greedy: Int[np.ndarray, " state"]
    """The best action, the first among equals; 0 in terminal states, which have none."""


def plain_value_iteration(mdp: MDP, tolerance: float = 1e-10) -> PlainSolution:
    """Repeats V(s) = max over a of Q(s, a) until V is within `tolerance` of the optimum.

    Raises:
        EntropaxError: The tolerance is not positive.
    """

    def backup(values: Float[np.ndarray, " state"]) -> Float[np.ndarray, " state"]:
        return np.where(mdp.terminal, 0.0, action_values(mdp, values).max(axis=1))

    return _solution(mdp, fixed_point(backup, mdp, tolerance))


def plain_policy_iteration(mdp: MDP) -> PlainSolution:
    """Evaluates a policy exactly and makes it greedy in turn; exact up to rounding.

    No policy's value falls by being made greedy, so the sum of values rises strictly until the policy is optimal.
    """
    values = _value_of_greedy(mdp, np.zeros(len(mdp.names)))
    while True:
        improved = _value_of_greedy(mdp, values)
        if not improved.sum() > values.sum():
            return _solution(mdp, values)
        values = improved


def _value_of_greedy(mdp: MDP, values: Float[np.ndarray, " state"]) -> Float[np.ndarray, " state"]:
    greedy = action_values(mdp, values).argmax(axis=1)[:, None]
    density = np.zeros_like(mdp.measure)
    # A whole unit of probability on one action is a density of 1 / measure there; terminal states have none.
    acting = np.flatnonzero(~mdp.terminal)
    density[acting, greedy[acting, 0]] = 1 / mdp.measure[acting, greedy[acting, 0]]
    return reward_values(mdp, density)


def _solution(mdp: MDP, values: Float[np.ndarray, " state"]) -> PlainSolution:
    actions = action_values(mdp, values)
    return PlainSolution(values, actions, actions.argmax(axis=1))
