"""Noisy networks: Fortunato et al. 2018, arXiv 1706.10295, with factorised Gaussian noise."""

import math
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from entropax.distributions import AbstractDistribution, EntropyKind
from entropax.networks import AbstractNetwork, Affine, HostFunction, is_affine
from entropax.policies import DRAWS, AbstractActor, HostPolicy, greatest


class NoisyNetwork(AbstractNetwork):
    """Another network whose affine maps have noise: (M + S * (f(e) f(e')^T)) x + m + s * f(e'), equations 9 to 11.

    f(e) = sign(e) sqrt|e| with e of the inputs and e' of the outputs standard normal. Without noise it is the network
    of means, which is what evaluation takes.

    Attributes:
        mean: M and m of every affine map, and all else that the network has.
        sigma: S and s in the same places; what it has elsewhere counts nothing.
    """

    mean: AbstractNetwork
    sigma: AbstractNetwork

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        """Maps one example without noise."""
        return self.mean(x)

    def on_host(self) -> HostFunction:
        """The same map in NumPy."""
        return self.mean.on_host()

    def perturbed(self, *, key: Key[Array, ""]) -> AbstractNetwork:
        """The network with one draw of noise."""
        means, structure = jax.tree.flatten(self.mean, is_leaf=is_affine)
        sigmas = jax.tree.leaves(self.sigma, is_leaf=is_affine)
        parts = zip(means, sigmas, jax.random.split(key, len(means)), strict=True)
        return jax.tree.unflatten(structure, [_perturbed(*part) for part in parts])

    def sigmas(self) -> Float[Array, ""]:
        """Mean size of the noise's scales, S and s."""
        scales = [s for s in jax.tree.leaves(self.sigma, is_leaf=is_affine) if isinstance(s, Affine)]
        leaves = jax.tree.leaves(scales)
        return sum(jnp.sum(jnp.abs(leaf)) for leaf in leaves) / jnp.float32(sum(leaf.size for leaf in leaves))


def noisy(network: AbstractNetwork, initial_sigma: float | Float[Array, ""]) -> NoisyNetwork:
    """Noise of size initial_sigma / sqrt(inputs) on every weight and bias of a network's affine maps (section 3.2)."""

    def scale(part: Affine | Array) -> Affine | Array:
        if not isinstance(part, Affine):
            return jnp.zeros_like(part)
        size = jnp.asarray(initial_sigma, jnp.float32) / math.sqrt(part.weight.shape[0])
        return Affine(jnp.full_like(part.weight, size), jnp.full_like(part.bias, size))

    return NoisyNetwork(network, jax.tree.map(scale, network, is_leaf=is_affine))


def _perturbed(mean: Affine | Array, sigma: Affine | Array, key: Key[Array, ""]) -> Affine | Array:
    if not (isinstance(mean, Affine) and isinstance(sigma, Affine)):
        return mean
    inputs, outputs = mean.weight.shape
    noise = _flattened(jax.random.normal(key, (inputs + outputs,)))
    before, after = noise[:inputs], noise[inputs:]
    return Affine(mean.weight + sigma.weight * jnp.outer(before, after), mean.bias + sigma.bias * after)


def _flattened(noise: Array) -> Array:
    """The noise e as f(e)."""
    return jnp.sign(noise) * jnp.sqrt(jnp.abs(noise))


class GreedyUnderNoise(AbstractDistribution):
    """The action of highest value by a network with fresh noise, at one observation.

    Its probabilities are read from `DRAWS` set draws of the noise, so its entropy is an estimate, about
    (actions - 1) / (2 DRAWS) nats too low where all actions are likely; log-probability and KL are NaN, not measured.
    """

    network: NoisyNetwork
    observation: Float[Array, " observation"]
    entropy_kind: ClassVar[EntropyKind] = "estimate"  # pyright: ignore[reportIncompatibleVariableOverride]

    def sample_and_log_prob(self, *, key: Key[Array, ""]) -> tuple[Float[Array, "1"], Float[Array, ""]]:
        """The best action under one draw of noise, and NaN."""
        q = self.network.perturbed(key=key)(self.observation)
        return jnp.argmax(q, keepdims=True).astype(jnp.float32), jnp.full((), jnp.nan)

    def log_prob(self, action: Float[Array, "1"]) -> Float[Array, ""]:
        """NaN."""
        return jnp.full((), jnp.nan)

    def probs(self) -> Float[Array, " actions"]:
        """Shares of the draws in which each action is the best."""

        def best(key: Key[Array, ""]) -> Float[Array, " actions"]:
            q = self.network.perturbed(key=key)(self.observation)
            return jax.nn.one_hot(jnp.argmax(q), q.shape[0])

        return jnp.mean(jax.vmap(best)(jax.random.split(jax.random.key(0), DRAWS)), axis=0)

    def mode(self) -> Float[Array, "1"]:
        """The best action without noise."""
        return jnp.argmax(self.network(self.observation), keepdims=True).astype(jnp.float32)

    def entropy_per_dimension(self) -> Float[Array, "1"]:
        """The entropy as a vector of one."""
        return self.entropy()[None]

    def entropy(self) -> Float[Array, ""]:
        """-sum p log p of the draws' shares, nats."""
        shares = self.probs()
        return -jnp.sum(shares * jnp.log(jnp.where(shares > 0, shares, 1.0)))

    def kl(self, other: "GreedyUnderNoise") -> Float[Array, ""]:
        """NaN."""
        return jnp.full((), jnp.nan)


class NoisyActor(AbstractActor):
    """A policy that takes the action of highest value by a network whose noise is drawn anew for every step."""

    network: NoisyNetwork  # pyright: ignore[reportIncompatibleVariableOverride]
    """`[observation] -> [count]`: Q(s, .)."""
    count: int = eqx.field(static=True)
    """Number of actions."""

    def __call__(self, observation: Float[Array, " observation"]) -> GreedyUnderNoise:
        """The policy at one observation."""
        return GreedyUnderNoise(self.network, observation)

    def on_host(self) -> HostPolicy:
        """The same policy in NumPy; one draw of noise serves all copies of a step."""
        means = jax.tree.leaves(self.network.mean, is_leaf=is_affine)
        sigmas = jax.tree.leaves(self.network.sigma, is_leaf=is_affine)
        perturbed = jax.tree.map(np.array, self.network.mean)
        found = jax.tree.leaves(perturbed, is_leaf=is_affine)
        values, without = perturbed.on_host(), self.network.on_host()

        def sample(observations: np.ndarray, generator: np.random.Generator) -> np.ndarray:
            for mean, sigma, drawn in zip(means, sigmas, found, strict=True):
                if not isinstance(mean, Affine):
                    drawn[...] = mean
                    continue
                inputs, outputs = mean.weight.shape
                noise = generator.standard_normal(inputs + outputs, np.float32)
                noise = np.sign(noise) * np.sqrt(np.abs(noise))
                drawn.weight[...] = mean.weight + sigma.weight * np.outer(noise[:inputs], noise[inputs:])
                drawn.bias[...] = mean.bias + sigma.bias * noise[inputs:]
            return greatest(values(observations))

        return HostPolicy(sample, lambda observations: greatest(without(observations)))

    def max_entropy(self) -> float:
        """The uniform distribution's, log n nats."""
        return math.log(self.count)
