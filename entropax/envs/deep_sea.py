"""Deep sea: one path of N x N cells pays, and every wrong step on it loses the episode."""

import functools
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from entropax.envs.base import AbstractDynamics
from entropax.envs.drawing import FAINT, GOOD, SELF, Canvas
from entropax.errors import EntropaxError
from entropax.types import Categories, Spec

MAPPING_SEED = 42
"""Of bsuite's own runs: which of the two actions dives to the right is drawn from it, cell by cell."""


class DeepSeaState(eqx.Module):
    """The cell it is in, from the upper left; row N is the bottom, where an episode has ended."""

    row: Int[Array, ""]
    column: Int[Array, ""]


@functools.cache
def rightwards(size: int) -> np.ndarray:
    """`[row, column]`: the action that moves right in each cell, 0 or 1, as bsuite draws it."""
    return np.random.RandomState(MAPPING_SEED).binomial(1, 0.5, (size, size)).astype(np.int32)


@final
class DeepSea(AbstractDynamics[DeepSeaState]):
    """A diver sinks by one row a step, left or right; only right in every row reaches the treasure, which pays 1.

    ```
      o . . .      A step to the right costs `move_cost` / N and one to the left nothing, so what is near says left.
      . o . .      The best return is 1 - `move_cost`, the local optimum 0. Uniform actions find the treasure in
      . . o .      2^-N of all episodes, about one in a thousand for N = 10 and one in a million for N = 20.
      . . . o 1
    ```

    Equal to `deep_sea.py` of bsuite (Osband et al. 2020, arXiv 1908.03568) without its noise: which action moves
    right is drawn per cell from bsuite's seed, so that no network can take one action for the direction. Float fields
    are traced. An episode has N steps: take `size` as its time limit, and it terminates there.

    Raises:
        EntropaxError: `size` is below 2.
    """

    size: int = eqx.field(static=True, default=10)
    move_cost: float = 0.01

    def __check_init__(self) -> None:
        if self.size < 2:
            raise EntropaxError(f"DeepSea: size is {self.size}, which leaves nothing to explore. Take 2 or more.")

    @property
    def spec(self) -> Spec:
        """Observation: the cell of `size` x `size`, one-hot row by row; one of two moves."""
        return Spec(self.size**2, Categories(2), one_hot=True)

    def initial(self, *, key: Key[Array, ""]) -> DeepSeaState:
        """The upper left cell."""
        return DeepSeaState(jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32))

    def observe(self, state: DeepSeaState) -> Float[Array, " observation"]:
        """The cell, one-hot; all 0 at the bottom."""
        return jax.nn.one_hot(state.row * self.size + state.column, self.size**2, dtype=float)

    def step(
        self, state: DeepSeaState, action: Int[Array, ""], *, key: Key[Array, ""]
    ) -> tuple[DeepSeaState, Float[Array, ""], Bool[Array, ""]]:
        """Sinks by a row; terminates at the bottom."""
        right = action == jnp.asarray(rightwards(self.size))[state.row, state.column]
        found = right & (state.column == self.size - 1)
        reward = jnp.where(found, 1.0, 0.0) - jnp.where(right, self.move_cost / self.size, 0.0)
        column = jnp.clip(state.column + jnp.where(right, 1, -1), 0, self.size - 1)
        after = DeepSeaState(state.row + 1, column)
        return after, jnp.asarray(reward, jnp.float32), after.row >= self.size


def draw(state: DeepSeaState, size: int) -> np.ndarray:
    """The cells that can be reached, the treasure's, and the diver, `[height, width, 3]`; a unit is a cell."""
    canvas = Canvas((0.0, -1.0), (float(size), float(size)), width=320)
    canvas.polygon(((0, size), (0, 0), (size, 0), (size, 1), (1, size)), FAINT)
    canvas.disc((size - 0.5, 0.5), 0.45, GOOD)
    canvas.disc((int(state.column) + 0.5, size - 0.5 - int(state.row)), 0.35, SELF)
    return canvas.pixels()
