"""Language models' methods on a task that can be enumerated: what becomes of entropy, and what it was good for."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, PyTree

from entropax.experiments import tokens_quiz
from entropax.experiments.budget import TokenBudget
from entropax.experiments.tokens_control import CONTROLLED, Held, steering
from entropax.experiments.tokens_learning import UPDATES, standardised
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
    policies_of,
    repeated,
    restored,
)
from entropax.experiments.tokens_task import ANSWERS, LENGTH, distinct, falling, pass_at, right
from entropax.llm import (
    AEPO,
    CEGPPO,
    CISPO,
    GSPO,
    AbstractMethod,
    Clip,
    ClipCov,
    Corridor,
    EntropyBonus,
    KLCov,
    Quantiles,
    ScoreBonus,
    ShapedAdvantage,
    TopEntropy,
)

BUDGETS: Mapping[str, TokenBudget] = {
    "small": TokenBudget(5, 1_000, 400, 30, 50),
    "full": TokenBudget(10, 2_000, 400, 60, 100),
}
RIGHT_SHARE, IMAGES = 0.7, 4_000
"""Share of right answers among a prompt's examples, the rest being any answer; and how many examples there are."""
LEARNING_RATE = 5e-4
"""Adam's, by rewards."""
SHALLOW, MANY, FEW = 16, 256, 64
"""Draws: of pass@k, of different right answers, and of pass@k on the harder question."""

GROUPS: Mapping[str, Mapping[str, AbstractMethod]] = {
    "clip": {"GRPO (clip 0.2)": Clip(), "clip-higher (0.28)": Clip(0.2, 0.28)},
    "cispo": {"CISPO": CISPO()},
    # Its ratio is a mean over four tokens, whose spread is half of a token's: half of the usual 0.2.
    "gspo": {"GSPO (0.1)": GSPO(0.1, 0.1)},
    "cegppo": {"CE-GPPO (0.5, 1)": CEGPPO(), "CE-GPPO (1, 0.5)": CEGPPO(negative=1.0, positive=0.5)},
    "clip-cov": {"Clip-Cov": ClipCov(0.02, Quantiles(0.8, 1.0))},
    "kl-cov": {"KL-Cov": KLCov(0.02)},
    "bonus": {"bonus 0.01": EntropyBonus(coefficient=0.01), "bonus 0.1": EntropyBonus(coefficient=0.1)},
    "corridor": {"corridor": Corridor(coefficient=0.01)},
    "score": {"score bonus 0.01": ScoreBonus(beta=0.01), "score bonus 0.1": ScoreBonus(beta=0.1)},
    "shaped": {"shaped advantage": ShapedAdvantage()},
    "top": {"top-entropy 20 %": TopEntropy()},
    "aepo": {"AEPO 1/64": AEPO(target=0.9), "AEPO 1/4": AEPO(target=0.9, coefficient=0.25)},
}
"""Methods by name; those of a group differ in knobs alone and share a program."""
REFERENCE, BEFORE = "GRPO (clip 0.2)", "before any reward"


class Results(NamedTuple):
    """All that was trained, by setting."""

    before: Outcome
    sums: Mapping[str, Outcome]
    quiz: Mapping[tokens_quiz.Setting, Outcome]


def train(budget: TokenBudget, root: Path) -> Results:
    """Trains what is not kept below a folder yet: the methods, the controllers, and the quiz."""
    bases = functools.cache(lambda: imitated(examples(), budget.examples, budget.seeds))
    settings = dataclasses.asdict(budget)
    quiz = tokens_quiz.train(budget, root)
    before = kept(root / "before.json", settings, lambda: {BEFORE: _judged(budget, bases(), {})})
    sums: dict[str, Outcome] = {}
    for group, fixed in GROUPS.items():
        held = CONTROLLED.get(group, {})
        wanted = settings | {"methods": repr(fixed), "held": repr(held)}
        compute = functools.partial(_group, budget, group, held, bases)
        sums |= restored(kept(root / f"{group}.json", wanted, compute))
    return Results(restored(before)[BEFORE], sums, quiz)


def examples() -> Int[np.ndarray, "prompt example"]:
    """What is imitated first: right answers, all equally likely, and a share of any answers at all."""
    generator = np.random.default_rng(0)
    good = round(RIGHT_SHARE * IMAGES)

    def of_prompt(answers: Bool[np.ndarray, " answer"]) -> Int[np.ndarray, " example"]:
        spoilt = generator.integers(ANSWERS, size=IMAGES - good)
        return np.concatenate([generator.choice(np.flatnonzero(answers), good), spoilt]).astype(np.int32)

    return np.stack([of_prompt(answers) for answers in right()])


def _group(
    budget: TokenBudget, group: str, held: Mapping[str, Held], bases: Callable[[], PyTree[np.ndarray]]
) -> dict[str, Any]:
    """The outcomes of a program's settings, as JSON."""
    fixed = list(GROUPS[group].values())
    names, rollouts = [*GROUPS[group], *held], budget.steps // UPDATES
    steer = steering(fixed, list(held.values()), budget.seeds, rollouts)
    policies = repeated(bases(), len(names))
    task = Task(right().astype(np.float32), standardised, LEARNING_RATE)
    policies, curves = learn(group, fixed[0], task, policies, rollouts, budget.seeds, steer)
    return {
        name: _judged(budget, policies_of(policies, index, budget.seeds), measures_of(curves, index, budget.seeds))
        for index, name in enumerate(names)
    }


def _judged(budget: TokenBudget, policies: PyTree[np.ndarray], curves: Measured) -> dict[str, Any]:
    """What policies of one setting are worth: exact measures now, and after learning the harder question."""
    task = Task(falling().astype(np.float32), standardised, LEARNING_RATE)
    after = learn("follow-up", Clip(), task, policies, budget.follow_up, budget.seeds, constant({}))
    learned = {"falling_after": (chances(after.policies) * falling()).sum(axis=-1).mean(axis=1)}
    followed = {"falling_reward": after.curves["reward"]}
    return plain_lists(Outcome(curves | followed, measured(chances(policies)) | learned))


def measured(chances: Float[np.ndarray, "seed prompt answer"]) -> Measured:
    """Measures of the probabilities of all answers, means over the prompts."""
    good, harder = ((chances * which).sum(axis=-1) for which in (right(), falling()))
    logs = np.log(np.maximum(chances, 1e-300))
    return {
        "nats": -(chances * logs).sum(axis=-1).mean(axis=1) / LENGTH,
        "right": good.mean(axis=1),
        "pass": pass_at(good, SHALLOW).mean(axis=1),
        "distinct": distinct(chances, right(), MANY).mean(axis=1),
        "falling": harder.mean(axis=1),
        "falling_pass": pass_at(harder, FEW).mean(axis=1),
    }
