"""Random problems that an entropy bifurcation extension bends at their first state, and who falls for it.

Each has a control: the same extension whose target is the policy that MaxEnt has there anyway. Both have the same
states, rewards and transitions, so the same plain values; only the measures of the sets that continue differ.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from entropax.algorithms.base import AbstractAlgorithm
from entropax.algorithms.decomposed_sac import DecomposedSAC
from entropax.algorithms.on_policy_parts import TanhGaussian
from entropax.algorithms.ppo import PPO
from entropax.algorithms.sac import SAC
from entropax.algorithms.sac_adaent import SACAdaEnt
from entropax.algorithms.sac_lite import SACLite
from entropax.algorithms.td3 import TD3
from entropax.envs.base import Episodes
from entropax.errors import EntropaxError
from entropax.experiments.bifurcation_theory import episode_return
from entropax.experiments.budget import Budget
from entropax.experiments.sweeps import Member, Sweep, Swept, swept
from entropax.loops.training import Training
from entropax.networks import Dense
from entropax.replay import Rollout
from entropax.tabular import (
    MDP,
    Extension,
    Finite,
    bifurcation_extension,
    plain_policy_iteration,
    random_mdp,
    soft_policy_iteration,
)
from entropax.temperature import Fixed

ALPHA, DISCOUNT, TIME_LIMIT = 1.0, 0.95, 20
STATES, TERMINALS, ACTIONS, BRANCHES = 6, 3, 3, 2
BENT = 0
"""The state that is bent, in which all episodes begin."""
TARGET_CHANCE = 0.8
"""Probability that the MaxEnt-optimal policy is to give the action that is worst in plain values."""
LAYERS, MARGIN = 2, 2.0
"""Of the chains: their length, and what leaving one costs at least (reward)."""
NARROWEST, GAP, EPISODE_GAP = 0.4, 1.0, 0.5
"""What a problem must have: every set that continues as large (of the measure 2 of [-1, 1]), and the best action that
much better than the target, in discounted plain value and in the return of an episode."""
LEARNING_RATE = 1e-3
"""The toy's."""

_NAMES = tuple(f"random-{number}" for number in range(1, 11))
BUDGETS: Mapping[str, Budget] = {
    "small": Budget(_NAMES, 2, 10_000, (32, 32), 64, samples=16, episodes=64, rate=3.0),
    "full": Budget(_NAMES, 10, 100_000, (64, 64), 256, samples=100, episodes=256, rate=1.0),
}


class Problem(NamedTuple):
    """A random problem, extended."""

    name: str
    old: MDP
    extension: Extension
    target: int
    """Action at the bent state that is worst in plain values, which the extension makes MaxEnt choose."""
    best: int
    """The best one in plain values."""
    low: float
    """Expected return of an episode of the plain-optimal policy that takes the target in the bent state."""
    high: float
    """The same of the plain-optimal policy."""

    def control(self) -> "Problem":
        """The same with chains that leave MaxEnt's policy as it is: only the sets that continue have other measures.

        Leaving pays the same too: the margin is what makes it so.
        """
        bent, density = self.extension, soft_policy_iteration(self.old, ALPHA).density[BENT]

        def neutral(margin: float) -> Extension:
            return bifurcation_extension(
                self.old, BENT, density, ALPHA, margin=margin, min_layers=bent.layers, max_layers=bent.layers
            )

        extension = neutral(MARGIN + neutral(MARGIN).end_reward - bent.end_reward)
        return self._replace(name=f"{self.name}, control", extension=extension)

    @property
    def mdp(self) -> MDP:
        """What is learned on."""
        return self.extension.mdp

    def task(self) -> Finite:
        """The same, laid out on [-1, 1]."""
        return Finite.of(self.mdp, BENT)


@functools.cache
def problems(count: int) -> tuple[Problem, ...]:
    """The first problems drawn from NumPy's generator of seed 0 that fulfil the rule, whatever learners do on them.

    The rule: an extension by chains of `LAYERS` layers exists, no set that continues is smaller than `NARROWEST`, and
    the best action is better than the target by `GAP` and `EPISODE_GAP`.
    """
    generator, found = np.random.default_rng(0), []
    while len(found) < count:
        mdp = random_mdp(
            generator, states=STATES, actions=ACTIONS, branches=BRANCHES, terminals=TERMINALS, discount=DISCOUNT
        )
        problem = _extended(f"random-{len(found) + 1}", mdp)
        found += [problem] if problem is not None and _fulfils(problem) else []
    return tuple(found)


