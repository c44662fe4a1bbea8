"""Checks of fields at construction: they look at numbers and arrays, and let tracers pass."""

from collections.abc import Callable

import numpy as np
from jax.core import Tracer
from jaxtyping import Array

from entropax.errors import EntropaxError


def holds(condition: Callable[..., np.ndarray | bool], *values: float | Array) -> bool:
    """Whether a condition holds for all entries of the values; True when any of them is traced.

    Inside `jit`, `vmap` and `grad` a field has no value to check; it was checked where it was made.
    """
    if any(isinstance(value, Tracer) for value in values):
        return True
    return bool(np.all(condition(*(np.asarray(value, np.float64) for value in values))))


def require_positive(owner: str, name: str, value: float | Array, remedy: str) -> None:
    """Raises EntropaxError unless a field is finite and above zero."""
    if not holds(lambda number: np.isfinite(number) & (number > 0), value):
        raise EntropaxError(f"{owner}: {name} must be finite and above 0, got {value}. {remedy}")


def require_finite(owner: str, name: str, value: float | Array, remedy: str) -> None:
    """Raises EntropaxError unless a field is finite."""
    if not holds(np.isfinite, value):
        raise EntropaxError(f"{owner}: {name} must be finite, got {value}. {remedy}")


def require_share(owner: str, name: str, value: float | Array, remedy: str) -> None:
    """Raises EntropaxError unless a field is a share of the run, in (0, 1]."""
    if not holds(lambda share: (share > 0) & (share <= 1), value):
        raise EntropaxError(f"{owner}: {name} is a share of the run, in (0, 1], got {value}. {remedy}")


def require_fading(owner: str, discount: float | Array, endless: str) -> None:
    """Raises EntropaxError unless a discount is in [0, 1), as needed by what no episode's end cuts: `endless`."""
    if not holds(lambda number: (number >= 0) & (number < 1), discount):
        raise EntropaxError(
            f"{owner}: discount is {discount}, but {endless} never end, so that they need one in [0, 1). Published is "
            "0.99."
        )
