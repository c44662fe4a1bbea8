"""The floor plan: a folder imports only from those before it; files, functions and vocabulary stay small."""

import ast
import functools
from pathlib import Path

import pytest

import entropax

PACKAGE = Path(entropax.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

FLOORS = (
    "errors",
    "types",
    "distributions",
    "networks",
    "policies",
    "ops",
    "temperature",
    "optimiser",
    "replay",
    "intrinsic",
    "algorithms",
    "exploration",
    "envs",
    "tabular",
    "diagnostics",
    "llm",
    "runs",
    "loops",
    "report",
    "experiments",
    "cli",
    "__main__",
    "plugins",
)
"""From the ground up. Diagnostics and runs lie below the loops, whose driver measures and writes; no other part
imports the plugins, which need what only an extra installs."""


@functools.cache
def _trees():
    return [(path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text("utf-8"))) for path in FILES]


def _floor(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def _imports(tree: ast.Module) -> set[str]:
    """Floors of this package that a file imports, late imports included."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            if node.module == "entropax":
                found |= {alias.name for alias in node.names}
            elif node.module and node.module.startswith("entropax."):
                found.add(_floor(node.module))
        elif isinstance(node, ast.Import):
            found |= {_floor(alias.name) for alias in node.names if alias.name.split(".")[0] == "entropax"}
    return found


def test_every_file_has_a_floor():
    floors = {name.split("/")[0].removesuffix(".py") for name, _ in _trees()} - {"__init__"}
    assert sorted(floors - set(FLOORS)) == []
    assert sorted(set(FLOORS) - floors) == []


def test_imports_point_to_the_floors_below():
    upward = []
    for name, tree in _trees():
        own = name.split("/")[0].removesuffix(".py")
        if own == "__init__":
            continue
        below = FLOORS[: FLOORS.index(own) + 1]
        upward += [f"{name} imports {floor}" for floor in _imports(tree) if floor not in below]
    assert upward == []


@pytest.mark.parametrize(("folder", "limit"), [("", 400), ("algorithms", 200)])
def test_files_are_short(folder, limit):
    lengths = {path.name: len(path.read_text("utf-8").splitlines()) for path in (PACKAGE / folder).rglob("*.py")}
    assert {name: length for name, length in lengths.items() if length > limit} == {}


def test_functions_are_short():
    long = []
    for name, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                long += [f"{name}:{node.name} {length}"] if length > 60 else []
    assert long == []


def test_nothing_is_unpickled_evaluated_or_guessed():
    calls = {"eval", "exec", "hasattr", "getattr", "super", "__import__"}
    modules = {"pickle", "cloudpickle", "dill", "marshal", "shelve", "joblib"}
    found = []
    for name, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in calls:
                found.append(f"{name}:{node.lineno} {node.func.id}()")
            if isinstance(node, ast.Import | ast.ImportFrom):
                named = [alias.name for alias in node.names]
                named += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                found += [f"{name}:{node.lineno} {module}" for module in named if module.split(".")[0] in modules]
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                found.append(f"{name}:{node.lineno} allow_pickle")
    assert found == []


def test_public_definitions_have_a_docstring():
    missing = []
    for name, tree in _trees():
        for node in ast.walk(tree):
            public = isinstance(node, ast.ClassDef) and not node.name.startswith("_")
            for item in [node, *node.body] if public else []:
                named = isinstance(item, ast.ClassDef | ast.FunctionDef) and not item.name.startswith("_")
                missing += [f"{name}:{item.name}"] if named and ast.get_docstring(item) is None else []
        for item in tree.body:
            named = isinstance(item, ast.FunctionDef) and not item.name.startswith("_")
            missing += [f"{name}:{item.name}"] if named and ast.get_docstring(item) is None else []
    assert missing == []
