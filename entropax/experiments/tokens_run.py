"""Many learners as one program: settings that differ in numbers alone, times seeds, steered from the host."""

import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from entropax.errors import EntropaxError
from entropax.experiments.findings import rounded
from entropax.experiments.tokens_learning import (
    UPDATES,
    Baseline,
    Dials,
    Learner,
    pre_train,
    rollout,
)
from entropax.experiments.tokens_model import Transformer, log_probabilities
from entropax.llm import AbstractMethod, begin
from entropax.loops.driver import Interrupted
from entropax.loops.progress import Display
from entropax.loops.signals import StopRequest
from entropax.optimiser import adam_init
from entropax.runs.atomic import write_json

Settings = Mapping[str, Float[np.ndarray, " learner"]]
"""Knobs of a method and dials of a rollout, by name."""
Steer = Callable[[int, Float[np.ndarray, " learner"], Float[np.ndarray, " learner"]], Settings]
"""From a rollout's number, the entropies (nats a token) and the rewards of the one before, what it is done with."""
Measured = dict[str, Float[np.ndarray, "..."]]
"""Measures by name, the last axis being the learner."""


class Task(NamedTuple):
    """What is learned."""

    rewards: Float[np.ndarray, "prompt answer"]
    baseline: Baseline
    learning_rate: float


class Trained(NamedTuple):
    """Policies with leaves `[learner, ...]`, and what was measured on the way."""

    policies: PyTree[np.ndarray]
    curves: Measured


def constant(settings: Settings) -> Steer:
    """The same all along."""
    return lambda number, entropy, reward: settings


def imitated(examples: Int[np.ndarray, "prompt example"], steps: int, seeds: int) -> PyTree[np.ndarray]:
    """Policies pre-trained on examples, a seed each."""

    def one(examples: Array, seed: Array) -> Transformer:
        return pre_train(examples, steps, key=jax.random.fold_in(jax.random.key(seed), 2**31 - 1))

    program = jax.jit(jax.vmap(one, (None, 0)))
    return jax.device_get(program(jnp.asarray(examples), jnp.arange(seeds, dtype=jnp.uint32)))


def repeated(policies: PyTree[np.ndarray], times: int) -> PyTree[np.ndarray]:
    """The same policies once for every setting, settings outermost."""
    return jax.tree.map(lambda leaf: np.concatenate([leaf] * times), policies)


def learn(
    title: str,
    method: AbstractMethod,
    task: Task,
    policies: PyTree[np.ndarray],
    rollouts: int,
    seeds: int,
    steer: Steer,
) -> Trained:
    """Learns by rewards; learners of the same seed draw from the same random numbers.

    Args:
        title: what a person sees.
        method: the program; of its settings only the knobs may differ between learners.
        task: what is learned.
        policies: to begin with, leaves `[learner, ...]`, settings outermost, whose number is a multiple of `seeds`.
        rollouts: how many.
        seeds: of every setting.
        steer: the settings of every rollout; a knob it leaves out is the method's own.

    Raises:
        Interrupted: Ctrl-C or SIGTERM.
    """
    count = len(jax.tree.leaves(policies)[0])
    program = _Program(method, task, count, seeds)
    learners, rows = program.start(policies), []
    entropy = reward = np.full(count, np.nan)
    with StopRequest() as stop, Display(f"{title}: {count} learners", rollouts * UPDATES, True) as display:
        for number in range(rollouts):
            settings = dict(program.defaults) | dict(steer(number, entropy, reward))
            learners, found = program.step(learners, settings, number)
            entropy, reward = found["entropy"], found["reward"]
            rows.append(found | {name: settings[name] for name in program.defaults})
            display.step((number + 1) * UPDATES)
            if stop.requested:
                raise Interrupted(f"Stopped within {title}. Run the same command again to go on.", stop.signal or 0)
        display.reached(rollouts * UPDATES)
    curves = {name: np.stack([np.asarray(row[name], np.float64) for row in rows]) for name in rows[0]}
    return Trained(program.policies(learners), curves)


