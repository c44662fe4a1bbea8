"""What a policy of tokens earns by its likeliest answers: beside what all earn, the price of its randomness."""

from typing import Any

import array_api_compat
from jaxtyping import Float

LIKELIEST = "entropax/likeliest_reward"


def likeliest_reward(log_prob: Float[Any, "prompt sample"], reward: Float[Any, "prompt sample"]) -> Any:
    """Mean over prompts of what the likeliest of their samples earns; of equally likely ones, the mean.

    It estimates what an almost greedy policy would earn, from samples that were drawn anyhow. Sums of log-probabilities
    favour short answers, so it says little where lengths differ for reasons of their own.

    Args:
        log_prob: of every sample under the policy that drew it, summed over its tokens, nats.
        reward: of every sample.

    Example:
        >>> import numpy as np
        >>> logs, rewards = np.log([[0.5, 0.1, 0.1, 0.1]]), np.asarray([[1.0, 0.0, 0.0, -1.0]])
        >>> float(likeliest_reward(logs, rewards)), float(rewards.mean())
        (1.0, 0.0)
    """
    xp = array_api_compat.array_namespace(log_prob, reward)
    first = xp.astype(log_prob == xp.max(log_prob, axis=1, keepdims=True), reward.dtype)
    return xp.mean(xp.sum(first * reward, axis=1) / xp.sum(first, axis=1))
