"""Means, covariances and selections over the global batch, in static shapes."""

from typing import Any

import array_api_compat
from jaxtyping import Bool, Float, Int, Num

from entropax.llm.reduce import AbstractReducer
from entropax.llm.tokens import Arrays, Tokens

_ROUNDS = ((16, 0x7FEB352D), (15, -0x7B935975))
"""Shifts and odd factors of a 32-bit hash of two rounds (C. Wellons, "Prospecting for hash functions", 2018)."""


def number(like: Any, value: Any, dtype: Any = None) -> Any:
    """A scalar, traced or not, as an array of the library, device and (unless told) type of another."""
    xp = array_api_compat.array_namespace(like)
    return xp.asarray(value, dtype=dtype or like.dtype, device=array_api_compat.device(like))


def count(mask: Bool[Any, "batch token"], over: AbstractReducer) -> Int[Any, ""]:
    """Tokens of the global batch."""
    xp = array_api_compat.array_namespace(mask)
    return over.total(xp.sum(xp.astype(mask, xp.int32)))


def mean(values: Float[Any, "batch token"], mask: Bool[Any, "batch token"], over: AbstractReducer) -> Float[Any, ""]:
    """Mean over the tokens of the global batch."""
    xp = array_api_compat.array_namespace(values)
    total = over.total(xp.sum(xp.where(mask, values, xp.zeros_like(values))))
    return total / xp.astype(count(mask, over), values.dtype)


def covariance(batch: Tokens, over: AbstractReducer) -> Float[Any, "batch token"]:
    """Each token's part in Cov(log pi, A) over the global batch (arXiv 2505.22617, equation 10).

    (log pi_t - mean log pi)(A_t - mean A), in nats times the advantage's unit; 0 where there is no token.
    """
    xp = batch.xp
    log_prob = batch.log_prob - mean(batch.log_prob, batch.mask, over)
    advantages = batch.advantages - mean(batch.advantages, batch.mask, over)
    return xp.where(batch.mask, log_prob * advantages, xp.zeros_like(log_prob))


def share(fraction: float, mask: Bool[Any, "batch token"], over: AbstractReducer) -> Int[Any, ""]:
    """How many tokens a fraction of the global batch is: at least one."""
    xp = array_api_compat.array_namespace(mask)
    tokens = count(mask, over)
    exact = xp.floor(xp.astype(tokens, xp.float32) * fraction)
    return xp.astype(xp.maximum(exact, number(exact, 1.0)), xp.int32)


def largest(
    values: Num[Any, "batch token"], mask: Bool[Any, "batch token"], size: Int[Any, ""], over: AbstractReducer
) -> Bool[Any, "batch token"]:
    """The so many largest values of the global batch; of equal ones the first, so that never more are taken."""
    xp = array_api_compat.array_namespace(values)
    everywhere = over.gather(xp.reshape(xp.where(mask, values, number(values, float("-inf"))), (-1,)))
    chosen = over.here(_rank(xp, everywhere) < size, mask.shape[0] * mask.shape[1])
    return xp.reshape(chosen, mask.shape) & mask


def drawn(
    candidates: Bool[Any, "batch token"], size: Int[Any, ""], draw: Any, over: AbstractReducer
) -> Bool[Any, "batch token"]:
    """So many of the candidates, or all if they are fewer, all equally likely.

    The draw is a hash of a token's place and the number of the draw: the same in every array library, and in every
    process.
    """
    xp = array_api_compat.array_namespace(candidates)
    flags = over.gather(xp.reshape(xp.astype(candidates, xp.int32), (-1,)))
    places = xp.arange(flags.shape[0], dtype=xp.int32, device=array_api_compat.device(flags))
    scores = _hash(xp, places ^ _hash(xp, number(places, draw, xp.int32)))
    # A hash of 31 bits is 0 or more, so -1 puts what is no candidate last.
    ranks = _rank(xp, xp.where(flags > 0, scores, number(scores, -1)))
    chosen = over.here(ranks < size, candidates.shape[0] * candidates.shape[1])
    return xp.reshape(chosen, candidates.shape) & candidates


def quantile(
    values: Float[Any, "batch token"], mask: Bool[Any, "batch token"], level: float, over: AbstractReducer
) -> Float[Any, ""]:
    """The value below which a share of the global batch lies; the nearest one that occurs."""
    xp = array_api_compat.array_namespace(values)
    everywhere = over.gather(xp.reshape(xp.where(mask, values, number(values, float("inf"))), (-1,)))
    last = xp.astype(count(mask, over) - 1, xp.float32)
    place = xp.astype(xp.round(last * level), xp.int32)
    return xp.take(xp.sort(everywhere), xp.reshape(place, (1,)), axis=0)[0]


def _rank(xp: Arrays, values: Num[Any, " everywhere"]) -> Int[Any, " everywhere"]:
    """Place of each value in descending order, from 0."""
    return xp.argsort(xp.argsort(values, descending=True, stable=True), stable=True)


def _hash(xp: Arrays, integers: Any) -> Any:
    """Well mixed 31-bit integers; products wrap around, as they do in every array library."""
    for shift, factor in _ROUNDS:
        low = (1 << (32 - shift)) - 1
        integers = (integers ^ ((integers >> shift) & number(integers, low))) * number(integers, factor)
    return (integers ^ ((integers >> 16) & number(integers, 0xFFFF))) & number(integers, 0x7FFFFFFF)
