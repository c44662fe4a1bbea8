"""Games small enough to be solved: moves are known, nothing is random, and every game ends."""

import abc
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar, final

import numpy as np
from jaxtyping import Float

from entropax.errors import EntropaxError
from entropax.tabular.mdp import MDP, ROUNDING

Position = TypeVar("Position", bound=Hashable)

Backup = Callable[[Float[np.ndarray, " move"]], float]
"""What the value of a position makes of those of its moves: `np.max`, or a soft maximum."""


class AbstractGame(abc.ABC, Generic[Position]):
    """A game as the one to move sees it: his reward for a move, and what the position after it is worth to him."""

    @property
    @abc.abstractmethod
    def continuation(self) -> float:
        """Factor on the next position's value: -1 where an opponent moves there, the discount where nobody else plays.

        The value of a move is its reward + continuation * the value of where it leads.
        """

    @abc.abstractmethod
    def moves(self, position: Position) -> tuple[int, ...]:
        """Legal moves; none where the game is over."""

    @abc.abstractmethod
    def play(self, position: Position, move: int) -> tuple[Position, float]:
        """The position after a legal move, and the reward of the one who made it."""


Board = tuple[int, ...]
"""Nine squares row by row: 1 is the one to move, -1 the other, 0 free."""

_LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))


@final
class TicTacToe(AbstractGame[Board]):
    """Three in a row wins 1; a full board is a draw, 0. A position is a `Board`.

    Example:
        >>> TicTacToe().moves(board("XX. / OO. / ..."))
        (2, 5, 6, 7, 8)
    """

    @property
    def continuation(self) -> float:
        """What the other has, one has not."""
        return -1.0

    def moves(self, position: Board) -> tuple[int, ...]:
        """The free squares, unless the other has three in a row."""
        if any(all(position[square] == -1 for square in line) for line in _LINES):
            return ()
        return tuple(square for square, owner in enumerate(position) if owner == 0)

    def play(self, position: Board, move: int) -> tuple[Board, float]:
        """Sets a mark and turns the board round, so that again 1 is to move."""
        placed = (*position[:move], 1, *position[move + 1 :])
        won = any(move in line and all(placed[square] == 1 for square in line) for line in _LINES)
        return tuple(-owner for owner in placed), float(won)


def board(text: str) -> Board:
    """Reads a board, `X` being the one to move: `"XX. / OO. / ..."`.

    Raises:
        EntropaxError: It has not nine squares of `X`, `O` and `.`.
    """
    squares = [square for square in text if square not in " /"]
    owners = {"X": 1, "O": -1, ".": 0}
    if len(squares) != 9 or not set(squares) <= set(owners):
        raise EntropaxError(f"{text!r} is no board: write nine squares of X, O and ., as in 'XX. / OO. / ...'.")
    return tuple(owners[square] for square in squares)


@final
class Planning(AbstractGame[int]):
    """A finite problem as a game for one, a position being a state.

    Raises:
        EntropaxError: A transition is random, an action has another measure than 1, or a state can come again.
    """

    def __init__(self, mdp: MDP) -> None:
        random = mdp.available & (mdp.transitions.max(axis=2) < 1 - ROUNDING)
        if random.any() or not np.isin(mdp.measure, (0.0, 1.0)).all():
            raise EntropaxError(
                "A game has no chance in it and counts every move as one, but this problem has random transitions or "
                "actions of another measure than 1. Draw it with branches=1 and give its actions the measure 1."
            )
        if _comes_again(mdp):
            raise EntropaxError("A state of this problem can come again, so play need not end. Unroll it over time.")
        self._mdp = mdp

    @property
    def continuation(self) -> float:
        """The discount."""
        return self._mdp.discount

    def moves(self, position: int) -> tuple[int, ...]:
        """The available actions."""
        return tuple(np.flatnonzero(self._mdp.available[position]).tolist())

    def play(self, position: int, move: int) -> tuple[int, float]:
        """Where the action leads, and its reward."""
        return int(self._mdp.transitions[position, move].argmax()), float(self._mdp.rewards[position, move])


def _comes_again(mdp: MDP) -> bool:
    """Whether some state can be reached from itself: states that only lead to states removed before are removed."""
    leads = np.asarray((mdp.available[..., None] & (mdp.transitions > ROUNDING)).any(axis=1))
    left = np.ones(len(mdp.names), bool)
    while left.any():
        last = left & ~leads[:, left].any(axis=1)
        if not last.any():
            return True
        left &= ~last
    return False


def move_values(
    game: AbstractGame[Position], position: Position, backup: Backup = np.max
) -> Float[np.ndarray, " move"]:
    """The exact value of every legal move, by enumeration: for two players minimax, with a soft backup soft minimax.

    Args:
        game: The game.
        position: One that is not over.
        backup: Of the values of a position's moves.
    """
    known: dict[Position, float] = {}

    def value(at: Position) -> float:
        if at not in known:
            moves = game.moves(at)
            known[at] = float(backup(np.array([of_move(at, move) for move in moves]))) if moves else 0.0
        return known[at]

    def of_move(at: Position, move: int) -> float:
        following, reward = game.play(at, move)
        return reward + game.continuation * value(following)

    return np.array([of_move(position, move) for move in game.moves(position)])
