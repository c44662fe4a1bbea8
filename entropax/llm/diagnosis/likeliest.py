"""What a policy of tokens earns by its likeliest answers: beside what all earn, the price of its randomness."""

from typing import Any

import array_api_compat
from jax.core import Tracer
from jaxtyping import Float

from entropax.errors import EntropaxError
from entropax.llm.tokens import require_same_shape

LIKELIEST = "entropax/likeliest_reward"


def likeliest_reward(log_prob: Float[Any, "prompt sample"], reward: Float[Any, "prompt sample"]) -> Any:
    """Mean over prompts of what the likeliest of their samples earns; of equally likely ones, the mean.

    It estimates what an almost greedy policy would earn, from samples that were drawn anyhow. Sums of log-probabilities
    favour short answers, so it says little where lengths differ for reasons of their own.

    Args:
        log_prob: of every sample under the policy that drew it, summed over its tokens, nats.
        reward: of every sample.

    Raises:
        EntropaxError: the shapes differ or have no two axes, or, but for `jax.jit`, a number is not finite.

    Example:
        >>> import numpy as np
        >>> logs, rewards = np.log([[0.5, 0.1, 0.1, 0.1]]), np.asarray([[1.0, 0.0, 0.0, -1.0]])
        >>> float(likeliest_reward(logs, rewards)), float(rewards.mean())
        (1.0, 0.0)
    """
    xp = array_api_compat.array_namespace(log_prob, reward)
    require_same_shape("log_prob", log_prob, {"reward": reward})
    if log_prob.ndim != 2:
        raise EntropaxError(f"likeliest_reward: log_prob is {tuple(log_prob.shape)}, not [prompt, sample]. Reshape it.")
    if not isinstance(log_prob, Tracer) and not bool(xp.all(xp.isfinite(log_prob) & xp.isfinite(reward))):
        raise EntropaxError(
            "likeliest_reward: a log-probability or a reward is NaN or infinite. Leave out prompts with such samples."
        )
    first = xp.astype(log_prob == xp.max(log_prob, axis=1, keepdims=True), reward.dtype)
    return xp.mean(xp.sum(first * reward, axis=1) / xp.sum(first, axis=1))
