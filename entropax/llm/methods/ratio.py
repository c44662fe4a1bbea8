"""Methods that differ in what they make of r = pi / pi_old: none of them has an entropy term."""

import math
from dataclasses import dataclass
from typing import Any

from jaxtyping import Bool, Float

from entropax.errors import EntropaxError
from entropax.llm.checks import require
from entropax.llm.method import AbstractMethod, Need, State, Weights
from entropax.llm.reduce import AbstractReducer
from entropax.llm.select import number
from entropax.llm.tokens import Arrays, Tokens

_WIDTH = "It is a distance from 1: 0.2 is usual for a token's ratio, 4e-4 for a completion's."
_NOTHING: frozenset[Need] = frozenset()


def without_entropy(w: Float[Any, "batch token"], batch: Tokens) -> Weights:
    """Weights of a method that has no entropy term, cleared where there is no token."""
    return Weights(batch.xp.where(batch.mask, w, batch.xp.zeros_like(w)), batch.xp.zeros_like(w))


def clipped(
    xp: Arrays, ratio: Float[Any, "..."], advantages: Float[Any, "batch token"], lower: Any, upper: Any
) -> Bool[Any, "batch token"]:
    """Where min(r A, clip(r, 1 - lower, 1 + upper) A) is constant in r: past the bound on the side A pushes to."""
    return ((ratio < 1 - lower) & (advantages < 0)) | ((ratio > 1 + upper) & (advantages > 0))


@dataclass(frozen=True)
class Reinforce(AbstractMethod):
    """w = A: the policy gradient, and what every method here is when the policy that learns drew the tokens."""

    @property
    def knobs(self) -> dict[str, float]:
        """None."""
        return {}

    @property
    def needs(self) -> frozenset[Need]:
        """Nothing."""
        return _NOTHING

    def weights(self, batch: Tokens, state: State, over: AbstractReducer) -> Weights:
        """The advantages."""
        return without_entropy(batch.advantages, batch)


class AbstractClip(AbstractMethod):
    """A method with a bound on the ratio to either side of 1.

    Attributes:
        lower: distance of the lower bound from 1.
        upper: distance of the upper bound; a knob, `clip_upper`.
    """

    lower: float
    upper: float

    def __post_init__(self) -> None:
        name = type(self).__name__
        require(name, "lower", self.lower, 0, 1, _WIDTH)
        require(name, "upper", self.upper, 0, math.inf, _WIDTH)

    @property
    def knobs(self) -> dict[str, float]:
        """The upper bound."""
        return {"clip_upper": self.upper}

    @property
    def needs(self) -> frozenset[Need]:
        """Nothing."""
        return _NOTHING


@dataclass(frozen=True)
class Clip(AbstractClip):
    """PPO's and GRPO's clipped objective (arXiv 1707.06347, equation 7): w = r A, 0 where it is clipped.

    With `upper` above `lower` it is DAPO's clip-higher (arXiv 2503.14476: 0.2 and 0.28). The aggregate is the
    trainer's: GRPO's is `sequence_mean`, DAPO's `token_mean`.

    Attributes:
        lower: r may fall by this much where A < 0. At 1 it may fall as it likes.
        upper: r may rise by this much where A > 0; a knob, `clip_upper`.

    Raises:
        EntropaxError: a bound is out of its range.
    """

    lower: float = 0.2
    upper: float = 0.2

    def weights(self, batch: Tokens, state: State, over: AbstractReducer) -> Weights:
        """The ratio times the advantage, or 0."""
        xp, ratio = batch.xp, batch.ratio
        gone = clipped(xp, ratio, batch.advantages, self.lower, number(ratio, state.knobs["clip_upper"]))
        return without_entropy(xp.where(gone, xp.zeros_like(ratio), ratio * batch.advantages), batch)


@dataclass(frozen=True)
class CISPO(AbstractClip):
    """w = clip(r) A (MiniMax-M1, arXiv 2506.13585): a bounded importance weight, and no token is ever dropped.

    Attributes:
        lower: r counts as at least 1 - lower. The authors set it so wide that it never acts: 1.
        upper: r counts as at most 1 + upper; a knob, `clip_upper`. They tuned it and name no value; this is DAPO's.

    Raises:
        EntropaxError: a bound is out of its range.
    """

    lower: float = 1.0
    upper: float = 0.28

    def weights(self, batch: Tokens, state: State, over: AbstractReducer) -> Weights:
        """The clipped ratio times the advantage."""
        upper = number(batch.log_prob, state.knobs["clip_upper"])
        bounded = batch.xp.minimum(batch.ratio, 1 + upper)
        bounded = batch.xp.maximum(bounded, number(bounded, 1 - self.lower))
        return without_entropy(bounded * batch.advantages, batch)


