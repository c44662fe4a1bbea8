"""Adaptive noise on a policy's parameters: Plappert et al. 2018, arXiv 1706.01905, sections 3 and 4."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from entropax.algorithms.base import AbstractAlgorithm
from entropax.exploration.base import AbstractNoise, around, dimensions
from entropax.policies import AbstractActor
from entropax.temperature.checks import require_positive
from entropax.types import Spec


class ParameterNoiseState(eqx.Module):
    """An episode's policies, and how far apart they have acted."""

    actor: AbstractActor
    """As it was when the episode began."""
    perturbed: AbstractActor
    """The one that acts."""
    squares: Float[Array, ""]
    """Sum over the steps of the mean over dimensions of the squared distance of their actions."""
    steps: Int[Array, ""]
    sigma: Float[Array, ""]
    """Standard deviation of the noise on each parameter."""


class ParameterNoise(AbstractNoise[ParameterNoiseState]):
    """The mode of a policy whose parameters are theta + sigma eps, eps ~ N(0, 1), held for a whole episode.

    Sigma is adapted after every episode, so that the actions are `distance` away, as a root mean square over the
    episode's states and the action's dimensions.

    Raises:
        EntropaxError: a field is not above 0.
    """

    distance: float = 0.1
    """Distance of the actions that is steered to, in units of [-1, 1]."""
    initial_sigma: float = 0.1
    """Standard deviation of the noise on each parameter in the first episode."""

    def __check_init__(self) -> None:
        for name in ("distance", "initial_sigma"):
            require_positive("ParameterNoise", name, vars(self)[name], "Without noise nothing is explored: try 0.1.")

    def init(
        self, algorithm: AbstractAlgorithm[Any], learner: Any, spec: Spec, horizon: int | None, *, key: Key[Array, ""]
    ) -> ParameterNoiseState:
        """The first episode's policy. Raises EntropaxError where actions are not continuous."""
        dimensions(self, spec)
        return _perturbed(algorithm.actor(learner), jnp.asarray(self.initial_sigma, jnp.float32), key)

    def act(
        self,
        algorithm: AbstractAlgorithm[Any],
        learner: Any,
        state: ParameterNoiseState,
        observation: Float[Array, " observation"],
        *,
        key: Key[Array, ""],
    ) -> tuple[Float[Array, " action"], ParameterNoiseState]:
        """The perturbed policy's mode: within an episode, a function of the observation."""
        mode, action = state.actor(observation).mode(), state.perturbed(observation).mode()
        squares = state.squares + jnp.mean((action - mode) ** 2)
        seen = ParameterNoiseState(state.actor, state.perturbed, squares, state.steps + 1, state.sigma)
        return around(action, jnp.zeros_like(action)), seen

    def ended(
        self,
        algorithm: AbstractAlgorithm[Any],
        learner: Any,
        state: ParameterNoiseState,
        *,
        key: Key[Array, ""],
    ) -> ParameterNoiseState:
        """The newest policy, perturbed by an adapted sigma.

        Published is a factor of 1.01 or its inverse every 50 steps; the distance is nearly proportional to sigma, so
        the factor here is the one that would have met it, within [1/2, 2].
        """
        distance = jnp.sqrt(state.squares / jnp.maximum(state.steps, 1))
        factor = jnp.clip(self.distance / jnp.maximum(distance, 1e-6), 0.5, 2)
        sigma = state.sigma * jnp.where(state.steps > 0, factor, 1)
        return _perturbed(algorithm.actor(learner), sigma, key)


def _perturbed(actor: AbstractActor, sigma: Float[Array, ""], key: Key[Array, ""]) -> ParameterNoiseState:
    """An episode's start."""
    leaves, structure = jax.tree.flatten(actor)
    keys = jax.random.split(key, len(leaves))
    noisy = [leaf + sigma * jax.random.normal(k, leaf.shape) for leaf, k in zip(leaves, keys, strict=True)]
    nothing = jnp.zeros((), jnp.float32)
    return ParameterNoiseState(actor, jax.tree.unflatten(structure, noisy), nothing, jnp.zeros((), jnp.int32), sigma)
