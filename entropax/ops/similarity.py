"""Do two critics see the same landscape over the actions of a state?"""

import jax.numpy as jnp
from jaxtyping import Array, Float

_LEAST_NORM = 1e-8


def landscape_similarity(one: Float[Array, " sample"], other: Float[Array, " sample"]) -> Float[Array, ""]:
    """Cosine of two value landscapes, each above its own lowest value (Zhang et al. 2025, arXiv 2506.05615).

    Args:
        one: values of some actions at one state, reward.
        other: what another critic says of the same actions, reward.

    Returns:
        A number in [0, 1], the same for any shift and positive scale of either landscape: 1 where they agree, 0 where
        each is high only where the other is lowest, and 0 where one is flat. Independent ones lie far above 0: standard
        normal values of 100 actions with correlation rho give about (6.3 + rho) / 7.3.

    Example:
        >>> float(landscape_similarity(jnp.array([0.0, 1.0]), jnp.array([7.0, 9.0])))
        1.0
        >>> float(landscape_similarity(jnp.array([0.0, 1.0]), jnp.array([9.0, 7.0])))
        0.0
    """
    # A sum of products, not `dot`: an accelerator may round the factors of a matrix product.
    one, other = one - jnp.min(one), other - jnp.min(other)
    norms = [jnp.maximum(jnp.sqrt(jnp.sum(x * x)), _LEAST_NORM) for x in (one, other)]
    return jnp.sum(one * other) / (norms[0] * norms[1])


def ranking_agreement(one: Float[Array, " sample"], other: Float[Array, " sample"]) -> Float[Array, ""]:
    """The share of pairs of actions that two landscapes rank alike, each pair weighted by both of its gaps.

    With gaps d_ij of one landscape and e_ij of the other over all pairs, 1/2 (1 + sum d_ij e_ij / sum |d_ij e_ij|): the
    probability of concordance that Kendall's tau (1938, Biometrika 30:81) counts, but a near tie weighs little.

    Args:
        one: values of some actions at one state, reward.
        other: what another critic says of the same actions, reward.

    Returns:
        A number in [0, 1], the same for any shift and positive scale of either landscape: 1 where every pair is ranked
        alike, or a landscape is flat and ranks nothing; 0 where all are ranked against one another; about a half where
        the landscapes have nothing to do with each other.

    Example:
        >>> float(ranking_agreement(jnp.array([0.0, 1.0, 2.0]), jnp.array([5.0, 6.0, 9.0])))
        1.0
        >>> float(ranking_agreement(jnp.array([0.0, 1.0, 2.0]), jnp.array([9.0, 6.0, 5.0])))
        0.0
    """
    products = (one[:, None] - one[None]) * (other[:, None] - other[None])
    weight = jnp.sum(jnp.abs(products))
    balance = jnp.where(weight > 0, jnp.sum(products) / jnp.where(weight > 0, weight, 1.0), 1.0)
    return 0.5 * (1 + balance)
