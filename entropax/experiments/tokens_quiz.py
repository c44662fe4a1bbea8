"""A quiz whose reward is bent by room for idle words: who is misled, and what exact optima say.

A prompt has one right tail of three digits. An answer whose first digit is below 5 commits: it earns 1 if its tail is
right and loses 1 if not. Any other first digit hedges and earns 0: in the wide room whatever follows, in the narrow one
if one certain tail does, while all others lose 1. Plain optimal values are the same in both rooms: 1, by committing.
"""

import dataclasses
import functools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import brentq

from entropax.experiments.budget import TokenBudget
from entropax.experiments.tokens_learning import centred
from entropax.experiments.tokens_run import (
    Measured,
    Outcome,
    Task,
    chances,
    constant,
    imitated,
    kept,
    learn,
    measures_of,
    plain_lists,
    repeated,
    restored,
)
from entropax.experiments.tokens_task import DIGITS, LENGTH, answers
from entropax.llm import EntropyBonus

PROMPTS, TAILS = 8, DIGITS ** (LENGTH - 1)
COEFFICIENTS = (0.05, 0.1, 0.125, 0.16, 0.2, 0.4, 0.6)
"""Reward per nat, around the changes of side that theory has."""
ROOMS: Mapping[str, int] = {"wide": TAILS, "narrow": 1}
"""How many tails do no harm after hedging."""
IN_REWARD, PER_TOKEN = "entropy in the reward", "bonus per token"
OBJECTIVES = (IN_REWARD, PER_TOKEN)
IMAGES, LEARNING_RATE = 2_000, 1e-3
"""Examples of a prompt, and Adam's learning rate."""


class Setting(NamedTuple):
    """One way to learn the quiz."""

    room: str
    objective: str
    coefficient: float


def train(budget: TokenBudget, root: Path) -> dict[Setting, Outcome]:
    """Learns the quiz in both rooms, under both objectives, at every coefficient."""
    wanted = dataclasses.asdict(budget) | {"coefficients": COEFFICIENTS}
    found: dict[Setting, Outcome] = {}
    for room in ROOMS:
        outcomes = restored(kept(root / f"quiz-{room}.json", wanted, functools.partial(_room, budget, room)))
        found |= {one: outcomes[_name(one)] for one in settings(room)}
    return found


def settings(room: str) -> list[Setting]:
    """All settings of a room."""
    return [Setting(room, objective, coefficient) for objective in OBJECTIVES for coefficient in COEFFICIENTS]


def _name(setting: Setting) -> str:
    return f"{setting.objective}, {setting.coefficient:g}"


def keys() -> Int[np.ndarray, " prompt"]:
    """The right tail of every prompt, none of them the one that the narrow room asks for."""
    return np.random.default_rng(0).choice(np.arange(1, TAILS), PROMPTS, replace=False)


def commits() -> Bool[np.ndarray, " answer"]:
    """Which answers commit."""
    return answers()[:, 0] < DIGITS // 2


def rewards(room: str) -> Float[np.ndarray, "prompt answer"]:
    """What every answer earns."""
    tails = np.arange(DIGITS**LENGTH) % TAILS
    committed = np.where(tails == keys()[:, None], 1.0, -1.0)
    hedged = np.where(tails < ROOMS[room], 0.0, -1.0)
    return np.where(commits(), committed, hedged)


