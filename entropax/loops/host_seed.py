"""One seed's host side: its environments, its replay, its random numbers, its episodes."""

from collections import deque
from typing import Any, NamedTuple

import jax
import numpy as np

from entropax.envs.base import AbstractHostEnvironments
from entropax.errors import EntropaxError
from entropax.loops.training import Training
from entropax.loops.update import BROKEN, STARTS, STEP_CULPRITS, broken_steps, recent_return
from entropax.policies import HostPolicy
from entropax.replay import AbstractData, Draw, HostReplay, pack
from entropax.types import transition

_NOTHING = {
    "rollout/return_sum": 0.0,
    "rollout/length_sum": 0.0,
    "rollout/episodes": 0.0,
    "rollout/terminations": 0.0,
    "rollout/skipped_steps": 0.0,
} | {f"{BROKEN}{name}": 0.0 for name in STEP_CULPRITS}


class Taken(NamedTuple):
    """Steps of all copies of the environment, oldest first, as a bonus is to see them."""

    rows: Any
    """Packed, `[steps, envs, width]`; NumPy, or JAX inside a compiled round."""
    stored: Any
    """Which of them the replay took, `[steps, envs]`."""


class HostSeed:
    """Steps a seed's environments and keeps what they return; NumPy only."""

    def __init__(self, environments: AbstractHostEnvironments, training: Training, data: AbstractData, seed: int):
        """Begins the first episodes.

        Raises:
            EntropaxError: the environment has another number of copies than the training counts on.
        """
        if environments.num_envs != training.num_envs:
            raise EntropaxError(
                f"The environment has {environments.num_envs} copies, but num_envs is {training.num_envs}, by which "
                f"steps are counted and stored. Set num_envs to {environments.num_envs}, or make as many copies: "
                f'gymnasium.make_vec("Pendulum-v1", num_envs={training.num_envs}).'
            )
        self.environments, self.data, self.seed = environments, data, seed
        self.actions = environments.spec.action
        self.replay = HostReplay(environments.spec, training.num_envs, training.rows)
        self.generator = np.random.default_rng([seed, 1])
        self.sums = dict(_NOTHING)
        self._running = dict(_NOTHING)
        self._restarts = 0
        # Of the newest step: whether it was one of an episode, and whether the next one is an episode's first.
        self.counted = np.ones(environments.num_envs, np.bool_)
        self._newest: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=training.train_every)
        # What the learner is told of the run.
        self.mean_return = np.float32(np.nan)
        self.starts = np.zeros((STARTS, environments.spec.observation_size), np.float32)
        self.started = 0
        self._start()

    def _start(self) -> None:
        """Begins episodes from a seed that no earlier start of this run has used; those under way end as truncated."""
        self.replay.cut()
        self.observation = self.environments.reset(seed=self.seed + 1_000_003 * self._restarts)
        n = self.environments.num_envs
        self._return, self._length = np.zeros(n, np.float64), np.zeros(n, np.int64)
        self.began = np.ones(n, np.bool_)

    def _keep_starts(self, observations: np.ndarray) -> None:
        """Keeps the newest 256 first observations of episodes; until there are as many, they are repeated."""
        for observation in observations:
            filled = self.started % STARTS if self.started >= STARTS else slice(self.started, None)
            self.starts[filled] = observation
            self.started += 1

    def step_randomly(self) -> None:
        """One step of uniform actions."""
        self.take(self.actions.uniform_on_host(self.generator, len(self.observation)))

    def step(self, policy: HostPolicy) -> None:
        """One step of the policy's actions."""
        self.take(policy.sample(self.observation, self.generator))

    def take(self, action: np.ndarray) -> None:
        """One step of these actions, `[envs, action]`."""
        step = self.environments.step(self.actions.to_environment(action))
        rows = pack(transition(self.observation, action, step))
        finite = np.isfinite(rows).all(-1)
        stored = step.valid & finite
        self.replay.add(rows, stored)
        self._newest.append((rows, stored))
        self._keep_starts(self.observation[(self._length == 0) & step.valid])
        self._return += np.where(stored, step.reward, 0)
        self._length += step.valid
        self.observation = step.observation
        ended = step.terminated | step.truncated
        self.counted, self.began = step.valid, ended
        if ended.any():
            total = self._return[ended].sum()
            self._running["rollout/return_sum"] += float(total)
            self._running["rollout/length_sum"] += float(self._length[ended].sum())
            self._running["rollout/episodes"] += float(ended.sum())
            self._running["rollout/terminations"] += float(step.terminated.sum())
            self.mean_return = recent_return(self.mean_return, total, ended.sum())
            self._return[ended] = 0
            self._length[ended] = 0
        if not finite.all():
            self._running["rollout/skipped_steps"] += float((~finite).sum())
            for name, count in broken_steps(step.final_observation, step.reward, action).items():
                self._running[name] += float(count)
            self._restarts += 1
            self._start()

    def taken(self) -> Taken:
        """The newest round's steps, random ones too."""
        rows, stored = zip(*self._newest, strict=True)
        return Taken(np.stack(rows), np.stack(stored))

    def draw(self, updates: int, coming: int) -> Draw:
        """Chooses a round's batches among the stored steps and the `coming` ones of each environment."""
        return self.data.draw(self.replay, updates, self.generator, coming)

    def read(self, draw: Draw) -> np.ndarray:
        """The rows of a draw, `[updates, batch, window, width]`, after the steps that it counted on.

        Chosen anew where one of those was not stored, being broken or a vector environment's step of resetting.
        """
        if (self.replay.cursor == draw.cursor).all():
            return self.replay.read(draw)
        return self.replay.read(self.draw(len(draw.env), 0))

    def hand_over(self) -> None:
        """Moves what the episodes summed up to into `sums` and starts anew."""
        self.sums, self._running = {k: np.float32(v) for k, v in self._running.items()}, dict(_NOTHING)

    def save(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Replay, and the generator's state with the counters."""
        arrays = self._arrays()
        shapes = {name: list(array.shape) for name, array in arrays.items()}
        state = _as_text(self.generator.bit_generator.state)
        counts = {"restarts": self._restarts, "started": self.started}
        return arrays, {"generator": state, **counts, "shapes": shapes}

    def _arrays(self) -> dict[str, np.ndarray]:
        return {**self.replay.arrays(), "starts": self.starts, "mean_return": np.asarray(self.mean_return)}

    def like(self, meta: dict[str, Any]) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes of the replay that `save` gave."""
        dtypes = {name: array.dtype for name, array in self._arrays().items()}
        return {name: jax.ShapeDtypeStruct(tuple(shape), dtypes[name]) for name, shape in meta["shapes"].items()}

    def load(self, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
        """Takes back what `save` gave and starts new episodes."""
        self.replay.load(arrays)
        self.starts[:] = arrays["starts"]
        self.mean_return, self.started = np.float32(arrays["mean_return"]), meta["started"]
        self.generator.bit_generator.state = _as_numbers(meta["generator"])
        self._restarts = meta["restarts"] + 1
        self._start()


def _as_text(state: Any) -> Any:
    """A generator's state with its 128-bit integers as text, which any JSON reader keeps whole."""
    if isinstance(state, dict):
        return {name: _as_text(value) for name, value in state.items()}
    return f"{state:d}" if isinstance(state, int) else state


def _as_numbers(state: Any) -> Any:
    if isinstance(state, dict):
        return {name: _as_numbers(value) for name, value in state.items()}
    return int(state) if isinstance(state, str) and state.isdigit() else state
