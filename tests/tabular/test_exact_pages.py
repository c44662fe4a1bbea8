"""docs/inverse.md and docs/search.md: their snippets print what stands below them."""

import re
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
SNIPPETS = [
    (page, *pair)
    for page in ("inverse", "search")
    for pair in re.findall(
        r"```python\n(.*?)```\n\n```text\n(.*?)```", (DOCS / f"{page}.md").read_text("utf-8"), re.DOTALL
    )
]


@pytest.mark.slow
@pytest.mark.parametrize(("page", "snippet", "printed"), SNIPPETS, ids=["inverse", "search", "trap"])
def test_snippets_print_what_the_pages_say(page, snippet, printed, tmp_path, capsys):
    (tmp_path / "snippet.py").write_text(snippet, "utf-8")
    runpy.run_path(str(tmp_path / "snippet.py"))
    assert capsys.readouterr().out == printed