def _extended(name: str, mdp: MDP) -> Problem | None:
    """The problem with its worst action made the target; None where no chain of that length does it."""
    q = plain_policy_iteration(mdp).action_values[BENT]
    target, best = int(q.argmin()), int(q.argmax())
    wanted = np.where(np.arange(ACTIONS) == target, TARGET_CHANCE, (1 - TARGET_CHANCE) / (ACTIONS - 1))
    try:
        extension = bifurcation_extension(
            mdp, BENT, wanted / mdp.measure[BENT], ALPHA, margin=MARGIN, max_layers=LAYERS
        )
    except EntropaxError:
        return None
    low, high = (_plain_return(extension.mdp, first) for first in (target, best))
    return Problem(name, mdp, extension, target, best, low, high)


def _plain_return(mdp: MDP, first: int) -> float:
    """Expected return of an episode that takes an action in the bent state and is plain-optimal elsewhere."""
    taken, acting = plain_policy_iteration(mdp).greedy.copy(), np.flatnonzero(~mdp.terminal)
    taken[BENT] = first
    density = np.zeros_like(mdp.measure)
    density[acting, taken[acting]] = 1 / mdp.measure[acting, taken[acting]]
    return episode_return(mdp, density, BENT, TIME_LIMIT)


def _fulfils(problem: Problem) -> bool:
    q, extension = plain_policy_iteration(problem.old).action_values[BENT], problem.extension
    wide = extension.layers == LAYERS and extension.continuing.min() >= NARROWEST
    return bool(wide and q[problem.best] - q[problem.target] >= GAP and problem.high - problem.low >= EPISODE_GAP)


class Setting(NamedTuple):
    """What a method is built from."""

    sac: SAC
    budget: Budget
    rollout: int
    """Steps of each of PPO's rollouts."""


def _td3(setting: Setting) -> TD3:
    sac = setting.sac
    return TD3(
        discount=DISCOUNT,
        torso=sac.torso,
        batch_size=sac.batch_size,
        actor_learning_rate=sac.actor_learning_rate,
        critic_learning_rate=sac.critic_learning_rate,
    )


def _ppo(setting: Setting) -> PPO:
    torso = setting.sac.torso
    return PPO(
        discount=DISCOUNT,
        learning_rate=setting.sac.actor_learning_rate,
        policy=TanhGaussian(torso),
        torso=torso,
        num_steps=setting.rollout,
        minibatches=min(8, setting.rollout // 2),
    )


METHODS: Mapping[str, Callable[[Setting], AbstractAlgorithm[Any]]] = {
    "SAC": lambda setting: setting.sac,
    "SACLite": lambda setting: SACLite(setting.sac),
    "SAC-AdaEnt": lambda setting: SACAdaEnt(setting.sac, 0.9, setting.budget.samples),
    "DecomposedSAC": lambda setting: DecomposedSAC(setting.sac),
    "TD3": _td3,
    "TD3 unsmoothed": lambda setting: dataclasses.replace(_td3(setting), target_noise_clip=0.0),
    "PPO": _ppo,
}
"""By name: a line a method. The first is what the others are compared with."""


def train(budget: Budget, root: Path) -> dict[str, list[Swept]]:
    """Trains every method, a sweep a method; results by method, first of `problems`, then of their controls."""
    return {name: swept(_sweep(budget, name), root / name) for name in METHODS}


def _sweep(budget: Budget, method: str) -> Sweep:
    piece = budget.steps // 10
    algorithm = METHODS[method](Setting(_sac(budget), budget, piece // 5))
    training = Training(
        steps=piece + budget.steps,
        warmup=0 if isinstance(algorithm.data(), Rollout) else piece,
        log_every=piece,
        evaluate_every=piece,
        evaluation_episodes=budget.episodes,
        checkpoint_every=5 * piece,
    )
    bent = problems(len(budget.envs))
    both = (*bent, *(problem.control() for problem in bent))
    places = {problem.name: Episodes(problem.task(), TIME_LIMIT) for problem in both}
    members = tuple(Member(f"{method}, {name}", algorithm, place, place) for name, place in places.items())
    return Sweep("random", 0.0, members, budget.seeds, training)


def _sac(budget: Budget) -> SAC:
    rate = budget.rate * LEARNING_RATE
    return SAC(
        discount=DISCOUNT,
        torso=Dense(budget.hidden),
        batch_size=budget.batch_size,
        actor_learning_rate=rate,
        critic_learning_rate=rate,
        temperature=Fixed(ALPHA),
    )
