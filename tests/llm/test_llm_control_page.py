import dataclasses
import re
from pathlib import Path

import entropax.llm as llm

PAGE = (Path(__file__).parents[2] / "docs" / "llm_control.md").read_text("utf-8")


def test_the_example_prints_what_stands_beneath_it(capsys):
    ((snippet, printed),) = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(snippet, "llm_control.md", "exec"), {})
    assert capsys.readouterr().out == printed


def test_the_table_has_every_actuator_with_its_knob_direction_and_range():
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (\w+)wards \| (.*?), (.*?), (.*?) \|", PAGE, re.MULTILINE)
    written = {name: (way, *map(float, numbers)) for name, _, way, *numbers in rows}
    actuators = {
        name: found
        for name, found in vars(llm).items()
        if isinstance(found, type) and issubclass(found, llm.AbstractActuator) and dataclasses.is_dataclass(found)
    }
    ways = {1: "up", -1: "down"}
    true = {name: (ways[one.direction], one.low, one.rest, one.high) for name, one in actuators.items()}
    assert written == true
    for name, number, *_ in rows:
        assert number.startswith(f"`{actuators[name].knob}`") or name == "SamplingTemperature"
