"""Policies over [-1, 1] on a finite problem, exactly: what a tanh-Gaussian does there, earns, and would do at best."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr

from entropax.experiments.toy_theory import entropies
from entropax.tabular import MDP, Finite, action_values
from entropax.tabular.mdp import fixed_point

AtMost = Callable[[int, float], np.ndarray]
"""P(a <= place | state) of some policies, `[*policies]`, from a state and a place in (-1, 1)."""

_MEANS = np.linspace(-3.0, 3.0, 121)
_LOG_SIGMAS = np.linspace(-4.0, 1.0, 51)


def chances(task: Finite, state: int, at_most: AtMost) -> Float[np.ndarray, "*policies action"]:
    """Probability of each action of the finite problem at a state that is not terminal.

    Example:
        >>> from entropax.tabular import toy
        >>> uniform = lambda state, place: np.array((place + 1) / 2)
        >>> chances(Finite.of(toy(), 0), 1, uniform).round(6).tolist()
        [0.1, 0.9]
    """
    middle, ends = float(task.middle[state]), np.asarray(task.ends[state], np.float64)
    if middle > 0:
        inside = at_most(state, middle) - at_most(state, -middle)
        found = np.stack([inside, 1 - inside], axis=-1)
        return np.concatenate([found, np.zeros((*inside.shape, len(ends) - 2))], axis=-1)
    shape = at_most(state, 0.0).shape
    below = [at_most(state, end) if abs(end) < 1 else np.full(shape, float(end >= 1)) for end in ends.tolist()]
    return np.diff(np.stack(below, axis=-1), axis=-1, prepend=0.0)


def densities(mdp: MDP, task: Finite, at_most: AtMost) -> Float[np.ndarray, "policy state action"]:
    """The policies as densities with respect to the problem's measure; `at_most` gives `[policy]`."""
    policies, found = at_most(0, 0.0).size, np.zeros((at_most(0, 0.0).size, *mdp.measure.shape))
    for state in np.flatnonzero(~mdp.terminal):
        available = mdp.available[state]
        each = chances(task, int(state), at_most)[:, available]
        found[:, state, available] = each.reshape(policies, -1) / mdp.measure[state, available]
    return found


def choices(task: Finite, state: int, modes: Float[np.ndarray, " policy"]) -> np.ndarray:
    """Which action of the finite problem each deterministic action in [-1, 1] is, `[policy]`."""
    return chances(task, state, lambda _, place: (modes <= place).astype(float)).argmax(axis=-1)


def episode_return(mdp: MDP, density: Float[np.ndarray, "state action"], start: int, steps: int) -> float:
    """Expected undiscounted reward of the first steps of an episode."""
    taken = mdp.measure * density
    gain, moves = np.sum(taken * mdp.rewards, axis=1), np.einsum("sa,sat->st", taken, mdp.transitions)
    there, total = np.eye(len(mdp.names))[start], 0.0
    for _ in range(steps):
        total, there = total + float(there @ gain), there @ moves
    return total


class GaussianOptimum(NamedTuple):
    """The MaxEnt-optimal policy among tanh-Gaussians, one a state."""

    mean: Float[np.ndarray, " state"]
    """Before the tanh; 0 in terminal states."""
    sigma: Float[np.ndarray, " state"]
    """Before the tanh; 1 in terminal states."""


def best_gaussian(mdp: MDP, task: Finite, alpha: float) -> GaussianOptimum:
    """Soft value iteration whose policies are tanh-Gaussians on a grid of 121 means and 51 sigmas.

    V(s) = max over the grid of E[Q(s, a)] + alpha H; the maximum is a contraction, as that over all densities is.

    Args:
        mdp: The problem.
        task: The same, laid out on [-1, 1].
        alpha: Temperature, in reward per nat.
    """
    acting = np.flatnonzero(~mdp.terminal)
    sigmas = np.exp(_LOG_SIGMAS)
    nats = entropies(tuple(_MEANS.tolist()), tuple(_LOG_SIGMAS.tolist())).ravel()

    def at_most(state: int, place: float) -> np.ndarray:
        return ndtr((math.atanh(place) - _MEANS[:, None]) / sigmas).ravel()

    taken = np.stack([chances(task, int(state), at_most) for state in acting])

    def soft(values: Float[np.ndarray, " state"]) -> Float[np.ndarray, "acting option"]:
        q = np.where(mdp.available, action_values(mdp, values), 0.0)[acting]
        return np.einsum("soa,sa->so", taken, q) + alpha * nats

    def backup(values: Float[np.ndarray, " state"]) -> Float[np.ndarray, " state"]:
        found = np.zeros(len(values))
        found[acting] = soft(values).max(axis=1)
        return found

    mean_at, sigma_at = np.unravel_index(
        soft(fixed_point(backup, mdp, 1e-4)).argmax(axis=1), (len(_MEANS), len(sigmas))
    )
    mean, sigma = np.zeros(len(mdp.names)), np.ones(len(mdp.names))
    mean[acting], sigma[acting] = _MEANS[mean_at], sigmas[sigma_at]
    return GaussianOptimum(mean, sigma)
