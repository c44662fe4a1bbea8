"""Methods that single out the tokens whose log-probability and advantage move together, which cost most entropy."""

import abc
import math
from dataclasses import dataclass
from typing import Any

from jaxtyping import Bool, Float

from entropax.errors import EntropaxError
from entropax.llm.checks import require, require_fraction
from entropax.llm.method import AbstractMethod, Need, State, Weights
from entropax.llm.methods.ratio import Clip, clipped, without_entropy
from entropax.llm.reduce import AbstractReducer
from entropax.llm.select import covariance, drawn, largest, number, quantile, share
from entropax.llm.tokens import Tokens


class AbstractBounds(abc.ABC):
    """Between which covariances a token may be selected."""

    @abc.abstractmethod
    def within(
        self, covariances: Float[Any, "batch token"], mask: Bool[Any, "batch token"], over: AbstractReducer
    ) -> Bool[Any, "batch token"]:
        """Where a covariance lies between them."""


@dataclass(frozen=True)
class Absolute(AbstractBounds):
    """Bounds in nats times the advantage's unit. The published ones suppose advantages of unit standard deviation.

    Attributes:
        lower: smallest covariance.
        upper: largest.

    Raises:
        EntropaxError: they are in the wrong order.
    """

    lower: float = 1.0
    upper: float = 5.0

    def __post_init__(self) -> None:
        _require_order("Absolute", self.lower, self.upper)

    def within(self, covariances: Any, mask: Any, over: AbstractReducer) -> Any:
        """Where a covariance lies between the two numbers."""
        return mask & (covariances > self.lower) & (covariances < self.upper)


@dataclass(frozen=True)
class Quantiles(AbstractBounds):
    """Bounds as shares of the global batch, whatever the advantage's scale is.

    Attributes:
        lower: share of tokens with a smaller covariance. 0.98 is about the published `Absolute` bound: where the paper
            looked, the top 2 % had 1.4 on average.
        upper: share of tokens with one that is at most as large.

    Raises:
        EntropaxError: they are in the wrong order, or no shares.
    """

    lower: float = 0.98
    upper: float = 1.0

    def __post_init__(self) -> None:
        for name, value in (("lower", self.lower), ("upper", self.upper)):
            require("Quantiles", name, value, 0, 1, "It is a share of the tokens.")
        _require_order("Quantiles", self.lower, self.upper)

    def within(self, covariances: Any, mask: Any, over: AbstractReducer) -> Any:
        """Where a covariance lies between the two quantiles, both included."""
        low, high = (quantile(covariances, mask, level, over) for level in (self.lower, self.upper))
        return mask & (covariances >= low) & (covariances <= high)


def _require_order(owner: str, lower: float, upper: float) -> None:
    if not lower < upper:
        raise EntropaxError(f"{owner}: nothing lies between lower {lower} and upper {upper}. Make lower the smaller.")


@dataclass(frozen=True)
class ClipCov(AbstractMethod):
    """Clip-Cov (arXiv 2505.22617, equations 11 and 12): a few tokens of high covariance get no gradient.

    w is `clip`'s, but 0 at a random subset, of a fraction of all tokens, of those that `bounds` admits and `clip` has
    not dropped already.

    Attributes:
        fraction: of the tokens of the global batch, at least one.
        bounds: which covariances may be drawn.
        clip: the authors' recipes leave it as wide as 1.

    Raises:
        EntropaxError: the fraction is none.
    """

    fraction: float = 2e-4
    bounds: AbstractBounds = Absolute()
    clip: Clip = Clip(1.0, 1.0)

    def __post_init__(self) -> None:
        require_fraction("ClipCov", "fraction", self.fraction, "2e-4")

    @property
    def knobs(self) -> dict[str, float]:
        """The clip's."""
        return self.clip.knobs

    @property
    def needs(self) -> frozenset[Need]:
        """The batch to draw from."""
        return frozenset({Need.GLOBAL_BATCH})

    def selected(self, batch: Tokens, state: State, over: AbstractReducer) -> Bool[Any, "batch token"]:
        """The tokens that get no gradient."""
        upper = number(batch.log_prob, state.knobs["clip_upper"])
        gone = clipped(batch.xp, batch.ratio, batch.advantages, self.clip.lower, upper)
        candidates = self.bounds.within(covariance(batch, over), batch.mask, over) & ~gone
        return drawn(candidates, share(self.fraction, batch.mask, over), state.updates, over)

    def weights(self, batch: Tokens, state: State, over: AbstractReducer) -> Weights:
        """The clip's, or 0."""
        w, c = self.clip.weights(batch, state, over)
        return Weights(batch.xp.where(self.selected(batch, state, over), c, w), c)


@dataclass(frozen=True)
class KLCov(AbstractMethod):
    """KL-Cov (arXiv 2505.22617, equations 13 and 14): the tokens of highest covariance are held to the old policy.

    w = r A - strength sign(log pi - log pi_old) at the selected tokens, r A elsewhere: the gradient of the authors'
    code, whose penalty is |log pi - log pi_old| where the paper writes a KL divergence. No token is clipped.

    The sign is 0 where both policies are the same: with one optimiser step a rollout this is the plain policy gradient.

    Attributes:
        fraction: of the tokens of the global batch, at least one; 2e-3 for 7 billion parameters, 2e-4 for 32.
        strength: beta, in the advantage's unit; a knob, `kl_cov`. The paper's is 1, verl's default 0.1.

    Raises:
        EntropaxError: a field is out of its range.
    """

    fraction: float = 2e-3
    strength: float = 1.0

    def __post_init__(self) -> None:
        require_fraction("KLCov", "fraction", self.fraction, "2e-3 and 2e-4")
        require("KLCov", "strength", self.strength, 0, math.inf, "The paper's is 1.")

    @property
    def knobs(self) -> dict[str, float]:
        """The strength."""
        return {"kl_cov": self.strength}

    @property
    def needs(self) -> frozenset[Need]:
        """The batch to select from."""
        return frozenset({Need.GLOBAL_BATCH})

    def selected(self, batch: Tokens, over: AbstractReducer) -> Bool[Any, "batch token"]:
        """The tokens that are held."""
        return largest(covariance(batch, over), batch.mask, share(self.fraction, batch.mask, over), over)

    def weights(self, batch: Tokens, state: State, over: AbstractReducer) -> Weights:
        """The plain r A, less the pull."""
        xp = batch.xp
        pull = number(batch.log_prob, state.knobs["kl_cov"]) * xp.sign(batch.log_ratio)
        pull = xp.where(self.selected(batch, over), pull, xp.zeros_like(pull))
        return without_entropy(batch.ratio * batch.advantages - pull, batch)
