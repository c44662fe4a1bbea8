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
