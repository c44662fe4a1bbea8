"""Policies: a network and what its outputs mean, as distributions on device and as functions of NumPy on host."""

import abc
import math
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from entropax.distributions import (
    AbstractContinuous,
    AbstractDistribution,
    Categorical,
    EntropyKind,
    Normal,
    TanhNormal,
    max_tanh_normal_entropy,
    normal_sigma_of_entropy,
    sigma_of_entropy,
)
from entropax.networks import AbstractNetwork, Critic, HostFunction, Sampler

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


class Divided(AbstractNetwork):
    """Another network's output over a number, as Q / alpha: the logits of a Boltzmann policy."""

    network: AbstractNetwork
    divisor: Float[Array, ""]

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        """Maps one example."""
        return self.network(x) / self.divisor

    def on_host(self) -> HostFunction:
        """The same map in NumPy."""
        network, divisor = self.network.on_host(), np.asarray(self.divisor)
        return lambda x: network(x) / divisor


class HostPolicy(NamedTuple):
    """An actor's NumPy twin; it reads the actor's leaves, which must be NumPy arrays, at each call."""

    sample: Callable[[np.ndarray, np.random.Generator], np.ndarray]
    """Draws actions `[envs, action]` for observations `[envs, observation]`."""
    mode: HostFunction
    """The deterministic actions, `[envs, action]`."""


class AbstractActor(eqx.Module):
    """A policy: one observation to one distribution over actions."""

    network: eqx.AbstractVar[AbstractNetwork]
    """Of a Gaussian: `[observation] -> [2 action]`, means, then log standard deviations."""

    @abc.abstractmethod
    def __call__(self, observation: Float[Array, " observation"]) -> AbstractDistribution:
        """The policy at one observation."""

    @abc.abstractmethod
    def on_host(self) -> HostPolicy:
        """The same policy in NumPy."""

    @abc.abstractmethod
    def max_entropy(self) -> float:
        """The largest entropy of such a distribution, nats per dimension; NaN where there is none."""


