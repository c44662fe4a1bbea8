"""A run folder of ours that was edited or damaged ends in one message, never in a traceback."""

import json

import pytest
from synthetic import write_run

from entropax.cli import main
from entropax.diagnostics.window import VECTORS
from entropax.errors import EntropaxError
from entropax.report import read_run
from entropax.report.charts import SMALL
from entropax.report.read import KNOWN

DEEP = "[" * 100_000


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run", "healthy", rows=8, seeds=2)


def edit_rows(run, name, edit):
    """Changes a metric in every row of a run's log."""
    path = run / "metrics.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()[:-1]]
    for row in rows:
        if row["kind"] == "metrics":
            row["values"][name] = edit(row["values"].get(name))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def edit_manifest(run, **entries):
    path = run / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


@pytest.mark.parametrize("name", ["entropy/nats", "rollout/ep_rew_mean", "entropy/policy_kl", "train/actor_param_norm"])
def test_one_number_that_became_a_list_is_refused(run, capsys, name):
    edit_rows(run, name, lambda values: [[value, value] for value in values or (1.0, 1.0)])
    with pytest.raises(SystemExit) as stop:
        main(("diagnose", str(run)))
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert f"{name} has a list a seed and row, where one number belongs. Restore" in error
    assert error.startswith("entropax: ")


@pytest.mark.parametrize("name", ["entropy/per_dimension", "entropy/sigma_per_dimension"])
def test_a_vector_that_became_one_number_is_refused(run, name):
    edit_rows(run, name, lambda values: [value[0] for value in values])
    with pytest.raises(EntropaxError, match=f"{name} has one number .* one for each action dimension belongs"):
        read_run(run)


@pytest.mark.parametrize("value", [[1.0, 2.0], [[1.0, 2.0], [3.0, 4.0]]], ids=["numbers", "lists"])
def test_a_metric_that_no_rule_knows_may_be_either(run, value):
    edit_rows(run, "train/their_own", lambda _: value)
    assert read_run(run).series["train/their_own"].values[0].tolist() == value


def test_every_chart_of_one_number_is_known_to_be_one():
    assert {plot.metric for plot in SMALL} <= KNOWN - VECTORS


@pytest.mark.parametrize(
    "action",
    [
        {"kind": "bounds"},
        {"kind": "bounds", "low": 3, "high": 4},
        {"kind": "categories"},
        {"kind": "categories", "size": "x"},
        {"kind": "categories", "size": 0},
    ],
)
def test_actions_that_are_none_are_refused(run, action):
    edit_manifest(run, spec={"observation_size": 3, "action": action})
    with pytest.raises(EntropaxError, match=r"run\.json does not describe a run: .*Restore it"):
        read_run(run)


@pytest.mark.parametrize(
    "entries",
    [
        {"algorithm": {"type": "SAC", "sac": "text"}},
        {"algorithm": {"type": "SAC", "discount": 10**400}},
        {"environment": {"id": ["Pendulum-v1"]}},
    ],
    ids=["a text for settings", "a number beyond floats", "a list for a name"],
)
def test_settings_that_are_none_are_refused(run, entries):
    edit_manifest(run, **entries)
    with pytest.raises(EntropaxError, match=r"run\.json does not describe a run: .*Restore it"):
        read_run(run)


@pytest.mark.parametrize("value", ["high", [0.684], {"nats": 0.684}, None, True])
def test_baselines_that_are_no_numbers_are_refused(run, capsys, value):
    edit_manifest(run, baselines={"entropy_maximum_per_dimension": value})
    with pytest.raises(SystemExit) as stop:
        main(("report", str(run)))
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert "baselines.entropy_maximum_per_dimension is" in error
    assert not (run / "report.html").exists()


def test_a_line_of_endless_nesting_is_named(run):
    path = run / "metrics.jsonl"
    path.write_text(f"{DEEP}\n{path.read_text()}")
    with pytest.raises(EntropaxError, match=r"line 1 is damaged.*Delete that line"):
        read_run(run)
