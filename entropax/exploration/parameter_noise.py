"""Adaptive noise on a policy's parameters: Plappert et al. 2018, arXiv 1706.01905, sections 3 and 4."""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from entropax.algorithms.base import AbstractAlgorithm
from entropax.exploration.base import AbstractNoise, dimensions
from entropax.networks import Affine, is_affine
from entropax.optimiser import Rate
from entropax.policies import AbstractActor
from entropax.temperature.checks import require_positive
from entropax.types import Spec


class ParameterNoiseState(eqx.Module):
    """An episode's policies, and how far apart they have acted."""

    actor: AbstractActor
    """As it was when the episode began."""
    perturbed: AbstractActor
    """The one that acts."""
    gaps: Float[Array, ""]
    """Sum over the steps of the gap between the two."""
    steps: Int[Array, ""]
    sigma: Float[Array, ""]
    """Standard deviation of the noise on each parameter."""


class AbstractParameterNoise(AbstractNoise[ParameterNoiseState]):
    """The mode of a policy whose affine maps have parameters theta + sigma eps, eps ~ N(0, 1), for a whole episode.

    Sigma is adapted after every episode, so that the policy that acts stays as far from the one that it came from as is
    wanted. A class says what the gap of two policies at a state is, which for small sigma grows as its square.
    """

    def __check_init__(self) -> None:
        remedy = "Without noise nothing is explored: try 0.1."
        require_positive(type(self).__name__, "initial_sigma", self.first_sigma(), remedy)

    @abc.abstractmethod
    def first_sigma(self) -> Rate:
        """Standard deviation of the noise on each parameter in the first episode."""

    @abc.abstractmethod
    def check(self, algorithm: AbstractAlgorithm[Any], learner: Any, spec: Spec) -> None:
        """Raises EntropaxError where it does not fit the actions or the policy."""

    @abc.abstractmethod
    def origin(self, algorithm: AbstractAlgorithm[Any], learner: Any) -> AbstractActor:
        """The policy that is perturbed."""

    @abc.abstractmethod
    def gap(
        self, actor: AbstractActor, perturbed: AbstractActor, observation: Float[Array, " observation"]
    ) -> Float[Array, ""]:
        """How far apart the two are at a state."""

    @abc.abstractmethod
    def wanted(self, algorithm: AbstractAlgorithm[Any], learner: Any) -> Float[Array, ""]:
        """The mean gap that is steered to."""

    def init(
        self, algorithm: AbstractAlgorithm[Any], learner: Any, spec: Spec, horizon: int | None, *, key: Key[Array, ""]
    ) -> ParameterNoiseState:
        """The first episode's policy. Raises EntropaxError where it does not fit the actions or the policy."""
        self.check(algorithm, learner, spec)
        return _begun(self.origin(algorithm, learner), jnp.asarray(self.first_sigma(), jnp.float32), key)

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
        gaps = state.gaps + self.gap(state.actor, state.perturbed, observation)
        seen = ParameterNoiseState(state.actor, state.perturbed, gaps, state.steps + 1, state.sigma)
        return state.perturbed(observation).mode(), seen

    def ended(
        self,
        algorithm: AbstractAlgorithm[Any],
        learner: Any,
        state: ParameterNoiseState,
        *,
        key: Key[Array, ""],
    ) -> ParameterNoiseState:
        """The newest policy, perturbed by an adapted sigma.

        Published is a factor of 1.01 or its inverse every 50 steps (discrete: every step); the gap is nearly
        proportional to sigma^2, so the factor here is the one that would have met what is wanted, within [1/2, 2].
        """
        gap = state.gaps / jnp.maximum(state.steps, 1)
        factor = jnp.clip(jnp.sqrt(self.wanted(algorithm, learner) / jnp.maximum(gap, 1e-12)), 0.5, 2)
        sigma = state.sigma * jnp.where(state.steps > 0, factor, 1)
        return _begun(self.origin(algorithm, learner), sigma, key)


class ParameterNoise(AbstractParameterNoise):
    """Parameter noise for continuous actions, which are `distance` away from those of the policy without it.

    The distance is a root mean square over the episode's states and the action's dimensions.

    Raises:
        EntropaxError: a field is not above 0.
    """

    distance: float = 0.1
    """Distance of the actions that is steered to, in units of [-1, 1]."""
    initial_sigma: float = 0.1
    """Standard deviation of the noise on each parameter in the first episode."""

    def __check_init__(self) -> None:
        require_positive("ParameterNoise", "distance", self.distance, "Without noise nothing is explored: try 0.1.")

    def first_sigma(self) -> Rate:
        """As set."""
        return self.initial_sigma

    def check(self, algorithm: AbstractAlgorithm[Any], learner: Any, spec: Spec) -> None:
        """Raises EntropaxError where actions are categories."""
        dimensions(self, spec)

    def origin(self, algorithm: AbstractAlgorithm[Any], learner: Any) -> AbstractActor:
        """The algorithm's policy."""
        return algorithm.actor(learner)

    def gap(
        self, actor: AbstractActor, perturbed: AbstractActor, observation: Float[Array, " observation"]
    ) -> Float[Array, ""]:
        """The mean over dimensions of the squared distance of their modes."""
        return jnp.mean((perturbed(observation).mode() - actor(observation).mode()) ** 2)

    def wanted(self, algorithm: AbstractAlgorithm[Any], learner: Any) -> Float[Array, ""]:
        """The distance squared."""
        return jnp.asarray(self.distance, jnp.float32) ** 2


def _begun(actor: AbstractActor, sigma: Float[Array, ""], key: Key[Array, ""]) -> ParameterNoiseState:
    """An episode's start; what a network has beside affine maps, such as its norms, stays as it is, as published."""
    parts, structure = jax.tree.flatten(actor, is_leaf=is_affine)
    noisy = [_noisy(part, sigma, k) for part, k in zip(parts, jax.random.split(key, len(parts)), strict=True)]
    nothing = jnp.zeros((), jnp.float32)
    return ParameterNoiseState(actor, jax.tree.unflatten(structure, noisy), nothing, jnp.zeros((), jnp.int32), sigma)


def _noisy(part: Affine | Array, sigma: Float[Array, ""], key: Key[Array, ""]) -> Affine | Array:
    if not isinstance(part, Affine):
        return part
    weight_key, bias_key = jax.random.split(key)
    return Affine(
        part.weight + sigma * jax.random.normal(weight_key, part.weight.shape),
        part.bias + sigma * jax.random.normal(bias_key, part.bias.shape),
    )