class AbstractContinuousActor(AbstractActor):
    """A policy over continuous actions."""

    @abc.abstractmethod
    def __call__(self, observation: Float[Array, " observation"]) -> AbstractContinuous:
        """The policy at one observation."""

    @abc.abstractmethod
    def sigma_of(self, nats_per_dimension: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
        """The sigma, in [-1, 1], of the mean-0 distribution with this entropy."""


class Actor(AbstractContinuousActor):
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


class GaussianActor(AbstractContinuousActor):
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


DRAWS = 64
"""Noises, always the same, from which an implicit policy's mode and spread are read."""


def _noises(size: int) -> np.ndarray:
    """`[draw, size]` standard normal noises: the same on device and on host, at every state and in every run."""
    return np.random.default_rng(0).standard_normal((DRAWS, size), np.float32)


class Implicit(AbstractContinuous):
    """The actions that a sampler makes of noise at one observation: a = tanh(f(s, noise)), noise ~ N(0, 1)^d.

    It can take any shape, and it has no density to be asked for: log-probability, entropy and KL are NaN, not measured.
    Its spread is that of `DRAWS` actions by set noises, known to a tenth of itself.

    Attributes:
        network: f, from observation and noise to the latent.
        critic: Q(s, a), which tells the mode among the draws.
        observation: s.
    """

    network: Sampler
    critic: Critic
    observation: Float[Array, " observation"]
    entropy_kind: ClassVar[EntropyKind] = "unknown"  # pyright: ignore[reportIncompatibleVariableOverride]

    def sample_and_log_prob(self, *, key: Key[Array, ""]) -> tuple[Float[Array, " action"], Float[Array, ""]]:
        """A reparameterised action in [-1, 1], and NaN."""
        noise = jax.random.normal(key, (self.network.noise_size,))
        return self.from_noise(noise), jnp.full((), jnp.nan)

    def log_prob(self, action: Float[Array, " action"]) -> Float[Array, ""]:
        """NaN: a sampler has no density to be asked for."""
        return jnp.full((), jnp.nan)

    def mode(self) -> Float[Array, " action"]:
        """The draw of highest Q: a density of the form exp(Q / alpha) is highest where Q is."""
        draws = self._draws()
        return draws[jnp.argmax(jax.vmap(lambda action: self.critic(self.observation, action))(draws))]

    def entropy_per_dimension(self) -> Float[Array, " action"]:
        """NaN in every dimension."""
        return jnp.full(self.network.noise_size, jnp.nan)

    def entropy(self) -> Float[Array, ""]:
        """NaN."""
        return jnp.full((), jnp.nan)

    def action_std(self) -> Float[Array, " action"]:
        """Standard deviation of the draws in each dimension, units of [-1, 1]."""
        return jnp.std(self._draws(), axis=0)

    def saturation(self, threshold: float = 0.97) -> Float[Array, " action"]:
        """Share of the draws beyond the threshold in each dimension."""
        return jnp.mean(jnp.abs(self._draws()) > threshold, axis=0)

    def kl(self, other: "Implicit") -> Float[Array, ""]:
        """NaN."""
        return jnp.full((), jnp.nan)

    def from_noise(self, noise: Float[Array, " action"]) -> Float[Array, " action"]:
        """tanh(f(s, noise))."""
        return jnp.tanh(self.network(jnp.concatenate([self.observation, noise])))

    def _draws(self) -> Float[Array, "draw action"]:
        return jax.vmap(self.from_noise)(jnp.asarray(_noises(self.network.noise_size)))


class ImplicitActor(AbstractContinuousActor):
    """A policy by a sampler: any shape of distribution over [-1, 1]^action, and no density (arXiv 1702.08165).

    Example:
        >>> network = Sampler(Dense((8,)).init(3 + 1, 1, key=jax.random.key(0)), noise_size=1)
        >>> critic = Critic(Dense((8,)).init(3 + 1, 1, key=jax.random.key(1)))
        >>> bool(jnp.isnan(ImplicitActor(network, critic)(jnp.ones(3)).entropy()))
        True
    """

    network: Sampler  # pyright: ignore[reportIncompatibleVariableOverride]
    """`[observation + action] -> [action]`: from observation and noise to the latent, before the tanh."""
    critic: Critic
    """Chooses the mode."""

    def __call__(self, observation: Float[Array, " observation"]) -> Implicit:
        """The policy at one observation."""
        return Implicit(self.network, self.critic, observation)

    def on_host(self) -> HostPolicy:
        """The same policy in NumPy; its mode is the same draws' best."""
        network, critic, size = self.network.on_host(), self.critic.network.on_host(), self.network.noise_size
        noises = _noises(size)

        def sample(observations: np.ndarray, generator: np.random.Generator) -> np.ndarray:
            noise = generator.standard_normal((len(observations), size), np.float32)
            return np.tanh(network(np.concatenate([observations, noise], axis=-1)))

        def mode(observations: np.ndarray) -> np.ndarray:
            repeated = np.repeat(observations[:, None], DRAWS, axis=1)
            again = np.broadcast_to(noises, (len(observations), DRAWS, size))
            draws = np.tanh(network(np.concatenate([repeated, again], axis=-1)))
            q = critic(np.concatenate([repeated, draws], axis=-1))[..., 0]
            return draws[np.arange(len(observations)), q.argmax(axis=-1)]

        return HostPolicy(sample, mode)

    def max_entropy(self) -> float:
        """The uniform distribution's, log 2 nats per dimension."""
        return math.log(2)

    def sigma_of(self, nats_per_dimension: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
        """NaN: there is no sigma."""
        return jnp.full_like(nats_per_dimension, jnp.nan)


class CategoricalActor(AbstractActor):
    """A policy over a finite set of actions: one observation to the logits of all of them.

    Example:
        >>> actor = CategoricalActor(Dense((8,)).init(4, 2, key=jax.random.key(0)), count=2)
        >>> actor(jnp.ones(4)).mode().shape, round(actor.max_entropy(), 4)
        ((1,), 0.6931)
    """

    network: AbstractNetwork
    """`[observation] -> [count]`: log-probabilities up to a constant."""
    count: int = eqx.field(static=True)
    """Number of actions."""

    def __call__(self, observation: Float[Array, " observation"]) -> Categorical:
        """The policy at one observation."""
        return Categorical(self.network(observation))

    def on_host(self) -> HostPolicy:
        """The same policy in NumPy; its mode is the most probable action."""
        network = self.network.on_host()

        def sample(observations: np.ndarray, generator: np.random.Generator) -> np.ndarray:
            logits = network(observations)
            # The largest of logits with Gumbel noise is a draw from their softmax.
            return greatest(logits + generator.gumbel(size=logits.shape))

        return HostPolicy(sample, lambda observations: greatest(network(observations)))

    def max_entropy(self) -> float:
        """The uniform distribution's, log n nats."""
        return math.log(self.count)


def greatest(scores: np.ndarray) -> np.ndarray:
    """The action of the highest score in each row, the first of equals: `[envs, actions]` to `[envs, 1]`, NumPy."""
    return scores.argmax(axis=-1, keepdims=True).astype(np.float32)


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