class _Program:
    """A rollout of all learners, dealt to all devices; copies of the first ones, never looked at, fill up the last."""

    def __init__(self, method: AbstractMethod, task: Task, count: int, seeds: int):
        self._count = count
        devices = jax.local_devices()[:count]
        self._places = np.arange(-(-count // len(devices)) * len(devices)) % count
        mesh = jax.sharding.Mesh(np.array(devices), ("learner",))
        self._sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("learner"))
        self._begin, self._run = _compiled(method, task.baseline, mesh)
        self._rewards = jnp.asarray(task.rewards, jnp.float32)
        self._seeds = self._placed((np.arange(count) % seeds).astype(np.uint32))
        dials = {"learning_rate": task.learning_rate, "sampling_temperature": 1.0, "alpha": 0.0}
        self.defaults: Settings = {
            name: np.full(count, value, np.float64) for name, value in {**method.knobs, **dials}.items()
        }

    def start(self, policies: PyTree[np.ndarray]) -> Learner:
        """Learners before their first rollout."""
        return self._begin(self._placed(policies))

    def step(
        self, learners: Learner, settings: Settings, number: int
    ) -> tuple[Learner, dict[str, Float[np.ndarray, " learner"]]]:
        """One rollout."""
        chosen = self._placed({name: np.asarray(value, np.float32) for name, value in settings.items()})
        learners, found = self._run(learners, chosen, self._seeds, self._rewards, jnp.uint32(number))
        return learners, {name: np.asarray(value)[: self._count] for name, value in found.items()}

    def policies(self, learners: Learner) -> PyTree[np.ndarray]:
        """Their policies in NumPy."""
        return jax.tree.map(lambda leaf: np.asarray(leaf)[: self._count], learners.policy)

    def _placed(self, tree: PyTree) -> Any:
        return jax.device_put(jax.tree.map(lambda leaf: leaf[self._places], tree), self._sharding)


@functools.cache
def _compiled(method: AbstractMethod, baseline: Baseline, mesh: jax.sharding.Mesh) -> tuple[Any, Any]:
    """Programs that begin learners, and that do a rollout; shared by all tasks and numbers of learners."""
    spec, everywhere = jax.sharding.PartitionSpec("learner"), jax.sharding.PartitionSpec()

    def start(policy: Any) -> Learner:
        state = jax.tree.map(lambda value: jnp.asarray(value, jnp.float32), begin(method))
        return Learner(policy, adam_init(policy), state)

    def one(learner: Learner, settings: dict[str, Array], seed: Array, rewards: Array, number: Array) -> Any:
        key = jax.random.fold_in(jax.random.key(seed), number)
        knobs = {name: settings[name] for name in method.knobs}
        dials = Dials(*(settings[name] for name in Dials._fields))
        learner = learner._replace(method=learner.method._replace(knobs=knobs))
        return rollout(method, baseline, learner, rewards, dials, key=key)

    each = jax.vmap(one, (0, 0, 0, None, None))
    specs = (spec, spec, spec, everywhere, everywhere)
    run = jax.jit(jax.shard_map(each, mesh=mesh, in_specs=specs, out_specs=spec, check_vma=False))
    return jax.jit(jax.vmap(start)), run


def chances(policies: PyTree[np.ndarray]) -> Float[np.ndarray, "learner prompt answer"]:
    """Probabilities of all answers, by enumeration."""
    return np.exp(np.asarray(_enumerated(policies), np.float64))


@jax.jit
def _enumerated(policies: Transformer) -> Array:
    return jax.lax.map(log_probabilities, policies)


def kept(path: Path, settings: Mapping[str, Any], compute: Callable[[], Any]) -> Any:
    """What `compute` returned when these settings were first run, JSON; it is kept in a file.

    Raises:
        EntropaxError: the file was written under other settings.
    """
    wanted = json.loads(json.dumps(settings))
    if path.exists():
        found = json.loads(path.read_text("utf-8"))
        if found["settings"] != wanted:
            raise EntropaxError(f"{path} holds runs with other settings than asked for. Move it, or use another root.")
        return found["result"]
    result = compute()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"settings": wanted, "result": result})
    return json.loads(path.read_text("utf-8"))["result"]


def policies_of(policies: PyTree[np.ndarray], index: int, seeds: int) -> PyTree[np.ndarray]:
    """Those of one setting, leaves `[seed, ...]`."""
    return jax.tree.map(lambda leaf: leaf[index * seeds : (index + 1) * seeds], policies)


def measures_of(found: Measured, index: int, seeds: int) -> Measured:
    """Those of one setting, `[..., seed]`."""
    return {name: values[..., index * seeds : (index + 1) * seeds] for name, values in found.items()}


class Outcome(NamedTuple):
    """What became of a setting, the last axis being the seed."""

    curves: Measured
    """By rollout: what `rollout` measures, and the settings."""
    exact: Measured
    """At the end: means over the prompts, by enumeration of all answers."""


def plain_lists(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON, rounded as a page's: so it is made of the very numbers that it publishes. All are finite."""
    return {
        field: {name: rounded(values) for name, values in each.items()} for field, each in outcome._asdict().items()
    }


def restored(found: Mapping[str, Any]) -> dict[str, Outcome]:
    """The outcomes that `plain_lists` wrote, by name."""
    return {
        name: Outcome(**{field: {key: np.asarray(value) for key, value in each.items()} for field, each in one.items()})
        for name, one in found.items()
    }
