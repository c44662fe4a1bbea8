"""Tasks of the third set, and the return from which each counts as solved."""

from typing import Any, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from entropax.envs.base import AbstractDynamics, Episodes
from entropax.types import Bounds, Spec

ARM = "arm"
PUCK = "puck"
AIM = "aim"
LANE = "lane"
LEDGE = "ledge"


@final
class Arm(AbstractDynamics[Array]):
    """Two links of half a metre whose tip is to be brought to a point; state (two angles, x and y of the point)."""

    speed: float = 0.3

    @property
    def spec(self) -> Spec:
        """(cosines, sines of both links' directions, tip less point); joint velocities times `speed` rad a step."""
        return Spec(6, Bounds((-1.0, -1.0), (1.0, 1.0)))

    def initial(self, *, key: Key[Array, ""]) -> Float[Array, "4"]:
        """Stretched out within 0.5 rad a joint; a point at 0.3 to 0.8 m in any direction within 1.5 rad."""
        low, high = jnp.array([-0.5, -0.5, 0.3, -1.5]), jnp.array([0.5, 0.5, 0.8, 1.5])
        first, second, distance, direction = jax.random.uniform(key, (4,), jnp.float32, low, high)
        return jnp.stack([first, second, distance * jnp.cos(direction), distance * jnp.sin(direction)])

    def observe(self, state: Float[Array, "4"]) -> Float[Array, "6"]:
        """Directions of the links, and the way left."""
        directions = jnp.cumsum(state[:2])
        return jnp.concatenate([jnp.cos(directions), jnp.sin(directions), self._off(state)])

    def _off(self, state: Float[Array, "4"]) -> Float[Array, "2"]:
        directions = jnp.cumsum(state[:2])
        return 0.5 * jnp.stack([jnp.cos(directions).sum(), jnp.sin(directions).sum()]) - state[2:]

    def step(self, state: Float[Array, "4"], action: Float[Array, "2"], *, key: Key[Array, ""]) -> tuple[Any, Any, Any]:
        """Turns both joints; minus the tip's distance."""
        state = state.at[:2].add(self.speed * jnp.clip(action, -1.0, 1.0))
        return state, -jnp.linalg.norm(self._off(state)), jnp.zeros((), bool)


@final
class Puck(AbstractDynamics[Array]):
    """A puck on ice with friction that is to be brought to 0; state (x, y, vx, vy)."""

    friction: float = 0.3
    push: float = 0.15

    @property
    def spec(self) -> Spec:
        """The state; two pushes."""
        return Spec(4, Bounds((-1.0, -1.0), (1.0, 1.0)))

    def initial(self, *, key: Key[Array, ""]) -> Float[Array, "4"]:
        """At rest in the square of half-width 1."""
        return jnp.concatenate([jax.random.uniform(key, (2,), jnp.float32, -1.0, 1.0), jnp.zeros(2)])

    def observe(self, state: Float[Array, "4"]) -> Float[Array, "4"]:
        """The state."""
        return state

    def step(self, state: Float[Array, "4"], action: Float[Array, "2"], *, key: Key[Array, ""]) -> tuple[Any, Any, Any]:
        """Friction and push, then motion; it stops at 2; minus the mean distance of both axes."""
        velocity = (1 - self.friction) * state[2:] + self.push * jnp.clip(action, -1.0, 1.0)
        position = jnp.clip(state[:2] + velocity, -2.0, 2.0)
        return jnp.concatenate([position, velocity]), -jnp.mean(jnp.abs(position)), jnp.zeros((), bool)


