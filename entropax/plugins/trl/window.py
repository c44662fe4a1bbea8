"""The tokens of an optimiser step: of a micro-batch, of all its micro-batches, and of all processes."""

import warnings
from collections.abc import Sequence
from typing import Any

from entropax.llm import AbstractMethod, State, ThisBatch, Tokens, Weights, tokens
from entropax.plugins.rows import packed, unpacked


class EmptyBatchWarning(UserWarning):
    """A micro-batch without a token to learn from."""


def micro_batch(inputs: dict[str, Any], log_prob: Any, entropy: Any) -> Tokens:
    """The tokens of TRL's inputs to a loss, whose log-probabilities and entropies were just computed.

    Raises:
        EntropaxError: shapes differ, or a number is not finite.
    """
    mask = inputs["completion_mask"]
    if "tool_mask" in inputs:
        mask = mask * inputs["tool_mask"]
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


def select_over(accelerator: Any, method: AbstractMethod, parts: Sequence[Tokens], state: State) -> list[Weights]:
    """The weights of every micro-batch, computed on all of them and those of all processes at once.

    Every process calls this at the same time, with as many rows.
    """
    rows = packed(parts)
    everywhere = accelerator.gather(accelerator.pad_across_processes(rows, dim=2))
    w, c = method.weights(unpacked(everywhere), state, ThisBatch())
    weights, row = list[Weights](), accelerator.process_index * rows.shape[0]
    for part in parts:
        here = (slice(row, row + part.mask.shape[0]), slice(0, part.mask.shape[1]))
        weights.append(Weights(w[here], c[here]))
        row += part.mask.shape[0]
    return weights
