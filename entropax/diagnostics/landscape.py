"""Soft and plain value over the actions of a state: where they disagree, and what that costs. Pure functions."""

import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from entropax.algorithms.base import AbstractTwoValued, SoftAndPlain
from entropax.algorithms.landscapes import AboveLowest, AbstractSimilarity

FLAT = 0.1
"""Spread of a landscape, in alphas, below which it is flat: over such values even the policy exp(Q / alpha) is within a
tenth of uniform, so that their order says nothing."""

PUBLISHED = AboveLowest()
"""By what SAC-AdaEnt compares landscapes."""

_COARSE = 11
"""Cells a side of the grids on which planes are compared with one another."""


class Judged(NamedTuple):
    """How the two landscapes of each state compare over actions of the policy."""

    similarity: Float[Array, " state"]
    """c(s)."""
    spread: SoftAndPlain
    """Highest less lowest value, reward, `[state]` each."""
    flat: Bool[Array, " state"]
    """Where either landscape is flat, or not finite, and c(s) means nothing."""


def alpha_of(algorithm: AbstractTwoValued[Any], learner: PyTree) -> Float[Array, ""]:
    """The weight of the entropy, reward per nat; the mean where there is one a dimension."""
    return jnp.mean(algorithm.alpha(learner))


def judge(
    algorithm: AbstractTwoValued[Any],
    learner: PyTree,
    observations: Float[Array, "state observation"],
    *,
    key: Key[Array, ""],
    samples: int = 100,
    similarity: AbstractSimilarity = PUBLISHED,
) -> Judged:
    """Compares the two landscapes of some states over `samples` actions of the policy, as SAC-AdaEnt does.

    All states see the same noise, so that equal states are judged alike.
    """
    keys = jax.random.split(key, samples)

    def one(observation: Float[Array, " observation"]) -> tuple[Array, SoftAndPlain]:
        actions = jax.vmap(lambda k: algorithm.act(learner, observation, key=k))(keys)
        q = jax.vmap(lambda action: algorithm.soft_and_plain(learner, observation, action))(actions)
        return similarity(q.soft, q.plain), SoftAndPlain(*(jnp.max(x) - jnp.min(x) for x in q))

    # In batches: all states at once would be as large as a hundred replay batches.
    alike, spread = jax.lax.map(one, observations, batch_size=64)
    least = FLAT * alpha_of(algorithm, learner)
    flat = ~((spread.soft > least) & (spread.plain > least) & jnp.isfinite(alike))
    return Judged(alike, spread, flat)


def cells(points: int) -> Float[np.ndarray, " cell"]:
    """Centres of so many cells that fill [-1, 1]."""
    return ((2 * np.arange(points) + 1) / points - 1).astype(np.float32)


def plane(
    algorithm: AbstractTwoValued[Any],
    learner: PyTree,
    observation: Float[Array, " observation"],
    dimensions: Int[Array, " dimension"],
    points: int,
) -> SoftAndPlain:
    """Both landscapes of a state over some action dimensions, the others at the policy's mode.

    Args:
        algorithm: the learner's.
        learner: its state.
        observation: the state.
        dimensions: one or two of the action's, none twice.
        points: cells a side.

    Returns:
        Values at the centres of `cells(points)`, an axis for each dimension, in reward.
    """
    mode = algorithm.mode(learner, observation)
    sides = dimensions.shape[0]
    grid = jnp.stack(jnp.meshgrid(*[jnp.asarray(cells(points))] * sides, indexing="ij"), axis=-1)
    actions = jnp.broadcast_to(mode, (points**sides, mode.size)).at[:, dimensions].set(grid.reshape(-1, sides))
    q = jax.vmap(lambda action: algorithm.soft_and_plain(learner, observation, action))(actions)
    return SoftAndPlain(*(x.reshape((points,) * sides) for x in q))


def misled(q: SoftAndPlain) -> Float[Array, ""]:
    """What it costs in plain value to take the action of the highest soft value, reward; 0 where both rank it first."""
    plain = q.plain.ravel()
    return jnp.max(plain) - plain[jnp.argmax(q.soft.ravel())]


def most_misled_pair(
    algorithm: AbstractTwoValued[Any], learner: PyTree, observation: Float[Array, " observation"]
) -> Int[Array, "2"]:
    """The two action dimensions on whose plane, on a coarse grid, `misled` is the largest."""
    size = algorithm.mode(learner, observation).size
    pairs = jnp.asarray(list(itertools.combinations(range(size), 2)))

    def cost(pair: Int[Array, "2"]) -> Float[Array, ""]:
        return misled(plane(algorithm, learner, observation, pair, _COARSE))

    return pairs[jnp.argmax(jax.lax.map(cost, pairs))]


def draw_cells(
    values: Float[Array, "*cell"], alpha: Float[Array, ""], count: int, *, key: Key[Array, ""]
) -> Float[Array, "sample dimension"]:
    """Actions of the policy exp(Q / alpha) over a plane of cells: a cell, then a place in it.

    Args:
        values: Q at the cells' centres, reward, an axis for each dimension.
        alpha: reward per nat; towards 0 the draws gather at the highest value.
        count: how many.
        key: what they are drawn with.
    """
    points = values.shape[0]
    cell_key, place_key = jax.random.split(key)
    above = values.ravel() - jnp.max(values)
    drawn = jax.random.categorical(cell_key, above / jnp.maximum(alpha, 1e-12), shape=(count,))
    corners = jnp.stack(jnp.unravel_index(drawn, values.shape), axis=-1)
    places = jax.random.uniform(place_key, corners.shape)
    return (2 * (corners + places) / points - 1).astype(jnp.float32)
