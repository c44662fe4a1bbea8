"""A point in a box whose way to the goal, followed by its distance, ends in a trap."""

from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from entropax.envs.base import AbstractDynamics
from entropax.types import Bounds, Spec

WALLS = (
    ((0.2, -0.5), (0.35, 0.5)),
    ((-0.3, 0.35), (0.2, 0.5)),
    ((-0.3, -0.5), (0.2, -0.35)),
)
"""The U, open to the left: its back and its two arms, each a rectangle by lower left and upper right corner."""

GOAL = (0.8, 0.0)
"""Middle of the goal, behind the back of the U."""


class MazeState(eqx.Module):
    """Where the point is, in the box [-1, 1]²."""

    position: Float[Array, "2"]


@final
class DeceptiveMaze(AbstractDynamics[MazeState]):
    """A point, steered by its velocity, starts before the mouth of a U and has its goal behind it.

    ```
      +----------------------+
      |      ########        |      The reward is what a step gains on the straight line to the goal, so following it
      |             #        |      leads into the U, where every further step pays 0 or less. The way round it first
      |  start      #   goal |      loses on that line. Reaching the goal pays `goal_reward` and terminates.
      |             #        |
      |      ########        |
      +----------------------+
    ```

    Without `goal_reward` the rewards of an episode add up to the distance gained: about 0.7 at the bottom of the U,
    about 1.1 at the edge of the goal. The defaults let uniformly random actions into the goal in about 5 % of
    episodes: a task on which exploration matters and is possible. Every field is traced. Walls are 0.15 thick and a
    step is checked where it ends, so `speed` must stay below 0.15, or the point may pass through them.
    """

    speed: float = 0.14
    goal_radius: float = 0.2
    goal_reward: float = 10.0

    @property
    def spec(self) -> Spec:
        """Observation (x, y); a velocity in [-1, 1]², times `speed` a step."""
        return Spec(2, Bounds((-1.0, -1.0), (1.0, 1.0)))

    def initial(self, *, key: Key[Array, ""]) -> MazeState:
        """Uniform within 0.05 of (-0.5, 0) along each axis."""
        return MazeState(jnp.asarray((-0.5, 0.0)) + jax.random.uniform(key, (2,), jnp.float32, -0.05, 0.05))

    def observe(self, state: MazeState) -> Float[Array, "2"]:
        """(x, y)."""
        return state.position

    def step(
        self, state: MazeState, action: Float[Array, "2"], *, key: Key[Array, ""]
    ) -> tuple[MazeState, Float[Array, ""], Bool[Array, ""]]:
        """Moves along x, then along y, each unless that would end in a wall; terminates in the goal."""
        move = self.speed * jnp.clip(action, -1.0, 1.0)
        position = _slide(state.position, move * jnp.asarray((1.0, 0.0)))
        position = _slide(position, move * jnp.asarray((0.0, 1.0)))
        before, distance = (jnp.linalg.norm(place - jnp.asarray(GOAL)) for place in (state.position, position))
        reached = distance <= self.goal_radius
        return MazeState(position), before - distance + jnp.where(reached, self.goal_reward, 0.0), reached


def _slide(position: Float[Array, "2"], move: Float[Array, "2"]) -> Float[Array, "2"]:
    """Moves along one axis, up to the edge of the box, unless that ends in a wall."""
    moved = jnp.clip(position + move, -1.0, 1.0)
    return jnp.where(in_wall(moved), position, moved)


def in_wall(position: Float[Array, "2"]) -> Bool[Array, ""]:
    """Whether a point is strictly inside one of the walls."""
    low, high = jnp.moveaxis(jnp.asarray(WALLS), 1, 0)
    return jnp.any(jnp.all((position[None] > low) & (position[None] < high), axis=-1))
