"""Bootstrap targets: what a critic is regressed on."""

import math

import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Int


def soft_target(
    reward: Float[Array, "*axes"],
    discount: Float[Array, "*axes"],
    next_q_min: Float[Array, "*axes"],
    next_alpha_log_prob: Float[Array, "*axes"],
) -> Float[Array, "*axes"]:
    """Soft target y = r + discount (min_i Q_i(s', a') - alpha log pi(a'|s')), equations 2 and 3 of arXiv 1812.05905.

    Args:
        reward: reward, or the n-step return.
        discount: 0 after a termination, else gamma (gamma^k for k steps).
        next_q_min: the smallest of the target critics at (s', a').
        next_alpha_log_prob: alpha log pi(a'|s') in units of reward.

    Returns:
        The target, elementwise.
    """
    return reward + discount * (next_q_min - next_alpha_log_prob)


def plain_target(
    reward: Float[Array, "*axes"], discount: Float[Array, "*axes"], next_q_min: Float[Array, "*axes"]
) -> Float[Array, "*axes"]:
    """Plain target y = r + discount min_i Q_i(s', a'): the value of the same policy without entropy in it.

    With a' ~ pi it evaluates the stochastic policy as it is, not the best one (Yu et al. 2022, arXiv 2201.12434; Zhang
    et al. 2025, arXiv 2506.05615). Arguments and result as `soft_target`'s.
    """
    return reward + discount * next_q_min


def soft_value(q: Float[Array, "*axes actions"], alpha: float | Float[Array, ""]) -> Float[Array, "*axes"]:
    """Soft value V = alpha log sum_a exp(Q(s, a) / alpha), equation 5 of arXiv 1702.08165 for a finite set of actions.

    Args:
        q: Q(s, a) of every action, reward.
        alpha: temperature, reward per nat.

    Example:
        >>> round(float(soft_value(jnp.ones(2), 0.5)), 4)  # two equal actions: 1, and alpha log 2 for their entropy
        1.3466
    """
    return alpha * logsumexp(q / alpha, axis=-1)


def expected_soft_value(
    log_probs: Float[Array, "*axes actions"], q: Float[Array, "*axes actions"], alpha: float | Float[Array, ""]
) -> Float[Array, "*axes"]:
    """Soft value of a policy, V = sum_a pi(a|s) (Q(s, a) - alpha log pi(a|s)), equation 10 of arXiv 1910.07207.

    The expectation is exact. Of all policies, exp(Q / alpha) normalised has the largest V, `soft_value`.

    Args:
        log_probs: log pi(a|s) in nats of every action.
        q: Q(s, a) of every action, reward.
        alpha: temperature, reward per nat.

    Example:
        >>> half = jnp.full(2, -jnp.log(2.0))
        >>> round(float(expected_soft_value(half, jnp.array([0.0, 2.0]), 0.5)), 4)  # 1, and alpha log 2
        1.3466
    """
    return jnp.sum(jnp.exp(log_probs) * (q - alpha * log_probs), axis=-1)


def soft_value_by_sampling(
    q: Float[Array, "*axes sample"], log_proposal: Float[Array, "*axes sample"], alpha: float | Float[Array, ""]
) -> Float[Array, "*axes"]:
    """Soft value V = alpha log E_q[exp(Q(s, a) / alpha) / q(a)], equation 10 of arXiv 1702.08165, by its sample mean.

    The mean is right on average before the logarithm, so V comes out too small on average after it, the less the more
    samples there are.

    Args:
        q: Q(s, a_k) of actions drawn from a proposal q, reward.
        log_proposal: log q(a_k) in nats; -d log 2 for uniform actions in [-1, 1]^d.
        alpha: temperature, reward per nat.

    Example:
        >>> half = jnp.full(4, -jnp.log(2.0))  # a flat Q of 1 over [-1, 1]: the value has its entropy, log 2, in it
        >>> round(float(soft_value_by_sampling(jnp.ones(4), half, 0.5)), 4)
        1.3466
    """
    return alpha * (logsumexp(q / alpha - log_proposal, axis=-1) - math.log(q.shape[-1]))


def n_step_return(
    rewards: Float[Array, " n"],
    terminated: Float[Array, " n"],
    last: Float[Array, " n"],
    discount: float | Float[Array, ""],
) -> tuple[Float[Array, ""], Float[Array, ""], Int[Array, ""]]:
    """The n-step return of one window, cut at the first step that ended its episode.

    With k the number of steps used, R = sum_{i<k} gamma^i r_i and the bootstrap is gamma^k (1 - terminated_{k-1}),
    to be multiplied with the value of step k - 1's next observation (Sutton and Barto 2018, equation 7.1).

    Args:
        rewards: `[n]` consecutive rewards.
        terminated: `[n]` 1 where the next state has no value.
        last: `[n]` 1 where the episode ended, terminated or truncated.
        discount: gamma.

    Returns:
        The return, the bootstrap's discount, and the index k - 1 of the last step used.
    """
    steps = rewards.shape[0]
    powers = jnp.cumprod(jnp.full((steps,), discount, rewards.dtype))
    still = jnp.cumprod(1.0 - last)
    used = jnp.concatenate([jnp.ones((1,), still.dtype), still[:-1]])
    before = jnp.concatenate([jnp.ones((1,), powers.dtype), powers[:-1]])
    index = jnp.sum(used).astype(jnp.int32) - 1
    # where, not a product: a non-finite reward of the next episode must not leak through 0 * inf.
    total = jnp.sum(jnp.where(used > 0, before * rewards, 0.0))
    return total, powers[index] * (1.0 - terminated[index]), index
