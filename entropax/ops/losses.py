"""Losses of soft actor-critics and of policy gradients, elementwise: the batch mean is the caller's."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def critic_loss(q: Float[Array, " critics"], target: Float[Array, ""]) -> Float[Array, ""]:
    """sum_i 1/2 (Q_i - y)^2 for one example, equation 5 of arXiv 1812.05905, summed over critics as published."""
    return 0.5 * jnp.sum((q - target) ** 2)


def alpha_log_prob(
    alpha: Float[Array, ""] | Float[Array, " action"], log_probs: Float[Array, "*axes action"]
) -> Float[Array, "*axes"]:
    """Price of an action's improbability in reward: alpha log pi(a|s) = sum_j alpha_j log pi_j(a_j|s).

    Args:
        alpha: temperature, reward per nat: one, or one a dimension.
        log_probs: log pi_j(a_j|s) in nats of every action dimension; they are independent.
    """
    return jnp.sum(jnp.broadcast_to(alpha, log_probs.shape) * log_probs, axis=-1)


def actor_loss(alpha_log_prob: Float[Array, "*axes"], q_min: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
    """Soft loss: alpha log pi(a|s) - min_i Q_i(s, a), equation 9 of arXiv 1812.05905, `a` reparameterised."""
    return alpha_log_prob - q_min


def temperature_loss_log_alpha(
    log_alpha: Float[Array, ""], entropy: Float[Array, "*axes"], target: Float[Array, ""]
) -> Float[Array, "*axes"]:
    """Temperature loss: log alpha (H - H_target): equation 18 of arXiv 1812.05905 with log alpha for alpha.

    Stable-Baselines3 descends this one. Its derivative by log alpha is H - H_target, whatever alpha is.
    """
    return log_alpha * (entropy - target)


def temperature_loss_alpha(
    log_alpha: Float[Array, ""], entropy: Float[Array, "*axes"], target: Float[Array, ""]
) -> Float[Array, "*axes"]:
    """Temperature loss: alpha (H - H_target), equation 18 of arXiv 1812.05905, with alpha = exp(log alpha).

    Its derivative by log alpha is alpha (H - H_target): it vanishes with alpha.
    """
    return jnp.exp(log_alpha) * (entropy - target)


def clipped_surrogate(
    log_ratio: Float[Array, "*axes"], advantage: Float[Array, "*axes"], clip: float | Float[Array, ""]
) -> Float[Array, "*axes"]:
    """min(r A, clip(r, 1 - epsilon, 1 + epsilon) A), r = pi / pi_old, equation 7 of arXiv 1707.06347; to be maximised.

    Args:
        log_ratio: log pi(a|s) - log pi_old(a|s) in nats.
        advantage: of the action.
        clip: epsilon; where the ratio has left [1 - epsilon, 1 + epsilon] to the advantage's gain, the gradient is 0.
    """
    ratio = jnp.exp(log_ratio)
    return jnp.minimum(ratio * advantage, jnp.clip(ratio, 1 - clip, 1 + clip) * advantage)
