"""A winding corridor with a small reward beside its start and a large one at its far end."""

from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from entropax.envs.base import AbstractDynamics
from entropax.envs.drawing import BAD, FAINT, GOOD, SELF, Canvas
from entropax.types import Categories, Spec

PLAN = (
    "n.s...",
    "#####.",
    "......",
    ".#####",
    ".....f",
)
"""Rows from above: the near end, the start, walls, and the far end."""
HEIGHT, WIDTH = len(PLAN), len(PLAN[0])
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))
"""(rows, columns) of the four actions: up, right, down, left."""


def cell(letter: str) -> int:
    """Number of the cell with this letter on the plan, row by row."""
    return "".join(PLAN).index(letter)


START, NEAR, FAR = cell("s"), cell("n"), cell("f")


def _following() -> np.ndarray:
    """`[cell, action]`: where each action leads; it stays where a wall or the edge is."""
    following = np.empty((HEIGHT * WIDTH, len(MOVES)), np.int32)
    for place in range(HEIGHT * WIDTH):
        row, column = divmod(place, WIDTH)
        for action, (down, right) in enumerate(MOVES):
            to = min(max(row + down, 0), HEIGHT - 1), min(max(column + right, 0), WIDTH - 1)
            following[place, action] = place if PLAN[to[0]][to[1]] == "#" else to[0] * WIDTH + to[1]
    return following


FOLLOWING = _following()


class GridworldState(eqx.Module):
    """Number of the cell it is in, row by row from above."""

    place: Int[Array, ""]


@final
class Gridworld(AbstractDynamics[GridworldState]):
    """Four moves through a corridor: two to the near end, 17 to the far one, and either ends the episode.

    ```
      n . s . . .       The near end pays `near_reward`, the far one `far_reward`, a step nothing. Uniform actions end
      # # # # # .       near in 78 % of episodes of 100 steps and far in 1.3 %, so that at a discount of 0.99 left is
      . . . . . .       their best action at the start: who improves on them ends near, the local optimum. Far is
      . # # # # #       worth 0.99^16 = 0.85 there, near 0.099.
      . . . . . f
    ```

    Both rewards are traced.
    """

    near_reward: float = 0.1
    far_reward: float = 1.0

    @property
    def spec(self) -> Spec:
        """Observation: the cell, one-hot; up, right, down or left."""
        return Spec(HEIGHT * WIDTH, Categories(len(MOVES)), one_hot=True)

    def initial(self, *, key: Key[Array, ""]) -> GridworldState:
        """The start."""
        return GridworldState(jnp.full((), START, jnp.int32))

    def observe(self, state: GridworldState) -> Float[Array, " observation"]:
        """The cell, one-hot."""
        return jax.nn.one_hot(state.place, HEIGHT * WIDTH, dtype=float)

    def step(
        self, state: GridworldState, action: Int[Array, ""], *, key: Key[Array, ""]
    ) -> tuple[GridworldState, Float[Array, ""], Bool[Array, ""]]:
        """Moves unless a wall is in the way; terminates at either end."""
        place = jnp.asarray(FOLLOWING)[state.place, action]
        near, far = place == NEAR, place == FAR
        reward = jnp.where(far, self.far_reward, jnp.where(near, self.near_reward, 0.0))
        return GridworldState(place), jnp.asarray(reward, jnp.float32), near | far


def draw(state: GridworldState) -> np.ndarray:
    """The plan and where it is, `[height, width, 3]`: the near end in red, the far one in green."""
    canvas = Canvas((0.0, 0.0), (float(WIDTH), float(HEIGHT)), width=360)

    def middle(place: int) -> tuple[float, float]:
        return place % WIDTH + 0.5, HEIGHT - 0.5 - place // WIDTH

    for place, letter in enumerate("".join(PLAN)):
        if letter == "#":
            x, y = middle(place)
            canvas.polygon(((x - 0.5, y - 0.5), (x + 0.5, y - 0.5), (x + 0.5, y + 0.5), (x - 0.5, y + 0.5)), FAINT)
    for place, colour in ((NEAR, BAD), (FAR, GOOD)):
        canvas.disc(middle(place), 0.45, colour)
    canvas.disc(middle(int(state.place)), 0.35, SELF)
    return canvas.pixels()
