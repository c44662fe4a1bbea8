"""What entropy is for: how often one of several tries is right, and how many different right answers there are."""

from collections.abc import Hashable, Sequence

import numpy as np

from entropax.errors import EntropaxError


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """Unbiased estimate of the probability that one of k samples is right: 1 - C(n - c, k) / C(n, k).

    arXiv 2107.03374, equation 1, in its product form.

    Args:
        samples: n drawn.
        correct: c of them right.
        k: how many may be tried, at most n.

    Raises:
        EntropaxError: the numbers do not fit together.

    Example:
        >>> pass_at_k(4, 2, 1), pass_at_k(4, 0, 2), pass_at_k(4, 3, 2)
        (0.5, 0.0, 1.0)
    """
    if not 0 <= correct <= samples or not 1 <= k <= samples:
        raise EntropaxError(
            f"pass_at_k: {correct} right of {samples} samples, k = {k}. It needs 0 <= right <= samples and 1 <= k <= "
            "samples: from fewer than k samples nothing is known of k tries."
        )
    wrong = samples - correct
    return 1.0 - float(np.prod(1.0 - k / np.arange(wrong + 1, samples + 1))) if wrong >= k else 1.0


def distinct(solutions: Sequence[Hashable]) -> int:
    """How many different ones there are. Give solutions in a form in which equal ones are equal, not raw text."""
    return len(set(solutions))


def solution_measures(groups: Sequence[Sequence[tuple[Hashable, bool]]]) -> dict[str, float]:
    """Means over prompts, for a trainer's log: pass@1, pass@n of the whole group, and counts of different solutions.

    Args:
        groups: for each prompt its samples, as solution and whether it is right.

    Raises:
        EntropaxError: there is no prompt, or one without a sample.

    Example:
        >>> found = solution_measures([[("4", True), ("four", True), ("5", False)]])
        >>> found["entropax/distinct"], found["entropax/distinct_correct"]
        (3.0, 2.0)
    """
    if not groups or not all(groups):
        raise EntropaxError("solution_measures: every prompt needs a sample, and there must be one. Skip empty groups.")
    rights = [sum(right for _, right in group) for group in groups]
    sizes = [len(group) for group in groups]
    return {
        "entropax/pass_at_1": float(np.mean([pass_at_k(n, c, 1) for n, c in zip(sizes, rights, strict=True)])),
        "entropax/pass_at_group": float(np.mean([pass_at_k(n, c, n) for n, c in zip(sizes, rights, strict=True)])),
        "entropax/distinct": float(np.mean([distinct([one for one, _ in group]) for group in groups])),
        "entropax/distinct_correct": float(
            np.mean([distinct([one for one, right in group if right]) for group in groups])
        ),
    }
