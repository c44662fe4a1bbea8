"""Seeds on Gymnasium environments: step in NumPy, update in one compiled program for all seeds of the lane.

The order within a seed is strict: an action comes from the newest parameters, and a batch from all steps so far, unless
`acting="overlapped"`, which acts one round of updates late so that acting too hides behind the update. Batches are
chosen before the steps of their round, and an update that was dealt none of these steps starts at once, while they are
made: its result is the same, only earlier. A bonus sees a round's steps before the round's updates, which then wait for
them. Lanes overlap one another either way.
"""

import functools
import math
import warnings
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int, Key, PyTree

from entropax.algorithms.base import AbstractAlgorithm
from entropax.diagnostics.attribution import Snapshot, snapshots
from entropax.diagnostics.measures import policy_measures
from entropax.envs.base import AbstractHostEnvironments
from entropax.exploration import PLAIN, Exploration, NoBonus, Policy
from entropax.loops.devices import JaxDevice, over_seeds
from entropax.loops.host_acting import AbstractActing, InNumPy, Mirror, WithNoise
from entropax.loops.host_seed import HostSeed, Taken
from entropax.loops.lane import STATES, AbstractLane, Sums, add_sums, seed_keys
from entropax.loops.training import Training
from entropax.loops.update import rewarded_update
from entropax.policies import AbstractActor
from entropax.replay import unpack
from entropax.types import Progress, unknown_progress


