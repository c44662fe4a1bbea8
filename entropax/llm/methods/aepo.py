"""Entropy held by where right answers are drawn: at a higher sampling temperature, or at a lower one."""

import abc
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float

from entropax.errors import EntropaxError
from entropax.llm.checks import require
from entropax.llm.loss import loss, sequence_mean
from entropax.llm.method import AbstractMethod, Need, State, Weights
from entropax.llm.methods.ratio import Clip, require_no_clash
from entropax.llm.reduce import AbstractReducer, ThisBatch
from entropax.llm.select import number
from entropax.llm.tokens import Tokens

ExtraRollout = Callable[[float], tuple[Float[Any, "batch token"], Tokens]]
"""Draws completions at a sampling temperature, and scores them at temperature 1: their log-probabilities with a
gradient, and tokens of the same whose advantages are rewards, above 0 where an answer is right."""


class AbstractSamplingTemperature(abc.ABC):
    """At which sampling temperature to draw, given how far the entropy is from its target."""

    @abc.abstractmethod
    def value(self, error: float) -> float:
        """The temperature for `target - entropy` nats a token."""


@dataclass(frozen=True)
class Proportional(AbstractSamplingTemperature):
    """clip(1 + error, low, high): SCOPE-RL's rule, as a summary of arXiv 2510.08141v7 gives it.

    Attributes:
        low: lowest temperature.
        high: highest.

    Raises:
        EntropaxError: 1 does not lie between them.
    """

    low: float = 0.8
    high: float = 1.2

    def __post_init__(self) -> None:
        _require_around_one("Proportional", self.low, self.high)

    def value(self, error: float) -> float:
        """The temperature for an error in nats a token."""
        return min(max(1 + error, self.low), self.high)


@dataclass(frozen=True)
class BangBang(AbstractSamplingTemperature):
    """`high` below the target, `low` above it: AEPO's rule (arXiv 2510.08141, before its seventh version).

    Attributes:
        low: temperature above the target.
        high: temperature below it.

    Raises:
        EntropaxError: 1 does not lie between them.
    """

    low: float = 0.8
    high: float = 1.2

    def __post_init__(self) -> None:
        _require_around_one("BangBang", self.low, self.high)

    def value(self, error: float) -> float:
        """The temperature for an error in nats a token."""
        return self.high if error > 0 else self.low


def _require_around_one(owner: str, low: float, high: float) -> None:
    if not 0 < low <= 1 <= high:
        raise EntropaxError(
            f"{owner}: temperatures below and above 1 push the entropy either way, got {low} and {high}. Use 0.8, 1.2."
        )


@dataclass(frozen=True)
class AEPO(AbstractMethod):
    """A REINFORCE term on right answers that were drawn at another temperature (arXiv 2510.08141).

    J = J_inner + coefficient E_{o ~ pi_old^T}[1[R > 0] mean_t min(r, clip(r))], with r of temperature 1: it pulls the
    policy towards its own tempered self, flatter for T > 1 and sharper for T < 1, at right answers only. Wrong answers
    would push the other way.

    `weights` are the inner method's; `extra_weights` are those of the additional completions, whose loss `extra_loss`
    adds. A trainer without an `ExtraRollout` cannot use it. The authors' code replaces rows of the batch instead of
    adding to it.

    Attributes:
        inner: the method of the ordinary batch.
        target: entropy to hold, nats a token. No value suits all: the authors' best moved from 0.75 to 0.5.
        coefficient: alpha; a knob, `extra`.
        rule: `Proportional` or `BangBang`.
        clip: the ratio's bounds for the additional completions.

    Raises:
        EntropaxError: a field is out of its range.
    """

    inner: AbstractMethod = Clip()
    target: float = 0.5
    coefficient: float = 1 / 64
    rule: AbstractSamplingTemperature = Proportional()
    clip: Clip = Clip()

    def __post_init__(self) -> None:
        require("AEPO", "target", self.target, 0, math.inf, "It is an entropy in nats a token.")
        require("AEPO", "coefficient", self.coefficient, 0, math.inf, "The published one is 1/64.")
        require_no_clash("AEPO", {"extra": self.coefficient}, self.inner)

    @property
    def knobs(self) -> dict[str, float]:
        """The inner method's and the coefficient."""
        return self.inner.knobs | {"extra": self.coefficient}

    @property
    def needs(self) -> frozenset[Need]:
        """What the inner method needs, and completions drawn at another temperature."""
        return self.inner.needs | {Need.EXTRA_ROLLOUT}

    def weights(self, batch: Tokens, state: State, over: AbstractReducer) -> Weights:
        """The inner method's, for the ordinary batch."""
        return self.inner.weights(batch, state, over)

    def sampling_temperature(self, entropy: float) -> float:
        """At which temperature to draw the additional completions, for the policy's entropy in nats a token."""
        return self.rule.value(self.target - entropy)

    def extra_weights(self, batch: Tokens, state: State) -> Weights:
        """Weights of the additional completions, whose advantages are rewards, under `sequence_mean`."""
        xp = batch.xp
        right = xp.astype(batch.advantages > 0, batch.log_prob.dtype) * number(batch.log_prob, state.knobs["extra"])
        own = state._replace(knobs=self.clip.knobs)
        return self.clip.weights(batch._replace(advantages=right), own, ThisBatch())


def extra_loss(method: AEPO, draw: ExtraRollout, entropy: float, state: State) -> Float[Any, ""]:
    """The term to add to the loss of the ordinary batch: draws, weighs, and aggregates.

    Args:
        method: with the target and the coefficient.
        draw: the trainer's way to draw completions at a sampling temperature.
        entropy: of the policy now, nats a token.
        state: the method's.
    """
    log_prob, batch = draw(method.sampling_temperature(entropy))
    return loss(log_prob, None, batch.mask, method.extra_weights(batch, state), sequence_mean)
