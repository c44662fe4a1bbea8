"""How often PUCT and MENTS miss the oracle's move on tic-tac-toe, and how often soft minimax itself does.

python examples/tree_search.py        prints the numbers of docs/search.md
"""

import functools
import time

import numpy as np

from entropax.tabular import MENTS, PUCT, RandomPlayout, TicTacToe, board, move_values, search

GAME = TicTacToe()
RULES = (PUCT(), MENTS(0.05, 0.1), MENTS(0.05, 0.3), MENTS(0.1, 0.3))


def positions():
    """All that can be reached and are not over, in order."""
    seen = todo = {board("... / ... / ...")}
    while todo:
        following = {GAME.play(position, move)[0] for position in todo for move in GAME.moves(position)}
        todo = {one for one in following if GAME.moves(one)} - seen
        seen = seen | todo
    return sorted(seen)


def missed(rule, simulations, count=150):
    """In how many of so many positions with at most six free squares a search makes a move that is not the best."""
    generator, wrong = np.random.default_rng(0), 0
    few = [one for one in positions() if one.count(0) <= 6]
    for position in few[:: len(few) // count][:count]:
        best = move_values(GAME, position)
        found = search(GAME, position, rule, RandomPlayout(GAME, generator), simulations, generator)
        wrong += int(best[found.moves.index(found.move)] < best.max())
    return wrong


def misled(temperature):
    """In how many positions the best move by soft minimax is not the best."""

    @functools.cache
    def value(position, backup):
        return backup(values(position, backup)) if GAME.moves(position) else 0.0

    def values(position, backup):
        reached = (GAME.play(position, move) for move in GAME.moves(position))
        return np.array([reward - value(following, backup) for following, reward in reached])

    found = ((values(one, np.max), values(one, MENTS(temperature).value)) for one in positions())
    return sum(int(plain[np.argmax(soft)] < plain.max()) for plain, soft in found)


if __name__ == "__main__":
    began = time.perf_counter()
    for simulations in (100, 300, 600):
        print(f"| {simulations} |", " | ".join(str(missed(rule, simulations)) for rule in RULES), "|", flush=True)
    print({temperature: misled(temperature) for temperature in (0.1, 0.2, 0.3, 1.0, 2.0)})
    print(f"{time.perf_counter() - began:.0f} s")
