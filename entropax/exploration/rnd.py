"""Random network distillation: Burda, Edwards, Storkey and Klimov 2018, arXiv 1810.12894."""

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Key

from entropax.exploration.bonus import AbstractNovelty, in_minibatches
from entropax.exploration.checks import check_predictor
from entropax.exploration.scale import AbstractScale, PerReturnDeviation
from entropax.intrinsic.moments import Moments, including, no_moments
from entropax.networks import AbstractNetwork, AbstractTorso, Dense
from entropax.optimiser import adam_init, adam_step
from entropax.temperature import AbstractTemperature, Fixed
from entropax.types import Metrics, Spec, Transition


class RNDState(eqx.Module):
    """A random network that stays, one that learns to predict it, and the moments of what they see."""

    target: AbstractNetwork
    predictor: AbstractNetwork
    optimiser: optax.OptState
    observations: Moments


class RND(AbstractNovelty):
    """The mean over features of (f(s') - f_predicted(s'))^2, where f is a random network that a second one imitates.

    Observations are standardised by their running moments and clipped to 5.

    Raises:
        EntropaxError: a setting is out of its range.

    Example:
        >>> RND().coefficient
        Fixed(alpha=0.5)
    """

    coefficient: AbstractTemperature[Any] = Fixed(0.5)
    """Law of the bonus's weight; the published weights are 1 for the bonus and 2 for the environment's reward."""
    scale: AbstractScale[Any] = PerReturnDeviation()
    """What it is divided by."""
    learning_rate: float = 1e-4
    """Adam's step size."""
    torso: AbstractTorso = Dense((64, 64))
    """Shape of the hidden layers of both networks."""
    features: int = eqx.field(default=64, static=True)
    """Outputs to predict."""
    minibatch: int = eqx.field(default=256, static=True)
    """Steps of one gradient step: a rollout is learned from in so many at a time."""

    def __check_init__(self) -> None:
        check_predictor("RND", self.learning_rate, self.features, self.minibatch)

    def begin(self, spec: Spec, *, key: Key[Array, ""]) -> RNDState:
        """Draws both networks."""
        keys = jax.random.split(key)
        target, predictor = (self.torso.init(spec.observation_size, self.features, key=k) for k in keys)
        return RNDState(target, predictor, adam_init(predictor), no_moments(spec.observation_size))

    def see(self, spec: Spec, memory: RNDState, steps: Transition, stored: Bool[Array, " n"]) -> RNDState:
        """Takes in the moments of the states arrived at."""
        return replace(memory, observations=including(memory.observations, steps.next_observation, stored))

    def novelty(self, spec: Spec, memory: RNDState, steps: Transition) -> Float[Array, " n"]:
        """The predictor's error."""
        return errors(memory.predictor, memory, steps)

    def train(
        self, spec: Spec, memory: RNDState, steps: Transition, *, key: Key[Array, ""]
    ) -> tuple[RNDState, Metrics]:
        """Steps of the predictor down its mean error."""

        def step(memory: RNDState, steps: Transition) -> tuple[RNDState, Float[Array, ""]]:
            loss, gradient = jax.value_and_grad(lambda p: jnp.mean(errors(p, memory, steps)))(memory.predictor)
            predictor, optimiser = adam_step(gradient, memory.optimiser, memory.predictor, self.learning_rate)
            return replace(memory, predictor=predictor, optimiser=optimiser), loss

        return in_minibatches(step, memory, steps, self.minibatch, key=key)


def errors(predictor: AbstractNetwork, memory: RNDState, steps: Transition) -> Float[Array, " n"]:
    """Mean squared difference of the two networks' features in each state arrived at."""
    seen = memory.observations.clipped(steps.next_observation)
    return jnp.mean((jax.vmap(memory.target)(seen) - jax.vmap(predictor)(seen)) ** 2, axis=1)
