"""docs/ops.md: its snippets print what stands below them, and it has every function; docstrings' examples hold."""

import doctest
import re
import runpy
import sys
from pathlib import Path

import pytest

import entropax.ops

PAGE = (Path(__file__).parents[2] / "docs" / "ops.md").read_text("utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
PUBLIC = {name: value for name, value in vars(entropax.ops).items() if callable(value)}


@pytest.mark.parametrize(("snippet", "printed"), SNIPPETS, ids=range(len(SNIPPETS)))
def test_snippets_print_what_the_page_says(snippet, printed, tmp_path, capsys):
    (tmp_path / "snippet.py").write_text(snippet, "utf-8")
    runpy.run_path(str(tmp_path / "snippet.py"))
    assert capsys.readouterr().out == printed


def test_every_function_is_in_the_tables():
    assert len(SNIPPETS) >= 4
    assert sorted(name for name in PUBLIC if f"| `{name}(" not in PAGE) == []


@pytest.mark.parametrize("name", PUBLIC)
def test_the_example_of_every_function_holds(name):
    found = doctest.DocTestFinder(recurse=False).find(
        PUBLIC[name], name, globs=vars(sys.modules[PUBLIC[name].__module__])
    )
    results = [doctest.DocTestRunner().run(one) for one in found]
    assert sum(result.attempted for result in results) >= 1
    assert sum(result.failed for result in results) == 0
