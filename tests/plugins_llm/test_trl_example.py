"""The example of the documentation runs, and its page says what it prints."""

import re
import runpy
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="TRL is not installed here: make test-llm")

ROOT = Path(__file__).parents[2]


def test_the_example_holds_the_entropy(capsys):
    runpy.run_path(str(ROOT / "examples" / "trl_control.py"))
    free, held = re.findall(r"([\d.]+) in the last ten steps", capsys.readouterr().out)
    assert float(free) < 0.3 < 1.0 < float(held)


def test_the_page_s_controller_is_the_example_s():
    page = (ROOT / "docs" / "llm.md").read_text("utf-8")
    example = (ROOT / "examples" / "trl_control.py").read_text("utf-8")
    lines = [line for line in example.splitlines() if line.startswith(("law =", "controller ="))]
    assert len(lines) == 2 and all(line in page for line in lines)
