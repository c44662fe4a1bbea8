"""What a given policy is worth, its reward and its entropy apart."""

import numpy as np
from jaxtyping import Float
from scipy.special import xlogy

from entropax.errors import EntropaxError
from entropax.tabular.mdp import MDP, ROUNDING


def reward_values(mdp: MDP, density: Float[np.ndarray, "state action"]) -> Float[np.ndarray, " state"]:
    """Expected discounted sum of rewards from each state, by one linear solve.

    Args:
        mdp: The problem.
        density: Of the policy, with respect to the measure.

    Raises:
        EntropaxError: The density has another shape, is negative, or does not integrate to 1 in each state.
    """
    _check_density(mdp, density)
    return _discounted(mdp, density, np.sum(mdp.measure * density * mdp.rewards, axis=1))


def entropy_values(mdp: MDP, density: Float[np.ndarray, "state action"]) -> Float[np.ndarray, " state"]:
    """Expected discounted sum of the policy's entropies, in nats, from each state on; the state's own included.

    The soft value of the policy at temperature alpha is `reward_values + alpha * entropy_values`, for every alpha.

    Args:
        mdp: The problem.
        density: Of the policy, with respect to the measure.

    Raises:
        EntropaxError: The density has another shape, is negative, or does not integrate to 1 in each state.
    """
    _check_density(mdp, density)
    return _discounted(mdp, density, -np.sum(mdp.measure * xlogy(density, density), axis=1))


def occupancy(
    mdp: MDP, density: Float[np.ndarray, "state action"], start: Float[np.ndarray, " state"]
) -> Float[np.ndarray, "state action"]:
    """D(s, a) = sum_t discount^t P(s_t = s, a_t = a), by one linear solve forward in time.

    It sums to 1 / (1 - discount) where no episode ends, and the expected discounted sum of rewards is `rewards · D`.

    Args:
        mdp: The problem.
        density: Of the policy, with respect to the measure.
        start: Probability of every first state.

    Raises:
        EntropaxError: The density has another shape, is negative, or does not integrate to 1 in each state.
    """
    _check_density(mdp, density)
    visits = np.linalg.solve((np.eye(len(mdp.names)) - mdp.discount * _policy_transitions(mdp, density)).T, start)
    return visits[:, None] * mdp.measure * density


def _discounted(
    mdp: MDP, density: Float[np.ndarray, "state action"], gain: Float[np.ndarray, " state"]
) -> Float[np.ndarray, " state"]:
    """V = gain + discount P V, where P are the policy's transitions; terminal states gain nothing."""
    return np.linalg.solve(np.eye(len(mdp.names)) - mdp.discount * _policy_transitions(mdp, density), gain)


def _policy_transitions(mdp: MDP, density: Float[np.ndarray, "state action"]) -> Float[np.ndarray, "state next"]:
    """P(s'|s) under the policy; terminal states lead nowhere."""
    return np.einsum("sa,sat->st", mdp.measure * density, mdp.transitions)


def _check_density(mdp: MDP, density: Float[np.ndarray, "state action"]) -> None:
    if density.shape != mdp.measure.shape:
        raise EntropaxError(f"The density has shape {density.shape}, the problem's actions {mdp.measure.shape}.")
    mass = np.sum(mdp.measure * density, axis=1)
    wrong = (density < 0).any(axis=1) | ~(np.abs(mass - ~mdp.terminal) <= ROUNDING)
    if wrong.any():
        state = int(np.argmax(wrong))
        raise EntropaxError(
            f"At state {mdp.names[state]!r} the density times the measure sums to {mass[state]:.12g} and the smallest "
            f"entry is {density[state].min():.12g}; it must be a density. Divide probabilities by the measure."
        )
