"""Sweeps: settings that differ in numbers alone, times seeds, trained as one compiled program and kept.

A run folder a setting would compile the same program once a setting, which costs more than a short run itself. So a
sweep is one program over settings and seeds, on a JAX environment; what it keeps is its evaluations and last policies.
"""

import dataclasses
import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, PyTree

from entropax import replay as replays
from entropax.algorithms.base import AbstractAlgorithm
from entropax.envs.base import Episodes
from entropax.errors import EntropaxError
from entropax.experiments.cells import Cell
from entropax.exploration import PLAIN, Exploration
from entropax.loops.chunk import Carry, begin, chunk, warm_up
from entropax.loops.driver import Interrupted
from entropax.loops.fit import prepare
from entropax.loops.progress import Display
from entropax.loops.signals import StopRequest
from entropax.loops.training import Training
from entropax.policies import AbstractActor
from entropax.replay import unpack
from entropax.runs import (
    export_policy,
    has_checkpoint,
    load_policy,
    renewed,
    restore_checkpoint,
    save_checkpoint,
    sole_writer,
    to_config,
)
from entropax.runs.atomic import write_json

_SETTINGS, _RESULT = "sweep.json", "result.safetensors"


class Member(NamedTuple):
    """One setting of a sweep."""

    method: str
    """Its name."""
    algorithm: AbstractAlgorithm[Any]
    environment: Episodes[Any]
    """Where it learns."""
    judged: Episodes[Any]
    """Where its returns are measured, in rewards that can be compared between members."""


@dataclasses.dataclass(frozen=True)
class Sweep:
    """What is to be trained together.

    Attributes:
        env: id of the task, as cells name it.
        solved: return from which a seed counts as solved.
        members: settings that differ in float fields and arrays alone.
        seeds: seeds of every member, 0, 1, …; a seed has the same random numbers in all of them.
        training: counts of steps; evaluations and checkpoints are counted from the end of the warm-up. Chunks of
            `log_every` steps are compiled, so all counts must be whole multiples of that, and the steps after the
            warm-up of `evaluate_every`. An algorithm that learns from rollouts has no warm-up, and whole rollouts in a
            chunk.
        exploration: how all members explore.

    Raises:
        EntropaxError: members that differ in structure, or counts that are no whole chunks.
    """

    env: str
    solved: float
    members: tuple[Member, ...]
    seeds: int
    training: Training
    exploration: Exploration = PLAIN

    def __post_init__(self) -> None:
        structures = {jax.tree.structure(member[1:]) for member in self.members}
        if len(structures) != 1 or self.seeds < 1:
            raise EntropaxError(
                f"A sweep over {self.env} has members of {len(structures)} structures and {self.seeds} seeds, but is "
                "one program: give one member or more that differ in numbers alone, and 1 seed or more."
            )
        loop, every = self.fed, self.training.log_every
        counts = (loop.warmup, loop.evaluate_every, loop.steps, loop.checkpoint_every)
        cut = any(count % every for count in counts) or (loop.steps - loop.warmup) % max(loop.evaluate_every, 1)
        if cut or not loop.evaluate_every or every % loop.stride:
            raise EntropaxError(
                f"A sweep runs in chunks of log_every = {every} steps, whole rounds of {loop.stride}, but warmup, "
                f"evaluate_every, steps and checkpoint_every are {counts}. Make log_every a multiple of "
                f"{loop.stride}, the others multiples of log_every, and steps - warmup one of evaluate_every."
            )

    @property
    def fed(self) -> Training:
        """The counts as the algorithm needs them."""
        return self.training.fed_by(self.members[0].algorithm.data())

    @property
    def evaluation_steps(self) -> list[int]:
        """After how many steps policies are judged."""
        loop = self.fed
        return list(range(loop.warmup + loop.evaluate_every, loop.steps + 1, loop.evaluate_every))