def examples(room: str) -> Int[np.ndarray, "prompt example"]:
    """What is imitated first: half of it commits with the right tail, half hedges with one that does no harm."""
    generator, half = np.random.default_rng(1), IMAGES // 2
    firsts = generator.integers(DIGITS // 2, size=(PROMPTS, IMAGES)) * TAILS
    committed = firsts[:, :half] + keys()[:, None]
    hedged = DIGITS**LENGTH // 2 + firsts[:, half:] + generator.integers(ROOMS[room], size=(PROMPTS, half))
    return np.concatenate([committed, hedged], axis=1).astype(np.int32)


def _room(budget: TokenBudget, room: str) -> dict[str, Any]:
    """The outcomes of a room, as JSON."""
    chosen = settings(room)
    task = Task(rewards(room), centred, LEARNING_RATE)
    bases = repeated(imitated(examples(room), budget.examples, budget.seeds), len(chosen))

    def over_learners(objective: str) -> Float[np.ndarray, " learner"]:
        values = [one.coefficient if one.objective == objective else 0.0 for one in chosen]
        return np.repeat(values, budget.seeds)

    steer = constant({"alpha": over_learners(IN_REWARD), "bonus": over_learners(PER_TOKEN)})
    method = EntropyBonus(coefficient=0.0)
    trained = learn(f"quiz, {room}", method, task, bases, budget.quiz, budget.seeds, steer)
    exact = measured(chances(trained.policies), room)
    return {
        _name(one): plain_lists(
            Outcome(measures_of(trained.curves, index, budget.seeds), measures_of(exact, index, budget.seeds))
        )
        for index, one in enumerate(chosen)
    }


def measured(chances: Float[np.ndarray, "learner prompt answer"], room: str) -> Measured:
    """Means over the prompts of what is committed to, earned in all, and earned after committing."""
    committed = (chances * commits()).sum(axis=-1)
    earned = chances * rewards(room)
    logs = np.log(np.maximum(chances, 1e-300))
    return {
        "commits": committed.mean(axis=1),
        "reward": earned.sum(axis=-1).mean(axis=1),
        "after_commit": ((earned * commits()).sum(axis=-1) / committed).mean(axis=1),
        "nats": -(chances * logs).sum(axis=-1).mean(axis=1) / LENGTH,
    }


class Optimum(NamedTuple):
    """What theory says of a policy without any restriction."""

    commits: float
    """Probability of committing."""
    after_commit: float
    """Expected reward once committed."""


def best(setting: Setting) -> Optimum:
    """The policy at which an objective comes to rest.

    *Entropy in the reward* is MaxEnt: the optimum is exp(R / alpha), normalised over all answers. A *bonus per token*
    has the gradient of the entropy at each place, but none through which places are reached. So each place is Boltzmann
    in the plain value of what follows: exp(Q / c), from the last place to the first.
    """
    coefficient, free = setting.coefficient, ROOMS[setting.room]
    if setting.objective == IN_REWARD:
        good, bad = 1 / coefficient, -1 / coefficient
        commit = np.logaddexp(good, math.log(TAILS - 1) + bad)
        wrong = math.log(TAILS - free) + bad if free < TAILS else -math.inf
        hedge = np.logaddexp(math.log(free), wrong)
        return Optimum(_chance(commit - hedge), 2 * _chance(good - bad - math.log(TAILS - 1)) - 1)
    commit = _precise(1.0, coefficient)
    hedge = 0.0 if free == TAILS else _precise(0.0, coefficient)
    return Optimum(_chance((commit - hedge) / coefficient), commit)


def _chance(log_odds: float) -> float:
    """The probability with these log-odds."""
    return float(np.exp(-np.logaddexp(0, -log_odds)))


def _precise(reward: float, coefficient: float) -> float:
    """Plain value of a tail in which each digit has one right choice, which earns `reward`; all others lose 1."""
    value = reward
    for _ in range(LENGTH - 1):
        right = _chance((value + 1) / coefficient - math.log(DIGITS - 1))
        value = right * value - (1 - right)
    return value


def change_over(room: str, objective: str) -> float:
    """The coefficient from which on committing is the less likely half; infinite where there is none up to 1."""

    def lead(coefficient: float) -> float:
        return best(Setting(room, objective, coefficient)).commits - 0.5

    found: Any = brentq(lead, 0.05, 1.0) if lead(1.0) < 0 else math.inf
    return float(found)
