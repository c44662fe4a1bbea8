"""Our JAX tasks as ordinary Gymnasium environments, for any library that speaks Gymnasium."""

from typing import Any, final

import equinox as eqx
import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from entropax.envs.base import AbstractDynamics
from entropax.envs.registry import TASKS
from entropax.errors import EntropaxError
from entropax.types import Bounds


@eqx.filter_jit
def _initial(dynamics: AbstractDynamics[Any], key: Key[Array, ""]) -> tuple[Any, Float[Array, " observation"]]:
    state = dynamics.initial(key=key)
    return state, dynamics.observe(state)


@eqx.filter_jit
def _step(
    dynamics: AbstractDynamics[Any], state: Any, action: Float[Array, " action"], key: Key[Array, ""]
) -> tuple[Any, Float[Array, " observation"], Float[Array, ""], Any, Key[Array, ""]]:
    key, step_key = jax.random.split(key)
    state, reward, terminated = dynamics.step(state, action, key=step_key)
    return state, dynamics.observe(state), reward, terminated, key


@final
class JaxEnv(gymnasium.Env[np.ndarray, np.ndarray]):
    """One copy of a task's dynamics, compiled for the CPU, behind `gymnasium.Env`; it has no rendering.

    The time limit is Gymnasium's own: `gymnasium.make` wraps it in `TimeLimit`. To train here, prefer `Episodes`: this
    class pays a dispatch from Python on every step.
    """

    metadata = {"render_modes": []}  # noqa: RUF012, Gymnasium declares it so
    render_mode = None

    def __init__(self, dynamics: AbstractDynamics[Any], observation: Bounds):
        """Wraps a task.

        Args:
            dynamics: The task; its action spec must be `Bounds`.
            observation: The box that its observations stay in.

        Raises:
            EntropaxError: The task's actions are not continuous, or `observation` has another size than its spec.
        """
        action = dynamics.spec.action
        if not isinstance(action, Bounds):
            raise EntropaxError("JaxEnv wraps continuous tasks, this one has a finite set of actions. Use Bounds.")
        if observation.size != dynamics.spec.observation_size:
            raise EntropaxError(
                f"The observation box has {observation.size} entries, the task's observation "
                f"{dynamics.spec.observation_size}: Gymnasium would reject every step. Make the two agree."
            )
        self.dynamics = dynamics
        self.observation_space, self.action_space = _space(observation), _space(action)
        self._device = jax.devices("cpu")[0]
        self._state: Any = None
        self._key: Any = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        """Starts an episode; `seed` seeds this and all later ones, `options` are not used."""
        gymnasium.Env.reset(self, seed=seed)
        with jax.default_device(self._device):
            start, self._key = jax.random.split(jax.random.key(int(self.np_random.integers(2**31))))
            self._state, observation = _initial(self.dynamics, start)
        return np.array(observation, np.float32), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Steps with an action in the environment's units.

        Raises:
            EntropaxError: No episode has been started.
        """
        if self._state is None:
            raise EntropaxError("step() was called before reset(), so there is no state to step. Call reset() first.")
        with jax.default_device(self._device):
            self._state, observation, reward, terminated, self._key = _step(
                self.dynamics, self._state, jnp.asarray(action, jnp.float32), self._key
            )
        return np.array(observation, np.float32), float(reward), bool(terminated), False, {}


def _space(bounds: Bounds) -> gymnasium.spaces.Box:
    return gymnasium.spaces.Box(np.asarray(bounds.low, np.float32), np.asarray(bounds.high, np.float32))


def from_task(task: str) -> JaxEnv:
    """The entry point that `gymnasium.make` calls: the task of our registry with this id, default fields."""
    return JaxEnv(TASKS[task].build(), TASKS[task].observation)
