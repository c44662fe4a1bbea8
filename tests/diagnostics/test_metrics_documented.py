"""Every metric that the package names has its line in docs/metrics.md, another library's in docs/diagnose.md."""

import ast
import re
from pathlib import Path

import entropax

_NAME = re.compile(r"(rollout|train|entropy|exploration|eval|time)/[a-z_]+")
_PACKAGE = Path(entropax.__file__).parent
PAGES = ("metrics.md", "diagnose.md", "llm_diagnosis.md")


def named_metrics() -> set[str]:
    """String literals of the package that are metric names."""
    found = set()
    for file in _PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _NAME.fullmatch(node.value):
                found.add(node.value)
    return found


def test_every_metric_is_documented():
    text = "".join((_PACKAGE.parent / "docs" / name).read_text("utf-8") for name in PAGES)
    documented = {match[1] for match in re.finditer(r"`([a-z]+/[a-z_]+)`", text)}
    assert "entropy/nats" in named_metrics()
    assert sorted(named_metrics() - documented) == []


def test_every_documented_entropy_metric_has_a_formula_and_a_unit():
    text = (_PACKAGE.parent / "docs" / "metrics.md").read_text("utf-8")
    rows = [re.split(r"(?<!\\)\|", line) for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) >= 30
    for row in rows:
        assert len(row) == 7, row
        assert row[2].strip(), row[1]
        assert row[3].strip(), row[1]
