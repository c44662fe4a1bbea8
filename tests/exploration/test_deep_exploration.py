"""A chain whose far end pays and whose every step towards it costs: a bonus finds it, no bonus does not."""

import jax
import numpy as np
import pytest

from entropax import (
    Counts,
    Dense,
    Disagreement,
    DiscreteSoftQ,
    Episodes,
    Exploration,
    Fixed,
    TableCounts,
    Training,
    train,
)
from entropax.exploration import PLAIN
from entropax.intrinsic.ensemble import Ensemble, SharedTrunk
from entropax.tabular import MDP, Choices

pytestmark = pytest.mark.slow

LENGTH, SEEDS = 12, 6


def chain() -> Episodes:
    """From the left end: right costs 0.01 and left nothing; the step into the right end pays 1 and ends the episode.

    As long as an episode lasts only a walk without a step back arrives: of uniform actions, 1 in 2,048.
    """
    rewards, transitions = np.zeros((LENGTH, 2)), np.zeros((LENGTH, 2, LENGTH))
    for place in range(LENGTH - 1):
        transitions[place, 0, max(place - 1, 0)] = transitions[place, 1, place + 1] = 1
        rewards[place, 1] = -0.01
    rewards[LENGTH - 2, 1] = 1.0
    measure = np.ones((LENGTH, 2))
    measure[-1] = 0
    names = tuple(str(place) for place in range(LENGTH))
    return Episodes(Choices.of(MDP(rewards, transitions, measure, 0.99, names), start=0), LENGTH - 1)


SOFT_Q = DiscreteSoftQ(
    torso=Dense((32,)), batch_size=32, critic_learning_rate=3e-3, entropy_weight=0.01, polyak=0.05, discount=0.95
)
TRAINING = Training(steps=30_000, warmup=100, capacity=30_000, log_every=10_000)


def found(exploration):
    """Seeds that ever arrive."""
    environment = chain()

    def arrivals(key):
        _, metrics = train(SOFT_Q, environment, TRAINING, exploration, key=key)
        return metrics["rollout/terminations"].sum()

    return int(np.sum(np.asarray(jax.jit(jax.vmap(arrivals))(jax.random.split(jax.random.key(0), SEEDS))) > 0))


def test_without_a_bonus_the_far_end_is_never_seen():
    assert found(PLAIN) == 0


@pytest.mark.parametrize(
    "bonus",
    [
        TableCounts(Fixed(0.3)),
        Counts(Fixed(0.3), bits=12),
        Disagreement(Fixed(0.3), ensemble=Ensemble(1e-3, SharedTrunk(Dense((32,))))),
    ],
    ids=lambda bonus: type(bonus).__name__,
)
def test_with_one_it_is_found(bonus):
    assert found(Exploration(bonus=bonus)) >= 2
