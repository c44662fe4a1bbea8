"""Measures of how alike two value landscapes are, from which SAC-AdaEnt can choose."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from entropax.ops import landscape_similarity, ranking_agreement


class AbstractSimilarity(eqx.Module):
    """How alike two landscapes over the same actions of a state are; the larger the more."""

    @abc.abstractmethod
    def __call__(self, one: Float[Array, " sample"], other: Float[Array, " sample"]) -> Float[Array, ""]:
        """Compares the values, reward, of some actions."""


class AboveLowest(AbstractSimilarity):
    """The published one: the cosine of both landscapes, each above its own lowest value; in [0, 1]."""

    def __call__(self, one: Float[Array, " sample"], other: Float[Array, " sample"]) -> Float[Array, ""]:
        """`entropax.ops.landscape_similarity`."""
        return landscape_similarity(one, other)


class Correlation(AbstractSimilarity):
    """The cosine of both landscapes about their means, in [-1, 1]: 0 where they are unrelated, whatever the samples."""

    def __call__(self, one: Float[Array, " sample"], other: Float[Array, " sample"]) -> Float[Array, ""]:
        """Pearson's correlation; 0 where a landscape is flat."""
        one, other = one - jnp.mean(one), other - jnp.mean(other)
        norm = jnp.sqrt(jnp.sum(one * one) * jnp.sum(other * other))
        return jnp.where(norm > 0, jnp.sum(one * other) / jnp.where(norm > 0, norm, 1.0), 0.0)


class Ranking(AbstractSimilarity):
    """The share of pairs of actions that both rank alike, weighted by their gaps, in [0, 1]: a half where unrelated."""

    def __call__(self, one: Float[Array, " sample"], other: Float[Array, " sample"]) -> Float[Array, ""]:
        """`entropax.ops.ranking_agreement`."""
        return ranking_agreement(one, other)
