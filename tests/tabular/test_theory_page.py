"""docs/theory.md: its snippets print what stands below them, and it or the pages it leads to name all of tabular/."""

import re
import runpy
from pathlib import Path

import pytest

import entropax.tabular

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "theory.md").read_text("utf-8")
PAGES = "".join((DOCS / f"{name}.md").read_text("utf-8") for name in ("theory", "inverse", "search"))
SNIPPETS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("snippet", "printed"), SNIPPETS, ids=["toy", "tanh-Gaussian", "extension"])
def test_snippets_print_what_the_page_says(snippet, printed, tmp_path, capsys):
    (tmp_path / "snippet.py").write_text(snippet, "utf-8")
    runpy.run_path(str(tmp_path / "snippet.py"))
    assert capsys.readouterr().out == printed


def test_every_function_is_on_a_page():
    public = [name for name, value in vars(entropax.tabular).items() if callable(value) and not name.startswith("_")]
    assert len(public) == 34
    assert [name for name in public if name not in PAGES and not name.endswith("Solution")] == []
