"""Advantages: how much better an action turned out than its state."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Scalar = float | Float[Array, ""]


def generalised_advantages(
    errors: Float[Array, " n"], last: Float[Array, " n"], discount: Scalar, gae_lambda: Scalar
) -> Float[Array, " n"]:
    """A_t = sum_l (gamma lambda)^l delta_{t+l}, up to the episode's end (equation 16 of arXiv 1506.02438).

    Args:
        errors: delta_t of consecutive steps, as `temporal_difference` gives them.
        last: 1 where the episode ended, terminated or truncated: the sum stops there.
        discount: gamma.
        gae_lambda: 0 is one-step, 1 the whole return to the end of the steps minus the value.

    Returns:
        The advantage of every step; add its value for the return that a critic is regressed on.

    Example:
        >>> generalised_advantages(jnp.ones(3), jnp.array([0.0, 0.0, 1.0]), 0.5, 1.0).tolist()
        [1.75, 1.5, 1.0]
    """
    decay = jnp.asarray(discount * gae_lambda, errors.dtype)

    def back(following: Float[Array, ""], step: tuple[Array, Array]) -> tuple[Array, Array]:
        error, last = step
        advantage = error + decay * (1 - last) * following
        return advantage, advantage

    return jax.lax.scan(back, jnp.zeros((), errors.dtype), (errors, last), reverse=True)[1]


def temporal_difference(
    reward: Float[Array, "*axes"],
    value: Float[Array, "*axes"],
    next_value: Float[Array, "*axes"],
    terminated: Float[Array, "*axes"],
    discount: Scalar,
) -> Float[Array, "*axes"]:
    """The one-step advantage delta = r + gamma (1 - d) V(s') - V(s), elementwise (section 3 of arXiv 1506.02438).

    A time limit is no termination: s' is the observation before the reset, and has its value.

    Example:
        >>> steps = jnp.ones(2), jnp.array([0.5, 0.25]), jnp.array([0.25, 4.0]), jnp.array([0.0, 1.0])
        >>> temporal_difference(*steps, 0.5).tolist()
        [0.625, 0.75]
    """
    return reward + discount * (1 - terminated) * next_value - value
