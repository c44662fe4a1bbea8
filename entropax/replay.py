"""Replay: each environment copy has a ring of its own, and a stored step is one row of float32.

Rows keep a sample to a single gather and an update to a single argument. A ring each keeps the steps of one
environment next to one another, so that a window of n consecutive steps needs no bookkeeping. The device form is a
PyTree for compiled loops; the host form is NumPy for Gymnasium. What an algorithm is fed is a type of its own:
`Windows` off policy, a `Rollout` on policy.
"""

import abc
import dataclasses
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from entropax.types import Spec, Transition


def row_width(spec: Spec) -> int:
    """Columns of a row: observation, action, next observation, reward, terminated, last."""
    return 2 * spec.observation_size + spec.action.size + 3


def pack(transition: Transition) -> Any:
    """Joins transitions `[...]` to rows `[..., width]`, NumPy or JAX alike."""
    xp = np if isinstance(transition.observation, np.ndarray) else jnp
    scalars = xp.stack([transition.reward, transition.terminated, transition.last], -1)
    columns = [transition.observation, transition.action, transition.next_observation, scalars]
    return xp.concatenate(columns, -1, dtype=xp.float32)


def unpack(rows: Float[Array, "*axes width"], spec: Spec) -> Transition:
    """Splits rows into transitions."""
    o, a = spec.observation_size, spec.action.size
    observation, action, following, scalars = jnp.split(rows, [o, o + a, 2 * o + a], axis=-1)
    reward, terminated, last = scalars[..., 0], scalars[..., 1], scalars[..., 2]
    return Transition(observation, action, reward, following, terminated, last)


class Replay(eqx.Module):
    """The device form, carried through compiled loops; donate it, or every step copies it."""

    rows: Float[Array, "envs capacity width"]
    cursor: Int[Array, " envs"]
    size: Int[Array, " envs"]


