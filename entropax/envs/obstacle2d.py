"""A point with its goal behind a wall, which two steps can round and one cannot pass."""

from typing import final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from entropax.envs.base import AbstractDynamics
from entropax.envs.drawing import BAD, FAINT, GOOD, INK, SELF, Canvas
from entropax.envs.motion import length
from entropax.types import Bounds, Spec

GOAL = (3.0, 0.0)
"""Middle of the goal."""

WALL = ((2.0, -2.0), (2.05, 2.0))
"""Lower left and upper right corner of the wall."""

STEP_LIMIT = 50
"""Steps that are paid; the one after them, on which the published task truncates, pays 0."""


class ObstacleState(eqx.Module):
    """Where the point is, and the number of steps taken."""

    position: Float[Array, "2"]
    time: Int[Array, ""]


@final
class Obstacle2D(AbstractDynamics[ObstacleState]):
    """A point starts at (0, 0) and has its goal at (3, 0), behind a wall that ends at y = ±2; an action moves it.

    A step pays the distance to the goal that it gains, the goal `goal_reward` and the wall `wall_reward`; the latter
    two terminate. Walking up to the wall and staying there returns almost 2, going round it about 500. The plane has
    no border. Every field is traced.

    Obstacle2D of Zhang, Chang and Gao, "When Maximum Entropy Misleads Policy Optimization" (ICML 2025), of which it
    keeps two quirks: a step that meets the wall and ends in the goal has met the wall, and the step on which the time
    limit of 51 truncates pays 0, whatever it met.
    """

    goal_radius: float = 0.1
    goal_reward: float = 500.0
    wall_reward: float = -200.0

    @property
    def spec(self) -> Spec:
        """Observation (x, y), centred and scaled; a move in [-3, 3]²."""
        return Spec(2, Bounds((-3.0, -3.0), (3.0, 3.0)))

    def initial(self, *, key: Key[Array, ""]) -> ObstacleState:
        """(0, 0)."""
        return ObstacleState(jnp.zeros(2, float), jnp.zeros((), jnp.int32))

    def observe(self, state: ObstacleState) -> Float[Array, "2"]:
        """((x - 2.025) / 2.025, y / 3): zero in the middle of the wall."""
        x, y = state.position[0], state.position[1]
        return jnp.stack([(x - 2.025) / 2.025, y / 3])

    def step(
        self, state: ObstacleState, action: Float[Array, "2"], *, key: Key[Array, ""]
    ) -> tuple[ObstacleState, Float[Array, ""], Bool[Array, ""]]:
        """Moves; terminates at the wall and in the goal."""
        position = state.position + jnp.clip(action, -3.0, 3.0)
        before, distance = (length(place[0] - GOAL[0], place[1] - GOAL[1]) for place in (state.position, position))
        hit = meets_wall(state.position, position)
        reached = distance < self.goal_radius
        paid = jnp.where(hit, self.wall_reward, jnp.where(reached, self.goal_reward, before - distance))
        time = state.time + 1
        late = time > STEP_LIMIT
        return ObstacleState(position, time), jnp.where(late, 0.0, paid), (hit | reached) & ~late


def meets_wall(start: Float[Array, "2"], end: Float[Array, "2"]) -> Bool[Array, ""]:
    """Whether the segment between two points crosses an edge of the wall, by the signs of triangles' areas."""
    (left, low), (right, high) = WALL
    x0, y0, x1, y1 = start[0], start[1], end[0], end[1]
    across, along = x1 - x0, y1 - y0
    crossed = jnp.zeros((), bool)
    for edge in (left, right):
        # Where it passes x = edge, times `across`, whose sign turns the comparison.
        at = y0 * across + (edge - x0) * along
        inside = (at > low * across) != (at > high * across)
        crossed = crossed | (((x0 < edge) != (x1 < edge)) & inside)
    for edge in (low, high):
        at = x0 * along + (edge - y0) * across
        inside = (at > left * along) != (at > right * along)
        crossed = crossed | (((y0 < edge) != (y1 < edge)) & inside)
    return crossed


def draw(state: ObstacleState) -> np.ndarray:
    """The point in blue, the wall in red, the goal in green, `[height, width, 3]`; faint lines are a unit apart."""
    canvas = Canvas((-3.5, -4.0), (5.5, 4.0))
    for place in range(-4, 6):
        canvas.line((place, -5), (place, 5), 0.02, FAINT)
        canvas.line((-5, place), (6, place), 0.02, FAINT)
    (left, low), (right, high) = WALL
    canvas.polygon(((left - 0.03, low), (right + 0.03, low), (right + 0.03, high), (left - 0.03, high)), BAD)
    canvas.ring((0.0, 0.0), 0.15, 0.04, INK)
    canvas.disc(GOAL, 0.18, GOOD)
    canvas.disc(np.asarray(state.position), 0.18, SELF)
    return canvas.pixels()
