"""The page's commands print the numbers that stand beneath them."""

import pathlib
import re
import subprocess
import sys

import pytest

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "temperature.md"
COMMANDS = re.findall(
    r"```python\n((?:(?!```).)*)```\n\n```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
)


def test_the_page_has_both_tables():
    assert len(COMMANDS) == 2


@pytest.mark.parametrize(("command", "printed"), COMMANDS, ids=["speed limit", "target sigma"])
def test_the_page_shows_what_its_commands_print(command, printed):
    result = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True, timeout=120)
    assert result.stdout == printed
