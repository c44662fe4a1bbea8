"""Tree search: grows a tree of positions from one, a leaf a simulation, by a rule that says where to look next.

`docs/search.md` has the formulas of the rules, `PUCT` and `MENTS`.
"""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any, Generic, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from entropax.errors import EntropaxError
from entropax.tabular.games import AbstractGame, Position


class Opinion(NamedTuple):
    """What is thought of a position before it is searched, as a network with two heads would say."""

    prior: Float[np.ndarray, " move"]
    """Probability of every legal move."""
    value: float
    """For the one to move."""


Evaluator = Callable[[Position], Opinion]
"""Of positions that are not over."""


@dataclasses.dataclass
class Node:
    """A position in the tree, and what was found behind its moves."""

    position: Any
    moves: tuple[int, ...]
    opinion: Opinion
    visits: Int[np.ndarray, " move"]
    q: Float[np.ndarray, " move"]
    """Value of every move by the rule."""
    rewards: Float[np.ndarray, " move"]
    """Of moves that were tried."""
    children: list["Node | None"]


class AbstractRule(abc.ABC):
    """Where to look next, and what the value of a position makes of what was found."""

    @abc.abstractmethod
    def root(self, opinion: Opinion, generator: np.random.Generator) -> Opinion:
        """What to take for the opinion of the position that is searched."""

    @abc.abstractmethod
    def first_values(self, opinion: Opinion) -> Float[np.ndarray, " move"]:
        """Values of the moves of a position that is new in the tree."""

    @abc.abstractmethod
    def select(self, node: Node, bounds: tuple[float, float], generator: np.random.Generator) -> int:
        """Which of a position's moves to follow; bounds are the least and the greatest value found in the tree."""

    @abc.abstractmethod
    def back_up(self, node: Node, index: int, found: float) -> float:
        """Enters what was found behind a move; returns the position's value as the position before it is to see it."""

    @abc.abstractmethod
    def choose(self, node: Node) -> int:
        """The move to make in the end."""


class Searched(NamedTuple):
    """What a search of a position came to; arrays are in the order of its legal moves."""

    move: int
    moves: tuple[int, ...]
    visits: Int[np.ndarray, " move"]
    q: Float[np.ndarray, " move"]

    def visit_policy(self, sampling_temperature: float = 1.0) -> Float[np.ndarray, " move"]:
        """pi(a) = N(a)^(1/T) / sum_b N(b)^(1/T), by which AlphaZero draws its moves and its network learns.

        Raises:
            EntropaxError: T is not positive.
        """
        if not sampling_temperature > 0:
            raise EntropaxError(f"sampling_temperature = {sampling_temperature} must be positive; `move` is its limit.")
        weights = (self.visits / self.visits.max()) ** (1 / sampling_temperature)
        return weights / weights.sum()


def search(
    game: AbstractGame[Position],
    position: Position,
    rule: AbstractRule,
    evaluator: Evaluator[Position],
    simulations: int,
    generator: np.random.Generator,
) -> Searched:
    """Looks ahead from a position.

    Every simulation follows the rule from the root to a position that is new, asks the evaluator about it and hands
    what it said back along the way, as the one to move at each position sees it.

    Args:
        game: The game.
        position: One that is not over.
        rule: `PUCT` or `MENTS`.
        evaluator: `RandomPlayout`, or a learned one.
        simulations: How many positions to look at; at least as many as there are moves, or some may not be tried.
        generator: What is drawn from.

    Raises:
        EntropaxError: The game is over, or there is less than one simulation.
    """
    if not game.moves(position) or simulations < 1:
        raise EntropaxError(
            f"A search needs a position with moves and at least 1 simulation; here are {len(game.moves(position))} "
            f"moves and {simulations} simulations."
        )
    tree = _Tree(game, rule, evaluator, generator)
    root = tree.node(position, rule.root(evaluator(position), generator))
    for _ in range(simulations):
        tree.simulate(root)
    return Searched(root.moves[rule.choose(root)], root.moves, root.visits, root.q)


class _Tree(Generic[Position]):
    """What simulations share."""

    def __init__(
        self,
        game: AbstractGame[Position],
        rule: AbstractRule,
        evaluator: Evaluator[Position],
        generator: np.random.Generator,
    ) -> None:
        self._game, self._rule, self._evaluator, self._generator = game, rule, evaluator, generator
        self._bounds = (np.inf, -np.inf)

    def node(self, position: Position, opinion: Opinion) -> Node:
        moves = self._game.moves(position)
        count, first = len(moves), self._rule.first_values(opinion)
        return Node(position, moves, opinion, np.zeros(count, np.int64), first, np.zeros(count), [None] * count)

    def simulate(self, node: Node) -> float:
        """Looks at one more position behind this one; returns the position's value for the one before it."""
        index = self._rule.select(node, self._bounds, self._generator)
        child = node.children[index]
        if child is None:
            following, node.rewards[index] = self._game.play(node.position, node.moves[index])
            if self._game.moves(following):
                opinion = self._evaluator(following)
                node.children[index] = self.node(following, opinion)
                behind = opinion.value
            else:
                behind = 0.0
        else:
            behind = self.simulate(child)
        found = float(node.rewards[index] + self._game.continuation * behind)
        value = self._rule.back_up(node, index, found)
        self._bounds = min(self._bounds[0], node.q[index]), max(self._bounds[1], node.q[index])
        return value


class RandomPlayout(Generic[Position]):
    """An evaluator that knows nothing: all moves alike, and the outcome of random play to the end."""

    def __init__(self, game: AbstractGame[Position], generator: np.random.Generator) -> None:
        self._game, self._generator = game, generator

    def __call__(self, position: Position) -> Opinion:
        """Plays once."""
        count, value, weight = len(self._game.moves(position)), 0.0, 1.0
        while moves := self._game.moves(position):
            position, reward = self._game.play(position, moves[self._generator.integers(len(moves))])
            value, weight = value + weight * reward, weight * self._game.continuation
        return Opinion(np.full(count, 1 / count), value)
