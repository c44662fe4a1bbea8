"""A memory of tokens, for trainers that hand over one micro-batch at a time."""

from collections import deque
from typing import Any

import torch  # pyright: ignore[reportMissingImports]

from entropax.llm import AbstractMethod, State, ThisBatch, Tokens, Weights
from entropax.plugins.rows import packed, padded, unpacked


class Newest:
    """Rows of the newest tokens, as `packed` makes them: as many tokens as an optimiser step has."""

    def __init__(self) -> None:
        self._rows: deque[tuple[int, Any]] = deque()
        """With the number of tokens in them."""

    def add(self, new: Any, size: int | float | None) -> Any:
        """All that are remembered, the newest last.

        Args:
            new: rows to remember.
            size: tokens to keep at least, where there are so many; None for the new ones alone.
        """
        self._rows.append((int((new[:, 3] > 0).sum()), new.detach()))
        while len(self._rows) > 1 and sum(count for count, _ in self._rows) - self._rows[0][0] >= (size or 0):
            self._rows.popleft()
        longest = max(rows.shape[2] for _, rows in self._rows)
        return torch.cat([padded(rows, longest) for _, rows in self._rows])


class Recent:
    """The newest tokens of all processes: what a method selects from.

    verl hands a loss one micro-batch at a time. A selection sees it together with those before, back to the size of the
    global batch, so that what it is compared with is up to one optimiser step old.
    """

    def __init__(self) -> None:
        self._newest = Newest()

    def weights(self, method: AbstractMethod, batch: Tokens, state: State, size: int | None, together: bool) -> Weights:
        """The weights of a micro-batch.

        Args:
            method: which selects.
            batch: the micro-batch.
            state: the method's.
            size: tokens of the global batch; None for this micro-batch alone.
            together: whether all processes call this at the same time, and are gathered.
        """
        own = packed([batch])
        first, new = everywhere(own) if together else (0, own)
        rows = self._newest.add(new, size)
        w, c = method.weights(unpacked(rows), state, ThisBatch())
        start = rows.shape[0] - new.shape[0] + first
        here = (slice(start, start + own.shape[0]), slice(0, own.shape[2]))
        return Weights(w[here], c[here])


def everywhere(own: Any) -> tuple[int, Any]:
    """The rows of all processes, and where this one's begin; processes may have other numbers and lengths of rows."""
    world, rank = torch.distributed.get_world_size(), torch.distributed.get_rank()
    shape = torch.tensor([own.shape[0], own.shape[2]], device=own.device)
    shapes = [torch.empty_like(shape) for _ in range(world)]
    torch.distributed.all_gather(shapes, shape)
    sizes = [int(one[0]) for one in shapes]
    longest = max(int(one[1]) for one in shapes)
    full = own.new_zeros(max(sizes), own.shape[1], longest)
    full[: own.shape[0], :, : own.shape[2]] = own
    answers = [torch.empty_like(full) for _ in range(world)]
    torch.distributed.all_gather(answers, full)
    return sum(sizes[:rank]), torch.cat([one[:size] for one, size in zip(answers, sizes, strict=True)])
