"""Inverse reinforcement learning by maximum causal entropy: from what an expert does to a reward that explains it.

Ziebart, Bagnell and Dey, "Modeling Interaction via the Principle of Maximum Causal Entropy" (ICML 2010), here over
discounted sums. `docs/inverse.md` has the equations.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

from entropax.errors import EntropaxError
from entropax.tabular.evaluation import occupancy
from entropax.tabular.mdp import MDP, ROUNDING, check_alpha
from entropax.tabular.soft import SoftSolution, soft_policy_iteration

MOST_STEPS = 500
"""Of L-BFGS, after which an expert counts as not to be explained."""

LARGEST_LEAK = 1e-6
"""How far an expert's visits may be from those that its transitions bring, in shares of the most visited state."""

Episode = Sequence[tuple[int, int]]
"""A demonstration: state and action of every step, from the first on."""


class Likelihood(NamedTuple):
    """How well a reward explains an expert, and what would explain it better."""

    value: float
    """Expected discounted sum of the log-densities of what the expert does, nats."""
    gradient: Float[np.ndarray, " feature"]
    """By the weights: (the expert's feature expectations - the learner's) / alpha."""


class Recovered(NamedTuple):
    """A reward found, and the policy that is MaxEnt-optimal for it."""

    weights: Float[np.ndarray, " feature"]
    rewards: Float[np.ndarray, "state action"]
    """features · weights."""
    density: Float[np.ndarray, "state action"]
    """Of the policy, with respect to the measure."""
    occupancy: Float[np.ndarray, "state action"]
    log_likelihood: float
    gap: float
    """Greatest difference between a feature expectation of the expert and of the policy."""


def demonstrated_policy(mdp: MDP, episodes: Sequence[Episode]) -> Float[np.ndarray, "state action"]:
    """The density under which demonstrations are likeliest: shares of the actions in each state.

    Uniform in states that no demonstration visits. Its `occupancy` is that of an expert; the counts themselves are not,
    as draws do not follow the problem's transitions exactly.

    Args:
        mdp: What was acted in; its rewards are not looked at.
        episodes: Demonstrations, of any length.

    Raises:
        EntropaxError: There is none, or one has an action that its state has not.
    """
    if not episodes:
        raise EntropaxError("No demonstration was given, so there is nothing to explain. Give at least one episode.")
    counts = np.zeros_like(mdp.measure)
    for episode in episodes:
        for time, (state, action) in enumerate(episode):
            if not (0 <= state < counts.shape[0] and 0 <= action < counts.shape[1] and mdp.available[state, action]):
                raise EntropaxError(
                    f"Step {time} of a demonstration takes action {action} in state {state}, which the problem does "
                    "not have. Actions of measure 0 are not available."
                )
            counts[state, action] += 1
    weights = np.where(counts.sum(axis=1, keepdims=True) > 0, counts, mdp.measure)
    mass = np.where(mdp.terminal, 1.0, weights.sum(axis=1))[:, None]
    return np.divide(weights / mass, mdp.measure, out=np.zeros_like(counts), where=mdp.available)


def causal_likelihood(
    mdp: MDP,
    features: Float[np.ndarray, "state action feature"],
    weights: Float[np.ndarray, " feature"],
    expert: Float[np.ndarray, "state action"],
    start: Float[np.ndarray, " state"],
    alpha: float,
) -> Likelihood:
    """L(w) = sum_{s,a} D_E(s, a) log pi_w(a|s), pi_w being MaxEnt-optimal for the reward features · w; concave in w.

    By the soft Bellman equation it is (w · f_E - sum_s p_0(s) V_w(s)) / alpha, f_E being the expert's feature
    expectations.

    Args:
        mdp: Transitions, measure and discount; its rewards are not looked at.
        features: Of every state and action.
        weights: w.
        expert: D_E, its discounted occupancy.
        start: p_0, probability of every first state.
        alpha: Temperature, in reward per nat.

    Raises:
        EntropaxError: A shape does not fit, an entry is not finite, the start is no distribution, the expert's
            occupancy does not follow the transitions, or alpha is not positive.
    """
    _check(mdp, features, expert, start)
    solution = _explained(mdp, features, weights, alpha)
    wanted = np.einsum("sa,saf->f", expert, features)
    learned = np.einsum("sa,saf->f", occupancy(mdp, solution.density, start), features)
    return Likelihood(float(weights @ wanted - start @ solution.values) / alpha, (wanted - learned) / alpha)


