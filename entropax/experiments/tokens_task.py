"""A task of tokens that can be enumerated: four digits whose sum is asked for, and a harder question about them."""

import functools
import itertools

import numpy as np
from jaxtyping import Bool, Float, Int

DIGITS, LENGTH = 10, 4
"""The vocabulary of an answer, and its tokens."""
ANSWERS = DIGITS**LENGTH
"""So few that every probability is computed and none estimated."""
SUMS = tuple(range(10, 26, 2))
"""The prompts: a sum each, which 282 to 670 answers have, 5 to 18 of them with falling digits."""


@functools.cache
def answers() -> Int[np.ndarray, "answer token"]:
    """All answers, in the order of the numbers that they write."""
    return np.array(list(itertools.product(range(DIGITS), repeat=LENGTH)), np.int32)


def right() -> Bool[np.ndarray, "prompt answer"]:
    """Which answers have the sum that a prompt asks for."""
    return np.array(SUMS)[:, None] == answers().sum(axis=1)


def falling() -> Bool[np.ndarray, "prompt answer"]:
    """The harder question, on which nothing is trained: the right sum, with every digit less than the one before."""
    return right() & (np.diff(answers(), axis=1) < 0).all(axis=1)


def pass_at(probabilities: Float[np.ndarray, "*axes"], draws: int) -> Float[np.ndarray, "*axes"]:
    """Probability that one of so many independent answers is right, each being so with this probability."""
    return -np.expm1(draws * np.log1p(-np.minimum(probabilities, 1 - 1e-12)))


def distinct(
    probabilities: Float[np.ndarray, "*axes answer"], counted: Bool[np.ndarray, "#*axes answer"], draws: int
) -> Float[np.ndarray, "*axes"]:
    """Expected number of different answers, of those that count, among so many independent ones."""
    return (pass_at(probabilities, draws) * counted).sum(axis=-1)