def empty(spec: Spec, num_envs: int, capacity: int) -> Replay:
    """A replay of `capacity` steps in all, shared evenly among the environments."""
    zeros = jnp.zeros(num_envs, jnp.int32)
    return Replay(jnp.zeros((num_envs, capacity // num_envs, row_width(spec)), jnp.float32), zeros, zeros)


def add(replay: Replay, rows: Float[Array, "envs width"], valid: Bool[Array, " envs"]) -> Replay:
    """Writes one row for each environment where it is valid."""
    num_envs, capacity, _ = replay.rows.shape
    env = jnp.arange(num_envs)
    kept = jnp.where(valid[:, None], rows, replay.rows[env, replay.cursor])
    written = valid.astype(jnp.int32)
    return Replay(
        replay.rows.at[env, replay.cursor].set(kept),
        (replay.cursor + written) % capacity,
        jnp.minimum(replay.size + written, capacity),
    )


def cut(replay: Replay, where: Bool[Array, " envs"]) -> Replay:
    """Marks the newest row of some rings as its episode's last: what is stored next does not follow on it."""
    num_envs, capacity, _ = replay.rows.shape
    env, newest = jnp.arange(num_envs), (replay.cursor - 1) % capacity
    last = jnp.maximum(replay.rows[env, newest, -1], where.astype(jnp.float32))
    return Replay(replay.rows.at[env, newest, -1].set(last), replay.cursor, replay.size)


def sample(replay: Replay, batch_size: int, window: int, *, key: Key[Array, ""]) -> Float[Array, "batch window width"]:
    """Draws windows of consecutive rows: an environment uniformly, then a start uniformly.

    A window never wraps past the newest row; it may run past an episode's end, which `last` marks.
    """
    num_envs, capacity, _ = replay.rows.shape
    # One call to the generator; the remainder favours a start by at most rows / 2^32 of its chance.
    env_bits, start_bits = jax.random.bits(key, (2, batch_size))
    env = (env_bits % num_envs).astype(jnp.int32)
    starts = jnp.maximum(replay.size[env] - window + 1, 1)
    start = (start_bits % starts.astype(jnp.uint32)).astype(jnp.int32)
    first = (replay.cursor - replay.size)[env] + start
    return replay.rows[env[:, None], (first[:, None] + jnp.arange(window)[None]) % capacity]


def newest(replay: Replay, steps: int) -> Float[Array, "envs steps width"]:
    """The newest rows of every ring, oldest first; the oldest stored one again and again where there are fewer."""
    num_envs, capacity, _ = replay.rows.shape
    back = jnp.minimum(steps - jnp.arange(steps)[None], jnp.maximum(replay.size, 1)[:, None])
    return replay.rows[jnp.arange(num_envs)[:, None], (replay.cursor[:, None] - back) % capacity]


class Draw(NamedTuple):
    """Windows chosen from a host replay."""

    env: np.ndarray
    """Whose ring, `[*shape]`."""
    slots: np.ndarray
    """Positions in the ring, `[*shape, window]`."""
    cursor: np.ndarray
    """Each ring's cursor once the rows that were coming are stored."""
    awaits: bool
    """Whether a row that was coming is among the chosen."""


class HostReplay:
    """The host form, written in place; `arrays` is all there is to checkpoint."""

    def __init__(self, spec: Spec, num_envs: int, capacity: int):
        self.rows = np.zeros((num_envs, capacity // num_envs, row_width(spec)), np.float32)
        self.cursor = np.zeros(num_envs, np.int64)
        self.size = np.zeros(num_envs, np.int64)

    def add(self, rows: np.ndarray, valid: np.ndarray) -> None:
        """Writes rows `[envs, width]` where `valid` `[envs]`."""
        capacity = self.rows.shape[1]
        for env in range(len(rows)):
            if valid[env]:
                self.rows[env, self.cursor[env]] = rows[env]
                self.cursor[env] = (self.cursor[env] + 1) % capacity
                self.size[env] = min(self.size[env] + 1, capacity)

    def cut(self) -> None:
        """Marks the newest row of every ring as its episode's last: what is stored next does not follow on it."""
        self.rows[np.arange(len(self.rows)), (self.cursor - 1) % self.rows.shape[1], -1] = 1

    def draw(self, shape: tuple[int, ...], window: int, generator: np.random.Generator, coming: int = 0) -> Draw:
        """Chooses windows as the device form does, among the stored rows and `coming` more in each ring."""
        num_envs, capacity, _ = self.rows.shape
        cursor, size = (self.cursor + coming) % capacity, np.minimum(self.size + coming, capacity)
        env = generator.integers(num_envs, size=shape)
        start = generator.integers(np.maximum(size[env] - window + 1, 1))
        slots = ((cursor - size)[env] + start)[..., None] + np.arange(window)
        slots %= capacity
        awaits = bool(((slots - self.cursor[env][..., None]) % capacity < coming).any())
        return Draw(env, slots, cursor, awaits)

    def newest(self, shape: tuple[int, ...], steps: int, coming: int = 0) -> Draw:
        """Chooses the newest rows of every ring as the device form does, `[*shape, envs, steps]`."""
        num_envs, capacity, _ = self.rows.shape
        cursor, size = (self.cursor + coming) % capacity, np.minimum(self.size + coming, capacity)
        back = np.minimum(steps - np.arange(steps)[None], np.maximum(size, 1)[:, None])
        slots = (cursor[:, None] - back) % capacity
        env = np.broadcast_to(np.arange(num_envs), (*shape, num_envs))
        return Draw(env, np.broadcast_to(slots, (*shape, *slots.shape)), cursor, coming > 0)

    def read(self, draw: Draw) -> np.ndarray:
        """The rows of a draw, `[*shape, window, width]`."""
        return self.rows[draw.env[..., None], draw.slots]

    def sample(self, shape: tuple[int, ...], window: int, generator: np.random.Generator) -> np.ndarray:
        """Draws windows of stored rows, `[*shape, window, width]`."""
        return self.read(self.draw(shape, window, generator))

    def arrays(self) -> dict[str, np.ndarray]:
        """The written part, oldest row first in each ring, and each ring's size."""
        longest = int(self.size.max(initial=0))
        order = (self.cursor - self.size)[:, None] + np.arange(longest)
        rows = self.rows[np.arange(len(self.rows))[:, None], order % self.rows.shape[1]]
        return {"rows": rows, "size": self.size.copy()}

    def load(self, arrays: dict[str, np.ndarray]) -> None:
        """Takes back what `arrays` gave."""
        self.rows[:, : arrays["rows"].shape[1]] = arrays["rows"]
        self.size[:] = arrays["size"]
        self.cursor[:] = self.size % self.rows.shape[1]


class AbstractData(abc.ABC):
    """What an update is fed: which rows of the replay, and what that asks of the loop."""

    @abc.abstractmethod
    def shape(self, num_envs: int) -> tuple[int, int]:
        """Axes of a batch before the row's own: `[batch, window]`."""

    @abc.abstractmethod
    def first(self) -> int:
        """Steps of each environment copy that the first batch needs."""

    @abc.abstractmethod
    def dictates(self, num_envs: int) -> dict[str, Any]:
        """The settings of `Training` that are no choice with this data, by name."""

    @abc.abstractmethod
    def sample(self, replay: Replay, *, key: Key[Array, ""]) -> Float[Array, "batch window width"]:
        """Takes one batch out of a device replay."""

    @abc.abstractmethod
    def draw(self, replay: HostReplay, updates: int, generator: np.random.Generator, coming: int) -> Draw:
        """Chooses a round's batches, `[updates, batch, window]`, in a host replay.

        Args:
            replay: where to choose.
            updates: batches of the round.
            generator: of the seed.
            coming: rows that will join each ring before the draw is read, and may be chosen.
        """


@dataclasses.dataclass(frozen=True)
class Windows(AbstractData):
    """Off policy: windows of consecutive steps, drawn uniformly from all that is stored."""

    batch: int
    """Windows of a batch."""
    n_step: int
    """Steps of a window."""

    def shape(self, num_envs: int) -> tuple[int, int]:
        """`[batch, n_step]`, however many copies there are."""
        del num_envs
        return self.batch, self.n_step

    def first(self) -> int:
        """A whole window."""
        return self.n_step

    def dictates(self, num_envs: int) -> dict[str, Any]:
        """Nothing: any loop that fills a replay will do."""
        del num_envs
        return {}

    def sample(self, replay: Replay, *, key: Key[Array, ""]) -> Float[Array, "batch window width"]:
        """Draws windows."""
        return sample(replay, self.batch, self.n_step, key=key)

    def draw(self, replay: HostReplay, updates: int, generator: np.random.Generator, coming: int) -> Draw:
        """Chooses windows."""
        return replay.draw((updates, self.batch), self.n_step, generator, coming)


@dataclasses.dataclass(frozen=True)
class Rollout(AbstractData):
    """On policy: the newest steps of every environment copy, in their order.

    A rollout is a replay of exactly one round. Where a step was not stored, being broken or spent by a vector
    environment on resetting, a row of the rollout before is in it; in the first rollout, its own oldest once more.
    """

    num_steps: int
    """Steps of each copy."""

    def shape(self, num_envs: int) -> tuple[int, int]:
        """`[envs, num_steps]`."""
        return num_envs, self.num_steps

    def first(self) -> int:
        """A whole rollout."""
        return self.num_steps

    def dictates(self, num_envs: int) -> dict[str, Any]:
        """One update a rollout, from its own steps alone: no random steps, room for one rollout, no late policy."""
        return {
            "warmup": 0,
            "train_every": self.num_steps,
            "updates": 1,
            "capacity": self.num_steps * num_envs,
            "acting": "newest",
        }

    def sample(self, replay: Replay, *, key: Key[Array, ""]) -> Float[Array, "batch window width"]:
        """Takes the newest rows; nothing is drawn."""
        del key
        return newest(replay, self.num_steps)

    def draw(self, replay: HostReplay, updates: int, generator: np.random.Generator, coming: int) -> Draw:
        """Chooses the newest rows, the coming ones included; nothing is drawn."""
        del generator
        return replay.newest((updates,), self.num_steps, coming)
