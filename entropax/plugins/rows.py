"""Micro-batches of tokens as rows of one tensor, so that one collective moves all their fields."""

from collections.abc import Sequence
from typing import Any

import torch  # pyright: ignore[reportMissingImports]

from entropax.llm import AbstractMethod, State, ThisBatch, Tokens, Weights


def packed(parts: Sequence[Tokens]) -> Any:
    """The tokens of all parts, `[row, field, token]`, as long as the longest; padding is 0."""
    longest = max(part.mask.shape[1] for part in parts)
    return torch.cat([torch.stack([padded(field, longest) for field in _fields(part)], dim=1) for part in parts])


def padded(field: Any, length: int) -> Any:
    """Zeros after the last token, up to a length."""
    return torch.nn.functional.pad(field, (0, length - field.shape[-1]))


def unpacked(rows: Any) -> Tokens:
    """Tokens again."""
    log_prob, old_log_prob, advantages, mask, *entropy = rows.unbind(dim=1)
    return Tokens(log_prob, old_log_prob, advantages, mask > 0, entropy[0] if entropy else None)


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


def weighed(parts: Sequence[tuple[Tokens, Weights]]) -> Any:
    """The tokens of all parts as `packed` has them, and two fields more for their weights."""
    rows = packed([tokens for tokens, _ in parts])
    beside = [torch.stack([padded(one, rows.shape[2]) for one in weights], dim=1) for _, weights in parts]
    return torch.cat([rows, torch.cat(beside)], dim=1)


def unweighed(rows: Any) -> tuple[Tokens, Weights]:
    """Tokens and their weights again."""
    return unpacked(rows[:, :-2]), Weights(rows[:, -2], rows[:, -1])


def together(accelerator: Any, parts: Sequence[tuple[Tokens, Weights]]) -> tuple[Tokens, Weights]:
    """The micro-batches of an optimiser step and their weights as one batch, those of all processes at once.

    Every process calls this at the same time, with as many rows.
    """
    return unweighed(accelerator.gather(accelerator.pad_across_processes(weighed(parts), dim=2)))


def _fields(part: Tokens) -> list[Any]:
    fields = [part.log_prob, part.old_log_prob, part.advantages, part.mask.to(part.log_prob.dtype)]
    return fields if part.entropy is None else [*fields, part.entropy]
