"""Policies: a network and what its outputs mean, as distributions on device and as functions of NumPy on host."""

import abc
import math
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from entropax.distributions import (
    AbstractContinuous,
    Normal,
    TanhNormal,
    max_tanh_normal_entropy,
    normal_sigma_of_entropy,
    sigma_of_entropy,
)
from entropax.networks import AbstractNetwork, HostFunction

LOG_STD_MIN, LOG_STD_MAX = -20.0, 2.0
"""Bounds of an actor's log standard deviation, before any tanh (as in the authors' first release and in SB3)."""


class Squashed(AbstractNetwork):
    """Tanh of another network's output: actions in [-1, 1]."""

    network: AbstractNetwork

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        """Maps one example."""
        return jnp.tanh(self.network(x))

    def on_host(self) -> HostFunction:
        """The same map in NumPy."""
        network = self.network.on_host()
        return lambda x: np.tanh(network(x))


class WithLogStd(AbstractNetwork):
    """A mean by another network, followed by log standard deviations that are the same at every input.

    Attributes:
        mean: `[inputs] -> [action]`.
        log_std: one number for all dimensions, or one a dimension.
    """

    mean: AbstractNetwork
    log_std: Float[Array, "*dimensions"]

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        """Maps one example to mean and log standard deviation, joined."""
        mean = self.mean(x)
        return jnp.concatenate([mean, jnp.broadcast_to(self.log_std, mean.shape)])

    def on_host(self) -> HostFunction:
        """The same map in NumPy."""
        network, log_std = self.mean.on_host(), np.asarray(self.log_std)

        def apply(x: np.ndarray) -> np.ndarray:
            mean = network(x)
            return np.concatenate([mean, np.broadcast_to(log_std, mean.shape)], axis=-1)

        return apply


class HostPolicy(NamedTuple):
    """An actor's NumPy twin; it reads the actor's leaves, which must be NumPy arrays, at each call."""

    sample: Callable[[np.ndarray, np.random.Generator], np.ndarray]
    """Draws actions `[envs, action]` for observations `[envs, observation]`."""
    mode: HostFunction
    """The deterministic actions, `[envs, action]`."""


class AbstractActor(eqx.Module):
    """A policy: one observation to one distribution over actions."""

    network: eqx.AbstractVar[AbstractNetwork]
    """`[observation] -> [2 action]`: means, then log standard deviations."""

    @abc.abstractmethod
    def __call__(self, observation: Float[Array, " observation"]) -> AbstractContinuous:
        """The policy at one observation."""

    @abc.abstractmethod
    def on_host(self) -> HostPolicy:
        """The same policy in NumPy."""

    @abc.abstractmethod
    def max_entropy(self) -> float:
        """The largest entropy of such a distribution, nats per dimension; NaN where there is none."""

    @abc.abstractmethod
    def sigma_of(self, nats_per_dimension: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
        """The sigma, in [-1, 1], of the mean-0 distribution with this entropy."""


class Actor(AbstractActor):
    """A tanh-Gaussian policy: one observation to one distribution over [-1, 1]^action."""

    network: AbstractNetwork

    def __call__(self, observation: Float[Array, " observation"]) -> TanhNormal:
        """The policy at one observation."""
        return TanhNormal(*_mean_and_log_std(self.network(observation)))

    def on_host(self) -> HostPolicy:
        """The same policy in NumPy; its mode is tanh(mean)."""
        return _gaussian_on_host(self.network.on_host(), np.tanh)

    def max_entropy(self) -> float:
        """About 0.684 nats per dimension."""
        return max_tanh_normal_entropy()

    def sigma_of(self, nats_per_dimension: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
        """Sigma before the squashing, on the rising branch."""
        return sigma_of_entropy(nats_per_dimension)


class GaussianActor(AbstractActor):
    """A Gaussian policy that is not squashed: it draws actions beyond [-1, 1], which the environment clips.

    The one with `WithLogStd(Squashed(network), log_std)` is a deterministic policy with noise of a set size.

    Example:
        >>> network = WithLogStd(Dense((8,)).init(3, 2, key=jax.random.key(0)), jnp.float32(-1.0))
        >>> GaussianActor(network)(jnp.ones(3)).log_std.tolist()
        [-1.0, -1.0]
    """

    network: AbstractNetwork

    def __call__(self, observation: Float[Array, " observation"]) -> Normal:
        """The policy at one observation."""
        return Normal(*_mean_and_log_std(self.network(observation)))

    def on_host(self) -> HostPolicy:
        """The same policy in NumPy; its mode is the mean."""
        return _gaussian_on_host(self.network.on_host(), lambda action: action)

    def max_entropy(self) -> float:
        """NaN: a Gaussian may be as wide as one likes."""
        return math.nan

    def sigma_of(self, nats_per_dimension: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
        """Sigma of the Gaussian."""
        return normal_sigma_of_entropy(nats_per_dimension)


def _mean_and_log_std(output: Float[Array, " outputs"]) -> tuple[Float[Array, " action"], Float[Array, " action"]]:
    mean, log_std = jnp.split(output, 2)
    return mean, jnp.clip(log_std, LOG_STD_MIN, LOG_STD_MAX)


def _gaussian_on_host(network: HostFunction, squash: HostFunction) -> HostPolicy:
    """A Gaussian by a network, and what becomes of its samples and its mean."""

    def split(observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        output = network(observations)
        size = output.shape[-1] // 2
        return output[:, :size], output[:, size:]

    def sample(observations: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        mean, log_std = split(observations)
        noise = generator.standard_normal(mean.shape, np.float32)
        return squash(mean + np.exp(np.minimum(np.maximum(log_std, LOG_STD_MIN), LOG_STD_MAX)) * noise)

    return HostPolicy(sample, lambda observations: squash(split(observations)[0]))
