"""A module's fields as JSON and back: what `run.json` and a policy file say about an algorithm."""

import collections
import dataclasses
import difflib
import functools
import importlib
import inspect
import math
import pkgutil
import types
import typing
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import jax
import numpy as np

from entropax.errors import EntropaxError

_HOMES = ("types", "temperature", "networks", "intrinsic", "algorithms", "exploration", "envs", "loops")


def _modules(root: str) -> list[ModuleType]:
    """A package or module of this library and everything below it."""
    home = importlib.import_module(root)
    below = pkgutil.walk_packages(vars(home).get("__path__", ()), prefix=f"{root}.")
    return [home, *(importlib.import_module(found.name) for found in below)]


@functools.cache
def known_types() -> Mapping[str, type]:
    """The final dataclasses and modules of this library by class name: the only types a configuration may name.

    A name that two classes share is left out, so that a configuration never means the wrong one.
    """
    found: dict[str, set[type]] = collections.defaultdict(set)
    for home in _HOMES:
        for module in _modules(f"entropax.{home}"):
            for name, value in vars(module).items():
                ours = inspect.isclass(value) and value.__module__.startswith("entropax.")
                if ours and dataclasses.is_dataclass(value) and not inspect.isabstract(value):
                    found[name].add(value)
    return {name: next(iter(classes)) for name, classes in found.items() if len(classes) == 1}


def _encode(value: Any, where: str) -> Any:
    if isinstance(value, jax.Array | np.ndarray | np.generic) and np.ndim(value) == 0:
        value = np.asarray(value).item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"type": "float", "value": str(value)}
    if isinstance(value, tuple | list):
        return [_encode(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _encode_module(value, where)
    raise EntropaxError(
        f"{where} holds a {type(value).__name__}, which a configuration cannot hold: only numbers, strings, tuples "
        "and modules of entropax can be rebuilt from JSON. For a swept batch, save one member."
    )


def _encode_module(module: Any, where: str) -> dict[str, Any]:
    name = type(module).__name__
    if known_types().get(name) is not type(module):
        raise EntropaxError(
            f"{where} is a {name}, which is not a type of entropax (or shares its name with another), so a run could "
            f"not be rebuilt from its configuration. Known types: {', '.join(sorted(known_types()))}."
        )
    fields = (field.name for field in dataclasses.fields(module) if field.init)
    return {"type": name} | {field: _encode(vars(module)[field], f"{where}.{field}") for field in fields}


def to_config(module: Any) -> dict[str, Any]:
    """Writes a module's fields, nested modules included, as plain JSON values.

    Args:
        module: an instance of a class in `known_types()`.

    Returns:
        `{"type": class name, field: value, …}`; tuples are lists, infinities and NaN
        `{"type": "float", "value": "inf"}`.

    Raises:
        EntropaxError: a field holds something that JSON cannot rebuild.
    """
    return _encode_module(module, type(module).__name__)


def _decode(value: Any, where: str) -> Any:
    if isinstance(value, list):
        return tuple(_decode(item, f"{where}[{index}]") for index, item in enumerate(value))
    if not isinstance(value, dict):
        return value
    kind, named = value.get("type"), value.get("value")
    if kind == "float" and named in ("inf", "-inf", "nan"):
        return float(named)
    return _decode_module(value, where)


def _fits(value: Any, annotation: Any) -> bool:
    """Whether a value is what a field's annotation says; what is neither number, text nor module is not judged."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return value in arguments
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, option) for option in arguments)
    if origin is tuple and arguments[1:] == (...,):
        return isinstance(value, tuple) and all(_fits(item, arguments[0]) for item in value)
    kind = origin or annotation
    if kind in (bool, int, float, str, types.NoneType):
        return type(value) is kind
    return not (inspect.isclass(kind) and dataclasses.is_dataclass(kind)) or isinstance(value, kind)


def _field(value: Any, annotation: Any, where: str) -> Any:
    """Decodes one field and holds it to its annotation; a whole number is a fine float."""
    decoded = _decode(value, where)
    if annotation is float and type(decoded) is int:
        return float(decoded)
    if annotation == tuple[float, ...] and isinstance(decoded, tuple):
        decoded = tuple(float(item) if type(item) is int else item for item in decoded)
    if not _fits(decoded, annotation):
        wanted = annotation.__name__ if inspect.isclass(annotation) else str(annotation)
        raise EntropaxError(f"{where} is {value!r}, but must be of type {wanted}. Correct the configuration.")
    return decoded


def _decode_module(config: Mapping[str, Any], where: str) -> Any:
    name = config.get("type")
    if not isinstance(name, str) or name not in known_types():
        near = difflib.get_close_matches(str(name), known_types(), n=3)
        hint = f" Near it: {', '.join(near)}." if near else ""
        raise EntropaxError(
            f"{where} names the type {name!r}, which this version does not know: a newer version or a plugin wrote it, "
            f"or it was edited. Upgrade, or use what wrote it.{hint}"
        )
    kind = known_types()[name]
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    unknown = sorted(config.keys() - fields.keys() - {"type"})
    if unknown:
        raise EntropaxError(
            f"{where} gives {name} the unknown fields {unknown}: a newer version wrote it, or it was edited. "
            f"{name} has {sorted(fields)}."
        )
    values = {
        field: _field(config[field], fields[field].type, f"{where}.{field}") for field in fields if field in config
    }
    try:
        return kind(**values)
    except (TypeError, ValueError) as cause:
        why = str(cause).rstrip(".")  # A message of ours ends with one, Python's without.
        raise EntropaxError(f"{where}: {name} refuses this configuration: {why}. Correct the field named.") from cause


def from_config(config: Mapping[str, Any]) -> Any:
    """Rebuilds a module from what `to_config` wrote; fields left out take their defaults.

    Raises:
        EntropaxError: an unknown type or field, a value of the wrong type, or a value the module refuses.
    """
    return _decode_module(config, "configuration")


def renewed(config: Mapping[str, Any]) -> dict[str, Any]:
    """What an older version wrote, as this one writes it: fields added since have their defaults.

    Raises:
        EntropaxError: as `from_config`.
    """
    return to_config(from_config(config))
