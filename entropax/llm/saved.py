"""A controller's state as strict JSON and back, exact to the last bit."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, TypeVar

import jax
import numpy as np

from entropax.errors import EntropaxError

_SCHEMA = 1
_NAMED = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
"""Floats that strict JSON has no number for."""
_REMEDY = "Restore the checkpoint from a backup, or start anew with Controller.begin()."

Tree = TypeVar("Tree")


def settings(value: Any, name: str) -> dict[str, Any]:
    """What a dataclass of numbers and dataclasses is set to, by dotted name; a part's own name tells its class."""
    if dataclasses.is_dataclass(value):
        found = {name: type(value).__name__}
        for field in dataclasses.fields(value):
            found |= settings(vars(value)[field.name], f"{name}.{field.name}")
        return found
    return {name: _plain(np.asarray(value).tolist())}


def encoded(written: dict[str, Any], state: Any) -> dict[str, Any]:
    """Settings and the numbers of a PyTree, each with its name."""
    return {
        "schema": _SCHEMA,
        "settings": written,
        "state": {name: _plain(leaf.item()) for name, leaf in _named(state)},
    }


def decoded(saved: Any, expected: dict[str, Any], like: Tree) -> Tree:
    """The PyTree that was written.

    Args:
        saved: from `encoded`.
        expected: the settings under which it is read.
        like: a PyTree with the same names and types; its numbers are not looked at.

    Raises:
        EntropaxError: another schema, other settings, or numbers that `encoded` never wrote.
    """
    if not isinstance(saved, Mapping) or set(saved) != {"schema", "settings", "state"}:
        raise EntropaxError(
            "A controller's saved state is an object of schema, settings and state, but this one is "
            f"{sorted(saved) if isinstance(saved, Mapping) else type(saved).__name__}. {_REMEDY}"
        )
    if saved["schema"] != _SCHEMA:
        raise EntropaxError(
            f"A controller's state of schema {saved['schema']!r}; this version reads {_SCHEMA}. Upgrade Entropax."
        )
    if saved["settings"] != expected:
        raise EntropaxError(
            f"The controller's state was saved under other settings: {_differences(saved['settings'], expected)}. "
            "Restore it with the controller that wrote it, or start anew with Controller.begin()."
        )
    names = [name for name, _ in _named(like)]
    numbers = saved["state"]
    if not isinstance(numbers, Mapping) or set(numbers) != set(names):
        given = sorted(set(numbers) ^ set(names)) if isinstance(numbers, Mapping) else "all of them"
        raise EntropaxError(f"The controller's saved state lacks or adds {given}. {_REMEDY}")
    leaves = [_number(name, numbers[name], leaf.dtype) for name, leaf in _named(like)]
    own = jax.tree.leaves(like)
    leaves = [leaf.item() if isinstance(old, bool | float) else leaf for leaf, old in zip(leaves, own, strict=True)]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _named(tree: Any) -> list[tuple[str, Any]]:
    """The leaves, as arrays or shapes, with their names."""
    return [
        (jax.tree_util.keystr(path).lstrip("."), leaf if isinstance(leaf, jax.ShapeDtypeStruct) else np.asarray(leaf))
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    ]


def _plain(value: Any) -> Any:
    """A number or text as strict JSON has it."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _number(name: str, value: Any, dtype: np.dtype) -> np.ndarray:
    """The number of its type. Raises EntropaxError where the type cannot hold just that."""
    floats = np.issubdtype(dtype, np.floating)
    wanted = bool if dtype == np.bool_ else float if floats else int
    given = _NAMED.get(value, value) if floats and isinstance(value, str) else value
    if type(given) is wanted:
        with np.errstate(over="ignore"):
            number = np.asarray(given).astype(dtype)
        if number.item() == given or number.item() != number.item():
            return number
    raise EntropaxError(
        f"The controller's saved state has {name} = {value!r}, which is no {np.dtype(dtype).name} that was written "
        f"there. {_REMEDY}"
    )


def _differences(saved: Any, expected: dict[str, Any]) -> str:
    """The settings that differ, each as saved and as expected."""
    if not isinstance(saved, Mapping):
        return f"{saved!r} is no object"
    names = [name for name in {**saved, **expected} if saved.get(name) != expected.get(name)]
    return "; ".join(f"{name} was {saved.get(name)!r}, is {expected.get(name)!r}" for name in names)
