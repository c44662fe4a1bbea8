"""The contract of a method: two weights a token, which one surrogate loss turns into its gradient."""

import abc
import enum
import math
from typing import Any, NamedTuple

import array_api_compat
from jaxtyping import Float

from entropax.errors import EntropaxError
from entropax.llm.reduce import AbstractReducer, ThisBatch
from entropax.llm.tokens import Tokens, tokens


class Weights(NamedTuple):
    """What multiplies the gradients of a token's log-probability and entropy: g = agg(w grad log pi + c grad H)."""

    w: Float[Any, "batch token"]
    c: Float[Any, "batch token"]


class State(NamedTuple):
    """What a method remembers between optimiser steps: a few numbers, which JSON holds and `jax.jit` takes."""

    updates: Any
    """Optimiser steps so far."""
    mean_entropy: Any
    """Mean over these of the batches' mean entropies, nats a token; NaN before the first."""
    knobs: dict[str, Any]
    """The coefficients that a controller may move, by name."""


class Need(enum.Enum):
    """What a method needs of a trainer beyond log-probabilities, advantages and mask."""

    ENTROPY = "the entropy of every token"
    ENTROPY_GRADIENT = "an entropy with a gradient"
    EXTRA_ROLLOUT = "completions drawn at another sampling temperature"
    GLOBAL_BATCH = "the whole batch of an optimiser step, to select tokens from"


class AbstractMethod(abc.ABC):
    """A way to learn from completions, as a pure function of arrays; `NumPy`, `torch` and `jax` alike.

    Implementations are frozen dataclasses: their fields are the settings.
    """

    @property
    @abc.abstractmethod
    def knobs(self) -> dict[str, float]:
        """The coefficients that a controller may move, and what they are at first."""

    @property
    @abc.abstractmethod
    def needs(self) -> frozenset[Need]:
        """What the trainer must give."""

    @abc.abstractmethod
    def weights(self, batch: Tokens, state: State, over: AbstractReducer) -> Weights:
        """The two weights of every token, 0 where there is none.

        Raises:
            EntropaxError: an entropy is needed and there is none.
        """

    def __call__(
        self,
        log_prob: Any,
        old_log_prob: Any,
        advantages: Any,
        mask: Any,
        entropy: Any | None,
        state: State,
        *,
        over: AbstractReducer = ThisBatch(),
    ) -> Weights:
        """The weights for a trainer's arrays: `tokens`, then `weights`."""
        return self.weights(tokens(log_prob, old_log_prob, advantages, mask, entropy), state, over)


def begin(method: AbstractMethod) -> State:
    """The state before the first optimiser step."""
    return State(0.0, float("nan"), dict(method.knobs))


def advance(state: State, entropy: Any) -> State:
    """The state after one more optimiser step, whose batch had this mean entropy in nats a token.

    Raises:
        EntropaxError: the entropy is NaN or infinite, where it is a Python float.

    Example:
        >>> advance(advance(State(0.0, float("nan"), {}), 2.0), 1.0)
        State(updates=2.0, mean_entropy=1.5, knobs={})
    """
    if isinstance(entropy, float) and not math.isfinite(entropy):
        raise EntropaxError(
            f"advance: the mean entropy is {entropy}, which would stay in the mean for good. Skip such a batch."
        )
    mean = entropy if isinstance(state.updates, float) and state.updates == 0 else _mean(state, entropy)
    return State(state.updates + 1, mean, state.knobs)


def _mean(state: State, entropy: Any) -> Any:
    """The cumulative mean with one more value; the NaN before the first counts for nothing."""
    moved = state.mean_entropy + (entropy - state.mean_entropy) / (state.updates + 1)
    if isinstance(moved, float):
        return moved
    xp = array_api_compat.array_namespace(moved)
    return xp.where(xp.isnan(moved), entropy, moved)
