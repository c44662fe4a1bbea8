"""What policies do in the first state of a random problem, exactly, and why those that choose wrongly do."""

import dataclasses
import enum
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.special import ndtr

from entropax.distributions import Normal, TanhNormal
from entropax.experiments.bifurcation import ALPHA, BENT, Problem
from entropax.experiments.bifurcation_theory import AtMost, best_gaussian, chances, choices, densities
from entropax.policies import AbstractActor
from entropax.tabular import MDP, action_values, plain_policy_iteration, reward_values, soft_policy_iteration
from entropax.tabular.environment import MASS


class Smoothing(NamedTuple):
    """Noise on a deterministic policy's actions in its critics' targets, as TD3 has it."""

    sigma: float
    """Standard deviation of the noise, in units of [-1, 1]."""
    limit: float
    """What it is clipped to, in the same units."""


class Cause(enum.Enum):
    """Why a learner does not take the best action, by what that would be worth with all else as the policy has it."""

    ELSEWHERE = "wrong elsewhere"
    """Even its deterministic actions would earn no more: what it does elsewhere is wrong."""
    NOISE = "noise"
    """They would, but the actions that its critics average over, noise included, would not."""
    ENTROPY = "entropy"
    """Those would as well, but not with entropies added."""
    STUCK = "own values"
    """All would: its own values are for the best action, and it is not there."""


class Learned(NamedTuple):
    """What a method's last policies do on a problem, exactly."""

    choice: Int[np.ndarray, " seeds"]
    """Deterministic action in the first state."""
    chances: Float[np.ndarray, "seeds action"]
    """Probabilities of drawn ones there."""
    lost: Float[np.ndarray, " seeds"]
    """Discounted plain value at the first state, less than the optimum, of deterministic actions everywhere."""
    lost_drawn: Float[np.ndarray, " seeds"]
    """The same of drawn actions."""
    gain: Float[np.ndarray, " seeds"]
    """What the best action is worth more than the chosen one, in discounted plain value, with deterministic actions
    elsewhere."""
    gain_noisy: Float[np.ndarray, " seeds"]
    """The same with the actions elsewhere that critics average over: drawn, or smoothed."""
    gain_entropy: Float[np.ndarray, " seeds"]
    """How much more entropy of drawn actions follows the best action than the chosen one, discounted, in nats."""


class Theory(NamedTuple):
    """What MaxEnt-optimal policies do in the first state."""

    exact: Float[np.ndarray, " action"]
    """Probabilities, by the best of all densities."""
    gaussian: Float[np.ndarray, " action"]
    """By the best tanh-Gaussian."""
    choice: int
    """The deterministic action of that tanh-Gaussian."""
    plain_change: float
    """The most that the extension changed a plain value of an old state."""
    noisiest: int
    """The action of most discounted plain value where actions elsewhere are uniform."""


class _Read(NamedTuple):
    """A policy a seed, tabulated."""

    mean: Float[np.ndarray, "state seeds"]
    log_std: Float[np.ndarray, "state seeds"]
    mode: Float[np.ndarray, "state seeds"]
    entropy: Float[np.ndarray, "state seeds"]


def learned(problem: Problem, actors: AbstractActor, smoothing: Smoothing | None = None) -> Learned:
    """Reads a policy a seed, leaves `[seeds, ...]`, off its network; its actions' probabilities are normal ones.

    Args:
        problem: What was learned on.
        actors: The last policies.
        smoothing: The noise in the critics' targets, where these do not average over drawn actions.
    """
    squashed = isinstance(jax.eval_shape(lambda: _first(actors)(_seen(problem)[0])), TanhNormal)
    latent, read = math.atanh if squashed else float, _read(problem, actors)

    def drawn(state: int, place: float) -> np.ndarray:
        return ndtr((latent(place) - read.mean[state]) / np.exp(read.log_std[state]))

    def deterministic(state: int, place: float) -> np.ndarray:
        return (read.mode[state] <= place).astype(float)

    def smoothed(state: int, place: float) -> np.ndarray:
        assert smoothing is not None
        beyond = place - read.mode[state]
        inside = np.where(beyond < -smoothing.limit, 0.0, ndtr(beyond / smoothing.sigma))
        return np.where(beyond >= smoothing.limit, 1.0, inside)

    choice = choices(problem.task(), BENT, read.mode[BENT])
    averaged = drawn if smoothing is None else smoothed
    return Learned(
        choice=choice,
        chances=chances(problem.task(), BENT, drawn),
        lost=_lost(problem, deterministic),
        lost_drawn=_lost(problem, drawn),
        gain=_gain(problem, choice, deterministic),
        gain_noisy=_gain(problem, choice, averaged),
        gain_entropy=_gain(problem, choice, drawn, read.entropy),
    )


