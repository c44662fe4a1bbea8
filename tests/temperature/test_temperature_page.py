"""The pages' commands print the numbers that stand beneath them."""

import pathlib
import re
import subprocess
import sys

import pytest

PAGES = sorted((pathlib.Path(__file__).parents[2] / "docs" / "temperature").glob("*.md"))
COMMANDS = [
    found
    for page in PAGES
    for found in re.findall(r"```python\n((?:(?!```).)*)```\n\n```text\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
]


def test_the_pages_have_both_tables():
    assert len(COMMANDS) == 2


@pytest.mark.parametrize(("command", "printed"), COMMANDS, ids=["speed limit", "target sigma"])
def test_the_pages_show_what_its_commands_print(command, printed):
    result = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True, timeout=120)
    assert result.stdout == printed
