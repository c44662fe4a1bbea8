"""Stein variational gradient descent: where to move particles so that they become samples of a given density."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

LEAST_WIDTH = 1e-3
"""Of the kernel, in squared units of the particles: below it, particles in one place would have none."""


def kernel_width(squares: Float[Array, "fixed moved"]) -> Float[Array, ""]:
    """The median heuristic: h = median(|x - y|^2) / log n for n fixed particles, at least `LEAST_WIDTH`.

    With it, sum_j k(x_j, y) is about n exp(-log n) = 1: what a particle adds itself and what the others add are of one
    size (Liu and Wang 2016, arXiv 1608.04471, section 5).

    Args:
        squares: squared distances |x_j - y_i|^2; two fixed particles at least.
    """
    return jnp.maximum(jnp.median(squares) / math.log(squares.shape[0]), LEAST_WIDTH)


def stein_direction(
    fixed: Float[Array, "fixed dimension"],
    slopes: Float[Array, "fixed dimension"],
    moved: Float[Array, "moved dimension"],
    alpha: float | Float[Array, ""],
) -> Float[Array, "moved dimension"]:
    """Delta(y_i) = mean_j [k(x_j, y_i) g_j + alpha grad_x k(x_j, y_i)], equation 13 of arXiv 1702.08165.

    k is a Gaussian kernel, exp(-|x - y|^2 / h), with the width of `kernel_width`. The first term drives particles to
    where the density is high, the second drives them apart. It is alpha times the direction of Stein variational
    gradient descent, and 0 on average once the x_j are samples of the density.

    Args:
        fixed: particles x_j over which the mean is taken, at least two.
        slopes: g_j = alpha grad log p(x_j) of the wanted density p, so for p = exp(Q / alpha) the gradient of Q.
        moved: particles y_i.
        alpha: the temperature, reward per nat.

    Returns:
        Where each y_i is to go, in reward per unit of the particles.

    Example:
        >>> pair = jnp.array([[-0.1], [0.1]])  # of a flat density: apart
        >>> [direction > 0 for direction in stein_direction(pair, jnp.zeros((2, 1)), pair, 1.0)[:, 0].tolist()]
        [False, True]
    """
    apart = fixed[:, None] - moved[None]
    squares = jnp.sum(apart**2, axis=-1)
    width = kernel_width(squares)
    kernel = jnp.exp(-squares / width)[..., None]
    return jnp.mean(kernel * (slopes[:, None] - 2 * alpha / width * apart), axis=0)
