"""Seeds on a JAX environment: whole chunks are one compiled program."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from entropax import replay as replays
from entropax.algorithms.base import AbstractAlgorithm
from entropax.diagnostics.attribution import Snapshot, snapshots
from entropax.diagnostics.measures import policy_measures
from entropax.envs.base import Episodes
from entropax.exploration import Exploration
from entropax.loops.chunk import Carry, begin, chunk, warm_up
from entropax.loops.devices import JaxDevice, over_seeds
from entropax.loops.lane import STATES, AbstractLane, Sums, add_sums, seed_keys
from entropax.loops.training import Training
from entropax.policies import AbstractActor
from entropax.replay import unpack
from entropax.types import Metrics


class DeviceLane(AbstractLane):
    """Seeds of a JAX environment, vmapped on one device."""

    piece = 100
    elsewhere = False
    warnings = ()

    def __init__(
        self,
        algorithm: AbstractAlgorithm[Any],
        environment: Episodes[Any],
        training: Training,
        seeds: tuple[int, ...],
        device: JaxDevice,
        exploration: Exploration,
    ):
        training = training.fed_by(algorithm.data())
        self.algorithm, self.environment, self.training = algorithm, environment, training
        self.spec, self.seeds, self.device = environment.spec, seeds, device
        self.exploration = exploration
        batched = functools.partial(over_seeds, seeds=len(seeds))
        self._begin = jax.jit(batched(lambda key: begin(algorithm, environment, training, exploration, key=key)))
        self._programs: dict[tuple[str, int], Any] = {}
        self._batched = batched
        self._measure = jax.jit(batched(self._measures))
        self._draw = jax.jit(batched(lambda carry: self._states(carry, STATES)))
        self._keys = seed_keys(seeds, device)
        self._carry: Carry = self._begin(self._keys)
        self._previous = jax.tree.map(jnp.copy, self._actor())
        self._pending: list[Metrics] = []

    def _program(self, kind: str, rounds: int) -> Any:
        """The compiled loop of so many rounds; compiled once, its carry donated so that replay stays in place."""
        if (kind, rounds) not in self._programs:
            algorithm, environment, training = self.algorithm, self.environment, self.training
            exploration = self.exploration
            run = {
                "warm_up": lambda c: warm_up(c, environment, training, rounds, exploration),
                "chunk": lambda c: chunk(algorithm, c, environment, training, rounds, exploration),
            }[kind]
            self._programs[kind, rounds] = jax.jit(self._batched(run), donate_argnums=0)
        return self._programs[kind, rounds]

    def warm_up(self, rounds: int) -> None:
        """Steps with random actions, without updates."""
        self._carry, metrics = self._program("warm_up", rounds)(self._carry)
        self._pending.append(metrics)

    def advance(self, rounds: int) -> None:
        """Dispatches one chunk; at most two are under way, so that an interrupt is soon heard."""
        if self._pending:
            jax.block_until_ready(self._pending[-1])
        self._carry, metrics = self._program("chunk", rounds)(self._carry)
        self._pending.append(metrics)

    def collect(self) -> Sums:
        """Waits, and adds up the chunks since the last call."""
        total: Sums = {}
        for metrics in self._pending:
            total = add_sums(total, {name: np.asarray(value) for name, value in metrics.items()})
        self._pending = []
        return total

    def _actor(self) -> AbstractActor:
        return jax.vmap(self.algorithm.actor)(self._carry.learner)

    def _states(self, carry: Carry, count: int) -> Float[Array, "state observation"]:
        """Stored states, by a key that no round uses."""
        key = jax.random.fold_in(carry.key, -carry.rounds - 1)
        return unpack(replays.sample(carry.replay, count, 1, key=key), self.spec).observation[:, 0]

    def _measures(self, carry: Carry, previous: AbstractActor) -> Metrics:
        observations = self._states(carry, 256)
        return policy_measures(self.algorithm, self.spec, carry.learner, previous, observations)

    def measures(self) -> dict[str, np.ndarray]:
        """`policy_measures` on 256 stored states."""
        values = self._measure(self._carry, self._previous)
        self._previous = jax.tree.map(jnp.copy, self._actor())
        return {name: np.asarray(value) for name, value in values.items()}

    def actor(self) -> AbstractActor:
        """The policies in NumPy."""
        return jax.tree.map(np.array, self._actor())

    def snapshot(self) -> Snapshot:
        """Policies, critics, alphas and stored states in NumPy."""
        observations = self._draw(self._carry)
        return jax.tree.map(np.array, snapshots(self.algorithm, self._carry.learner, observations))

    @functools.cached_property
    def _evaluation(self) -> Any:
        environment, taken = self.environment, self.spec.action.to_environment

        def episode(actor: AbstractActor, key: Key[Array, ""]) -> tuple[Float[Array, ""], Float[Array, ""]]:
            def step(carry: Any, key: Key[Array, ""]) -> tuple[Any, tuple[Array, Array]]:
                state, observation, alive = carry
                state, step = environment.step(state, taken(actor(observation).mode()), key=key)
                following = (state, step.observation, alive & ~(step.terminated | step.truncated))
                return following, (jnp.where(alive, step.reward, 0), alive.astype(jnp.float32))

            reset_key, key = jax.random.split(key)
            first = (*environment.reset(key=reset_key), jnp.ones((), bool))
            keys = jax.random.split(key, environment.time_limit)
            _, (rewards, alive) = jax.lax.scan(step, first, keys)
            return jnp.sum(rewards), jnp.sum(alive)

        def evaluate(actor: AbstractActor, keys: Key[Array, " episode"]) -> tuple[Float[Array, ""], Float[Array, ""]]:
            returns, lengths = jax.vmap(lambda key: episode(actor, key))(keys)
            return jnp.mean(returns), jnp.mean(lengths)

        return jax.jit(jax.vmap(evaluate))

    def evaluate(self, episodes: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean return and length of deterministic episodes from fixed starts."""
        # Far from the numbers that `begin` splits off: `split` and `fold_in` draw from one sequence.
        keys = jax.vmap(lambda k: jax.random.split(jax.random.fold_in(k, 2**31), episodes))(self._keys)
        returns, lengths = self._evaluation(self._actor(), keys)
        return np.asarray(returns), np.asarray(lengths)

    def cut_short(self) -> None:
        """A signal leaves an evaluation that is made here by itself."""

    def save(self) -> tuple[Any, dict[str, Any]]:
        """The carry, and the policy at the last look."""
        return jax.device_get({"carry": self._carry, "previous": self._previous}), {}

    def like(self, meta: dict[str, Any]) -> Any:
        """The carry's shapes."""
        del meta
        return jax.eval_shape(lambda: {"carry": self._carry, "previous": self._previous})

    def load(self, tree: Any, meta: dict[str, Any]) -> None:
        """Puts the carry back on the lane's device."""
        del meta
        tree = jax.device_put(tree, self.device)
        self._carry, self._previous = tree["carry"], tree["previous"]

    def close(self) -> None:
        """Nothing to free."""
