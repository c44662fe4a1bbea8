"""docs/environments.md: its snippets run and its tables are complete."""

import math
import re
import runpy
from pathlib import Path

import pytest

from entropax.envs.registry import HOST_TASKS, TASKS

PAGE = (Path(__file__).parents[2] / "docs" / "environments.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=["adapt", "dials", "jax", "gymnasium"])
def test_snippets_run(snippet, tmp_path):
    (tmp_path / "snippet.py").write_text(snippet)
    runpy.run_path(str(tmp_path / "snippet.py"))


def test_every_task_is_on_the_page():
    assert [id for id in (*TASKS, *HOST_TASKS) if f"`{id}`" not in PAGE] == []


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_thresholds_on_the_page_are_the_registrys(task):
    rows = re.findall(rf"^\| `{task.id}` \|.*\| (−?[\d.]+|—) \|$", PAGE, re.MULTILINE)
    expected = [] if math.isnan(task.solved) else [f"{task.solved:g}".replace("-", "−")]
    assert [row for row in rows if row != "—"] == expected