class Record(NamedTuple):
    """What is measured on the way; rows not reached yet are NaN."""

    mode: Float[np.ndarray, "evaluations learners"]
    """Mean return of deterministic episodes."""
    drawn: Float[np.ndarray, "evaluations learners"]
    """Mean return of episodes whose actions are drawn from the policy."""
    entropy: Float[np.ndarray, "evaluations learners"]
    """Nats per dimension on stored states."""
    alpha: Float[np.ndarray, "evaluations learners"]
    pace: Float[np.ndarray, "evaluations learners"]
    """Wall time of the chunk before, microseconds per step of one learner; the first has the compilation in it."""
    skipped: Float[np.ndarray, " learners"]
    """Updates that were undone because something in them was not finite."""


class Swept(NamedTuple):
    """What became of one member."""

    cell: Cell
    """Judged by deterministic episodes."""
    drawn: Float[np.ndarray, "evaluations seeds"]
    """Mean return of episodes whose actions are drawn from the policy."""
    pace: float
    """Wall time per step of one learner, all of them trained together, microseconds: the median of the chunks."""
    skipped: Float[np.ndarray, " seeds"]
    """Updates that were not finite, and undone."""
    actors: AbstractActor
    """The last policies, leaves `[seeds, ...]`."""


def swept(sweep: Sweep, folder: Path) -> list[Swept]:
    """The members' results: kept ones, of a training that goes on from its checkpoint, or of a new one.

    Args:
        sweep: what to train.
        folder: its own; made if absent.

    Returns:
        One a member, in their order.

    Raises:
        EntropaxError: the folder holds a sweep with other settings, or another process trains it.
        Interrupted: Ctrl-C or SIGTERM; call again to go on.
    """
    _claim(sweep, folder)
    prepare(len(sweep.members) * sweep.seeds)
    population = _Population(sweep)
    with sole_writer(folder):
        if not (folder / _RESULT).exists():
            export_policy(folder / _RESULT, _trained(sweep, population, folder), {"env": sweep.env})
            shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    result, _ = load_policy(folder / _RESULT, population.result_like())
    record, actors = jax.tree.map(np.asarray, result)
    return [_of_member(sweep, index, record, actors) for index in range(len(sweep.members))]


def _claim(sweep: Sweep, folder: Path) -> None:
    """Writes what the folder is for, or holds it to what it was for."""
    settings = {
        "env": sweep.env,
        "seeds": sweep.seeds,
        "training": to_config(sweep.training),
        "members": [_described(member) for member in sweep.members],
        "exploration": to_config(sweep.exploration),
    }
    path = folder / _SETTINGS
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        write_json(path, settings)
    elif _renewed(json.loads(path.read_text("utf-8"))) != settings:
        raise EntropaxError(f"{folder} holds a sweep with other settings than asked for. Move it, or use another root.")


def _renewed(settings: dict[str, Any]) -> dict[str, Any]:
    """What an older version wrote, as this one writes it."""
    members = [member | {"algorithm": renewed(member["algorithm"])} for member in settings["members"]]
    return settings | {"members": members} | {name: renewed(settings[name]) for name in ("training", "exploration")}


def _described(member: Member) -> dict[str, Any]:
    """An algorithm's configuration; an environment's structure and numbers, which may be arrays.

    JSON has no infinity: the largest number stands for it.
    """
    places = (member.environment, member.judged)
    leaves = [[np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(place)] for place in places]
    numbers = [[np.nan_to_num(leaf).tolist() for leaf in each] for each in leaves]
    return {
        "method": member.method,
        "algorithm": to_config(member.algorithm),
        "environments": [str(jax.tree.structure(place)) for place in places],
        "numbers": numbers,
    }


def _of_member(sweep: Sweep, index: int, record: Record, actors: AbstractActor) -> Swept:
    mine = slice(index * sweep.seeds, (index + 1) * sweep.seeds)
    steps, evaluations = np.array(sweep.evaluation_steps, float), record.mode[:, mine]
    cell = Cell(
        env=sweep.env,
        method=sweep.members[index].method,
        steps=sweep.training.steps,
        solved=sweep.solved,
        returns=evaluations[-2:].mean(axis=0),
        evaluation_steps=steps,
        evaluations=evaluations,
        rows=steps,
        entropy=record.entropy[:, mine],
        alpha=record.alpha[:, mine],
    )
    pace = float(np.median(record.pace[:, mine]))
    actors = jax.tree.map(lambda leaf: leaf[mine], actors)
    return Swept(cell, record.drawn[:, mine], pace, record.skipped[mine], actors)


