"""Our JAX tasks as ordinary Gymnasium environments, for any library that speaks Gymnasium."""

from typing import Any, final

import equinox as eqx
import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from entropax.envs.base import AbstractDynamics, Action
from entropax.envs.drawing import Picture
from entropax.envs.registry import TASKS
from entropax.errors import EntropaxError
from entropax.types import Bounds, Categories


@eqx.filter_jit
def _initial(dynamics: AbstractDynamics[Any], key: Key[Array, ""]) -> tuple[Any, Float[Array, " observation"]]:
    state = dynamics.initial(key=key)
    return state, dynamics.observe(state)


@eqx.filter_jit
def _step(
    dynamics: AbstractDynamics[Any], state: Any, action: Action, key: Key[Array, ""]
) -> tuple[Any, Float[Array, " observation"], Float[Array, ""], Any, Key[Array, ""]]:
    key, step_key = jax.random.split(key)
    state, reward, terminated = dynamics.step(state, action, key=step_key)
    return state, dynamics.observe(state), reward, terminated, key


@final
class JaxEnv(gymnasium.Env[np.ndarray, Any]):
    """One copy of a task's dynamics, compiled for the CPU, behind `gymnasium.Env`; it renders what has a picture.

    The time limit is Gymnasium's own: `gymnasium.make` wraps it in `TimeLimit`. To train here, prefer `Episodes`: this
    class pays a dispatch from Python on every step.
    """

    def __init__(
        self,
        dynamics: AbstractDynamics[Any],
        observation: Bounds,
        picture: Picture | None = None,
        render_mode: str | None = None,
    ):
        """Wraps a task.

        Args:
            dynamics: The task.
            observation: The box that its observations stay in.
            picture: How its states are drawn; None where it has no picture.
            render_mode: As in Gymnasium: "rgb_array", where there is a picture, or None.

        Raises:
            EntropaxError: `observation` has another size than the task's spec, or there is no such render mode.
        """
        self.metadata = _metadata(picture)
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            known = " or ".join([*map(repr, self.metadata["render_modes"]), "None"])
            raise EntropaxError(f"This task cannot be rendered as {render_mode!r}. Use render_mode={known}.")
        self.picture, self.render_mode = picture, render_mode
        if observation.size != dynamics.spec.observation_size:
            raise EntropaxError(
                f"The observation box has {observation.size} entries, the task's observation "
                f"{dynamics.spec.observation_size}: Gymnasium would reject every step. Make the two agree."
            )
        self.dynamics = dynamics
        self.observation_space, self.action_space = _box(observation), _action_space(dynamics.spec.action)
        self._action_dtype = jnp.int32 if isinstance(dynamics.spec.action, Categories) else jnp.float32
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

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Steps with an action in the environment's units, or with an integer where it has categories.

        Raises:
            EntropaxError: No episode has been started.
        """
        if self._state is None:
            raise EntropaxError("step() was called before reset(), so there is no state to step. Call reset() first.")
        with jax.default_device(self._device):
            self._state, observation, reward, terminated, self._key = _step(
                self.dynamics, self._state, jnp.asarray(action, self._action_dtype), self._key
            )
        return np.array(observation, np.float32), float(reward), bool(terminated), False, {}

    def render(self) -> np.ndarray | None:
        """A frame `[height, width, 3]` of the state as it is now, or None where no render mode was chosen.

        Raises:
            EntropaxError: No episode has been started.
        """
        if self.render_mode is None or self.picture is None:
            return None
        if self._state is None:
            raise EntropaxError("render() was called before reset(), so there is no state to draw. Call reset() first.")
        return self.picture.draw(jax.device_get(self._state))


def _metadata(picture: Picture | None) -> dict[str, Any]:
    """What Gymnasium asks of an environment that does, or does not, render."""
    if picture is None:
        return {"render_modes": []}
    return {"render_modes": ["rgb_array"], "render_fps": picture.frames_per_second}


def _box(bounds: Bounds) -> gymnasium.spaces.Box:
    return gymnasium.spaces.Box(np.asarray(bounds.low, np.float32), np.asarray(bounds.high, np.float32))


def _action_space(action: Bounds | Categories) -> gymnasium.Space[Any]:
    return gymnasium.spaces.Discrete(action.count) if isinstance(action, Categories) else _box(action)


def from_task(task: str, render_mode: str | None = None) -> JaxEnv:
    """The entry point that `gymnasium.make` calls: the task of our registry with this id, default fields.

    Raises:
        EntropaxError: The task has no such render mode.
    """
    entry = TASKS[task]
    return JaxEnv(entry.build(), entry.observation, entry.picture, render_mode)
