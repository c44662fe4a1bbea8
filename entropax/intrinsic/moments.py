"""Mean and variance of all that was seen so far, in one pass: Chan, Golub and LeVeque 1983, equations 2.1."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

LEAST = 1e-3
"""Least standard deviation that anything is divided by: what hardly varies is not blown up."""
CLIP = 5.0
"""Largest standardised number that the models of a bonus see: arXiv 1810.12894, section 2.4.

What has never varied is 1 / `LEAST` deviations away or so when it first does: one such error would outweigh all others
in a running scale, for the rest of the run.
"""


class Moments(eqx.Module):
    """Mean and variance of vectors, or of numbers; 0 and 1 before the first."""

    count: Float[Array, ""]
    mean: Float[Array, "*shape"]
    variance: Float[Array, "*shape"]

    @property
    def deviation(self) -> Float[Array, "*shape"]:
        """Standard deviation, at least `LEAST`."""
        return jnp.maximum(jnp.sqrt(self.variance), LEAST)

    def standardised(self, value: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
        """(x - mean) / deviation, of `[*shape]`, or with leading axes."""
        mean, deviation = (x.reshape((1,) * (value.ndim - x.ndim) + x.shape) for x in (self.mean, self.deviation))
        return (value - mean) / deviation

    def clipped(self, value: Float[Array, "*axes"], most: float = CLIP) -> Float[Array, "*axes"]:
        """The same, within [-most, most]."""
        return jnp.clip(self.standardised(value), -most, most)


def no_moments(*shape: int) -> Moments:
    """Before the first value."""
    return Moments(jnp.zeros((), jnp.float32), jnp.zeros(shape, jnp.float32), jnp.ones(shape, jnp.float32))


def including(moments: Moments, values: Float[Array, "n *shape"], counted: Bool[Array, " n"]) -> Moments:
    """The moments with some more values, of which only the `counted` ones count; no gradient flows through them."""
    values = jax.lax.stop_gradient(values)
    weight = counted.astype(jnp.float32).reshape(-1, *(1,) * (values.ndim - 1))
    # where, not a product: what does not count may not be finite.
    values = jnp.where(weight > 0, values, 0)
    more = jnp.sum(weight)
    mean = jnp.sum(values, axis=0) / jnp.maximum(more, 1)
    squares = jnp.sum(weight * (values - mean[None]) ** 2, axis=0)
    total = moments.count + more
    share = more / jnp.maximum(total, 1)
    apart = mean - moments.mean
    variance = moments.variance * (1 - share) + squares / jnp.maximum(total, 1) + apart**2 * share * (1 - share)
    return Moments(total, moments.mean + share * apart, variance)
