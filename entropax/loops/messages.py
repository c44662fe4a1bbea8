"""What two processes of one run say to each other: JSON, and arrays beside it as plain memory. Nothing is unpickled."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from entropax.runs.tensors import Records

Content = dict[str, Any]
"""What a message says, as JSON."""
Arrays = Mapping[str, np.ndarray]


class Channel:
    """Messages over two pipes; each arrives whole or not at all."""

    def __init__(self, reading: io.BufferedReader, writing: io.BufferedWriter):
        self._reading, self._writing = reading, writing

    def send(self, content: Content, arrays: Arrays | None = None) -> None:
        """Writes a message; arrays are not copied unless they have gaps.

        Raises:
            BrokenPipeError: nobody reads any more.
        """
        dense = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
        shapes = {name: [array.dtype.str, np.shape((arrays or {})[name])] for name, array in dense.items()}
        head = json.dumps({"content": content, "arrays": shapes}).encode()
        self._writing.write(len(head).to_bytes(8, "little") + head)
        for array in dense.values():
            self._writing.write(_memory(array))
        self._writing.flush()

    def receive(self) -> tuple[Content, dict[str, np.ndarray]]:
        """Waits for a message.

        Raises:
            EOFError: the other side has gone.
        """
        head = json.loads(self._read(np.empty(int(self._read(np.empty(1, "<u8"))[0]), np.uint8)).tobytes())
        arrays = {name: self._read(np.empty(shape, dtype)) for name, (dtype, shape) in head["arrays"].items()}
        return head["content"], arrays

    def _read(self, array: np.ndarray) -> np.ndarray:
        """Fills an array from the pipe."""
        rest = _memory(array)
        while len(rest):
            count = self._reading.readinto(rest)
            if not count:
                raise EOFError
            rest = rest[count:]
        return array

    def close(self) -> None:
        """Ends what the other side reads."""
        self._writing.close()


def _memory(array: np.ndarray) -> memoryview:
    """The bytes of an array without gaps."""
    return array.reshape(-1).view(np.uint8).data


@jax.tree_util.register_pytree_with_keys_class
@dataclass(frozen=True)
class Named:
    """A tree's leaves by key path, where its structure is not known: a file names them as it names the tree's."""

    leaves: dict[str, Any]

    def tree_flatten_with_keys(self) -> tuple[list[tuple[str, Any]], tuple[str, ...]]:
        """The leaves with their names as keys."""
        return list(self.leaves.items()), tuple(self.leaves)

    @classmethod
    def tree_unflatten(cls, names: tuple[str, ...], leaves: Any) -> "Named":
        """Puts leaves under these names."""
        return cls(dict(zip(names, leaves, strict=True)))


@dataclass(frozen=True)
class Shape:
    """What `entropax.runs.restore_checkpoint` asks of a leaf that is to come."""

    dtype: str
    shape: tuple[int, ...]


def named(arrays: Arrays, records: Records) -> Named:
    """A tree from what `entropax.runs.tensors.name_leaves` made of it: in NumPy, but for random keys."""
    return Named({name: _leaf(arrays[name], record) for name, record in records.items()})


def _leaf(memory: np.ndarray, record: Mapping[str, Any]) -> Any:
    if record["generator"] is not None:
        return jax.random.wrap_key_data(jax.numpy.asarray(memory), impl=record["generator"])
    return memory.view(jax.numpy.dtype(record["dtype"])).reshape(record["shape"])
