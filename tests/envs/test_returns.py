"""The returns that docs/environments.md states for the tasks in which entropy misleads."""

import re
from pathlib import Path

import pytest
import scripted
from rolls import mean_return, nothing, uniform

from entropax.envs.registry import TASKS

PAGE = (Path(__file__).parents[2] / "docs" / "environments.md").read_text("utf-8")
TABLE = PAGE.split("| task | no action |")[1]
SCRIPTED = {
    "Toy": scripted.toy,
    "Vehicle": scripted.vehicle,
    "VehicleFixed": scripted.gripping_vehicle,
    "VehicleSimplified": scripted.gripping_vehicle,
    "Quadrotor": scripted.hover,
    "QuadrotorFixed": scripted.quadrotor,
    "QuadrotorSimplified": scripted.simplified_quadrotor,
    "Obstacle2D": scripted.obstacle2d,
}


def stated(name):
    """The three numbers of a task's row; None where it has none."""
    (row,) = re.findall(rf"^\| {name} \| (\S+) \| (\S+) \| (\S+) \|", TABLE, re.MULTILINE)
    return [None if cell == "—" else float(cell.replace("−", "-").replace(",", "")) for cell in row]


# Relative: keys are fixed, so only rounding differs between machines, which chaos carries into some episodes.
@pytest.mark.parametrize("name", [*SCRIPTED, "Acrobot"])
def test_returns_are_those_on_the_page(name):
    task = TASKS[f"entropax/{name}-v0"]
    idle, random, best = stated(name)
    assert mean_return(task, nothing(task)) == pytest.approx(idle, rel=0.01)
    assert mean_return(task, uniform(task)) == pytest.approx(random, rel=0.01)
    assert (best is None) == (name not in SCRIPTED)
    if best is not None:
        policy = SCRIPTED[name]
        assert mean_return(task, lambda observation, key: policy(observation)) == pytest.approx(best, rel=0.01)
