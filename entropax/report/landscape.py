"""Soft and plain value over the actions of one state of a run: what the landscape page shows, as arrays."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from entropax.algorithms.base import AbstractTwoValued, SoftAndPlain
from entropax.algorithms.sac_adaent import SACAdaEnt
from entropax.diagnostics.landscape import Judged, alpha_of, cells, draw_cells, judge, misled, most_misled_pair, plane
from entropax.errors import EntropaxError
from entropax.loops.devices import cache_compilations
from entropax.loops.learners import Learner, read_learners
from entropax.loops.run import Run
from entropax.runs import known_types
from entropax.types import continuous

Choice: TypeAlias = int | tuple[float, ...] | None
"""A state: its place among the stored ones, an observation, or None for that of the least alike landscapes."""

DRAWS = 200
"""Actions drawn from each policy."""

_POINTS = {1: 200, 2: 41}
"""Cells a side, by the number of dimensions: an even number on a line, so that 0 is an edge and not a centre."""


@dataclass(frozen=True)
class States:
    """A seed's stored states, how their landscapes compare, and the one that was chosen."""

    observations: Float[np.ndarray, "state observation"]
    judged: Judged
    """In NumPy, `[state]` each."""
    index: int | None
    """Of the chosen one; None where it was given by its observation."""
    observation: Float[np.ndarray, " observation"]
    similarity: float
    """c(s) of the chosen one."""
    flat: bool
    """Whether a landscape of the chosen one is flat."""

    @property
    def kept(self) -> Bool[np.ndarray, " state"]:
        """Those whose landscapes are not flat."""
        return ~np.asarray(self.judged.flat)

    @property
    def rank(self) -> int:
        """1 where no kept state has a lower similarity than the chosen one."""
        return 1 + int(np.sum(self.judged.similarity[self.kept] < self.similarity))

    def below(self, threshold: float) -> int:
        """How many kept states have a similarity below a threshold."""
        return int(np.sum(self.judged.similarity[self.kept] < threshold))


@dataclass(frozen=True)
class Landscape:
    """Both values of one seed over one or two action dimensions at one state; actions are in [-1, 1]."""

    seed: int
    step: int
    """Environment steps of the checkpoint."""
    states: States
    alpha: float
    """Reward per nat."""
    mode: Float[np.ndarray, " action"]
    """The policy's deterministic action, at which the dimensions that are not shown are held."""
    dimensions: tuple[int, ...]
    """The ones shown."""
    soft: Float[np.ndarray, "*cell"]
    """The soft value at the cells' centres, an axis for each dimension, reward."""
    plain: Float[np.ndarray, "*cell"]
    """The plain value there."""
    drawn: Float[np.ndarray, "sample action"]
    """Actions of the run's policy."""
    drawn_soft: Float[np.ndarray, "sample dimension"]
    """Actions of exp(Q_soft / alpha) over the dimensions shown."""
    cost: float
    """Plain value lost by the action of the highest soft value, reward."""

    @property
    def centres(self) -> Float[np.ndarray, " cell"]:
        """The cells' centres along each dimension."""
        return cells(self.soft.shape[0])

    def best(self, values: Float[np.ndarray, "*cell"]) -> Float[np.ndarray, " dimension"]:
        """The action, over the dimensions shown, at which one of the landscapes is the highest."""
        return self.centres[np.asarray(np.unravel_index(np.argmax(values), values.shape))]


def judge_of(algorithm: AbstractTwoValued[Any]) -> SACAdaEnt:
    """SAC-AdaEnt's settings for comparing landscapes: the run's own, or its defaults where another method made it."""
    return algorithm if isinstance(algorithm, SACAdaEnt) else SACAdaEnt()


def two_valued(run: Run) -> AbstractTwoValued[Any]:
    """The run's algorithm.

    Raises:
        EntropaxError: it knows one kind of value only.
    """
    algorithm = run.algorithm
    if not isinstance(algorithm, AbstractTwoValued):
        known = sorted(name for name, kind in known_types().items() if issubclass(kind, AbstractTwoValued))
        raise EntropaxError(
            f"{run.path} was trained with {type(algorithm).__name__}, whose critics know one kind of value, and a "
            f"landscape lays the soft beside the plain one. Train one that knows both ({', '.join(known)}), for "
            f"example: entropax train sac-adaent --env {run.manifest.environment['id']}"
        )
    return algorithm


