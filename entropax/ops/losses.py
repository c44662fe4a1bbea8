"""Losses of soft actor-critics and of policy gradients, elementwise: the batch mean is the caller's."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def critic_loss(q: Float[Array, " critics"], target: Float[Array, ""]) -> Float[Array, ""]:
    """sum_i 1/2 (Q_i - y)^2 for one example, equation 5 of arXiv 1812.05905, summed over critics as published.

    Args:
        q: Q_i(s, a) of every critic, reward.
        target: y, the same for all; its gradient is the caller's to stop.

    Example:
        >>> float(critic_loss(jnp.array([1.0, 4.0]), jnp.array(2.0)))
        2.5
    """
    return 0.5 * jnp.sum((q - target) ** 2)


def alpha_log_prob(
    alpha: Float[Array, ""] | Float[Array, " action"], log_probs: Float[Array, "*axes action"]
) -> Float[Array, "*axes"]:
    """Price of an action's improbability in reward: alpha log pi(a|s) = sum_j alpha_j log pi_j(a_j|s).

    Args:
        alpha: temperature, reward per nat: one, or one a dimension.
        log_probs: log pi_j(a_j|s) in nats of every action dimension; they are independent.

    Example:
        >>> float(alpha_log_prob(jnp.array([0.5, 1.0]), jnp.array([-1.0, -2.0])))
        -2.5
    """
    return jnp.sum(jnp.broadcast_to(alpha, log_probs.shape) * log_probs, axis=-1)


def actor_loss(alpha_log_prob: Float[Array, "*axes"], q_min: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
    """Soft loss: alpha log pi(a|s) - min_i Q_i(s, a), equation 9 of arXiv 1812.05905, `a` reparameterised.

    Args:
        alpha_log_prob: alpha log pi(a|s), as the function of that name gives it, reward.
        q_min: the smallest of the critics at (s, a), reward.

    Example:
        >>> float(actor_loss(jnp.array(-0.5), jnp.array(2.0)))
        -2.5
    """
    return alpha_log_prob - q_min


def temperature_loss_log_alpha(
    log_alpha: Float[Array, ""], entropy: Float[Array, "*axes"], target: Float[Array, ""]
) -> Float[Array, "*axes"]:
    """Temperature loss: log alpha (H - H_target): equation 18 of arXiv 1812.05905 with log alpha for alpha.

    Stable-Baselines3 descends this one. Its derivative by log alpha is H - H_target, whatever alpha is.

    Args:
        log_alpha: the parameter.
        entropy: H of the policy, or -log pi(a|s) of fresh actions, nats; its gradient is the caller's to stop.
        target: H_target, nats.

    Example:
        >>> float(jax.grad(temperature_loss_log_alpha)(jnp.log(0.1), jnp.array(-3.0), jnp.array(-1.0)))
        -2.0
    """
    return log_alpha * (entropy - target)


def temperature_loss_alpha(
    log_alpha: Float[Array, ""], entropy: Float[Array, "*axes"], target: Float[Array, ""]
) -> Float[Array, "*axes"]:
    """Temperature loss: alpha (H - H_target), equation 18 of arXiv 1812.05905, with alpha = exp(log alpha).

    Its derivative by log alpha is alpha (H - H_target): it vanishes with alpha. Arguments as above.

    Example:
        >>> round(float(jax.grad(temperature_loss_alpha)(jnp.log(0.1), jnp.array(-3.0), jnp.array(-1.0))), 6)
        -0.2
    """
    return jnp.exp(log_alpha) * (entropy - target)


def policy_gradient_surrogate(
    log_prob: Float[Array, "*axes"], advantage: Float[Array, "*axes"]
) -> Float[Array, "*axes"]:
    """A log pi(a|s), whose gradient is the policy gradient (section 3 of arXiv 1602.01783); to be maximised.

    Args:
        log_prob: log pi(a|s) in nats of the action taken.
        advantage: of that action; it is taken as a constant.

    Example:
        >>> float(policy_gradient_surrogate(jnp.array(-0.5), jnp.array(2.0)))
        -1.0
    """
    return jax.lax.stop_gradient(advantage) * log_prob


def regularised_loss(
    objective: Float[Array, "*axes"], entropy: Float[Array, "*axes"], alpha: float | Float[Array, ""]
) -> Float[Array, "*axes"]:
    """-(objective + alpha H): what to descend so that an objective and the policy's entropy rise together.

    Args:
        objective: to be maximised, as `policy_gradient_surrogate` and `clipped_surrogate` are.
        entropy: H(pi(.|s)) in nats as a function of the policy's parameters, not -log pi(a|s) of stored actions.
        alpha: units of the objective per nat.

    Example:
        >>> float(regularised_loss(jnp.array(1.0), jnp.array(2.0), 0.25))
        -1.5
    """
    return -objective - alpha * entropy


def entropy_regularised_loss(
    log_prob: Float[Array, "*axes"],
    advantage: Float[Array, "*axes"],
    entropy: Float[Array, "*axes"],
    alpha: float | Float[Array, ""],
) -> Float[Array, "*axes"]:
    """-(A log pi(a|s) + alpha H(pi(.|s))), the policy's loss of A3C and A2C (section 4 of arXiv 1602.01783).

    Args:
        log_prob: log pi(a|s) in nats of the action taken.
        advantage: of that action; it is taken as a constant.
        entropy: H(pi(.|s)) in nats as a function of the policy's parameters.
        alpha: reward per nat; 0.01 in the paper.

    Example:
        >>> logits, taken = jnp.zeros((3, 2)), jnp.array([0, 1, 1])
        >>> log_prob = jnp.take_along_axis(jax.nn.log_softmax(logits), taken[:, None], axis=-1)[:, 0]
        >>> entropy = -jnp.sum(jax.nn.softmax(logits) * jax.nn.log_softmax(logits), axis=-1)
        >>> loss = entropy_regularised_loss(log_prob, jnp.array([1.0, -1.0, 0.0]), entropy, 0.01)
        >>> [round(one, 4) for one in loss.tolist()]
        [0.6862, -0.7001, -0.0069]
    """
    return regularised_loss(policy_gradient_surrogate(log_prob, advantage), entropy, alpha)


def clipped_surrogate(
    log_ratio: Float[Array, "*axes"], advantage: Float[Array, "*axes"], clip: float | Float[Array, ""]
) -> Float[Array, "*axes"]:
    """min(r A, clip(r, 1 - epsilon, 1 + epsilon) A), r = pi / pi_old, equation 7 of arXiv 1707.06347; to be maximised.

    Args:
        log_ratio: log pi(a|s) - log pi_old(a|s) in nats.
        advantage: of the action.
        clip: epsilon; where the ratio has left [1 - epsilon, 1 + epsilon] to the advantage's gain, the gradient is 0.

    Example:
        >>> [round(one, 4) for one in clipped_surrogate(jnp.log(jnp.array([1.5, 0.5])), jnp.ones(2), 0.2).tolist()]
        [1.2, 0.5]
    """
    ratio = jnp.exp(log_ratio)
    return jnp.minimum(ratio * advantage, jnp.clip(ratio, 1 - clip, 1 + clip) * advantage)
