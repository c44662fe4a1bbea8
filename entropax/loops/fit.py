"""`fit` and `resume`: train on any environment into a run folder."""

import contextlib
import math
import operator
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, SupportsIndex

import jax

from entropax.algorithms.base import AbstractAlgorithm
from entropax.envs.registry import versioned
from entropax.errors import EntropaxError
from entropax.exploration import PLAIN, Exploration
from entropax.loops.assemble import Environment, make_lanes, name_of
from entropax.loops.device_lane import DeviceLane
from entropax.loops.devices import cache_compilations, cores, groups, spread
from entropax.loops.driver import Driver, NonFiniteError
from entropax.loops.lane import AbstractLane
from entropax.loops.progress import Display
from entropax.loops.run import Run, actors_like, check_spec, environment_id, load, spec_to_json, way_on
from entropax.loops.training import Training
from entropax.runs import (
    MetricsLog,
    create_run,
    has_checkpoint,
    new_manifest,
    read_checkpoint_meta,
    restore_checkpoint,
    sole_writer,
    to_config,
)

MOST_SEEDS = 2**20
"""Of one run: a count beyond is a slip, and the list of its numbers alone would fill the memory."""


def fit(
    algorithm: AbstractAlgorithm[Any],
    environment: Environment,
    training: Training | None = None,
    *,
    seeds: SupportsIndex | Iterable[SupportsIndex] = 1,
    root: str | Path = "runs",
    progress: bool = True,
    exploration: Exploration = PLAIN,
) -> Run:
    """Trains an algorithm and keeps everything in a run folder.

    Args:
        algorithm: for example `SAC()`.
        environment: an id, a JAX environment, or a function that makes a Gymnasium one.
        training: counts of steps; the defaults of `Training` where left out.
        seeds: how many seeds (0, 1, …), or which. They train beside one another.
        root: folder in which the run's folder is made.
        progress: whether to show a progress bar.
        exploration: noise on the actions, and rewards of the learner's own.

    Returns:
        The finished run.

    Raises:
        EntropaxError: the input cannot work; the message says why and what to do.
        Interrupted: Ctrl-C or SIGTERM; the run has been saved and can be resumed.

    Example:
        >>> import entropax
        >>> run = entropax.fit(entropax.SAC(), "Pendulum-v1", entropax.Training(steps=5_000), seeds=2)
        >>> run.policy(run_observation)  # doctest: +SKIP
    """
    training = (Training() if training is None else training).fed_by(algorithm.data())
    chosen = _chosen(seeds)
    prepare(len(chosen))
    places = len(cores() if training.seeds_in == "processes" else jax.local_devices())
    with _closed(make_lanes(algorithm, environment, training, groups(chosen, places), exploration)) as lanes:
        widest = actors_like(algorithm, lanes[0].spec, 1).max_entropy()
        name = versioned(environment) if isinstance(environment, str) else name_of(environment)
        manifest = new_manifest(
            algorithm=to_config(algorithm),
            environment={
                "id": name,
                "by_id": isinstance(environment, str),
                "backend": _backend(lanes[0]),
                "num_envs": training.num_envs,
            },
            training=to_config(training),
            seeds=chosen,
            spec=spec_to_json(lanes[0].spec),
            baselines={} if math.isnan(widest) else {"entropy_maximum_per_dimension": widest},
            exploration=None if exploration.plain() else to_config(exploration),
        )
        hint = f"{type(algorithm).__name__.lower()}-{name}"
        run = Run(create_run(Path(root), hint, manifest), manifest)
        with sole_writer(run.path):
            _drive(run, lanes, training, progress, "start", None)
    return run


