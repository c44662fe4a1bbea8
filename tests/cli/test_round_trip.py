"""Train, evaluate, report, export and resume one tiny run by its commands."""

import json
import shutil

import numpy as np
import pytest
from safetensors import safe_open

import entropax
from entropax.cli import main
from entropax.loops.run import POLICY, save_policy
from entropax.runs import read_policy_description

TINY = (
    *("--steps", "400", "--seeds", "2", "--warmup", "200", "--log-every", "100", "--evaluate-every", "0"),
    *("--algorithm.batch-size", "16", "--algorithm.discount", "0.98"),
    *("algorithm.temperature:dual", "--algorithm.temperature.learning-rate", "1e-4"),
    *("algorithm.torso:dense", "--algorithm.torso.hidden-sizes", "16", "16"),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    main(("train", "sac", "--env", "entropax/Pendulum-v0", "--root", str(root), *TINY))
    (path,) = root.iterdir()
    return path


def output(capsys, *arguments):
    capsys.readouterr()
    main(arguments)
    return capsys.readouterr().out


def test_flags_arrive_in_the_run(run):
    manifest = entropax.load(run).manifest
    assert manifest.seeds == (0, 1)
    assert manifest.environment["id"] == "entropax/Pendulum-v0"
    assert manifest.training["steps"] == 400
    assert manifest.algorithm["discount"] == 0.98
    assert manifest.algorithm["temperature"]["type"] == "Dual"
    assert manifest.algorithm["temperature"]["learning_rate"] == 1e-4
    assert tuple(manifest.algorithm["torso"]["hidden_sizes"]) == (16, 16)
    rows = entropax.load(run).metrics.rows
    assert rows[-1].step == 400
    assert np.shape(rows[-1].values["train/ent_coef"]) == (2,)


@pytest.mark.parametrize("size", ["x", -3])
@pytest.mark.parametrize("command", ["evaluate", "resume"])
def test_an_observation_size_that_is_none_ends_in_one_message(run, tmp_path, capsys, command, size):
    copy = shutil.copytree(run, tmp_path / "run")
    content = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**content, "spec": {**content["spec"], "observation_size": size}}))
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main((command, str(copy)))
    out, error = capsys.readouterr()
    assert (stop.value.code, out) == (2, "")
    assert f"{size!r} is no whole number of 0 or more" in error


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "flags", "name", "settings"),
    [
        ("sac-adaent", ("--algorithm.threshold", "0.7", "--algorithm.samples", "8"), "SACAdaEnt", (0.7, 8)),
        ("sac-lite", (), "SACLite", ()),
        ("max-info-sac", (), "MaxInfoSAC", ()),
    ],
)
def test_algorithms_around_sac_are_trained_by_their_own_words(word, flags, name, settings, tmp_path):
    short = [flag.replace("algorithm.", "algorithm.sac.") for flag in TINY]
    main(("train", word, "--env", "entropax/Pendulum-v0", "--root", str(tmp_path), *flags, *short))
    (path,) = tmp_path.iterdir()
    config = entropax.load(path).manifest.algorithm
    assert (config["type"], config["sac"]["discount"]) == (name, 0.98)
    assert tuple(config[field] for field in ("threshold", "samples") if field in config) == settings
    assert path.name.startswith(name.lower())


def test_evaluate_prints_a_line_a_seed(run, capsys):
    lines = output(capsys, "evaluate", str(run), "--episodes", "3").splitlines()
    assert lines[0].split() == ["seed", "episodes", "return", "mean", "return", "std", "length", "mean"]
    table = np.array([line.split() for line in lines[1:]], float)
    np.testing.assert_array_equal(table[:, :2], [[0, 3], [1, 3]])
    assert np.all((table[:, 2] > -3300) & (table[:, 2] < 0))  # 200 steps cost at most 16.3 each.
    np.testing.assert_array_equal(table[:, 4], 200)


def test_stochastic_evaluation_draws_actions(run, capsys):
    mode = output(capsys, "evaluate", str(run), "--episodes", "2")
    drawn = output(capsys, "evaluate", str(run), "--episodes", "2", "--stochastic")
    assert mode != drawn
    assert drawn == output(capsys, "evaluate", str(run), "--episodes", "2", "--stochastic")
    assert mode == output(capsys, "evaluate", str(run), "--episodes", "2")


def test_report_writes_where_it_says(run, tmp_path, capsys):
    page = tmp_path / "page.html"
    lines = output(capsys, "report", str(run), "--output", str(page)).splitlines()
    assert lines[-1] == str(page)
    assert lines[0].startswith(f"{run}: ")
    assert "entropax/Pendulum-v0" in page.read_text()


def test_export_holds_the_policies_of_all_seeds(run, tmp_path, capsys):
    file = tmp_path / "policy.safetensors"
    assert output(capsys, "export", str(run), str(file)).strip() == str(file)
    with safe_open(file, "numpy") as stored:
        shapes = [stored.get_tensor(name).shape for name in stored.keys()]  # noqa: SIM118, not a dict
    assert {shape[0] for shape in shapes} == {2}
    assert sorted(shape[1:] for shape in shapes) == [(2,), (3, 16), (16,), (16,), (16, 2), (16, 16)]


def test_export_has_the_step_that_its_policies_were_saved_at(run, tmp_path, capsys):
    """Of a run that was stopped, and of one whose rounds do not end with its last step, not the steps asked for."""
    stopped, file = tmp_path / "stopped", tmp_path / "policy.safetensors"
    shutil.copytree(run, stopped)
    kept = entropax.load(stopped)
    save_policy(stopped / POLICY, kept.actors, kept.manifest, 250)
    output(capsys, "export", str(stopped), str(file))
    assert read_policy_description(file)["step"] == 250


def test_export_refuses_another_format(run, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(("export", str(run), str(tmp_path / "policy.pt")))
    assert stop.value.code == 2
    assert ".safetensors" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_resuming_a_finished_run_changes_no_number(run, capsys):
    before = entropax.load(run)
    rows = before.metrics.rows
    policy = before.policy(np.array([1.0, 0.0, 0.5]))
    assert str(run) in output(capsys, "resume", str(run))
    after = entropax.load(run)
    assert [row.step for row in after.metrics.rows] == [row.step for row in rows]
    np.testing.assert_array_equal(after.policy(np.array([1.0, 0.0, 0.5])), policy)


def test_a_checkpoint_of_a_newer_version_is_refused_and_kept(run, capsys):
    (file, *_) = sorted((run / "checkpoints").glob("*/meta.json"), reverse=True)
    whole = file.read_text()
    newer = json.dumps({**json.loads(whole), "schema": 10**6})
    file.write_text(newer)
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(("resume", str(run)))
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert "newer" in error
    assert "Traceback" not in error
    assert file.read_text() == newer
    file.write_text(whole)
