"""Running averages of parameters."""

from typing import TypeVar

import jax
from jaxtyping import Array, Float

Params = TypeVar("Params")


def polyak(target_params: Params, params: Params, tau: float | Float[Array, ""]) -> Params:
    """(1 - tau) target + tau params, leaf by leaf (algorithm 1 of arXiv 1812.05905).

    Args:
        target_params: the slow parameters.
        params: the fast ones, of the same structure.
        tau: share of the fast ones taken in per call; 1 copies.

    Returns:
        New slow parameters with the shapes and dtypes of the old ones.

    Example:
        >>> float(polyak(jax.numpy.array(0.0), jax.numpy.array(2.0), 0.25))
        0.5
    """
    return jax.tree.map(lambda slow, fast: (slow + tau * (fast - slow)).astype(slow.dtype), target_params, params)