def _chosen(seeds: SupportsIndex | Iterable[SupportsIndex]) -> tuple[int, ...]:
    """The seeds as plain whole numbers, which `run.json` holds.

    Raises:
        EntropaxError: they are none, or not distinct, or out of range.
    """
    try:
        numbers = seeds if isinstance(seeds, Iterable) else range(min(operator.index(seeds), MOST_SEEDS + 1))
        chosen = tuple(map(operator.index, numbers))
    except TypeError:
        chosen = ()
    if not 0 < len(chosen) <= MOST_SEEDS or len(set(chosen)) != len(chosen) or min(chosen) < 0 or max(chosen) >= 2**31:
        raise EntropaxError(
            f"seeds is {seeds!r}, but must be a count from 1 to {MOST_SEEDS:,} or distinct numbers below 2**31."
        )
    return chosen


def _backend(lane: AbstractLane) -> str:
    return "jax" if isinstance(lane, DeviceLane) else "gymnasium"


@contextlib.contextmanager
def _closed(lanes: list[AbstractLane]) -> Iterator[list[AbstractLane]]:
    """Lanes whose environments and processes end with the context, however it ends."""
    with contextlib.ExitStack() as at_end:
        for lane in lanes:
            at_end.callback(lane.close)
        yield lanes


def prepare(seeds: int) -> None:
    """Sets up devices and the cache of compiled programs; before JAX has started if it is to spread seeds."""
    spread(seeds)
    cache_compilations()


def resume(path: str | Path, *, environment: Environment | None = None, progress: bool = True) -> Run:
    """Goes on with a run from its newest checkpoint to its last step.

    Args:
        path: the run folder.
        environment: only where the run was not started from an id.
        progress: whether to show a progress bar.

    Raises:
        EntropaxError: there is no run or no whole checkpoint, another process writes to it, or the environment is
            another one.
    """
    run = load(path)
    algorithm, training = run.algorithm, run.training
    source = environment_id(run, "resume") if environment is None else environment
    prepare(len(run.manifest.seeds))
    with contextlib.ExitStack() as at_end:
        at_end.enter_context(sole_writer(run.path))
        meta, _ = read_checkpoint_meta(run.path)
        chosen = [tuple(group) for group in meta["groups"]]
        lanes = at_end.enter_context(_closed(make_lanes(algorithm, source, training, chosen, run.exploration)))
        _check_same(run, lanes[0])
        like = [lane.like(one) for lane, one in zip(lanes, meta["lanes"], strict=True)]
        state = restore_checkpoint(run.path, like)
        _drive(run, lanes, training, progress, "resume", state)
    return load(path)


def _check_same(run: Run, lane: AbstractLane) -> None:
    """Refuses to go on with another environment than the run's.

    Raises:
        EntropaxError: it is stepped otherwise, or has other observations or actions.
    """
    backend = run.manifest.environment.get("backend")
    if backend != _backend(lane):
        raise EntropaxError(
            f"{run.path} was trained on an environment of {backend}, but {run.manifest.environment['id']} as made now "
            f"is one of {_backend(lane)}. Pass the one that it had: entropax.resume(path, environment=...)."
        )
    check_spec(run, lane.spec)


def _drive(
    run: Run,
    lanes: list[AbstractLane],
    training: Training,
    progress: bool,
    event: str,
    state: tuple[Any, dict[str, Any], int] | None,
) -> None:
    title = f"{run.manifest.environment['id']} ×{len(run.manifest.seeds)}"
    with contextlib.ExitStack() as at_end:
        log = MetricsLog(run.path, run.manifest.seeds)
        at_end.callback(log.close)
        display = at_end.enter_context(Display(title, training.steps, progress))
        driver = Driver(run, lanes, training, log, display)
        for warning in dict.fromkeys(lanes[0].warnings):
            display.say(f"warning: {warning}")
        if state is not None:
            log.truncate_after(state[2])
            driver.restore(state[0], state[1])
        driver.event(event, f"{sys.argv[0]} at step {driver.step}")
        try:
            driver.run()
        except Exception as error:
            # A traceback, of an environment as a rule, does not say that the run is not lost; this one does.
            if has_checkpoint(run.path) and not isinstance(error, NonFiniteError):
                error.add_note(f"The run's last checkpoint is whole. Go on with:  {way_on(run)}")
            raise
