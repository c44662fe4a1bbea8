"""A batch of tokens whose numbers are drawn once, for tests of methods."""

import numpy as np

ROWS, LENGTH, WORDS = 6, 5, 7


def logits(seed: int = 0) -> np.ndarray:
    """`[rows, length, words]` of a policy that learns."""
    return np.random.default_rng(seed).normal(0, 1.2, (ROWS, LENGTH, WORDS)).astype(np.float32)


def words() -> np.ndarray:
    """`[rows, length]` of what was drawn."""
    return np.random.default_rng(1).integers(WORDS, size=(ROWS, LENGTH))


def mask() -> np.ndarray:
    """`[rows, length]`: completions of different length, all of them at least one token long."""
    return np.arange(LENGTH) < np.random.default_rng(2).integers(1, LENGTH + 1, (ROWS, 1))


def log_softmax(values: np.ndarray) -> np.ndarray:
    """Log-probabilities of logits."""
    shifted = values - values.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def arrays() -> dict[str, np.ndarray]:
    """What a trainer would hand over; ratios between about 0.2 and 5."""
    log_probs = log_softmax(logits())
    log_prob = np.take_along_axis(log_probs, words()[..., None], -1)[..., 0]
    noise = np.random.default_rng(3).normal(0, 0.5, log_prob.shape).astype(np.float32)
    return {
        "log_prob": log_prob,
        "old_log_prob": np.minimum(log_prob + noise, np.float32(-1e-3)),
        "advantages": np.random.default_rng(4).normal(0, 2, ROWS).astype(np.float32),
        "mask": mask(),
        "entropy": -(np.exp(log_probs) * log_probs).sum(-1),
    }
