"""The entropy bifurcation extension: bends the MaxEnt-optimal policy at a state, and nothing that plain values see.

After Zhang, Chang and Gao, "When Maximum Entropy Misleads Policy Optimization" (ICML 2025), section 5, whose formal
text was not at hand: this is a reconstruction from what the construction is said to do; `docs/theory.md` proves it.
"""

import dataclasses
import math

import numpy as np
from jaxtyping import Float, Int

from entropax.errors import EntropaxError
from entropax.tabular.mdp import MDP, ROUNDING, check_alpha
from entropax.tabular.plain import plain_policy_iteration
from entropax.tabular.soft import soft_policy_iteration

SMALLEST_LOG_MEASURE = math.log(np.finfo(np.float64).tiny)
"""Sets of actions smaller than this have no measure in float64."""

CONTINUE, LEAVE = 0, 1
"""The two actions of a state in a chain."""


@dataclasses.dataclass(frozen=True, eq=False)
class Extension:
    """A problem extended at one state, and where to find its parts."""

    mdp: MDP
    """Its first states are the old ones, in their order and under their names. Then come the chains, named
    `STATE/aACTION/LAYER` after the extended state, and last `STATE/end`, terminal."""
    state: int
    """The extended one."""
    layers: int
    """Length k of every chain."""
    chain: Int[np.ndarray, "branch layers"]
    """State of each available action's chain, in the order of actions."""
    continuing: Float[np.ndarray, "branch layers"]
    """Measure of the set of actions that continues there."""
    end_reward: float
    """What the other actions pay, on the way to the terminal state."""

    @property
    def old(self) -> slice:
        """The states of the problem that was extended."""
        return slice(0, int(self.chain[0, 0]))


@dataclasses.dataclass(frozen=True, eq=False)
class _Chains:
    """What the chains of the available actions ("branches") must do, computed from the old problem."""

    alpha: float
    discount: float
    mass: float
    """Measure of all actions, that of the extended state."""
    wanted: Float[np.ndarray, " branch"]
    """Soft value that the first state of a chain must have."""
    reward: Float[np.ndarray, " branch"]
    """What continuing pays."""
    soft_next: Float[np.ndarray, " branch"]
    """Expected soft value where the chain ends."""

    def log_measure(self, layers: int) -> Float[np.ndarray, " branch"]:
        """Log of the continuing measure at which `layers` states do it, if leaving were worth nothing at all."""
        decay = self.discount**layers
        return (((self.wanted - decay * self.soft_next) * (1 - self.discount) / (1 - decay)) - self.reward) / self.alpha

    def feasible(self, layers: int) -> bool:
        """Whether those measures are less than the whole, and more than nothing in float64."""
        log_measure = self.log_measure(layers)
        return bool(((log_measure > SMALLEST_LOG_MEASURE) & (log_measure < math.log(self.mass))).all())

    def soft_values(self, layers: int) -> Float[np.ndarray, "branch {layers}+1"]:
        """Soft values along each chain, then where it ends."""
        values, cost = [self.soft_next], self.alpha * self.log_measure(layers)
        for _ in range(layers):
            values.append(self.reward + self.discount * values[-1] + cost)
        return np.stack(values[::-1], axis=1)


def bifurcation_extension(
    mdp: MDP,
    state: int,
    target_density: Float[np.ndarray, " action"],
    alpha: float,
    *,
    margin: float = 1.0,
    min_layers: int = 1,
    max_layers: int = 100,
) -> Extension:
    """Extends a problem such that its MaxEnt-optimal policy at `state` becomes `target_density`.

    Each action of that state leads, for its old reward, into a chain of its own. In a chain a set of actions of a given
    measure continues, in the end to where the action led before; all others end the episode. Three things hold:

    * T: at temperature `alpha` the MaxEnt-optimal policy at `state` is the target;
    * P1: plain optimal values and greedy actions at the old states are unchanged;
    * P2: soft values at the old states, so also the MaxEnt-optimal policy at all the others, are unchanged.

    Args:
        mdp: Any problem, transitions deterministic or not.
        state: Where to bend the policy.
        target_density: With respect to the measure at `state`; positive where an action is available.
        alpha: Temperature, in reward per nat, at which T and P2 hold. P1 holds whatever it is.
        margin: How much less leaving a chain pays than the least that needs it to be bad, in reward.
        min_layers: The shortest chain to try, and
        max_layers: the longest; the shortest that does it is taken.

    Raises:
        EntropaxError: An argument is out of range, or no chain of those lengths reaches the target.
    """
    check_alpha(alpha)
    _check_state(mdp, state, target_density)
    if not (math.isfinite(margin) and margin > 0):
        raise EntropaxError(f"margin = {margin} must be positive and finite: leaving a chain has to be worse.")
    if not 1 <= min_layers <= max_layers:
        raise EntropaxError(f"No chain has {min_layers} to {max_layers} layers. Ask for 1 <= min_layers <= max_layers.")
    chains, plain_next = _chains(mdp, state, target_density, alpha)
    layers = next((count for count in range(min_layers, max_layers + 1) if chains.feasible(count)), None)
    if layers is None:
        raise _out_of_reach(mdp, state, chains, plain_next, max_layers)
    values = chains.soft_values(layers)
    lowest = min(plain_next.min(), values[:, :-1].min() - alpha * math.log(chains.mass))
    end_reward = float(lowest - margin)
    # Leaving is worth a little after all, so that a little less than `log_measure` may continue. Both exponents are
    # positive because `end_reward` is below `lowest`, and the first is the smaller one because log_measure < log mass.
    leave_all = (values[:, :-1] - alpha * math.log(chains.mass) - end_reward) / alpha
    leave_one = (chains.reward[:, None] + mdp.discount * values[:, 1:] - end_reward) / alpha
    continuing = np.exp(chains.log_measure(layers))[:, None] * np.expm1(-leave_all) / np.expm1(-leave_one)
    return _assemble(mdp, state, chains, continuing, end_reward)


