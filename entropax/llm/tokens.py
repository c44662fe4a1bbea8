"""What a method sees: the tokens of a batch of completions, in any array library that follows the array API."""

import math
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

    All are made of `log_prob`'s type, and of float32 where that is a half precision: a sum over a batch's tokens
    exceeds float16, and in bfloat16 is off by many of them.

    Args:
        log_prob: `[batch, token]`, nats.
        old_log_prob: `[batch, token]`, nats.
        advantages: `[batch, token]`, or `[batch]` for one a completion.
        mask: `[batch, token]`, True or non-zero at tokens of the completion.
        entropy: `[batch, token]`, nats, or None.
        checked: whether the values are looked at, which waits for a device to have computed them. Under `jax.jit` there
            are none to look at.

    Raises:
        EntropaxError: arrays of several libraries, shapes that differ, no token at all, a number that is not finite, or
            log-probabilities so far apart that their ratio is not.

    Example:
        >>> import numpy as np
        >>> logs = np.log(np.asarray([[0.5, 0.2]]))
        >>> tokens(logs, logs, np.asarray([1.0]), np.asarray([[1, 0]])).advantages.tolist()
        [[1.0, 0.0]]
    """
    given = {"log_prob": log_prob, "old_log_prob": old_log_prob, "advantages": advantages, "mask": mask}
    given |= {} if entropy is None else {"entropy": entropy}
    xp = _one_library(given)
    _require_shapes(given)
    if not xp.isdtype(log_prob.dtype, "real floating"):
        raise EntropaxError(f"log_prob is of type {log_prob.dtype}. Give log-probabilities in nats, as floats.")
    traced = isinstance(log_prob, Tracer)
    if checked and not traced and xp.isdtype(mask.dtype, "real floating") and bool(xp.any(xp.isnan(mask))):
        raise EntropaxError("The mask has NaN in it, which selects and does not. Give it as booleans or integers.")
    valid = xp.astype(mask, xp.bool)
    advantages = advantages[:, None] if advantages.ndim == 1 else advantages
    dtype = xp.float32 if xp.finfo(log_prob.dtype).bits < 32 else log_prob.dtype
    values = given | {"advantages": xp.broadcast_to(advantages, log_prob.shape)}
    del values["mask"]
    values = {name: xp.astype(detached(each), dtype) for name, each in values.items()}
    if checked and not traced:
        _require_sound(xp, values, valid)
    clean = {name: xp.where(valid, each, xp.zeros_like(each)) for name, each in values.items()}
    batch = Tokens(mask=valid, **({"entropy": None} | clean))
    if checked and not traced:
        _require_ratios(batch)
    return batch


def detached(values: Any) -> Any:
    """The same numbers without a gradient."""
    if array_api_compat.is_torch_array(values):
        return values.detach()
    return jax.lax.stop_gradient(values) if array_api_compat.is_jax_array(values) else values


def require_same_shape(name: str, values: Any, others: dict[str, Any]) -> None:
    """Raises EntropaxError where one of some arrays has another shape than the one of this name."""
    for other, array in others.items():
        if tuple(array.shape) != tuple(values.shape):
            raise EntropaxError(
                f"{name} is {tuple(values.shape)}, but {other} is {tuple(array.shape)}. Both need the same shape."
            )


def _one_library(given: dict[str, Any]) -> Arrays:
    """The library of all arrays. Raises EntropaxError where one is of another, or no array."""
    try:
        # One by one first: `array_namespace` passes over what is no array where there is one beside it.
        for values in given.values():
            array_api_compat.array_namespace(values)
        return array_api_compat.array_namespace(*given.values())
    except TypeError as error:
        kinds = {"builtins": "Python", "jaxlib": "jax"}
        modules = {name: type(values).__module__.split(".")[0] for name, values in given.items()}
        named = ", ".join(f"{name} of {kinds.get(module, module)}" for name, module in modules.items())
        raise EntropaxError(f"All arrays must be of one library, but here are {named}. Convert them to one.") from error


def _require_shapes(given: dict[str, Any]) -> None:
    """Raises EntropaxError unless all are [batch, token], or advantages [batch] or [batch, 1]."""
    shapes = {name: tuple(values.shape) for name, values in given.items()}
    wanted = shapes["log_prob"]
    if len(wanted) != 2:
        raise EntropaxError(
            f"log_prob is {wanted}, but must be [batch, token]: of the tokens that were drawn, not of the whole "
            "vocabulary, and one row a completion."
        )
    for name, shape in shapes.items():
        short = name == "advantages" and shape in (wanted[:1], (wanted[0], 1))
        if shape != wanted and not short:
            raise EntropaxError(
                f"log_prob is {wanted}, but {name} is {shape}. All are [batch, token], of the completion alone without "
                "its prompt; advantages may be [batch]."
            )


def _require_ratios(batch: Tokens) -> None:
    """Raises EntropaxError where pi / pi_old is too large for a float."""
    xp = batch.xp
    largest = math.log(float(xp.finfo(batch.log_prob.dtype).max))
    lost = int(xp.sum(xp.astype(batch.log_ratio > largest, xp.int32)))
    if lost:
        raise EntropaxError(
            f"log_prob exceeds old_log_prob by up to {float(xp.max(batch.log_ratio)):.4g} nats, so at {lost} tokens "
            "their ratio is infinite. Are both of the same tokens, in the same order, and is old_log_prob in nats?"
        )


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
            cause = (
                "a reward that is NaN, or a division by a spread of 0."
                if name == "advantages"
                else "a logit of -inf at a token that was drawn (top-k or a mask at scoring only), or diverged weights."
            )
            raise EntropaxError(
                f"{name} is NaN or infinite at {bad} of {count} tokens. Skip the batch and look for its cause: {cause}"
            )