def _trained(sweep: Sweep, population: "_Population", folder: Path) -> tuple[Record, AbstractActor]:
    """Trains from the newest checkpoint, or from the start, to the end."""
    training, judged_at = sweep.fed, sweep.evaluation_steps
    carry, record, step = population.start()
    if has_checkpoint(folder):
        like = jax.eval_shape(lambda: (population.kept(carry), record))
        (carry, record), _, step = restore_checkpoint(folder, like)
        carry, record = population.placed(carry), Record(*(np.array(part) for part in record))
    title = f"{folder.name}: {len(sweep.members) * sweep.seeds} learners"
    with StopRequest() as stop, Display(title, training.steps, True) as display:
        while step < training.steps:
            started = time.perf_counter()
            carry, skipped = population.advance(carry)
            pace = 1e6 * (time.perf_counter() - started) / (training.log_every * len(skipped))
            step += training.log_every
            record.skipped[:] += skipped
            if step in judged_at:
                for series, values in zip(record[:5], [*population.judge(carry), pace], strict=True):
                    series[judged_at.index(step)] = values
                display.reached(step)
            display.step(step)
            due = (step - training.warmup) % training.checkpoint_every == 0
            if stop.requested or (due and step < training.steps):
                save_checkpoint(folder, step, (population.kept(carry), record), {})
            if stop.requested:
                message = f"Stopped and saved at step {step:,} of {sweep.env}. Run the same command again to go on."
                raise Interrupted(message, stop.signal or 0)
    return record, population.actors(carry)


