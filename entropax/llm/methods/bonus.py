"""Methods with a term for the entropy itself, whose gradient the trainer must give."""

import math
from dataclasses import dataclass

from entropax.llm.checks import require, require_entropy
from entropax.llm.method import AbstractMethod, Need, State, Weights
from entropax.llm.methods.ratio import Clip, require_no_clash
from entropax.llm.reduce import AbstractReducer
from entropax.llm.select import number
from entropax.llm.tokens import Tokens


@dataclass(frozen=True)
class EntropyBonus(AbstractMethod):
    """c = coefficient: the entropy's mean over tokens is part of the objective (arXiv 1602.01783, section 4).

    Fixed coefficients hardly work (arXiv 2505.22617, figure 9: 1e-3 does nothing, 1e-2 explodes); a controller moves
    it, as Skywork-OR1 does (arXiv 2505.22312).

    Attributes:
        inner: the method of the advantages.
        coefficient: reward per nat; a knob, `bonus`.

    Raises:
        EntropaxError: the coefficient is negative.
    """

    inner: AbstractMethod = Clip()
    coefficient: float = 1e-3

    def __post_init__(self) -> None:
        require("EntropyBonus", "coefficient", self.coefficient, 0, math.inf, "A penalty is no bonus.")
        require_no_clash("EntropyBonus", {"bonus": self.coefficient}, self.inner)

    @property
    def knobs(self) -> dict[str, float]:
        """The inner method's and the coefficient."""
        return self.inner.knobs | {"bonus": self.coefficient}

    @property
    def needs(self) -> frozenset[Need]:
        """What the inner method needs, and a gradient of the entropy."""
        return self.inner.needs | {Need.ENTROPY_GRADIENT}

    def weights(self, batch: Tokens, state: State, over: AbstractReducer) -> Weights:
        """The inner method's, and the coefficient at every token."""
        w, c = self.inner.weights(batch, state, over)
        return Weights(w, batch.xp.where(batch.mask, c + number(c, state.knobs["bonus"]), c))


@dataclass(frozen=True)
class Corridor(AbstractMethod):
    """EPO's entropy term (arXiv 2509.22576, equations 2 to 6): a bonus that is larger below a corridor, smaller above.

    With H_k the mean of past batches' entropies, `lower` H_k and `upper` H_k the corridor's walls, and

        b_k = 1 + exp(-decay k / middle),    c = coefficient (1 + b_k strength (1[H < lower H_k] - 1[H > upper H_k])).

    It pulls entropy down only where b_k strength > 1. The published settings (strength 0.05 to 0.1, lower 0, upper 2)
    never do, nor ever fire below: they are a plain bonus. The authors' released penalty has no gradient at all.

    Attributes:
        inner: the method of the advantages.
        coefficient: lambda, reward per nat; a knob, `bonus`.
        lower: lower wall over the mean of the past.
        upper: upper wall over it.
        strength: the paper's alpha; 0 for a plain bonus.
        decay: the paper's gamma, for which it names no value.
        middle: optimiser steps in which b_k falls to 1 + exp(-decay); the paper's is half the run.

    Raises:
        EntropaxError: a field is out of its range.
    """

    inner: AbstractMethod = Clip()
    coefficient: float = 1e-3
    lower: float = 0.8
    upper: float = 1.2
    strength: float = 2.0
    decay: float = 1.0
    middle: float = 100.0

    def __post_init__(self) -> None:
        numbers = (self.coefficient, self.lower, self.strength, self.decay)
        for name, value in zip(("coefficient", "lower", "strength", "decay"), numbers, strict=True):
            require("Corridor", name, value, 0, math.inf, "0 turns it off.")
        require("Corridor", "upper", self.upper, self.lower, math.inf, "The upper wall is above the lower one.")
        require("Corridor", "middle", self.middle, 1, math.inf, "It is a number of optimiser steps.")
        require_no_clash("Corridor", {"bonus": self.coefficient}, self.inner)

    @property
    def knobs(self) -> dict[str, float]:
        """The inner method's and the coefficient."""
        return self.inner.knobs | {"bonus": self.coefficient}

    @property
    def needs(self) -> frozenset[Need]:
        """What the inner method needs, entropies and their gradient."""
        return self.inner.needs | {Need.ENTROPY, Need.ENTROPY_GRADIENT}

    def weights(self, batch: Tokens, state: State, over: AbstractReducer) -> Weights:
        """The inner method's, and the corridor's coefficient. Raises EntropaxError without entropies."""
        require_entropy("Corridor", batch)
        w, c = self.inner.weights(batch, state, over)
        xp, middle = batch.xp, number(c, state.mean_entropy)
        # Before the first step the mean is NaN, and every comparison with it is False: a plain bonus, as published.
        low = xp.astype(batch.entropy < self.lower * middle, c.dtype)
        high = xp.astype(batch.entropy > self.upper * middle, c.dtype)
        weight = 1 + xp.exp(-self.decay * number(c, state.updates) / self.middle)
        bonus = number(c, state.knobs["bonus"]) * (1 + weight * self.strength * (low - high))
        return Weights(w, xp.where(batch.mask, c + bonus, c))
