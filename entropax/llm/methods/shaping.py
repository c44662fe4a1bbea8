"""Methods that change the advantages, or leave tokens out, by the entropy: they need no gradient of it."""

import math
from dataclasses import dataclass

from entropax.llm.checks import require, require_entropy
from entropax.llm.method import AbstractMethod, Need, State, Weights
from entropax.llm.methods.ratio import Clip, require_no_clash
from entropax.llm.reduce import AbstractReducer
from entropax.llm.select import largest, mean, number, share
from entropax.llm.tokens import Tokens


@dataclass(frozen=True)
class ScoreBonus(AbstractMethod):
    """REPO (arXiv 2603.11682): an entropy bonus in the advantage, A' = A - beta (log pi - E log pi).

    E log pi = -H, or, where the trainer gives no entropy, the batch's mean, which the gradient's mean does not see but
    its variance does. The score-function form of a bonus: no gradient of the entropy is needed, so it works wherever
    log-probabilities are given. It estimates that gradient from the tokens drawn, so only while they are the policy's.

    Attributes:
        inner: the method that A' goes to.
        beta: reward per nat; a knob, `score_bonus`.

    Raises:
        EntropaxError: beta is negative.
    """

    inner: AbstractMethod = Clip()
    beta: float = 1e-3

    def __post_init__(self) -> None:
        require("ScoreBonus", "beta", self.beta, 0, math.inf, "A penalty is no bonus.")
        require_no_clash("ScoreBonus", {"score_bonus": self.beta}, self.inner)

    @property
    def knobs(self) -> dict[str, float]:
        """The inner method's and beta."""
        return self.inner.knobs | {"score_bonus": self.beta}

    @property
    def needs(self) -> frozenset[Need]:
        """What the inner method needs."""
        return self.inner.needs

    def weights(self, batch: Tokens, state: State, over: AbstractReducer) -> Weights:
        """The inner method's, with A'."""
        if batch.entropy is None:
            surprise = batch.log_prob - mean(batch.log_prob, batch.mask, over)
        else:
            surprise = batch.log_prob + batch.entropy
        advantages = batch.advantages - number(surprise, state.knobs["score_bonus"]) * surprise
        return self.inner.weights(batch._replace(advantages=advantages), state, over)


@dataclass(frozen=True)
class ShapedAdvantage(AbstractMethod):
    """A' = A + min(coefficient H, |A| / cap): entropy as part of the advantage (arXiv 2506.14758).

    It praises decisions at uncertain tokens and never turns the sign of an advantage, for cap > 1. The entropy has no
    gradient here, so this does not raise it by itself.

    Attributes:
        inner: the method that A' goes to.
        coefficient: reward per nat; a knob, `shaping`.
        cap: kappa; the term is at most |A| / kappa.

    Raises:
        EntropaxError: a field is out of its range.
    """

    inner: AbstractMethod = Clip()
    coefficient: float = 0.4
    cap: float = 2.0

    def __post_init__(self) -> None:
        require("ShapedAdvantage", "coefficient", self.coefficient, 0, math.inf, "0.4 is the published one.")
        require("ShapedAdvantage", "cap", self.cap, 1, math.inf, "Below 1 it could turn an advantage's sign.")
        require_no_clash("ShapedAdvantage", {"shaping": self.coefficient}, self.inner)

    @property
    def knobs(self) -> dict[str, float]:
        """The inner method's and the coefficient."""
        return self.inner.knobs | {"shaping": self.coefficient}

    @property
    def needs(self) -> frozenset[Need]:
        """What the inner method needs, and entropies."""
        return self.inner.needs | {Need.ENTROPY}

    def weights(self, batch: Tokens, state: State, over: AbstractReducer) -> Weights:
        """The inner method's, with A'. Raises EntropaxError without entropies."""
        require_entropy("ShapedAdvantage", batch)
        xp = batch.xp
        term = number(batch.log_prob, state.knobs["shaping"]) * batch.entropy
        term = xp.minimum(term, xp.abs(batch.advantages) / self.cap)
        return self.inner.weights(batch._replace(advantages=batch.advantages + term), state, over)


@dataclass(frozen=True)
class TopEntropy(AbstractMethod):
    """Only the most uncertain tokens learn (arXiv 2506.01939): w is the inner method's there and 0 elsewhere.

    The tokens left out still count in the aggregate's denominator.

    Attributes:
        inner: the method of the advantages.
        fraction: of the tokens of the global batch, at least one; the authors' is 0.2.

    Raises:
        EntropaxError: the fraction is not in (0, 1].
    """

    inner: AbstractMethod = Clip()
    fraction: float = 0.2

    def __post_init__(self) -> None:
        require("TopEntropy", "fraction", self.fraction, 1e-6, 1, "It is a fraction of the tokens; 0.2 is usual.")

    @property
    def knobs(self) -> dict[str, float]:
        """The inner method's."""
        return self.inner.knobs

    @property
    def needs(self) -> frozenset[Need]:
        """What the inner method needs, entropies, and the batch to select from."""
        return self.inner.needs | {Need.ENTROPY, Need.GLOBAL_BATCH}

    def weights(self, batch: Tokens, state: State, over: AbstractReducer) -> Weights:
        """The inner method's, or 0. Raises EntropaxError without entropies."""
        require_entropy("TopEntropy", batch)
        w, c = self.inner.weights(batch, state, over)
        chosen = largest(batch.entropy, batch.mask, share(self.fraction, batch.mask, over), over)
        return Weights(batch.xp.where(chosen, w, batch.xp.zeros_like(w)), c)
