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


def _discounted(
    mdp: MDP, density: Float[np.ndarray, "state action"], gain: Float[np.ndarray, " state"]
) -> Float[np.ndarray, " state"]:
    """V = gain + discount P V, where P are the policy's transitions; terminal states have none and gain nothing."""
    policy = np.einsum("sa,sat->st", mdp.measure * density, mdp.transitions)
    return np.linalg.solve(np.eye(len(mdp.names)) - mdp.discount * policy, gain)


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
