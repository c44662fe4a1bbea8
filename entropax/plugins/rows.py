"""Micro-batches of tokens as rows of one tensor, so that one collective moves all their fields."""

from collections.abc import Sequence
from typing import Any

import torch  # pyright: ignore[reportMissingImports]

from entropax.llm import Tokens


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


def _fields(part: Tokens) -> list[Any]:
    fields = [part.log_prob, part.old_log_prob, part.advantages, part.mask.to(part.log_prob.dtype)]
    return fields if part.entropy is None else [*fields, part.entropy]
