import re
from pathlib import Path

import pytest

from entropax.llm import SettingWarning

PAGE = (Path(__file__).parents[2] / "docs" / "llm_diagnosis.md").read_text("utf-8")


def test_the_example_prints_what_stands_beneath_it(capsys):
    ((snippet, printed),) = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
    with pytest.warns(SettingWarning, match="KLCov is exactly the plain policy gradient"):
        exec(compile(snippet, "llm_diagnosis.md", "exec"), {})
    assert capsys.readouterr().out == printed
