"""A lane: a group of seeds on one device. The driver advances lanes in turn and asks each for its numbers."""

import abc
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from entropax.algorithms.base import AbstractAlgorithm
from entropax.loops.devices import JaxDevice
from entropax.loops.training import Training
from entropax.types import Spec

Sums = dict[str, np.ndarray]
"""Metrics as sums, `[seeds]` each."""

STATES = 1024
"""Stored states of a snapshot, per seed: a mean over them is known to a thirtieth of their spread."""


class AbstractLane(abc.ABC):
    """What the driver needs of a group of seeds, whichever kind of environment they step."""

    algorithm: AbstractAlgorithm[Any]
    training: Training
    spec: Spec
    seeds: tuple[int, ...]
    piece: int
    """Rounds to advance at a time: one on the host, where lanes take turns; many where a chunk is one program, and as
    many as a process of its own makes in half a second."""

    elsewhere: bool
    """Whether it works in a process of its own, so that several can be asked at the same time."""

    warnings: tuple[str, ...]
    """What the environment's preflight found doubtful."""

    @abc.abstractmethod
    def warm_up(self, rounds: int) -> None:
        """Steps with random actions, without updates."""

    @abc.abstractmethod
    def advance(self, rounds: int) -> None:
        """Steps and updates; may return before the device is done."""

    @abc.abstractmethod
    def collect(self) -> Sums:
        """Waits for the device; hands out the sums since the last call and starts new ones."""

    @abc.abstractmethod
    def measures(self) -> dict[str, np.ndarray]:
        """`policy_measures` on stored states, `[seeds]` or `[seeds, action]` each."""

    @abc.abstractmethod
    def actor(self) -> PyTree[np.ndarray]:
        """The policies in NumPy, leaves `[seeds, ...]` with the key paths that an actor's have."""

    @abc.abstractmethod
    def snapshot(self) -> PyTree[np.ndarray]:
        """What there is to look back at, with 1024 stored states, in NumPy, leaves `[seeds, ...]` as a `Snapshot` has.

        Only of an algorithm that has action values.
        """

    @abc.abstractmethod
    def evaluate(self, episodes: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean return and length of deterministic episodes, `[seeds]` each."""

    @abc.abstractmethod
    def cut_short(self) -> None:
        """Has an evaluation that another process makes leave with `StopNow`; nothing where it is made here."""

    @abc.abstractmethod
    def save(self) -> tuple[Any, dict[str, Any]]:
        """All arrays, and what else is needed to go on, as JSON."""

    @abc.abstractmethod
    def like(self, meta: dict[str, Any]) -> Any:
        """Shapes of the arrays that `save` gave with this JSON."""

    @abc.abstractmethod
    def load(self, tree: Any, meta: dict[str, Any]) -> None:
        """Takes back what `save` gave."""

    @abc.abstractmethod
    def close(self) -> None:
        """Frees the environments."""


def seed_keys(seeds: tuple[int, ...], device: JaxDevice) -> Any:
    """One key a seed, `[seeds]`, on the lane's device."""
    return jax.device_put(jax.vmap(jax.random.key)(np.asarray(seeds, np.uint32)), device)


def add_sums(total: Sums, more: Sums) -> Sums:
    """Adds up two sets of sums."""
    return {**total, **{name: total[name] + value if name in total else value for name, value in more.items()}}
