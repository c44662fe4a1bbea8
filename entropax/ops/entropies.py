"""Entropies in nats of the policies that the field uses, from their parameters, over any leading axes.

Each is differentiable by its parameters, and that gradient is what a bonus needs; `docs/ops.md` shows what becomes of a
bonus made of stored actions' log-probabilities instead.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from entropax.distributions import Categorical, Normal, log_tanh_derivative, tanh_normal_entropy


def discrete_entropy(logits: Float[Array, "*axes actions"]) -> Float[Array, "*axes"]:
    """H = -sum_a pi(a) log pi(a) of a softmax policy, in [0, log actions].

    Args:
        logits: scores up to a constant, log-probabilities among them; an action at -inf is impossible and counts as 0.

    Example:
        >>> logits = jnp.array([[0.0, 0.0], [1000.0, 1000.0], [0.0, -jnp.inf]])
        >>> [round(nats, 4) + 0.0 for nats in discrete_entropy(logits).tolist()]  # log 2 twice, and none
        [0.6931, 0.6931, 0.0]
    """
    return jnp.vectorize(lambda one: Categorical(one).entropy(), signature="(actions)->()")(logits)


def gaussian_entropy(log_std: Float[Array, "*axes action"]) -> Float[Array, "*axes"]:
    """H = d/2 log(2 pi e) + sum_j log sigma_j of a Gaussian with independent dimensions; the mean does not matter.

    It has neither bound, and its gradient by each log sigma is 1 whatever the policy is.

    Args:
        log_std: log sigma of every dimension.

    Example:
        >>> round(float(gaussian_entropy(jnp.log(jnp.array([0.5, 2.0])))), 4)  # as of two of sigma 1
        2.8379
    """
    return jnp.vectorize(lambda one: Normal(one, one).entropy(), signature="(action)->()")(log_std)


def tanh_gaussian_entropy(
    mean: Float[Array, "*axes action"], log_std: Float[Array, "*axes action"]
) -> Float[Array, "*axes"]:
    """H of tanh(u), u ~ N(mean, sigma), by quadrature: the number itself, within 5e-6 nats a dimension.

    At most 0.684 nats a dimension, at mean 0 and sigma 0.87; a wider Gaussian has less (arXiv 1812.05905, appendix C).

    Args:
        mean: of the Gaussian before the tanh.
        log_std: its log sigma.

    Example:
        >>> log_std = jnp.log(jnp.array([[0.87], [3.0]]))
        >>> [round(nats, 3) for nats in tanh_gaussian_entropy(jnp.zeros((2, 1)), log_std).tolist()]
        [0.684, -1.096]
    """
    return jnp.sum(tanh_normal_entropy(mean, log_std), axis=-1)


def tanh_gaussian_entropy_by_sampling(
    mean: Float[Array, "*axes action"],
    log_std: Float[Array, "*axes action"],
    noise: Float[Array, "sample *axes action"],
) -> Float[Array, "*axes"]:
    """The same by fresh samples: the Gaussian's H plus the mean over samples of sum_j log(1 - tanh(u_j)^2).

    Unbiased, and so is its gradient, because u = mean + sigma noise moves with the parameters. Brax takes one sample.

    Args:
        mean: of the Gaussian before the tanh.
        log_std: its log sigma.
        noise: standard normal numbers, new ones for every estimate.

    Example:
        >>> noise = jnp.array([[-1.0], [1.0]])
        >>> round(float(tanh_gaussian_entropy_by_sampling(jnp.zeros(1), jnp.zeros(1), noise)), 4)
        0.5514
    """
    latent = mean[None] + jnp.exp(log_std)[None] * noise
    return gaussian_entropy(log_std) + jnp.mean(jnp.sum(log_tanh_derivative(latent), axis=-1), axis=0)