@final
class Aim(AbstractDynamics[Array]):
    """Three numbers to be hit, new ones each step: nothing that is done has a consequence."""

    @property
    def spec(self) -> Spec:
        """The numbers; a guess at each."""
        return Spec(3, Bounds((-1.0,) * 3, (1.0,) * 3))

    def initial(self, *, key: Key[Array, ""]) -> Float[Array, "3"]:
        """Uniform in [-0.8, 0.8]."""
        return jax.random.uniform(key, (3,), jnp.float32, -0.8, 0.8)

    def observe(self, state: Float[Array, "3"]) -> Float[Array, "3"]:
        """The numbers."""
        return state

    def step(self, state: Float[Array, "3"], action: Float[Array, "3"], *, key: Key[Array, ""]) -> tuple[Any, Any, Any]:
        """Minus the mean distance of the guesses."""
        return self.initial(key=key), -jnp.mean(jnp.abs(action - state)), jnp.zeros((), bool)


@final
class Lane(AbstractDynamics[Array]):
    """A car at constant speed that is to keep to the middle of its lane; state (offset in m, heading in rad)."""

    speed: float = 0.3
    steering: float = 0.3

    @property
    def spec(self) -> Spec:
        """(offset, sine and cosine of the heading); one steering rate."""
        return Spec(3, Bounds((-1.0,), (1.0,)))

    def initial(self, *, key: Key[Array, ""]) -> Float[Array, "2"]:
        """Within 1 m of the middle, heading within 0.5 rad of along."""
        return jax.random.uniform(key, (2,), jnp.float32, jnp.array([-1.0, -0.5]), jnp.array([1.0, 0.5]))

    def observe(self, state: Float[Array, "2"]) -> Float[Array, "3"]:
        """Offset and direction."""
        return jnp.stack([state[0], jnp.sin(state[1]), jnp.cos(state[1])])

    def step(self, state: Float[Array, "2"], action: Float[Array, "1"], *, key: Key[Array, ""]) -> tuple[Any, Any, Any]:
        """Turns, then drives, at most 3 m off; minus the offset's size."""
        heading = state[1] + self.steering * jnp.clip(action[0], -1.0, 1.0)
        offset = jnp.clip(state[0] + self.speed * jnp.sin(heading), -3.0, 3.0)
        return jnp.stack([offset, heading]), -jnp.abs(offset), jnp.zeros((), bool)


@final
class Ledge(AbstractDynamics[Array]):
    """A ball on a hill that rolls off faster the farther it is: 1 a step, terminated once it is 1 m off."""

    slope: float = 0.1
    push: float = 0.15

    @property
    def spec(self) -> Spec:
        """The position in m; one push."""
        return Spec(1, Bounds((-1.0,), (1.0,)))

    def initial(self, *, key: Key[Array, ""]) -> Float[Array, "1"]:
        """Within 0.5 m of the top."""
        return jax.random.uniform(key, (1,), jnp.float32, -0.5, 0.5)

    def observe(self, state: Float[Array, "1"]) -> Float[Array, "1"]:
        """The position."""
        return state

    def step(self, state: Float[Array, "1"], action: Float[Array, "1"], *, key: Key[Array, ""]) -> tuple[Any, Any, Any]:
        """Rolls and is pushed."""
        state = (1 + self.slope) * state + self.push * jnp.clip(action, -1.0, 1.0)
        return state, jnp.ones((), jnp.float32), jnp.abs(state[0]) > 1


THIRD_TASKS: dict[str, tuple[Episodes[Any], float]] = {
    # A simple feedback (tests/benchmarks) costs 4.5; 5 is 0.1 m on each of the 50 steps.
    ARM: (Episodes(Arm(), 50), -5.0),
    # A simple feedback costs 1.8; 4 leaves 0.04 m more on each of the 50 steps.
    PUCK: (Episodes(Puck(), 50), -4.0),
    # 0.08 off on each of the 25 steps.
    AIM: (Episodes(Aim(), 25), -2.0),
    # A simple feedback costs 1.4; 5 leaves 0.06 m more on each of the 60 steps.
    LANE: (Episodes(Lane(), 60), -5.0),
    # At most 1 a step: on the hill for 19 of 20 steps.
    LEDGE: (Episodes(Ledge(), 100), 95.0),
}