def _chains(
    mdp: MDP, state: int, target: Float[np.ndarray, " action"], alpha: float
) -> tuple[_Chains, Float[np.ndarray, " branch"]]:
    """What the chains must do, and the expected plain value where each ends."""
    actions = np.flatnonzero(mdp.available[state])
    plain, soft = plain_policy_iteration(mdp).values, soft_policy_iteration(mdp, alpha).values
    plain_next, soft_next = (mdp.transitions[state, actions] @ values for values in (plain, soft))
    log_density = np.log(target[actions] / (mdp.measure[state] @ target))
    wanted = (soft[state] + alpha * log_density - mdp.rewards[state, actions]) / mdp.discount
    mass = float(mdp.measure[state].sum())
    return _Chains(alpha, mdp.discount, mass, wanted, (1 - mdp.discount) * plain_next, soft_next), plain_next


def _assemble(
    mdp: MDP, state: int, chains: _Chains, continuing: Float[np.ndarray, "branch layers"], end_reward: float
) -> Extension:
    (old, width), (branches, layers) = mdp.rewards.shape, continuing.shape
    chain = old + np.arange(branches * layers).reshape(branches, layers)
    end = old + branches * layers
    shape = (end + 1, max(width, 2))
    rewards, measure, transitions = np.zeros(shape), np.zeros(shape), np.zeros((*shape, end + 1))
    rewards[:old, :width], measure[:old, :width] = mdp.rewards, mdp.measure
    transitions[:old, :width, :old] = mdp.transitions
    actions = np.flatnonzero(mdp.available[state])
    transitions[chain[:, -1], CONTINUE, :old] = mdp.transitions[state, actions]
    transitions[chain[:, :-1], CONTINUE, chain[:, 1:]] = 1
    transitions[state, actions] = 0
    transitions[state, actions, chain[:, 0]] = 1
    transitions[chain, LEAVE, end] = 1
    rewards[chain, CONTINUE], rewards[chain, LEAVE] = chains.reward[:, None], end_reward
    measure[chain, CONTINUE], measure[chain, LEAVE] = continuing, chains.mass - continuing
    name = mdp.names[state]
    chain_names = tuple(f"{name}/a{action}/{layer + 1}" for action in actions for layer in range(layers))
    extended = MDP(rewards, transitions, measure, mdp.discount, (*mdp.names, *chain_names, f"{name}/end"))
    return Extension(extended, state, layers, chain, continuing, end_reward)


def _check_state(mdp: MDP, state: int, target: Float[np.ndarray, " action"]) -> None:
    if not 0 <= state < len(mdp.names) or mdp.terminal[state]:
        raise EntropaxError(
            f"State {state} is terminal or does not exist, so no policy acts there. Choose one of "
            f"{np.flatnonzero(~mdp.terminal).tolist()}."
        )
    if f"{mdp.names[state]}/end" in mdp.names:
        raise EntropaxError(
            f"State {mdp.names[state]!r} has been extended already, and its chains would have the same names. Extend "
            "the old problem with the target that you want in the end; other states can be extended in turn."
        )
    if mdp.discount == 0:
        raise EntropaxError("With discount 0 no action sees what follows, so nothing bends it. Use a positive one.")
    available = mdp.available[state]
    if target.shape != available.shape or not (np.isfinite(target).all() and np.array_equal(target > 0, available)):
        raise EntropaxError(
            f"The target has shape {target.shape}; it must be [{available.size}], positive exactly at the available "
            f"actions {np.flatnonzero(available).tolist()} and 0 at others: soft policies never put 0 on an action."
        )
    mass = float(mdp.measure[state] @ target)
    if abs(mass - 1) > ROUNDING:
        raise EntropaxError(
            f"The target times the measure sums to {mass:.12g}, so it is no density. Divide probabilities by the "
            "measure of their actions."
        )


def _out_of_reach(
    mdp: MDP, state: int, chains: _Chains, plain_next: Float[np.ndarray, " branch"], max_layers: int
) -> EntropaxError:
    name, actions = mdp.names[state], np.flatnonzero(mdp.available[state])
    start = f"No chain of at most {max_layers} layers gives state {name!r} the target policy: "
    vanishing = chains.log_measure(max_layers) <= SMALLEST_LOG_MEASURE
    if vanishing.any():
        return EntropaxError(
            f"{start}behind action {actions[np.argmax(vanishing)]} so little may continue that it has measure 0 in "
            "float64. Ask for more density at this action, or raise max_layers: longer chains need less of each layer."
        )
    ceiling = plain_next + chains.alpha * math.log(chains.mass) / (1 - chains.discount)
    worst = int(np.argmax(chains.wanted - ceiling))
    return EntropaxError(
        f"{start}behind action {actions[worst]} it needs a soft value of {chains.wanted[worst]:.6g}, and however long, "
        f"chains only tend to {ceiling[worst]:.6g}, the plain value there plus alpha log {chains.mass:.6g} / (1 - "
        "discount). Raise alpha, the discount or the measure of all actions, ask for less density at this action, or, "
        "where the value needed is the lower one, raise max_layers."
    )
