"""Soft dynamic programming: the greatest expected discounted sum of rewards and alpha times entropies.

V(s) = alpha log ∫ exp(Q(s, a) / alpha) da, and the optimal policy has the density exp((Q(s, a) - V(s)) / alpha). See
Haarnoja et al., "Reinforcement Learning with Deep Energy-Based Policies" (2017), theorem 1; the integral here is over
the measure of the problem.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from entropax.tabular.evaluation import entropy_values, reward_values
from entropax.tabular.mdp import MDP, action_values, check_alpha, fixed_point


class SoftSolution(NamedTuple):
    """Optimal soft values and the policy that has them."""

    values: Float[np.ndarray, " state"]
    action_values: Float[np.ndarray, "state action"]
    """-inf where an action is not available."""
    density: Float[np.ndarray, "state action"]
    """Of the MaxEnt-optimal policy; an action's probability is its measure times this."""


def soft_value_iteration(mdp: MDP, alpha: float, tolerance: float = 1e-10) -> SoftSolution:
    """Repeats V(s) = alpha log ∫ exp(Q(s, a) / alpha) until V is within `tolerance` of the optimum.

    Args:
        mdp: The problem.
        alpha: Temperature, in reward per nat.
        tolerance: In reward.

    Raises:
        EntropaxError: alpha is not positive and finite, or the tolerance is not positive.
    """
    check_alpha(alpha)

    def backup(values: Float[np.ndarray, " state"]) -> Float[np.ndarray, " state"]:
        return _boltzmann(mdp, alpha, action_values(mdp, values))[0]

    return _solution(mdp, alpha, fixed_point(backup, mdp, tolerance))


def soft_policy_iteration(mdp: MDP, alpha: float) -> SoftSolution:
    """Evaluates a policy exactly and makes it the Boltzmann density of its values in turn; exact up to rounding.

    This is Newton's method on the soft Bellman equation: values rise, and the error squares with every round.

    Args:
        mdp: The problem.
        alpha: Temperature, in reward per nat.

    Raises:
        EntropaxError: alpha is not positive and finite.
    """
    check_alpha(alpha)
    values = _value_of_boltzmann(mdp, alpha, np.zeros(len(mdp.names)))
    while True:
        improved = _value_of_boltzmann(mdp, alpha, values)
        if not improved.sum() > values.sum():
            return _solution(mdp, alpha, values)
        values = improved


def _boltzmann(
    mdp: MDP, alpha: float, actions: Float[np.ndarray, "state action"]
) -> tuple[Float[np.ndarray, " state"], Float[np.ndarray, "state action"]]:
    """The value alpha log ∫ exp(Q / alpha), and exp(Q / alpha) divided by that integral; 0 in terminal states."""
    values, density = np.zeros(len(mdp.names)), np.zeros_like(mdp.measure)
    acting = np.flatnonzero(~mdp.terminal)
    best = actions[acting].max(axis=1, keepdims=True)
    shifted = (actions[acting] - best) / alpha
    log_mass = np.asarray(logsumexp(shifted, b=mdp.measure[acting], axis=1, keepdims=True))
    values[acting] = (best + alpha * log_mass)[:, 0]
    density[acting] = np.exp(shifted - log_mass)
    return values, density


def _value_of_boltzmann(mdp: MDP, alpha: float, values: Float[np.ndarray, " state"]) -> Float[np.ndarray, " state"]:
    _, density = _boltzmann(mdp, alpha, action_values(mdp, values))
    return reward_values(mdp, density) + alpha * entropy_values(mdp, density)


def _solution(mdp: MDP, alpha: float, values: Float[np.ndarray, " state"]) -> SoftSolution:
    actions = action_values(mdp, values)
    return SoftSolution(values, actions, _boltzmann(mdp, alpha, actions)[1])