def look(run: Run, state: Choice, dimensions: Sequence[int]) -> list[Landscape]:
    """Finds the state and evaluates both landscapes, for every seed.

    Args:
        run: a run of an `AbstractTwoValued` algorithm with a checkpoint.
        state: which one to look at.
        dimensions: two action dimensions to show, or one; none for those on whose plane following the soft value costs
            most. The others are held at the policy's mode.

    Raises:
        EntropaxError: the run knows one kind of value, there is no such state or dimension, all landscapes are flat, or
            values are not finite.
    """
    algorithm, size = two_valued(run), continuous(run.spec).size
    _check_dimensions(dimensions, size)
    cache_compilations()
    by = judge_of(algorithm)
    compare = jax.jit(functools.partial(judge, algorithm, samples=by.samples, similarity=by.similarity))
    found = []
    for learner in read_learners(run):
        key = jax.random.key(learner.seed)
        judged = jax.device_get(compare(learner.state, jnp.asarray(learner.observations), key=key))
        states = _choose(run, learner, judged, state, functools.partial(compare, learner.state, key=key))
        found.append(_view(algorithm, learner, states, tuple(dimensions), size))
    return found


def _view(
    algorithm: AbstractTwoValued[Any], learner: Learner, states: States, asked: tuple[int, ...], size: int
) -> Landscape:
    observation = jnp.asarray(states.observation)
    shown = asked or _default_dimensions(algorithm, learner.state, observation, size)
    view = jax.jit(functools.partial(_evaluate, algorithm, points=_POINTS[len(shown)]))
    key = jax.random.fold_in(jax.random.key(learner.seed), 1)
    values, rest = jax.device_get(view(learner.state, observation, jnp.asarray(shown), key=key))
    if not all(np.isfinite(one).all() for one in values):
        raise EntropaxError(f"The critics of seed {learner.seed} give values that are not finite. Resume an older one.")
    alpha, cost = float(rest.pop("alpha")), float(rest.pop("cost"))
    return Landscape(learner.seed, learner.step, states, alpha, dimensions=shown, cost=cost, **values._asdict(), **rest)


def _evaluate(
    algorithm: AbstractTwoValued[Any],
    learner: PyTree,
    observation: Float[Array, " observation"],
    dimensions: Int[Array, " dimension"],
    *,
    points: int,
    key: Key[Array, ""],
) -> tuple[SoftAndPlain, dict[str, Any]]:
    values = plane(algorithm, learner, observation, dimensions, points)
    alpha = alpha_of(algorithm, learner)
    policy_key, soft_key = jax.random.split(key)
    keys = jax.random.split(policy_key, DRAWS)
    return values, {
        "alpha": alpha,
        "mode": algorithm.mode(learner, observation),
        "drawn": jax.vmap(lambda k: algorithm.act(learner, observation, key=k))(keys),
        "drawn_soft": draw_cells(values.soft, alpha, DRAWS, key=soft_key),
        "cost": misled(values),
    }


def _default_dimensions(
    algorithm: AbstractTwoValued[Any], learner: PyTree, observation: Float[Array, " observation"], size: int
) -> tuple[int, ...]:
    if size <= 2:
        return tuple(range(size))
    first, second = jax.jit(functools.partial(most_misled_pair, algorithm))(learner, observation)
    return int(first), int(second)


def _check_dimensions(dimensions: Sequence[int], size: int) -> None:
    distinct = len(set(dimensions)) == len(dimensions) <= 2
    if not distinct or not all(0 <= one < size for one in dimensions):
        raise EntropaxError(
            f"The action dimensions to show are {list(dimensions)}, but a plane is of one or two different ones from "
            f"0 to {size - 1}. Leave them out, and those are taken on which the landscapes disagree most."
        )


def _choose(run: Run, learner: Learner, judged: Judged, state: Choice, compare: Any) -> States:
    """The chosen state among a seed's."""
    observations = learner.observations
    if isinstance(state, tuple):
        if len(state) != run.spec.observation_size or not np.isfinite(state).all():
            raise EntropaxError(
                f"The state has {len(state)} numbers, but an observation of {run.manifest.environment['id']} has "
                f"{run.spec.observation_size}, all finite. Give all, with commas between, or a stored state's index."
            )
        with np.errstate(over="ignore"):
            given = np.asarray(state, np.float32)
        if not np.isfinite(given).all():
            raise EntropaxError(
                f"The state {state} is beyond float32, in which observations are: its numbers end at 3.4e38. Give "
                "smaller ones."
            )
        own = jax.device_get(compare(jnp.asarray(given[None])))
        return States(observations, judged, None, given, float(own.similarity[0]), bool(own.flat[0]))
    index = _least_alike(run, judged) if state is None else state
    if not 0 <= index < len(observations):
        raise EntropaxError(
            f"There is no stored state {index}: a snapshot holds {len(observations)}, from 0 on. For an observation of "
            "one number, end it with a comma."
        )
    similarity, flat = float(judged.similarity[index]), bool(judged.flat[index])
    return States(observations, judged, index, observations[index], similarity, flat)


def _least_alike(run: Run, judged: Judged) -> int:
    if judged.flat.all():
        raise EntropaxError(
            f"At each of the {len(judged.flat)} stored states of {run.path} a landscape is flat: its values over the "
            "policy's actions differ by less than a tenth of alpha. Train on, or choose a state with --state."
        )
    return int(np.argmin(np.where(judged.flat, np.inf, judged.similarity)))
