"""One surrogate for all methods, and the ways to make one number of a batch."""

from collections.abc import Callable
from typing import Any

import array_api_compat
from jax.core import Tracer
from jaxtyping import Bool, Float

from entropax.errors import EntropaxError
from entropax.llm.method import Weights
from entropax.llm.select import number
from entropax.llm.tokens import detached, require_same_shape

Aggregate = Callable[[Float[Any, "batch token"], Bool[Any, "batch token"]], Float[Any, ""]]
"""Makes one number of the tokens' values."""


def token_mean(values: Float[Any, "batch token"], mask: Bool[Any, "batch token"]) -> Float[Any, ""]:
    """Mean over all tokens (DAPO, arXiv 2503.14476, equation 12): a long completion weighs more than a short one."""
    xp = array_api_compat.array_namespace(values)
    weight = xp.astype(mask, values.dtype)
    total = xp.sum(weight)
    return xp.sum(values * weight) / xp.maximum(total, number(total, 1.0))


def sequence_mean(values: Float[Any, "batch token"], mask: Bool[Any, "batch token"]) -> Float[Any, ""]:
    """Mean over completions of the mean over their tokens (GRPO, arXiv 2402.03300, equation 3)."""
    xp = array_api_compat.array_namespace(values)
    weight = xp.astype(mask, values.dtype)
    lengths = xp.sum(weight, axis=1)
    return xp.mean(xp.sum(values * weight, axis=1) / xp.maximum(lengths, number(lengths, 1.0)))


def constant_length(length: int) -> Aggregate:
    """Mean over completions of the sum over their tokens over one length for all (Dr. GRPO, arXiv 2503.20783).

    Args:
        length: tokens; the longest completion that is allowed.

    Raises:
        EntropaxError: it is not positive.
    """
    if length < 1:
        raise EntropaxError(f"constant_length: length is a number of tokens, got {length}. Take the longest allowed.")

    def aggregate(values: Any, mask: Any) -> Any:
        xp = array_api_compat.array_namespace(values)
        return xp.mean(xp.sum(values * xp.astype(mask, values.dtype), axis=1)) / length

    return aggregate


def loss(
    log_prob: Float[Any, "batch token"],
    entropy: Float[Any, "batch token"] | None,
    mask: Bool[Any, "batch token"],
    weights: Weights,
    aggregate: Aggregate = token_mean,
) -> Float[Any, ""]:
    """-agg(sg(w) log pi + sg(c) H): its gradient is the method's, its value means nothing.

    Args:
        log_prob: with a gradient, nats.
        entropy: with a gradient, nats; None for a method without an entropy term, whose c is 0.
        mask: True at tokens of the completion.
        weights: from a method.
        aggregate: `token_mean`, `sequence_mean` or `constant_length(n)`.

    Raises:
        EntropaxError: shapes differ, or the weights have an entropy term and there is no entropy.

    Example:
        >>> import numpy as np
        >>> ones = np.ones((1, 2))
        >>> float(loss(-ones, ones, ones > 0, Weights(2 * ones, 0.5 * ones)))
        1.5
    """
    xp = array_api_compat.array_namespace(log_prob)
    given = {"mask": mask, "weights.w": weights.w, "weights.c": weights.c}
    require_same_shape("log_prob", log_prob, given | ({} if entropy is None else {"entropy": entropy}))
    if entropy is None and not isinstance(weights.c, Tracer) and bool(xp.any(weights.c != 0)):
        raise EntropaxError(
            "The weights have an entropy term, c, but loss is given no entropy, so the term would do nothing. Pass the "
            "entropy with its gradient, or take ScoreBonus, which needs none."
        )
    mask = xp.astype(mask, xp.bool)
    zeros = xp.zeros_like(log_prob)
    # `where` on the argument too: padding may be -inf, and 0 times that would be NaN in value and gradient.
    surrogate = detached(weights.w) * xp.where(mask, log_prob, zeros)
    if entropy is not None:
        surrogate = surrogate + detached(weights.c) * xp.where(mask, entropy, zeros)
    return -aggregate(surrogate, mask)
