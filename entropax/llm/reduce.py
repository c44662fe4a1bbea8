"""What "the batch" is: the tokens at hand, or those of all processes too. Methods that select tokens must be told."""

import abc
from typing import Any

import jax
from jaxtyping import Num


class AbstractReducer(abc.ABC):
    """Sums and gathers over the global batch.

    A share of 2e-4 of a micro-batch of 500 tokens is no token at all, and the largest of 500 are not the largest of
    50,000: a method that selects must see the batch of an optimiser step.
    """

    @abc.abstractmethod
    def total(self, value: Num[Any, ""]) -> Num[Any, ""]:
        """The sum of a number over all parts of the batch."""

    @abc.abstractmethod
    def gather(self, values: Num[Any, " here"]) -> Num[Any, " everywhere"]:
        """The values of all parts, one after the other."""

    @abc.abstractmethod
    def here(self, gathered: Num[Any, " everywhere"], size: int) -> Num[Any, " here"]:
        """Of what `gather` returned, the part of this process, `size` long."""


class ThisBatch(AbstractReducer):
    """The tokens at hand are all there are."""

    def total(self, value: Any) -> Any:
        """The number itself."""
        return value

    def gather(self, values: Any) -> Any:
        """The values themselves."""
        return values

    def here(self, gathered: Any, size: int) -> Any:
        """All of them."""
        return gathered


class OverAxis(AbstractReducer):
    """Over a named axis of `jax.vmap`, `jax.pmap` or `jax.shard_map`.

    Attributes:
        axis: its name.
    """

    def __init__(self, axis: str):
        self.axis = axis

    def total(self, value: Any) -> Any:
        """The sum over the axis."""
        return jax.lax.psum(value, self.axis)

    def gather(self, values: Any) -> Any:
        """The values along the axis, one after the other."""
        return jax.lax.all_gather(values, self.axis, tiled=True)

    def here(self, gathered: Any, size: int) -> Any:
        """The part at this index of the axis."""
        return jax.lax.dynamic_slice_in_dim(gathered, jax.lax.axis_index(self.axis) * size, size)