class HostLane(AbstractLane):
    """Seeds of host environments whose updates share one device."""

    piece = 1
    elsewhere = False

    def __init__(
        self,
        algorithm: AbstractAlgorithm[Any],
        environments: Sequence[AbstractHostEnvironments],
        evaluation: AbstractHostEnvironments,
        training: Training,
        seeds: tuple[int, ...],
        device: JaxDevice,
        exploration: Exploration = PLAIN,
    ):
        data = algorithm.data()
        training = training.fed_by(data)
        self.shape = data.shape(training.num_envs)
        self.algorithm, self.training, self.device = algorithm, training, device
        self._bonus, self._paying = exploration.bonus, not isinstance(exploration.bonus, NoBonus)
        self.spec, self.seeds, self.evaluation = environments[0].spec, seeds, evaluation
        self.warnings = environments[0].warnings
        self.workers = [HostSeed(e, training, data, s) for e, s in zip(environments, seeds, strict=True)]
        self.rounds = 0
        self._started: list[int] = []
        self._keys = seed_keys(seeds, device)
        batched = functools.partial(over_seeds, seeds=len(seeds))
        learner = jax.jit(batched(lambda key: algorithm.init(self.spec, key=jax.random.fold_in(key, 0))))(self._keys)
        self._leaves, self._structure = jax.tree.flatten(learner)
        self._memory = jax.jit(batched(self._first_memory))(self._keys)
        self._acting = self._make_acting(exploration, learner)
        self._previous = jax.vmap(algorithm.actor)(jax.tree.map(jnp.copy, learner))
        self._names = self._metric_names()
        self._sums = jax.device_put(jnp.zeros((len(seeds), len(self._names)), jnp.float32), device)
        # Noise acts with the learner of before an update that is under way, so that one is not overwritten.
        donated = (0, 1, 2) if isinstance(exploration.noise, Policy) else (1, 2)
        self._program = jax.jit(batched(self._round), donate_argnums=donated)
        self._observe = jax.jit(batched(self._observed), donate_argnums=0)
        self._measure = jax.jit(batched(self._measures))
        self._flat_actor: Array | None = None

    def _make_acting(self, exploration: Exploration, learner: Any) -> AbstractActing:
        if isinstance(exploration.noise, Policy):
            return InNumPy(jax.tree.map(np.array, jax.vmap(self.algorithm.actor)(learner)))
        return WithNoise(self.algorithm, exploration, learner, self._keys, self.workers[0])

    def _first_memory(self, key: Key[Array, ""]) -> PyTree[Array]:
        """The bonus's; by a key next to the noise's, both far from the numbers of rounds."""
        copies = self.workers[0].environments.num_envs
        return self._bonus.init(self.spec, copies, key=jax.random.fold_in(key, 2**31 + 1))

    @property
    def _learner(self) -> Any:
        return jax.tree.unflatten(self._structure, self._leaves)

    def _one_update(
        self, state: tuple[Any, Any], rows: Float[Array, "batch window width"], progress: Progress, key: Key[Array, ""]
    ) -> tuple[tuple[Any, Any], dict[str, Array]]:
        return rewarded_update(self.algorithm, self._bonus, self.spec, state, rows, progress, key=key)

    def _metric_names(self) -> tuple[str, ...]:
        state = (self._learner, self._memory)
        one = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), state)
        width = self.workers[0].replay.rows.shape[-1]
        rows = jax.ShapeDtypeStruct((*self.shape, width), jnp.float32)
        key = jax.eval_shape(lambda: jax.random.key(0))
        _, metrics = jax.eval_shape(self._one_update, one, rows, unknown_progress(self.spec), key)
        return tuple(sorted(metrics))

    def _observed(self, memory: PyTree[Array], taken: Taken) -> PyTree[Array]:
        """The bonus's memory after these steps, one after another."""

        def step(memory: PyTree[Array], one: Taken) -> tuple[PyTree[Array], None]:
            return self._bonus.observe(self.spec, memory, unpack(one.rows, self.spec), one.stored), None

        return jax.lax.scan(step, memory, taken)[0]

    def _round(
        self,
        leaves: list[Array],
        memory: PyTree[Array],
        sums: Float[Array, " metric"],
        seen: list[Taken],
        rows: Float[Array, "updates batch window width"],
        progress: Progress,
        key: Key[Array, ""],
        number: Int[Array, ""],
    ) -> tuple[list[Array], PyTree[Array], Float[Array, " metric"], Float[Array, " parameters"]]:
        """A round's updates on plain leaves: the launch then costs no walk through Python classes."""

        def update(carry: Any, inputs: Any) -> tuple[Any, None]:
            state, sums = carry
            rows, key = inputs
            state, metrics = self._one_update(state, rows, progress, key)
            return (state, sums + jnp.stack([metrics[name] for name in self._names])), None

        keys = jax.random.split(jax.random.fold_in(key, number), self.training.updates)
        learner = jax.tree.unflatten(self._structure, leaves)
        for taken in seen:
            memory = self._observed(memory, taken)
        ((learner, memory), sums), _ = jax.lax.scan(update, ((learner, memory), sums), (rows, keys))
        return jax.tree.leaves(learner), memory, sums, ravel_pytree(self.algorithm.actor(learner))[0]

    def warm_up(self, rounds: int) -> None:
        """Steps with random actions, without updates."""
        self._refresh()
        for _ in range(rounds):
            for _ in range(self.training.train_every):
                for worker in self.workers:
                    worker.step_randomly()
            for taken in self._seen():
                self._memory = self._observe(self._memory, taken)
        self.rounds += rounds

    def advance(self, rounds: int) -> None:
        """Rounds of acting, stepping and updating; the last update may still run when it returns."""
        updates, coming = self.training.updates, self.training.train_every
        for _ in range(rounds):
            if self.training.acting == "newest":
                self._refresh()
            progress = self._progress()
            draws = [worker.draw(updates, coming) for worker in self.workers]
            waits = self._paying or any(draw.awaits for draw in draws)
            launched = self.training.acting == "newest" and not waits
            if launched:
                self._launch([w.replay.read(draw) for w, draw in zip(self.workers, draws, strict=True)], progress)
            self._acting.steps(self.workers, self.training.train_every)
            if self.training.acting == "overlapped":
                self._refresh()
            if not launched:
                self._launch([w.read(draw) for w, draw in zip(self.workers, draws, strict=True)], progress)
            self.rounds += 1

    def _progress(self) -> Progress:
        """What the seeds' learners are told of the run before a round; the starts stay on the device."""
        started = [worker.started for worker in self.workers]
        if started != self._started:
            starts = np.stack([worker.starts for worker in self.workers])
            self._started, self._starts = started, jax.device_put(starts, self.device)
        share = np.full(len(self.seeds), self.rounds / self.training.rounds, np.float32)
        return Progress(share, np.stack([worker.mean_return for worker in self.workers]), self._starts)

    def _seen(self) -> list[Taken]:
        """The newest round's steps of all seeds, `[seeds, ...]`; an empty list where there is no bonus to see them."""
        if not self._paying:
            return []
        return [Taken(*(np.stack(each) for each in zip(*(w.taken() for w in self.workers), strict=True)))]

    def _launch(self, rows: list[np.ndarray], progress: Progress) -> None:
        """Starts a round's updates, after what the bonus sees of it."""
        # The networks were drawn by the key of number 0, which a run without a warm-up would come to again.
        number = np.full(len(self.seeds), self.rounds or -1, np.int32)
        inputs = (self._seen(), np.stack(rows), progress, self._keys, number)
        self._leaves, self._memory, self._sums, self._flat_actor = self._program(
            self._leaves, self._memory, self._sums, *inputs
        )

    def _refresh(self) -> None:
        """Hands the newest parameters to who acts."""
        if self._flat_actor is not None:
            self._acting.hand(self._leaves, self._flat_actor)
            self._flat_actor = None

    def collect(self) -> Sums:
        """Waits, and hands out the sums since the last call."""
        updates = dict(zip(self._names, np.asarray(self._sums).T, strict=True))
        self._sums = jnp.zeros_like(self._sums)
        return add_sums(updates, {k: np.stack([w.sums[k] for w in self.workers]) for k in self._reset_rollouts()})

    def _reset_rollouts(self) -> list[str]:
        for worker in self.workers:
            worker.hand_over()
        return list(self.workers[0].sums)

    def _measures(
        self, leaves: list[Array], previous: AbstractActor, rows: Float[Array, "batch width"]
    ) -> dict[str, Array]:
        learner = jax.tree.unflatten(self._structure, leaves)
        observations = unpack(rows, self.spec).observation
        return policy_measures(self.algorithm, self.spec, learner, previous, observations)

    def _stored(self, count: int) -> Float[np.ndarray, "seed batch width"]:
        """Rows of each replay, by a generator that training does not use."""
        draw = np.random.default_rng(self.rounds)
        return np.stack([worker.replay.sample((count,), 1, draw)[:, 0] for worker in self.workers])

    def measures(self) -> dict[str, np.ndarray]:
        """`policy_measures` on 256 stored states."""
        values = self._measure(self._leaves, self._previous, jax.device_put(self._stored(256), self.device))
        self._previous = jax.tree.map(jnp.copy, jax.vmap(self.algorithm.actor)(self._learner))
        return {name: np.asarray(value) for name, value in values.items()}

    def actor(self) -> AbstractActor:
        """The policies in NumPy."""
        return jax.tree.map(np.array, jax.vmap(self.algorithm.actor)(self._learner))

    def snapshot(self) -> Snapshot:
        """Policies, critics, alphas and stored states in NumPy."""
        observations = unpack(jnp.asarray(self._stored(STATES)), self.spec).observation
        return jax.tree.map(np.array, snapshots(self.algorithm, self._learner, observations))

    def evaluate(self, episodes: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean return and length of deterministic episodes from fixed starts."""
        results = [
            run_episodes(self.evaluation, policy.mode, episodes, seed + 2**31)
            for policy, seed in zip(Mirror(self.actor()).policies, self.seeds, strict=True)
        ]
        returns, lengths = np.array([np.mean(r, axis=1) for r in results], np.float32).T
        return returns, lengths

    def cut_short(self) -> None:
        """A signal leaves an evaluation that is made here by itself."""

    def save(self) -> tuple[Any, dict[str, Any]]:
        """Learner, policy at the last look, what exploring remembers, each seed's replay; the rest as JSON."""
        stored = [worker.save() for worker in self.workers]
        meta = {"rounds": self.rounds, "workers": [meta for _, meta in stored]}
        return {**jax.device_get(self._arrays()), "replay": [arrays for arrays, _ in stored]}, meta

    def _arrays(self) -> dict[str, Any]:
        """What of a checkpoint lies on the device."""
        learner = {"leaves": self._leaves, "previous": self._previous}
        return {**learner, "noise": self._acting.save(), "bonus": self._memory}

    def like(self, meta: dict[str, Any]) -> Any:
        """Shapes of what `save` gave."""
        return {
            **jax.eval_shape(self._arrays),
            "replay": [w.like(m) for w, m in zip(self.workers, meta["workers"], strict=True)],
        }

    def load(self, tree: Any, meta: dict[str, Any]) -> None:
        """Takes back what `save` gave; the episodes in flight start anew."""
        self.rounds = meta["rounds"]
        self._leaves = jax.device_put(tree["leaves"], self.device)
        self._previous = jax.device_put(tree["previous"], self.device)
        self._memory = jax.device_put(tree["bonus"], self.device)
        self._acting.load(tree["noise"], self._leaves, self.actor())
        self._flat_actor = None
        for worker, arrays, one in zip(self.workers, tree["replay"], meta["workers"], strict=True):
            worker.load(jax.tree.map(np.asarray, arrays), one)

    def close(self) -> None:
        """Closes the environments."""
        close_all([*(worker.environments for worker in self.workers), self.evaluation])


def close_all(environments: Sequence[AbstractHostEnvironments]) -> None:
    """Closes environments; of one that fails to close it warns: the others must be closed too, and a run has ended."""
    for each in environments:
        try:
            each.close()
        except Exception as error:
            warnings.warn(f"An environment could not be closed: {error!r}. Mend its close().", stacklevel=2)


def run_episodes(
    environments: AbstractHostEnvironments, policy: Any, episodes: int, seed: int, steps: int | float = math.inf
) -> tuple[list[float], list[int]]:
    """Returns and lengths of whole episodes of a policy `[envs, observation] -> [envs, action]`.

    Of each copy as many, up to one: among the first episodes to end, those that end early would be too many. After
    `steps` of each copy it gives up, with the episodes that have ended by then.
    """
    taken, copies = environments.spec.action.to_environment, environments.num_envs
    wanted = (episodes + np.arange(copies)) // copies
    returns: list[float] = []
    lengths: list[int] = []
    observation = environments.reset(seed=seed)
    total, length = np.zeros(copies), np.zeros(copies, np.int64)
    while wanted.any() and steps > 0:
        steps -= 1
        step = environments.step(taken(policy(observation)))
        total, length = total + step.reward * step.valid, length + step.valid
        ended = step.terminated | step.truncated
        for env in np.flatnonzero(ended & (wanted > 0)):
            returns.append(float(total[env]))
            lengths.append(int(length[env]))
            wanted[env] -= 1
        total[ended], length[ended] = 0.0, 0
        observation = step.observation
    return returns, lengths