class _Population:
    """The programs of a sweep: everything has one axis, `[learner]`, members outermost, dealt to all devices.

    Learners that fill up the last device are copies of the first ones, and are never looked at.
    """

    def __init__(self, sweep: Sweep):
        self.sweep, self.count = sweep, len(sweep.members) * sweep.seeds
        devices = jax.local_devices()[: self.count]
        filled = -(-self.count // len(devices)) * len(devices)
        self._learners = np.arange(filled) % self.count
        member, seed = np.divmod(np.arange(self.count), sweep.seeds)
        mesh = jax.sharding.Mesh(np.array(devices), ("learner",))
        self._sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("learner"))
        stacked = _stacked([member[1:] for member in sweep.members])
        settings = jax.tree.map(lambda leaf: np.asarray(leaf)[member], stacked)
        self._settings: Any = self.placed(settings)
        self._keys = self.placed(jax.vmap(jax.random.key)(seed.astype(np.uint32)))

        def over(function: Callable[..., Any], donated: tuple[int, ...] = ()) -> Any:
            spec = self._sharding.spec
            each = jax.shard_map(jax.vmap(function), mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False)
            return jax.jit(each, donate_argnums=donated)

        self._begin, self._judge, self._actors = over(self._start), over(self._judged), over(self._policy)
        self._advance = over(self._piece, donated=(1,))

    def placed(self, tree: PyTree) -> Any:
        """Leaves `[learner, ...]`, filled up and dealt to the devices."""
        return jax.device_put(jax.tree.map(lambda leaf: leaf[self._learners], tree), self._sharding)

    def kept(self, tree: PyTree) -> Any:
        """Leaves `[learner, ...]` without the copies that fill up."""
        return jax.tree.map(lambda leaf: leaf[: self.count], tree)

    def start(self) -> tuple[Carry, Record, int]:
        """All learners after their random steps, an empty record, and the steps taken."""
        shape = (len(self.sweep.evaluation_steps), self.count)
        mode, drawn, entropy, alpha, pace = (np.full(shape, np.nan, np.float32) for _ in range(5))
        record = Record(mode, drawn, entropy, alpha, pace, np.zeros(self.count, np.float32))
        return self._begin(self._settings, self._keys), record, self.sweep.fed.warmup

    def advance(self, carry: Carry) -> tuple[Carry, np.ndarray]:
        """A chunk, and how many of its updates were undone."""
        carry, skipped = self._advance(self._settings, carry)
        return carry, np.asarray(self.kept(skipped))

    def judge(self, carry: Carry) -> list[np.ndarray]:
        """The rows of the record: returns of the mode and of drawn actions, entropy, alpha."""
        return [np.asarray(self.kept(part)) for part in self._judge(self._settings, carry, self._keys)]

    def actors(self, carry: Carry) -> AbstractActor:
        """The policies in NumPy."""
        return jax.tree.map(np.asarray, self.kept(self._actors(self._settings, carry)))

    def result_like(self) -> Any:
        """Shapes of record and policies."""

        def result() -> tuple[Record, AbstractActor]:
            carry, record, _ = self.start()
            return record, self.kept(self._actors(self._settings, carry))

        return jax.eval_shape(result)

    def _start(self, setting: Any, key: Key[Array, ""]) -> Carry:
        algorithm, environment, _ = setting
        training, exploration = self.sweep.fed, self.sweep.exploration
        carry = begin(algorithm, environment, training, exploration, key=key)
        return warm_up(carry, environment, training, training.warmup_rounds, exploration)[0]

    def _piece(self, setting: Any, carry: Carry) -> tuple[Carry, Float[Array, ""]]:
        algorithm, environment, _ = setting
        training, exploration = self.sweep.fed, self.sweep.exploration
        rounds = training.every(training.log_every)
        carry, sums = chunk(algorithm, carry, environment, training, rounds, exploration)
        return carry, sums["train/skipped_updates"]

    def _policy(self, setting: Any, carry: Carry) -> AbstractActor:
        return setting[0].actor(carry.learner)

    def _judged(self, setting: Any, carry: Carry, key: Key[Array, ""]) -> tuple[Array, ...]:
        algorithm, environment, judged = setting
        learner, episodes = carry.learner, self.sweep.training.evaluation_episodes
        # Far from the numbers that `begin` splits off: `split` and `fold_in` draw from one sequence.
        keys = jax.random.split(jax.random.fold_in(key, 2**31), episodes)

        def mean(act: Callable[..., Array]) -> Float[Array, ""]:
            return jnp.mean(jax.vmap(lambda key: episode_return(judged, act, key=key))(keys))

        mode = mean(lambda observation, key: algorithm.mode(learner, observation))
        drawn = mean(lambda observation, key: algorithm.act(learner, observation, key=key))
        rows = replays.sample(carry.replay, 256, 1, key=keys[0])
        states = unpack(rows, environment.spec).observation[:, 0]
        policy = algorithm.actor(learner)
        nats = jnp.mean(jax.vmap(lambda observation: policy(observation).entropy_per_dimension())(states))
        return mode, drawn, nats, jnp.mean(algorithm.alpha(learner))


def _stacked(settings: Sequence[Any]) -> Any:
    """One setting whose leaves have the axis `[member]`."""
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(x, jnp.result_type(x)) for x in leaves]), *settings)


def episode_return(
    environment: Episodes[Any], act: Callable[..., Float[Array, " action"]], *, key: Key[Array, ""]
) -> Float[Array, ""]:
    """The undiscounted return of one episode.

    Args:
        environment: Whose episode; what comes after its end is left out.
        act: From an observation and a key to an action, as policies have it.
        key: Of the episode's draws.
    """
    taken = environment.spec.action.to_environment

    def step(carry: Any, key: Key[Array, ""]) -> tuple[Any, Array]:
        state, observation, alive = carry
        act_key, step_key = jax.random.split(key)
        state, after = environment.step(state, taken(act(observation, act_key)), key=step_key)
        following = (state, after.observation, alive & ~(after.terminated | after.truncated))
        return following, jnp.where(alive, after.reward, 0)

    reset_key, key = jax.random.split(key)
    first = (*environment.reset(key=reset_key), jnp.ones((), bool))
    return jnp.sum(jax.lax.scan(step, first, jax.random.split(key, environment.time_limit))[1])