def maximum_causal_entropy(
    mdp: MDP,
    features: Float[np.ndarray, "state action feature"],
    expert: Float[np.ndarray, "state action"],
    start: Float[np.ndarray, " state"],
    alpha: float = 1.0,
    *,
    tolerance: float = 1e-6,
) -> Recovered:
    """Finds the policy of most causal entropy with the expert's feature expectations, and the reward it is optimal for.

    L-BFGS climbs `causal_likelihood` from weights 0, with an exact soft solution for each gradient. The reward is one
    of many that explain the expert; the policy is unique.

    Args:
        mdp: Transitions, measure and discount; its rewards are not looked at.
        features: Of every state and action; one for every pair of them leaves the reward free.
        expert: Its discounted occupancy, as `occupancy` gives it.
        start: Probability of every first state.
        alpha: Temperature, in reward per nat; it only scales the reward.
        tolerance: How far feature expectations may stay apart.

    Raises:
        EntropaxError: A shape does not fit, an entry is not finite, the start is no distribution, the expert's
            occupancy does not follow the transitions, alpha is not positive, or no weights found come within the
            tolerance.
    """
    check_alpha(alpha)

    # In weights over alpha, of which neither the likelihood nor the climb depends on alpha.
    def climb(scaled: Float[np.ndarray, " feature"]) -> tuple[float, Float[np.ndarray, " feature"]]:
        likelihood = causal_likelihood(mdp, features, alpha * scaled, expert, start, alpha)
        return -likelihood.value, -alpha * likelihood.gradient

    options = {"maxiter": MOST_STEPS, "maxcor": 50, "ftol": 0.0, "gtol": tolerance}
    weights = alpha * minimize(climb, np.zeros(features.shape[2]), jac=True, method="L-BFGS-B", options=options).x
    likelihood = causal_likelihood(mdp, features, weights, expert, start, alpha)
    gap = alpha * float(np.max(np.abs(likelihood.gradient), initial=0.0))
    if gap > tolerance:
        raise EntropaxError(
            f"No weights found bring the feature expectations nearer than {gap:.3g} to the expert's, but "
            f"{tolerance:.3g} was asked for. An expert that never takes an available action is explained by no finite "
            "reward: mix a little of another policy into it, use coarser features, or a larger tolerance."
        )
    solution = _explained(mdp, features, weights, alpha)
    visits = occupancy(mdp, solution.density, start)
    return Recovered(weights, features @ weights, solution.density, visits, likelihood.value, gap)


def _explained(
    mdp: MDP, features: Float[np.ndarray, "state action feature"], weights: Float[np.ndarray, " feature"], alpha: float
) -> SoftSolution:
    return soft_policy_iteration(dataclasses.replace(mdp, rewards=features @ weights), alpha)


def _check(
    mdp: MDP,
    features: Float[np.ndarray, "state action feature"],
    expert: Float[np.ndarray, "state action"],
    start: Float[np.ndarray, " state"],
) -> None:
    shape = mdp.measure.shape
    if features.shape[:2] != shape or expert.shape != shape:
        raise EntropaxError(
            f"Features have shape {features.shape} and the expert's occupancy {expert.shape}, but the problem's states "
            f"and actions are {shape}: features are [state, action, feature], the occupancy is [state, action]."
        )
    for name, values in (("features", features), ("expert's occupancy", expert), ("start", start)):
        if not np.isfinite(values).all():
            raise EntropaxError(f"Entries of the {name} are not finite. Look for a division by a count of 0.")
    if (expert < 0).any() or (expert[~mdp.available] > 0).any():
        raise EntropaxError("The expert's occupancy is negative, or positive where an action is not available.")
    if start.shape != shape[:1] or (start < 0).any() or abs(start.sum() - 1) > ROUNDING:
        raise EntropaxError(
            f"The start has shape {start.shape} and sums to {start.sum():.12g}; it must be a probability of each of "
            f"the {shape[0]} states."
        )
    flow = start + mdp.discount * np.einsum("sa,sat->t", expert, mdp.transitions)
    astray = np.where(mdp.terminal, 0.0, np.abs(expert.sum(axis=1) - flow))
    if astray.max() > LARGEST_LEAK * max(1.0, flow.max()):
        state = int(np.argmax(astray))
        raise EntropaxError(
            f"The expert's occupancy of state {mdp.names[state]!r} is {expert[state].sum():.6g}, but by the start and "
            f"the transitions {flow[state]:.6g} comes there, so no policy has it. Counts of demonstrations are such: "
            "take `occupancy` of `demonstrated_policy`."
        )
