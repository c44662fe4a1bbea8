"""Who acts on host environments: the policies in NumPy, or noise in one compiled function for all seeds of a lane.

A policy as it is costs a few small products, less than launching a compiled call does; so it acts in NumPy. Noise is
written once, in JAX, for every kind of environment, and pays for one launch a step of all seeds.
"""

import abc
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from entropax.algorithms.base import AbstractAlgorithm
from entropax.exploration import Exploration
from entropax.loops.devices import over_seeds
from entropax.loops.host_seed import HostSeed
from entropax.policies import AbstractActor

Leaves = list[Array]
"""A learner's arrays, `[seeds, ...]`, in the order of `jax.tree.leaves`."""


class AbstractActing(abc.ABC):
    """Steps a lane's environments with the actions of the learners that it was last handed."""

    @abc.abstractmethod
    def hand(self, leaves: Leaves, flat: Float[Array, "seeds parameters"]) -> None:
        """Takes the learners after a round of updates, and their actors raveled; it may wait for them."""

    @abc.abstractmethod
    def steps(self, workers: Sequence[HostSeed], count: int) -> None:
        """So many steps of every seed."""

    @abc.abstractmethod
    def save(self) -> PyTree[Any]:
        """What acting remembers."""

    @abc.abstractmethod
    def load(self, stored: PyTree[Any], leaves: Leaves, actors: AbstractActor) -> None:
        """Takes back what `save` gave, with these learners, where all episodes begin anew."""


class InNumPy(AbstractActing):
    """The policies as they are."""

    def __init__(self, actors: AbstractActor):
        self._mirror = Mirror(actors)

    def hand(self, leaves: Leaves, flat: Float[Array, "seeds parameters"]) -> None:
        """Waits for the update that makes the actors, and copies them."""
        self._mirror.copy(np.asarray(flat))

    def steps(self, workers: Sequence[HostSeed], count: int) -> None:
        """Seed after seed."""
        for worker, policy in zip(workers, self._mirror.policies, strict=True):
            for _ in range(count):
                worker.step(policy)

    def save(self) -> PyTree[Any]:
        """Nothing: the seeds' generators are theirs."""
        return ()

    def load(self, stored: PyTree[Any], leaves: Leaves, actors: AbstractActor) -> None:
        """Mirrors these actors."""
        self._mirror = Mirror(actors)


class WithNoise(AbstractActing):
    """Noise on the policies, with a memory for every copy of the environment, on the learners' device."""

    def __init__(
        self,
        algorithm: AbstractAlgorithm[Any],
        exploration: Exploration,
        learner: PyTree[Array],
        keys: Key[Array, " seeds"],
        worker: HostSeed,
    ):
        spec, horizon = worker.environments.spec, worker.environments.time_limit
        self._copies = copies = worker.environments.num_envs
        self._leaves, structure = jax.tree.flatten(learner)
        noise, count = exploration.noise, len(keys)
        batched = functools.partial(over_seeds, seeds=count)

        def begin(learner: PyTree[Array], key: Key[Array, ""]) -> PyTree[Array]:
            return exploration.init(algorithm, learner, spec, horizon, copies, key=key).noise

        def act(
            leaves: Leaves,
            states: PyTree[Array],
            observations: Float[Array, "envs observation"],
            key: Key[Array, ""],
            number: Int[Array, ""],
        ) -> tuple[Float[Array, "envs action"], PyTree[Array]]:
            learner = jax.tree.unflatten(structure, leaves)
            drawn = jax.random.split(jax.random.fold_in(key, number), copies)
            return jax.vmap(lambda s, o, k: noise.act(algorithm, learner, s, o, key=k))(states, observations, drawn)

        def anew(
            leaves: Leaves, states: PyTree[Array], began: Bool[Array, " envs"], key: Key[Array, ""], number: Array
        ) -> PyTree[Array]:
            learner = jax.tree.unflatten(structure, leaves)
            drawn = jax.random.split(jax.random.fold_in(jax.random.fold_in(key, number), 2**31), copies)
            fresh = jax.vmap(lambda s, k: noise.ended(algorithm, learner, s, key=k))(states, drawn)
            return chosen(began, fresh, states)

        # Far from the numbers of rounds, which the updates fold in.
        self._keys = jax.vmap(lambda key: jax.random.fold_in(key, 2**31))(keys)
        self._states = jax.jit(batched(begin))(learner, self._keys)
        self._act, self._anew = jax.jit(batched(act)), jax.jit(batched(anew))
        self._chosen = jax.jit(batched(chosen))
        self._number = np.zeros(count, np.int32)

    def hand(self, leaves: Leaves, flat: Float[Array, "seeds parameters"]) -> None:
        """Keeps the learners, which stay on their device."""
        self._leaves = leaves

    def steps(self, workers: Sequence[HostSeed], count: int) -> None:
        """Step after step, all seeds together; where one ended an episode, the noise begins a new one."""
        for _ in range(count):
            self._number = self._number + 1
            observations = np.stack([worker.observation for worker in workers])
            actions, states = self._act(self._leaves, self._states, observations, self._keys, self._number)
            for worker, action in zip(workers, np.asarray(actions), strict=True):
                worker.take(action)
            counted, began = (np.stack(each) for each in zip(*((w.counted, w.began) for w in workers), strict=True))
            if not counted.all():
                states = self._chosen(counted, states, self._states)
            self._states = self._begun(states, began) if began.any() else states

    def _begun(self, states: PyTree[Array], began: Bool[np.ndarray, "seeds envs"]) -> PyTree[Array]:
        return self._anew(self._leaves, states, began, self._keys, self._number)

    def save(self) -> PyTree[Any]:
        """The memories, and how many steps they have acted, from which the next keys come."""
        return {"states": jax.device_get(self._states), "number": self._number}

    def load(self, stored: PyTree[Any], leaves: Leaves, actors: AbstractActor) -> None:
        """All memories begin a new episode."""
        self._leaves, self._number = leaves, np.asarray(stored["number"])
        began = np.ones((len(self._number), self._copies), np.bool_)
        self._states = self._begun(jax.tree.map(jnp.asarray, stored["states"]), began)


def chosen(which: Bool[Array, " envs"], one: PyTree[Array], other: PyTree[Array]) -> PyTree[Array]:
    """The leaves `[envs, ...]` of one where `which` says so, and of the other elsewhere."""
    return jax.vmap(lambda w, a, b: jax.tree.map(lambda x, y: jnp.where(w, x, y), a, b))(which, one, other)


class Mirror:
    """The actors on the host: NumPy views into one buffer a seed, so that a copy is one assignment."""

    def __init__(self, actors: AbstractActor):
        leaves, structure = jax.tree.flatten(actors)
        seeds = leaves[0].shape[0]
        self._buffer = np.concatenate([leaf.reshape(seeds, -1) for leaf in leaves], axis=1)
        ends = np.cumsum([0] + [leaf[0].size for leaf in leaves])

        def views(row: np.ndarray) -> AbstractActor:
            parts = zip(leaves, ends[:-1], ends[1:], strict=True)
            return jax.tree.unflatten(structure, [row[a:b].reshape(leaf.shape[1:]) for leaf, a, b in parts])

        self.policies = [views(row).on_host() for row in self._buffer]

    def copy(self, flat: np.ndarray) -> None:
        """Takes in raveled actors `[seeds, parameters]`."""
        self._buffer[...] = flat
