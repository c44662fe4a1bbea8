"""Variants of a task: final classes that wrap a task and change its reward, or how it ends."""

from typing import Any, Generic, TypeVar, final

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from entropax.envs.base import AbstractDynamics, EpisodeState
from entropax.types import Spec

State = TypeVar("State")


@final
class Sparse(AbstractDynamics[State], Generic[State]):
    """Pays 1 on steps whose dense reward is at least `threshold`, and 0 elsewhere.

    With the default, Pendulum pays only within 18 degrees of upright (angle² + 0.1 velocity² <= 0.1), so nothing
    tells a policy that does not explore where to go.
    """

    dynamics: AbstractDynamics[State]
    threshold: float = -0.1

    @property
    def spec(self) -> Spec:
        """That of the wrapped task."""
        return self.dynamics.spec

    def initial(self, *, key: Key[Array, ""]) -> State:
        """As the wrapped task."""
        return self.dynamics.initial(key=key)

    def observe(self, state: State) -> Float[Array, " observation"]:
        """As the wrapped task."""
        return self.dynamics.observe(state)

    def step(
        self, state: State, action: Float[Array, " action"], *, key: Key[Array, ""]
    ) -> tuple[State, Float[Array, ""], Any]:
        """The wrapped task's step, its reward thresholded."""
        state, reward, terminated = self.dynamics.step(state, action, key=key)
        return state, jnp.asarray(reward >= self.threshold, jnp.float32), terminated


@final
class ActionCost(AbstractDynamics[State], Generic[State]):
    """Subtracts `cost` * ||a||₂ from the reward: turns any task into one where doing nothing is tempting.

    The wrapper of MaxInfoRL (Sukhija et al., ICLR 2025, section 4). The norm is of the action in the environment's
    units; `cost` is in reward per such unit.
    """

    dynamics: AbstractDynamics[State]
    cost: float = 0.1

    @property
    def spec(self) -> Spec:
        """That of the wrapped task."""
        return self.dynamics.spec

    def initial(self, *, key: Key[Array, ""]) -> State:
        """As the wrapped task."""
        return self.dynamics.initial(key=key)

    def observe(self, state: State) -> Float[Array, " observation"]:
        """As the wrapped task."""
        return self.dynamics.observe(state)

    def step(
        self, state: State, action: Float[Array, " action"], *, key: Key[Array, ""]
    ) -> tuple[State, Float[Array, ""], Any]:
        """The wrapped task's step, less the cost of the action."""
        state, reward, terminated = self.dynamics.step(state, action, key=key)
        return state, reward - self.cost * jnp.linalg.norm(action), terminated


@final
class TerminalTimeLimit(AbstractDynamics[EpisodeState[State]], Generic[State]):
    """Terminates after `steps` steps, as if the value ended there: the time limit of tasks that know no truncation.

    It is a quirk to reproduce, not to imitate: no observation shows the time, so a critic is told that the same
    observation sometimes has no future. `Episodes` alone truncates instead.
    """

    dynamics: AbstractDynamics[State]
    steps: int = eqx.field(static=True)

    @property
    def spec(self) -> Spec:
        """That of the wrapped task."""
        return self.dynamics.spec

    def initial(self, *, key: Key[Array, ""]) -> EpisodeState[State]:
        """As the wrapped task, no step taken."""
        return EpisodeState(self.dynamics.initial(key=key), jnp.zeros((), jnp.int32))

    def observe(self, state: EpisodeState[State]) -> Float[Array, " observation"]:
        """As the wrapped task."""
        return self.dynamics.observe(state.task)

    def step(
        self, state: EpisodeState[State], action: Float[Array, " action"], *, key: Key[Array, ""]
    ) -> tuple[EpisodeState[State], Float[Array, ""], Any]:
        """The wrapped task's step, which terminates where it does and at the limit."""
        task, reward, terminated = self.dynamics.step(state.task, action, key=key)
        time = state.time + 1
        return EpisodeState(task, time), reward, terminated | (time >= self.steps)
