"""Variants of a task: final classes that wrap a task and change its reward, its observation, or how it ends."""

import dataclasses
from typing import Any, Generic, TypeVar, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from entropax.envs.base import AbstractDynamics, Action, Episodes, EpisodeState
from entropax.errors import EntropaxError
from entropax.types import Spec, continuous

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

    def step(self, state: State, action: Action, *, key: Key[Array, ""]) -> tuple[State, Float[Array, ""], Any]:
        """The wrapped task's step, its reward thresholded."""
        state, reward, terminated = self.dynamics.step(state, action, key=key)
        return state, jnp.asarray(reward >= self.threshold, jnp.float32), terminated


@final
class ActionCost(AbstractDynamics[State], Generic[State]):
    """Subtracts `cost` * ||a||₂ from the reward: turns any task into one where doing nothing is tempting.

    The wrapper of MaxInfoRL (Sukhija et al., ICLR 2025, section 4). The norm is of the action in the environment's
    units; `cost` is in reward per such unit.

    Raises:
        EntropaxError: the task's actions are not continuous: an index has no cost.
    """

    dynamics: AbstractDynamics[State]
    cost: float = 0.1

    def __check_init__(self) -> None:
        continuous(self.dynamics.spec)

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
        self, state: EpisodeState[State], action: Action, *, key: Key[Array, ""]
    ) -> tuple[EpisodeState[State], Float[Array, ""], Any]:
        """The wrapped task's step, which terminates where it does and at the limit."""
        task, reward, terminated = self.dynamics.step(state.task, action, key=key)
        time = state.time + 1
        return EpisodeState(task, time), reward, terminated | (time >= self.steps)


@final
class ScaledReward(AbstractDynamics[State], Generic[State]):
    """Multiplies the reward by `factor`: to a soft method, the same task at the temperature alpha / `factor`.

    What an optimiser meets is not the same: values, losses and gradients scale too.
    """

    dynamics: AbstractDynamics[State]
    factor: float = 0.1

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

    def step(self, state: State, action: Action, *, key: Key[Array, ""]) -> tuple[State, Float[Array, ""], Any]:
        """The wrapped task's step, its reward scaled."""
        state, reward, terminated = self.dynamics.step(state, action, key=key)
        return state, self.factor * reward, terminated


@final
class NormalisedObservation(AbstractDynamics[State], Generic[State]):
    """Shows (observation - mean) / deviation, with statistics that stay what they are.

    Fixed statistics keep the task stationary, so that what is in the replay keeps its meaning. `observation_statistics`
    measures them.

    Raises:
        EntropaxError: the statistics have another size than the task's observation.
    """

    dynamics: AbstractDynamics[State]
    mean: Float[Array, " observation"]
    deviation: Float[Array, " observation"]

    def __check_init__(self) -> None:
        size = (self.dynamics.spec.observation_size,)
        if (self.mean.shape, self.deviation.shape) != (size, size):
            raise EntropaxError(
                f"mean and deviation have shapes {self.mean.shape} and {self.deviation.shape}, the task's observations "
                f"{size}. Measure them on this task: observation_statistics(environment, key=key)."
            )

    @property
    def spec(self) -> Spec:
        """That of the wrapped task, whose observations are no longer one-hot."""
        return dataclasses.replace(self.dynamics.spec, one_hot=False)

    def initial(self, *, key: Key[Array, ""]) -> State:
        """As the wrapped task."""
        return self.dynamics.initial(key=key)

    def observe(self, state: State) -> Float[Array, " observation"]:
        """The wrapped task's observation, normalised."""
        return (self.dynamics.observe(state) - self.mean) / self.deviation

    def step(self, state: State, action: Action, *, key: Key[Array, ""]) -> tuple[State, Float[Array, ""], Any]:
        """As the wrapped task."""
        return self.dynamics.step(state, action, key=key)


def observation_statistics(
    environment: Episodes[Any], *, episodes: int = 100, key: Key[Array, ""]
) -> tuple[Float[Array, " observation"], Float[Array, " observation"]]:
    """Mean and standard deviation of each observation entry under uniformly random actions.

    Over as many steps as `episodes` full episodes have; entries that never move get a deviation of 1.
    """
    actions = environment.spec.action

    def episode(key: Key[Array, ""]) -> Float[Array, "steps observation"]:
        reset_key, key = jax.random.split(key)
        state, observation = environment.reset(key=reset_key)

        def step(carry: Any, key: Key[Array, ""]) -> tuple[Any, Array]:
            state, observation = carry
            act_key, step_key = jax.random.split(key)
            action = actions.to_environment(actions.uniform(key=act_key))
            state, step = environment.step(state, action, key=step_key)
            return (state, step.observation), observation

        return jax.lax.scan(step, (state, observation), jax.random.split(key, environment.time_limit))[1]

    seen = jax.jit(jax.vmap(episode))(jax.random.split(key, episodes)).reshape(-1, environment.spec.observation_size)
    # Summed in NumPy, in one order: in JAX the last bits hang on the number of cores, and kept runs on these bits.
    each = np.asarray(seen, np.float64)
    deviation = each.std(axis=0)
    return jnp.asarray(each.mean(axis=0), float), jnp.asarray(np.where(deviation > 0, deviation, 1.0), float)
