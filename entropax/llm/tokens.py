"""What a method sees: the tokens of a batch of completions, in any array library that follows the array API."""

from typing import Any, NamedTuple

import array_api_compat
import jax
from jax.core import Tracer
from jaxtyping import Bool, Float

from entropax.errors import EntropaxError

Arrays = Any
"""The namespace of an array library: `numpy`, `torch` or `jax.numpy`, through `array_api_compat`."""


class Tokens(NamedTuple):
    """Tokens that a policy drew and what became of them; data, through which no gradient flows.

    Everything is 0 where `mask` is False.
    """

    log_prob: Float[Any, "batch token"]
    """log pi(y_t) of the policy that learns, nats."""
    old_log_prob: Float[Any, "batch token"]
    """The same of the policy that drew them."""
    advantages: Float[Any, "batch token"]
    """In reward, or in its standard deviations where the trainer divides by them."""
    mask: Bool[Any, "batch token"]
    """True at the tokens of the completion."""
    entropy: Float[Any, "batch token"] | None
    """Entropy of the policy that learns at each position, over the whole vocabulary, nats; None where the trainer
    does not give it."""

    @property
    def xp(self) -> Arrays:
        """The array library of these tokens."""
        return array_api_compat.array_namespace(self.log_prob)

    @property
    def log_ratio(self) -> Float[Any, "batch token"]:
        """Difference log pi - log pi_old, nats."""
        return self.log_prob - self.old_log_prob

    @property
    def ratio(self) -> Float[Any, "batch token"]:
        """Importance ratio r = pi / pi_old."""
        return self.xp.exp(self.log_ratio)


def tokens(
    log_prob: Any, old_log_prob: Any, advantages: Any, mask: Any, entropy: Any | None = None, *, checked: bool = True
) -> Tokens:
    """Makes tokens of a trainer's arrays, all of one library.

    Args:
        log_prob: `[batch, token]`, nats.
        old_log_prob: `[batch, token]`, nats.
        advantages: `[batch, token]`, or `[batch]` for one a completion.
        mask: `[batch, token]`, True or non-zero at tokens of the completion.
        entropy: `[batch, token]`, nats, or None.
        checked: whether the values are looked at, which waits for a device to have computed them. Under `jax.jit` there
            are none to look at.

    Raises:
        EntropaxError: shapes that differ, no token at all, or a number that is not finite.

    Example:
        >>> import numpy as np
        >>> logs = np.log(np.asarray([[0.5, 0.2]]))
        >>> tokens(logs, logs, np.asarray([1.0]), np.asarray([[1, 0]])).advantages.tolist()
        [[1.0, 0.0]]
    """
    xp = array_api_compat.array_namespace(log_prob)
    advantages = advantages[:, None] if advantages.ndim == 1 else advantages
    shapes = {
        "old_log_prob": old_log_prob.shape,
        "mask": mask.shape,
        "advantages": (advantages.shape[0], log_prob.shape[-1] if advantages.shape[-1] == 1 else advantages.shape[-1]),
    } | ({} if entropy is None else {"entropy": entropy.shape})
    for name, shape in shapes.items():
        if log_prob.ndim != 2 or tuple(shape) != tuple(log_prob.shape):
            raise EntropaxError(
                f"log_prob is {tuple(log_prob.shape)}, but {name} is {tuple(shape)}. All are [batch, token], of the "
                "completion alone without its prompt; advantages may be [batch]."
            )
    valid = xp.astype(mask, xp.bool)
    advantages = xp.broadcast_to(xp.astype(advantages, log_prob.dtype), log_prob.shape)
    given = {"log_prob": log_prob, "old_log_prob": old_log_prob, "advantages": advantages}
    given |= {} if entropy is None else {"entropy": entropy}
    if checked and not isinstance(log_prob, Tracer):
        _require_sound(xp, given, valid)
    clean = {name: xp.where(valid, detached(values), xp.zeros_like(log_prob)) for name, values in given.items()}
    return Tokens(mask=valid, **({"entropy": None} | clean))


def detached(values: Any) -> Any:
    """The same numbers without a gradient."""
    if array_api_compat.is_torch_array(values):
        return values.detach()
    return jax.lax.stop_gradient(values) if array_api_compat.is_jax_array(values) else values


def _require_sound(xp: Arrays, given: dict[str, Any], mask: Any) -> None:
    """Raises EntropaxError for a batch without a token, and for numbers that are not finite where there is one."""
    count = int(xp.sum(xp.astype(mask, xp.int32)))
    if not count:
        raise EntropaxError(
            "The mask selects no token, so there is nothing to learn from. Are all completions empty or filtered out? "
            "Skip such a batch."
        )
    for name, values in given.items():
        bad = int(xp.sum(xp.astype(mask & ~xp.isfinite(values), xp.int32)))
        if bad:
            raise EntropaxError(
                f"{name} is NaN or infinite at {bad} of {count} tokens. Skip the batch and look for its cause: a "
                "logit of -inf at a token that was drawn (top-k or a mask at scoring only), or weights that diverged."
            )
