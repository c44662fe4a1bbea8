"""Action distributions: one example each, arrays only, entropies in nats of the policy's own units.

The squashed Gaussian is the heart of the file. Its log-density is always taken from the value before the squashing,
with the exact change of variables, and its entropy, which has no closed form, is a quadrature: a deterministic,
differentiable number rather than a noisy `-log_prob`.
"""

import abc
import functools
import math
from typing import Any, ClassVar, Literal, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr, ndtr
from jaxtyping import Array, Float, Key

EntropyKind: TypeAlias = Literal["exact", "estimate", "unknown"]

_NODES = 65
_HALF_WIDTH = 5.5
_LOG_2PI = math.log(2 * math.pi)


def _trapezoid(nodes: int, half_width: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the trapezoidal rule under a standard normal (float64)."""
    at = np.linspace(-half_width, half_width, nodes)
    weights = np.exp(-0.5 * at**2)
    return at, weights / weights.sum()


# The trapezoidal rule, not Gauss-Hermite: log cosh has poles at u = i pi/2, that is at i pi/(2 sigma) for a standard
# normal, and there the trapezoidal rule still converges as exp(-pi^2 / (sigma h)).
_AT, _WEIGHTS = (part.astype(np.float32) for part in _trapezoid(_NODES, _HALF_WIDTH))


def log_tanh_derivative(latent: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
    """log(1 - tanh(u)^2) = 2 (log 2 - u - softplus(-2u)), exact where tanh has saturated in float32."""
    return 2.0 * (math.log(2.0) - latent - jax.nn.softplus(-2.0 * latent))


def _normal_log_density(standardised: Float[Array, "*axes"], log_std: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
    return -0.5 * (standardised**2 + _LOG_2PI) - log_std


def _nodes(mean: Float[Array, "*axes"], log_std: Float[Array, "*axes"]) -> Float[Array, "*axes nodes"]:
    """The quadrature's nodes for N(mean, std), on a new last axis."""
    at = jnp.asarray(_AT).reshape((1,) * mean.ndim + (-1,))
    return mean[..., None] + jnp.exp(log_std)[..., None] * at


def tanh_normal_entropy(mean: Float[Array, "*axes"], log_std: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
    """Entropy in nats of tanh(N(mean, std)), elementwise and differentiable.

    H = log std + 1/2 log(2 pi e) + E[log(1 - tanh(u)^2)]; the expectation is a trapezoidal rule of 65 nodes over
    5.5 standard deviations either side, within 5e-6 nats for sigma in [0.001, 5] (Gauss-Hermite of 64: 4e-3).
    """
    correction = log_tanh_derivative(_nodes(mean, log_std)) @ jnp.asarray(_WEIGHTS)
    return log_std + 0.5 * (_LOG_2PI + 1.0) + correction


def entropy_of_sigma(sigma: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
    """Entropy in nats per dimension of tanh(N(0, sigma))."""
    return tanh_normal_entropy(jnp.zeros_like(sigma), jnp.log(sigma))


def _entropy_of_sigma_float64(sigma: np.ndarray) -> np.ndarray:
    """`entropy_of_sigma` in NumPy and double precision, for constants and tables."""
    at, weights = _trapezoid(801, 9.0)
    distance = np.abs(np.multiply.outer(sigma, at))
    correction = 2.0 * (math.log(2.0) - distance - np.log1p(np.exp(-2.0 * distance)))
    return np.log(sigma) + 0.5 * (_LOG_2PI + 1.0) + correction @ weights


@functools.cache
def max_tanh_normal_sigma() -> float:
    """The sigma, about 0.87, at which tanh(N(0, sigma)) has its largest entropy; beyond it the entropy falls."""
    low, high = 0.5, 1.5
    for _ in range(60):  # ternary search: the entropy is unimodal in sigma
        left, right = low + (high - low) / 3, high - (high - low) / 3
        at_left, at_right = _entropy_of_sigma_float64(np.array([left, right]))
        low, high = (left, high) if at_left < at_right else (low, right)
    return (low + high) / 2


@functools.cache
def max_tanh_normal_entropy() -> float:
    """The largest entropy, about 0.684 nats per dimension, that any tanh-Gaussian has (log 2 is the uniform's)."""
    return float(_entropy_of_sigma_float64(np.array([max_tanh_normal_sigma()]))[0])


@functools.cache
def _sigma_table() -> tuple[np.ndarray, np.ndarray]:
    """Knots (sqrt(H_max - H), log sigma): in the square root the branch is smooth up to the maximum."""
    log_sigma = np.linspace(math.log(1e-3), math.log(max_tanh_normal_sigma()), 1024)
    shortfall = np.maximum(max_tanh_normal_entropy() - _entropy_of_sigma_float64(np.exp(log_sigma)), 0.0)
    shortfall[-1] = 0.0
    return np.sqrt(shortfall)[::-1].copy(), log_sigma[::-1].copy()


def normal_sigma_of_entropy(nats_per_dimension: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
    """The sigma of the Gaussian with this entropy: exp(H - 1/2 log(2 pi e))."""
    return jnp.exp(nats_per_dimension - 0.5 * (_LOG_2PI + 1.0))


def sigma_of_entropy(nats_per_dimension: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
    """The sigma of the mean-0 tanh-Gaussian with this entropy, on the rising branch, clipped at its maximum.

    A readout in place of nats, not a loss: its derivative is unbounded at the maximum. Below sigma = 0.001 the
    Gaussian formula holds to 1e-6 and is used.
    """
    roots, log_sigmas = _sigma_table()
    shortfall = jnp.maximum(max_tanh_normal_entropy() - nats_per_dimension, 0.0)
    tabulated = jnp.interp(jnp.sqrt(shortfall), jnp.asarray(roots, jnp.float32), jnp.asarray(log_sigmas, jnp.float32))
    gaussian = nats_per_dimension - 0.5 * (_LOG_2PI + 1.0)
    return jnp.exp(jnp.where(gaussian < math.log(1e-3), gaussian, tabulated))


LARGEST_ACTION = 1 - 1e-4
"""Up to here, latents of ±4.95, tanh is inverted: float32 gives a latent back within 2e-4. Beyond it is not."""
_LARGEST_LATENT = math.atanh(LARGEST_ACTION)


class AbstractDistribution(eqx.Module):
    """A distribution over one action; `vmap` it for a batch."""

    entropy_kind: eqx.AbstractClassVar[EntropyKind]
    """Whether `entropy` is a closed form, a quadrature estimate, or NaN because there is no density."""

    @abc.abstractmethod
    def sample_and_log_prob(self, *, key: Key[Array, ""]) -> tuple[Float[Array, " action"], Float[Array, ""]]:
        """A reparameterised sample where the class allows one, and its log-density summed over dimensions."""

    @abc.abstractmethod
    def log_prob(self, action: Float[Array, " action"]) -> Float[Array, ""]:
        """Log-density in nats of an action as it was drawn, before any clipping."""

    @abc.abstractmethod
    def mode(self) -> Float[Array, " action"]:
        """The action to take when evaluating."""

    @abc.abstractmethod
    def entropy_per_dimension(self) -> Float[Array, " action"]:
        """Entropy in nats of every action dimension (one dimension for a discrete action)."""

    @abc.abstractmethod
    def entropy(self) -> Float[Array, ""]:
        """Entropy in nats, summed over dimensions."""

    @abc.abstractmethod
    def kl(self, other: Any) -> Float[Array, ""]:
        """KL(self || other) in nats, for another distribution of the same class."""


class AbstractContinuous(AbstractDistribution):
    """A distribution over continuous actions, of which an environment takes what is in [-1, 1] and clips the rest."""

    @abc.abstractmethod
    def from_noise(self, noise: Float[Array, " action"]) -> Float[Array, " action"]:
        """The action that standard normal noise becomes: with such noise of each step's own, a sample."""

    @abc.abstractmethod
    def action_std(self) -> Float[Array, " action"]:
        """Standard deviation of the action that the environment takes, in units of [-1, 1], of each dimension."""

    @abc.abstractmethod
    def saturation(self, threshold: float = 0.97) -> Float[Array, " action"]:
        """P(|a| > threshold) of each dimension, for a threshold below 1."""


def _beyond(mean: Float[Array, " action"], log_std: Float[Array, " action"], edge: float) -> Float[Array, " action"]:
    """P(|x| > edge) of a Gaussian x, elementwise."""
    inverse_std = jnp.exp(-log_std)
    return ndtr((mean - edge) * inverse_std) + ndtr((-mean - edge) * inverse_std)


def _normal_kl(
    mean: Float[Array, " action"],
    log_std: Float[Array, " action"],
    other_mean: Float[Array, " action"],
    other_log_std: Float[Array, " action"],
) -> Float[Array, ""]:
    """KL(N || N_other) in nats, summed over dimensions."""
    log_ratio = 2.0 * (log_std - other_log_std)
    shift = (mean - other_mean) * jnp.exp(-other_log_std)
    # expm1: of policies that hardly differ, exp(x) - 1 would be all rounding, and the sum of either sign.
    return 0.5 * jnp.sum(jnp.expm1(log_ratio) - log_ratio + shift**2)


class Normal(AbstractContinuous):
    """A Gaussian with independent dimensions, not squashed: an environment clips what lies beyond [-1, 1].

    Samples, log-densities, entropy, mode and KL are the Gaussian's own, before any clipping: what is clipped has no
    density at the bounds. What the environment sees are `action_mean`, `action_std` and `saturation`.

    Attributes:
        mean: `[action]` in action units.
        log_std: `[action]` log of the standard deviation.
    """

    mean: Float[Array, " action"]
    log_std: Float[Array, " action"]
    entropy_kind: ClassVar[EntropyKind] = "exact"  # pyright: ignore[reportIncompatibleVariableOverride]

    def sample_and_log_prob(self, *, key: Key[Array, ""]) -> tuple[Float[Array, " action"], Float[Array, ""]]:
        """A reparameterised sample and its log-density in nats."""
        noise = jax.random.normal(key, self.mean.shape, self.mean.dtype)
        return self.from_noise(noise), jnp.sum(_normal_log_density(noise, self.log_std))

    def from_noise(self, noise: Float[Array, " action"]) -> Float[Array, " action"]:
        """Mean + std noise."""
        return self.mean + jnp.exp(self.log_std) * noise

    def log_prob(self, action: Float[Array, " action"]) -> Float[Array, ""]:
        """Log-density in nats of a given action."""
        return jnp.sum(_normal_log_density((action - self.mean) * jnp.exp(-self.log_std), self.log_std))

    def mode(self) -> Float[Array, " action"]:
        """The mean."""
        return self.mean

    def entropy_per_dimension(self) -> Float[Array, " action"]:
        """1/2 log(2 pi e) + log std, in nats."""
        return self.log_std + 0.5 * (_LOG_2PI + 1.0)

    def entropy(self) -> Float[Array, ""]:
        """Entropy in nats, summed over dimensions."""
        return jnp.sum(self.entropy_per_dimension())

    def action_mean(self) -> Float[Array, " action"]:
        """E[clip(a)] of each dimension, exact."""
        return jnp.clip(self.mean, -1, 1) + self._clipped_moments()[0]

    def action_std(self) -> Float[Array, " action"]:
        """Standard deviation of clip(a), a clipped to [-1, 1], of each dimension, exact (float32: within 2e-5)."""
        first, second = self._clipped_moments()
        return jnp.sqrt(jnp.maximum(second - first**2, 0.0))

    def saturation(self, threshold: float = 0.97) -> Float[Array, " action"]:
        """P(|a| > threshold) of each dimension, exact, clipped or not."""
        return _beyond(self.mean, self.log_std, threshold)

    def _clipped_moments(self) -> tuple[Float[Array, " action"], Float[Array, " action"]]:
        """E[b] and E[b^2] of b = clip(a) - clip(mean): centred so that a small spread is not lost to rounding."""
        centre, std = jnp.clip(self.mean, -1, 1), jnp.exp(self.log_std)
        low, high, shift = -1 - centre, 1 - centre, self.mean - centre
        at_low, at_high = (-1 - self.mean) / std, (1 - self.mean) / std
        below, above = ndtr(at_low), ndtr(-at_high)
        # By the tail on the mean's side: 1 - below - above is all rounding where the mean lies far beyond a bound.
        inside = jnp.where(self.mean > 0, ndtr(at_high) - below, ndtr(-at_low) - above)
        edges = [jnp.exp(_normal_log_density(at, jnp.zeros_like(at))) for at in (at_low, at_high)]
        slope = std * (edges[0] - edges[1])
        bend = std**2 * (at_low * edges[0] - at_high * edges[1])
        first = low * below + high * above + shift * inside + slope
        second = low**2 * below + high**2 * above + (shift**2 + std**2) * inside + 2 * shift * slope + bend
        return first, second

    def kl(self, other: "Normal") -> Float[Array, ""]:
        """KL(self || other) in nats, exact."""
        return _normal_kl(self.mean, self.log_std, other.mean, other.log_std)


class TanhNormal(AbstractContinuous):
    """A Gaussian squashed by tanh into [-1, 1], dimensions independent (arXiv 1812.05905, appendix C).

    Attributes:
        mean: `[action]` of the Gaussian before squashing.
        log_std: `[action]` log standard deviation before squashing.
    """

    mean: Float[Array, " action"]
    log_std: Float[Array, " action"]
    entropy_kind: ClassVar[EntropyKind] = "estimate"  # pyright: ignore[reportIncompatibleVariableOverride]

    def sample_and_log_prob(self, *, key: Key[Array, ""]) -> tuple[Float[Array, " action"], Float[Array, ""]]:
        """A reparameterised action in [-1, 1] and its log-density in nats."""
        action, log_probs = self.reparameterised(jax.random.normal(key, self.mean.shape, self.mean.dtype))
        return action, jnp.sum(log_probs)

    def from_noise(self, noise: Float[Array, " action"]) -> Float[Array, " action"]:
        """tanh(mean + std noise)."""
        return self.reparameterised(noise)[0]

    def reparameterised(
        self, noise: Float[Array, " action"]
    ) -> tuple[Float[Array, " action"], Float[Array, " action"]]:
        """The action that standard normal noise becomes, and each dimension's log-density in nats.

        tanh is never inverted; dimensions are independent, so the sum is the action's log-density.
        """
        latent = self.mean + jnp.exp(self.log_std) * noise
        return jnp.tanh(latent), _normal_log_density(noise, self.log_std) - log_tanh_derivative(latent)

    def log_prob_of_latent(self, latent: Float[Array, " action"]) -> Float[Array, ""]:
        """Log-density in nats, in [-1, 1], of the action tanh(latent) (1812.05905, appendix C)."""
        standardised = (latent - self.mean) * jnp.exp(-self.log_std)
        return jnp.sum(_normal_log_density(standardised, self.log_std) - log_tanh_derivative(latent))

    def log_prob(self, action: Float[Array, " action"]) -> Float[Array, ""]:
        """Log-density in nats of a given action; only for one that was stored without its latent.

        In the ratio of two policies the squashing cancels and their Gaussians remain. An action beyond `LARGEST_ACTION`
        counts as any of those there and has their mean density, P(a > largest) / (1 - largest): taking it for the edge
        itself would push the mean of a saturated policy about, where this has next to no gradient.
        """
        latent = jnp.arctanh(jnp.clip(action, -LARGEST_ACTION, LARGEST_ACTION))
        inverse_std = jnp.exp(-self.log_std)
        inside = _normal_log_density((latent - self.mean) * inverse_std, self.log_std) - log_tanh_derivative(latent)
        tail = log_ndtr((jnp.sign(action) * self.mean - _LARGEST_LATENT) * inverse_std) - math.log(1 - LARGEST_ACTION)
        return jnp.sum(jnp.where(jnp.abs(action) > LARGEST_ACTION, tail, inside))

    def mode(self) -> Float[Array, " action"]:
        """tanh(mean): the median, which the field evaluates with (the density itself may peak elsewhere)."""
        return jnp.tanh(self.mean)

    def entropy_per_dimension(self) -> Float[Array, " action"]:
        """Entropy in nats of each dimension, by quadrature."""
        return tanh_normal_entropy(self.mean, self.log_std)

    def entropy(self) -> Float[Array, ""]:
        """Entropy in nats, summed over dimensions, by quadrature."""
        return jnp.sum(self.entropy_per_dimension())

    def action_mean(self) -> Float[Array, " action"]:
        """E[a] in [-1, 1] of each dimension, by the same quadrature, within 2e-5."""
        return jnp.tanh(_nodes(self.mean, self.log_std)) @ jnp.asarray(_WEIGHTS)

    def action_std(self) -> Float[Array, " action"]:
        """Standard deviation of a, in units of [-1, 1], of each dimension, by the same quadrature, within 1e-4.

        A readout, not a loss: its gradient is not finite where float32 sees no spread at all.
        """
        actions = jnp.tanh(_nodes(self.mean, self.log_std))
        centred = actions - self.action_mean()[..., None]
        return jnp.sqrt(centred**2 @ jnp.asarray(_WEIGHTS))

    def saturation(self, threshold: float = 0.97) -> Float[Array, " action"]:
        """P(|a| > threshold) of each dimension, exact by the normal distribution function."""
        return _beyond(self.mean, self.log_std, math.atanh(threshold))

    def kl(self, other: "TanhNormal") -> Float[Array, ""]:
        """KL(self || other) in nats: exact, since the bijection tanh leaves the Gaussians' KL unchanged."""
        return _normal_kl(self.mean, self.log_std, other.mean, other.log_std)


class Categorical(AbstractDistribution):
    """A distribution over actions 0 … n - 1, each a vector of one: its index in float32, as replay holds it.

    Attributes:
        logits: `[actions]`, up to a constant.
    """

    logits: Float[Array, " actions"]
    entropy_kind: ClassVar[EntropyKind] = "exact"  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_probs(self) -> Float[Array, " actions"]:
        """Log-probabilities of all actions, in nats."""
        return jax.nn.log_softmax(self.logits)

    def probs(self) -> Float[Array, " actions"]:
        """Probabilities of all actions."""
        return jax.nn.softmax(self.logits)

    def sample_and_log_prob(self, *, key: Key[Array, ""]) -> tuple[Float[Array, "1"], Float[Array, ""]]:
        """A sampled action (not reparameterised) and its log-probability in nats."""
        index = jax.random.categorical(key, self.logits)
        return index.astype(jnp.float32)[None], self.log_probs()[index]

    def log_prob(self, action: Float[Array, "1"]) -> Float[Array, ""]:
        """Log-probability in nats of a given action."""
        return self.log_probs()[action[0].astype(jnp.int32)]

    def mode(self) -> Float[Array, "1"]:
        """The most probable action, the first of equals."""
        return jnp.argmax(self.logits, keepdims=True).astype(jnp.float32)

    def entropy_per_dimension(self) -> Float[Array, "1"]:
        """The entropy as a vector of one."""
        return self.entropy()[None]

    def entropy(self) -> Float[Array, ""]:
        """-sum p log p in nats; an action whose logit is -inf counts as 0."""
        return -jnp.sum(self.probs() * self._finite_log_probs())

    def kl(self, other: "Categorical") -> Float[Array, ""]:
        """KL(self || other) in nats, exact."""
        possible = self.probs() > 0
        ratios = self._finite_log_probs() - jnp.where(possible, other.log_probs(), 0.0)
        return jnp.sum(self.probs() * ratios)

    def _finite_log_probs(self) -> Float[Array, " actions"]:
        """Log-probabilities with 0 for impossible actions, so that p log p and its gradient are 0 there."""
        log_probs = self.log_probs()
        return jnp.where(jnp.isneginf(log_probs), 0.0, log_probs)