def _seen(problem: Problem) -> Float[Array, "state state"]:
    return jnp.eye(len(problem.mdp.names), dtype=jnp.float32)


def _first(actors: AbstractActor) -> AbstractActor:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[0], actors)


def _read(problem: Problem, actors: AbstractActor) -> _Read:
    def one(actor: AbstractActor, state: Array) -> tuple[Array, ...]:
        policy = actor(state)
        assert isinstance(policy, TanhNormal | Normal)
        return policy.mean[0], policy.log_std[0], policy.mode()[0], policy.entropy()

    states = _seen(problem)
    each = jax.vmap(lambda actor: jax.vmap(lambda state: one(actor, state))(states))(jax.tree.map(jnp.asarray, actors))
    return _Read(*(np.asarray(part, np.float64).T for part in each))


def _lost(problem: Problem, at_most: AtMost) -> Float[np.ndarray, " seeds"]:
    mdp, best = problem.mdp, plain_policy_iteration(problem.mdp).values[BENT]
    return np.array([best - reward_values(mdp, each)[BENT] for each in densities(mdp, problem.task(), at_most)])


def _gain(
    problem: Problem,
    choice: Int[np.ndarray, " seeds"],
    at_most: AtMost,
    entropy: Float[np.ndarray, "state seeds"] | None = None,
) -> Float[np.ndarray, " seeds"]:
    """Q(best) − Q(chosen) in the first state, of the policies' rewards or, where given, of their entropies instead."""
    found = []
    for seed, density in enumerate(densities(problem.mdp, problem.task(), at_most)):
        mdp = problem.mdp if entropy is None else _paying(problem.mdp, entropy[:, seed])
        q = action_values(mdp, reward_values(mdp, density))[BENT]
        found.append(q[problem.best] - q[choice[seed]])
    return np.array(found)


def _paying(mdp: MDP, each: Float[np.ndarray, " state"]) -> MDP:
    """The problem with a state's number as the reward of all its actions."""
    return dataclasses.replace(mdp, rewards=np.where(mdp.available, each[:, None], 0.0))


def causes(problem: Problem, found: Learned, alpha: float) -> list[Cause]:
    """Why each learner that does not take the best action does not.

    Args:
        problem: What was learned on.
        found: What was learned.
        alpha: How much a nat weighs in what the method's policy climbs; 0 where it does not count.
    """
    wrong = found.choice != problem.best
    gains = np.stack([found.gain, found.gain_noisy, found.gain_noisy + alpha * found.gain_entropy], axis=1)[wrong]
    order = (Cause.ELSEWHERE, Cause.NOISE, Cause.ENTROPY)
    return [next((cause for cause, gain in zip(order, each, strict=True) if gain <= 0), Cause.STUCK) for each in gains]


def theory(problem: Problem) -> Theory:
    """By exact dynamic programming, over all densities and over tanh-Gaussians."""
    mdp, task = problem.mdp, problem.task()
    exact = mdp.measure[BENT] * soft_policy_iteration(mdp, ALPHA).density[BENT]
    gaussian = best_gaussian(mdp, task, ALPHA)

    def at_most(state: int, place: float) -> np.ndarray:
        return ndtr((math.atanh(place) - gaussian.mean[[state]]) / gaussian.sigma[[state]])

    choice = int(choices(task, BENT, np.tanh(gaussian.mean[[BENT]]))[0])
    before, after = (plain_policy_iteration(each).values for each in (problem.old, mdp))
    change = float(np.abs(after[problem.extension.old] - before).max())
    noisiest = int(action_values(mdp, reward_values(mdp, mdp.available / MASS))[BENT].argmax())
    return Theory(exact, chances(task, BENT, at_most)[0], choice, change, noisiest)
