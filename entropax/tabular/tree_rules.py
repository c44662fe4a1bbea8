"""Two rules for tree search: PUCT with noise at the root, and MENTS, which does the same by entropy."""

import dataclasses
import math
from typing import final

import numpy as np
from jaxtyping import Float

from entropax.errors import EntropaxError
from entropax.tabular.mdp import check_alpha
from entropax.tabular.search import AbstractRule, Node, Opinion


@final
@dataclasses.dataclass(frozen=True)
class PUCT(AbstractRule):
    """Mean values, and a bonus for moves that are likely and were tried little (AlphaZero, arXiv 1712.01815).

    With N(a) visits, the next move is that of the greatest

        Q(a) + P(a) sqrt(sum_b N(b)) / (1 + N(a)) (c_1 + log((sum_b N(b) + c_2 + 1) / c_2)),

    Q(a) being brought to [0, 1] by the least and the greatest in the tree, 0 where a was not tried (MuZero, arXiv
    1911.08265, appendix B). At the root, P is mixed with Dirichlet noise. The move of most visits is made.

    Raises:
        EntropaxError: A number is out of range.
    """

    first_weight: float = 1.25
    """c_1: of the bonus."""
    second_weight: float = 19652.0
    """c_2: visits from which on the bonus grows."""
    noise_share: float = 0.25
    """Of the noise in the root's prior; 0 for none."""
    noise_concentration: float = 0.3
    """Of the Dirichlet distribution, 0.3 in chess: the smaller, the fewer moves it singles out."""

    def __post_init__(self) -> None:
        """Refuses what is out of range."""
        positive = min(self.first_weight, self.second_weight, self.noise_concentration) > 0
        if not (positive and 0 <= self.noise_share <= 1):
            raise EntropaxError(f"{self}: weights and concentration must be positive, the share of noise in [0, 1].")

    def root(self, opinion: Opinion, generator: np.random.Generator) -> Opinion:
        """(1 - share) P + share Dir(concentration)."""
        noise = generator.dirichlet(np.full(len(opinion.prior), self.noise_concentration))
        return opinion._replace(prior=(1 - self.noise_share) * opinion.prior + self.noise_share * noise)

    def first_values(self, opinion: Opinion) -> Float[np.ndarray, " move"]:
        """0, which `select` does not look at."""
        return np.zeros(len(opinion.prior))

    def scores(self, node: Node, bounds: tuple[float, float]) -> Float[np.ndarray, " move"]:
        """The score of every move."""
        low, high = bounds
        total, span = int(node.visits.sum()), high - low
        normalised = (node.q - low) / span if span > 0 else np.zeros_like(node.q)
        weight = self.first_weight + math.log((total + self.second_weight + 1) / self.second_weight)
        bonus = weight * node.opinion.prior * math.sqrt(total) / (1 + node.visits)
        return np.where(node.visits > 0, normalised, 0.0) + bonus

    def select(self, node: Node, bounds: tuple[float, float], generator: np.random.Generator) -> int:
        """The move of the greatest score; before any visit all are equal, and it is the likeliest."""
        return int(np.argmax(self.scores(node, bounds) if node.visits.any() else node.opinion.prior))

    def back_up(self, node: Node, index: int, found: float) -> float:
        """Takes it into the move's mean and hands it on as it is."""
        node.visits[index] += 1
        node.q[index] += (found - node.q[index]) / node.visits[index]
        return found

    def choose(self, node: Node) -> int:
        """The most visited move."""
        return int(np.argmax(node.visits))


@final
@dataclasses.dataclass(frozen=True)
class MENTS(AbstractRule):
    """Maximum entropy tree search: Xiao et al., "Maximum Entropy Monte-Carlo Planning" (NeurIPS 2019).

    Soft values are backed up, V = tau log sum_a exp(Q(a) / tau), and moves are drawn by E2W, "empirical exponential
    weight",

        pi(a) = (1 - lambda) exp((Q(a) - V) / tau) + lambda / n,    lambda = min(1, epsilon n / log(1 + sum_b N(b))).

    The move of the greatest soft value is made. It need not be that of the greatest value: V counts the moves behind.

    Raises:
        EntropaxError: A number is out of range.
    """

    temperature: float = 0.1
    """tau, reward per nat."""
    exploration: float = 0.1
    """epsilon: how slowly uniform moves die out."""

    def __post_init__(self) -> None:
        """Refuses what is out of range."""
        check_alpha(self.temperature)
        if not self.exploration > 0:
            raise EntropaxError(f"exploration = {self.exploration} must be positive, or moves are never tried again.")

    def value(self, q: Float[np.ndarray, " move"]) -> float:
        """Tau log sum_a exp(Q(a) / tau), the soft maximum; as a `Backup`, it makes `move_values` MENTS' oracle."""
        # Not scipy's logsumexp: of a few numbers it takes ten times as long.
        best = q.max()
        return float(best + self.temperature * math.log(np.exp((q - best) / self.temperature).sum()))

    def policy(self, node: Node) -> Float[np.ndarray, " move"]:
        """E2W: the probability of every move."""
        count, total = len(node.q), int(node.visits.sum())
        share = min(1.0, self.exploration * count / math.log(1 + total)) if total else 1.0
        return (1 - share) * np.exp((node.q - self.value(node.q)) / self.temperature) + share / count

    def root(self, opinion: Opinion, generator: np.random.Generator) -> Opinion:
        """The evaluator's; E2W explores enough."""
        return opinion

    def first_values(self, opinion: Opinion) -> Float[np.ndarray, " move"]:
        """Value + tau log P(a): then the soft value is what the evaluator said, and exp((Q - V) / tau) its prior."""
        return opinion.value + self.temperature * np.log(np.maximum(opinion.prior, np.finfo(float).tiny))

    def select(self, node: Node, bounds: tuple[float, float], generator: np.random.Generator) -> int:
        """Drawn by E2W."""
        cumulative = np.cumsum(self.policy(node))
        return int(np.searchsorted(cumulative, generator.random() * cumulative[-1], side="right"))

    def back_up(self, node: Node, index: int, found: float) -> float:
        """Puts it in the place of the move's value and hands on the soft value of all moves."""
        node.visits[index] += 1
        node.q[index] = found
        return self.value(node.q)

    def choose(self, node: Node) -> int:
        """The move of the greatest soft value."""
        return int(np.argmax(node.q))
