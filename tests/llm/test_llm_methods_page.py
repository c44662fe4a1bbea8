import re
from pathlib import Path

import entropax.llm as llm

PAGE = (Path(__file__).parents[2] / "docs" / "llm_methods.md").read_text("utf-8")


def test_the_example_prints_what_it_says(capsys):
    (snippet,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(snippet, "llm_methods.md", "exec"), {})
    said = re.search(r"print\(.*#\s(.*)$", snippet, re.MULTILINE)
    assert said is not None and capsys.readouterr().out.strip() == said.group(1)


def test_the_table_has_every_method_with_its_knobs():
    rows = re.findall(
        r"^\| `(\w+)\(.*?\)` \|.*?\|.*?\| ((?:`\w+`(?:, )?)*) ?\|", PAGE.replace(r"\|", "/"), re.MULTILINE
    )
    methods = {
        name: sorted(found().knobs)
        for name, found in vars(llm).items()
        if isinstance(found, type) and issubclass(found, llm.AbstractMethod) and found is not llm.AbstractMethod
    }
    inner = sorted(llm.Clip().knobs)
    # A method around another one is listed with its own knobs alone.
    own = {
        name: [knob for knob in knobs if "inner" not in vars(llm)[name].__dataclass_fields__ or knob not in inner]
        for name, knobs in methods.items()
    }
    assert {name: sorted(re.findall(r"`(\w+)`", knobs)) for name, knobs in rows} == own
