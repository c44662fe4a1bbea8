"""From a module's fields to command-line flags: abstract parts become subcommands, docstrings become help."""

import ast
import dataclasses
import functools
import inspect
import re
import textwrap
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Union

import equinox as eqx
import tyro
from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructFieldSpec, StructTypeInfo

registry = ConstructorRegistry()
"""Reads modules from flags; pass it to `tyro.cli`."""


@functools.cache
def field_help(owner: type) -> dict[str, str]:
    """What a class says of each field: the string below it, or its line under `Attributes:`."""
    found = {}
    section = re.search(r"Attributes:\n((?:[ \t]+.*\n?|\n)*?)(?:\n\S|\Z)", inspect.getdoc(owner) or "")
    for name, text in re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", section.group(1) if section else "", re.MULTILINE):
        found[name] = " ".join(text.split())
    body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
    assert isinstance(body, ast.ClassDef)
    for field, text in zip(body.body[:-1], body.body[1:], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            found[ast.unparse(field.target)] = " ".join(str(text.value.value).split())
    return found


def final_classes(part: type) -> Iterator[type]:
    """The concrete classes of an abstract part, in the order of their definition."""
    for below in part.__subclasses__():
        if inspect.isabstract(below):
            yield from final_classes(below)
        elif below.__module__.startswith("entropax."):
            yield below


def _class_of(hint: Any) -> Any:
    """An abstract part without its parameter, as in `AbstractNoise[Any]`; any other hint as it is."""
    origin = typing.get_origin(hint)
    return origin if inspect.isclass(origin) and inspect.isabstract(origin) else hint


def _holds(owner: type, part: type) -> bool:
    """Whether a module has a field for an abstract part."""
    hints = typing.get_type_hints(owner)
    return any(_class_of(hints[field.name]) is part for field in dataclasses.fields(owner))


@functools.cache
def choices(part: type, owner: type) -> Any:
    """A union of the final classes that may stand for an abstract part.

    Within a class of that part, such as a passage between two targets, only those without parts of its kind: nesting
    would never end.
    """
    nested = issubclass(owner, part)
    classes = [found for found in final_classes(part) if not (nested and _holds(found, part))]
    described = tuple(Annotated[found, tyro.conf.subcommand(description=_summary(found))] for found in classes)
    return Union[described] if described else part  # noqa: UP007


def _summary(owner: type) -> str:
    """The first line of a class's docstring."""
    return (inspect.getdoc(owner) or "").partition("\n")[0]


@registry.struct_rule
def module_rule(info: StructTypeInfo) -> StructConstructorSpec | None:
    """One flag a field of an Equinox module."""
    owner = info.type
    if not (inspect.isclass(owner) and issubclass(owner, eqx.Module)) or inspect.isabstract(owner):
        return None
    hints, help_of = typing.get_type_hints(owner), field_help(owner)
    specs = []
    for field in dataclasses.fields(owner):
        kind = _class_of(hints[field.name])
        if inspect.isclass(kind) and inspect.isabstract(kind):
            kind = choices(kind, owner)
        default = vars(info.default)[field.name] if isinstance(info.default, owner) else field.default
        specs.append(StructFieldSpec(field.name, kind, default, help_of.get(field.name)))
    return StructConstructorSpec(instantiate=owner, fields=tuple(specs))
