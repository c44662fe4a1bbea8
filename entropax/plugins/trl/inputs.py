"""The tokens of a micro-batch of TRL's."""

import warnings
from typing import Any

from entropax.llm import Tokens, tokens


class EmptyBatchWarning(UserWarning):
    """A micro-batch without a token to learn from."""


def mask_of(inputs: dict[str, Any]) -> Any:
    """True at the tokens that the policy wrote and is to learn from, `[batch, token]`."""
    mask = inputs["completion_mask"]
    return (mask * inputs["tool_mask"] if "tool_mask" in inputs else mask).bool()


def micro_batch(inputs: dict[str, Any], log_prob: Any, entropy: Any) -> Tokens:
    """The tokens of TRL's inputs to a loss, whose log-probabilities and entropies were just computed.

    Raises:
        EntropaxError: shapes differ, or a number is not finite.
    """
    mask = mask_of(inputs)
    # TRL leaves them out where the policy that drew the tokens is still the one that learns.
    old = inputs.get("old_per_token_logps")
    old = log_prob.detach() if old is None else old
    some = bool(mask.any())
    if not some:
        warnings.warn(
            "No token of this micro-batch is to be learned from, so it has no gradient. Are all its completions "
            "truncated (mask_truncated_completions) or masked by a tool?",
            EmptyBatchWarning,
            stacklevel=2,
        )
    return tokens(log_prob, old, inputs["advantages"], mask, entropy, checked=some)
