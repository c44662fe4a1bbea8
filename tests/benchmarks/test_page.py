"""benchmarks/README.md: its tables have the numbers of the committed results."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import trim_mean

FOLDER = Path(__file__).parents[2] / "benchmarks"
PAGE = (FOLDER / "README.md").read_text("utf-8")
SPEED = {
    "HalfCheetah-v5, one update after each step, steps/s": ("strict", "steps/s", "Entropax"),
    "HalfCheetah-v5, eight steps, then eight updates, steps/s": ("batched", "steps/s", "Entropax"),
    "16 seeds of 64x64 on a pendulum, against two processes, steps/s": ("sweep", "steps/s", "Entropax, 16 seeds"),
    "start to first metrics, nothing compiled, s": ("startup", "seconds", "Entropax, nothing compiled"),
    "start to first metrics, compiled before, s": ("startup", "seconds", "Entropax, compiled before"),
    "peak memory in the runs of the first row, MB": ("strict", "MB at the peak", "Entropax"),
}
"""Rows of the page: the case that each is of, the head of its table, and how the row begins there."""


def results(name):
    return json.loads((FOLDER / name).read_text("utf-8"))


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("row", SPEED)
def test_speeds_are_those_measured(row):
    case, unit, begins = SPEED[row]
    lines = results("results/speed.json")[case]["table"]
    head = next(index for index, line in enumerate(lines) if cells(line)[1:2] == [unit])
    measured = next(line for line in lines[head:] if re.match(rf"\| {re.escape(begins)}[ ,]", line))
    (shown,) = (line for line in PAGE.splitlines() if line.startswith(f"| {row} |"))
    assert [cell for cell in cells(shown)[1:] if cell] == cells(measured)[1:]


def test_ppo_s_table_is_the_one_measured():
    for line in results("results/ppo.json")["table"]:
        assert line in PAGE or line.startswith("| ---")


def test_costs_of_updates_are_those_measured():
    for row in results("results/updates.json")["rows"]:
        (shown,) = (cells(line) for line in PAGE.splitlines() if line.startswith(f"| {row['algorithm']} |"))
        assert shown[1] == f"{row['milliseconds']:.2f}"
        assert float(shown[2].split()[0]) == pytest.approx(row["times_sac"], abs=0.06)
        assert shown[3] == f"{row['gigaflop']:.2f}"


@pytest.mark.parametrize("library", ["entropax", "sbx"])
def test_returns_are_those_of_the_curves(library):
    column = {"entropax": 2, "sbx": 3}[library]
    rows = re.findall(r"^(\| ([\w/-]+-v\d), \d seeds \|.*)$", PAGE, re.MULTILINE)
    assert len(rows) == 4
    for line, task in rows:
        shown = cells(line)
        path = FOLDER / "learning" / "results" / f"{library}--{task.replace('/', '-')}.json"
        if not path.exists():
            assert shown[column] == ""
            continue
        last = [seed["returns"][-1] for seed in results(path)["seeds"].values()]
        middle = shown[column].split(" (")[0].replace("−", "-").replace(",", "")
        assert float(middle) == pytest.approx(trim_mean(np.array(last), 0.25), abs=0.5)