@dataclass(frozen=True)
class GSPO(AbstractClip):
    """w = s A with a ratio of whole completions (arXiv 2507.18071, equations 5 to 7), 0 where it is clipped.

    s = (pi(y) / pi_old(y))^(1 / |y|), so ln s is the mean of the tokens' log-ratios. Meant for `sequence_mean`, under
    which this is its gradient.

    Attributes:
        lower: s may fall by this much where A < 0.
        upper: s may rise by this much where A > 0; a knob, `clip_upper`.

    Raises:
        EntropaxError: a bound is out of its range.
    """

    lower: float = 3e-4
    upper: float = 4e-4

    def weights(self, batch: Tokens, state: State, over: AbstractReducer) -> Weights:
        """The completion's ratio times the advantage, or 0."""
        xp = batch.xp
        lengths = xp.sum(xp.astype(batch.mask, batch.log_prob.dtype), axis=1, keepdims=True)
        lengths = xp.maximum(lengths, number(lengths, 1.0))
        ratio = xp.exp(xp.sum(batch.log_ratio, axis=1, keepdims=True) / lengths)
        upper = number(ratio, state.knobs["clip_upper"])
        gone = clipped(xp, ratio, batch.advantages, self.lower, upper)
        return without_entropy(
            xp.where(gone, xp.zeros_like(batch.advantages), ratio * batch.advantages),
            batch,
        )


@dataclass(frozen=True)
class CEGPPO(AbstractMethod):
    """Clipped tokens keep a bounded gradient (arXiv 2509.20712, equations 8 to 10).

    w = b_1 (1 - lower) A    where r < 1 - lower and A < 0,
        b_2 (1 + upper) A    where r > 1 + upper and A > 0,
        r A                  elsewhere.

    b_1 = b_2 = 0 is PPO's clip, both 1 is GPPO (arXiv 2508.07629). A larger b_1 lets entropy fall faster, a larger b_2
    slower (section 5.1; section 3.2 has them the wrong way round). The authors' code clips a second time, at r = 10
    where A < 0; this does not.

    Attributes:
        lower: width below 1.
        upper: width above 1.
        negative: b_1; a knob, `negative`.
        positive: b_2; a knob, `positive`.

    Raises:
        EntropaxError: a field is out of its range.
    """

    lower: float = 0.2
    upper: float = 0.2
    negative: float = 0.5
    positive: float = 1.0

    def __post_init__(self) -> None:
        require("CEGPPO", "lower", self.lower, 0, 1, _WIDTH)
        require("CEGPPO", "upper", self.upper, 0, math.inf, _WIDTH)
        for name, value in (("negative", self.negative), ("positive", self.positive)):
            require("CEGPPO", name, value, 0, math.inf, "0 drops clipped tokens, as PPO does.")

    @property
    def knobs(self) -> dict[str, float]:
        """b_1 and b_2."""
        return {"negative": self.negative, "positive": self.positive}

    @property
    def needs(self) -> frozenset[Need]:
        """Nothing."""
        return _NOTHING

    def weights(self, batch: Tokens, state: State, over: AbstractReducer) -> Weights:
        """The ratio, or its bound times b, times the advantage."""
        xp, ratio, advantages = batch.xp, batch.ratio, batch.advantages
        below = (ratio < 1 - self.lower) & (advantages < 0)
        above = (ratio > 1 + self.upper) & (advantages > 0)
        factor = xp.where(below, number(ratio, state.knobs["negative"]) * (1 - self.lower), ratio)
        factor = xp.where(above, number(ratio, state.knobs["positive"]) * (1 + self.upper), factor)
        return without_entropy(factor * advantages, batch)


def require_no_clash(owner: str, own: dict[str, float], inner: AbstractMethod) -> dict[str, float]:
    """The knobs of a method around another. Raises EntropaxError where both have one of the same name."""
    both = set(own) & set(inner.knobs)
    if both:
        raise EntropaxError(
            f"{owner} around {type(inner).__name__}: both have the knob {', '.join(sorted(both))}. Wrap it once."
        )
    return inner.knobs | own
