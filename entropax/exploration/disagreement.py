"""Disagreement of an ensemble of models: Pathak, Gandhi and Gupta 2019, arXiv 1906.04161."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from entropax.exploration.bonus import AbstractNovelty, in_minibatches
from entropax.exploration.checks import check_predictor
from entropax.exploration.scale import AbstractScale, PerRootMeanSquare
from entropax.intrinsic.ensemble import Ensemble, EnsembleState, disagreement
from entropax.intrinsic.moments import CLIP
from entropax.temperature import AbstractTemperature, Fixed
from entropax.types import Metrics, Spec, Transition


class Disagreement(AbstractNovelty):
    """The variance over models of what they say comes of (s, a), its mean over outputs, equation 2.

    Noise of the environment teaches all models the same mean, so it is no novelty for long. What the models see and
    predict is standardised by the running moments of the steps taken, and clipped to 5.

    Raises:
        EntropaxError: a setting is out of its range.

    Example:
        >>> Disagreement().ensemble.heads
        5
    """

    coefficient: AbstractTemperature[Any] = Fixed(1.0)
    """Law of the bonus's weight."""
    scale: AbstractScale[Any] = PerRootMeanSquare()
    """What it is divided by."""
    ensemble: Ensemble = Ensemble()
    """The models; MaxInfoSAC's."""
    minibatch: int = eqx.field(default=256, static=True)
    """Steps of one gradient step: a rollout is learned from in so many at a time."""

    def __check_init__(self) -> None:
        check_predictor("Disagreement", self.ensemble.learning_rate, self.ensemble.heads, self.minibatch)

    def begin(self, spec: Spec, *, key: Key[Array, ""]) -> EnsembleState:
        """Draws the models."""
        return self.ensemble.init(spec, key=key)

    def see(self, spec: Spec, memory: EnsembleState, steps: Transition, stored: Bool[Array, " n"]) -> EnsembleState:
        """Takes in the moments of the steps."""
        return self.ensemble.see(spec, memory, steps, stored)

    def novelty(self, spec: Spec, memory: EnsembleState, steps: Transition) -> Float[Array, " n"]:
        """The variance over models."""
        return jnp.mean(disagreement(spec, memory, steps.observation, steps.action, CLIP), axis=1)

    def train(
        self, spec: Spec, memory: EnsembleState, steps: Transition, *, key: Key[Array, ""]
    ) -> tuple[EnsembleState, Metrics]:
        """Steps of all models."""

        def step(memory: EnsembleState, steps: Transition) -> tuple[EnsembleState, Float[Array, ""]]:
            return self.ensemble.learn(spec, memory, steps, CLIP)

        return in_minibatches(step, memory, steps, self.minibatch, key=key)
