"""run.json says what a run is; every wrong folder is refused with a remedy."""

import datetime
import errno
import json
import os
import subprocess
import sys

import jax
import pytest

from entropax.errors import EntropaxError
from entropax.runs import RunManifest, RunWriteError, create_run, current_commit, new_manifest, read_manifest


def manifest() -> RunManifest:
    return new_manifest(
        algorithm={"type": "SAC", "discount": 0.99, "temperature": {"type": "Dual"}},
        environment={"id": "Pendulum-v1", "backend": "gymnasium", "num_envs": 1},
        training={"steps": 20000},
        seeds=(0, 1, 2),
        spec={"observation_size": 3, "action": {"kind": "bounds", "low": [-2.0], "high": [2.0]}},
        baselines={"entropy_maximum_per_dimension": 0.684},
    )


def test_round_trip(tmp_path):
    written = manifest()
    folder = create_run(tmp_path / "runs", "sac-Pendulum-v1", written)
    assert read_manifest(folder) == written
    content = json.loads((folder / "run.json").read_text())
    assert list(content) == [
        "schema", "algorithm", "environment", "training", "seeds", "spec", "command", "versions", "commit", "created",
        "baselines",
    ]  # fmt: skip
    assert content["schema"] == 1
    assert content["seeds"] == [0, 1, 2]
    assert [path.name for path in folder.iterdir()] == ["run.json"]


def test_it_knows_where_it_comes_from(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["entropax", "train", "--seeds", "0 1"])
    made = manifest()
    assert made.command == "entropax train --seeds '0 1'"
    assert made.versions["jax"] == jax.__version__
    assert made.versions["python"] == ".".join(map(str, sys.version_info[:3]))
    age = datetime.datetime.now().astimezone() - datetime.datetime.fromisoformat(made.created)
    assert 0 <= age.total_seconds() < 5


def test_the_commit_is_that_of_the_working_directory_or_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert current_commit() is None
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    commit = current_commit()
    assert commit is not None
    assert len(commit) == 40
    monkeypatch.setenv("PATH", "")
    assert current_commit() is None


def test_two_runs_of_one_second_have_two_folders(tmp_path):
    folders = [create_run(tmp_path, "sac-Pendulum-v1", manifest()) for _ in range(3)]
    assert len(set(folders)) == 3
    assert all(folder.name.startswith("sac-Pendulum-v1-20") for folder in folders)
    assert all(read_manifest(folder).seeds == (0, 1, 2) for folder in folders)


@pytest.mark.parametrize("hint", ["ALE/Pong v5", "../../outside", "", "a:b*c?"])
def test_any_hint_stays_one_folder_below_the_root(tmp_path, hint):
    assert create_run(tmp_path, hint, manifest()).parent == tmp_path


def test_a_write_that_fails_is_reported_and_leaves_nothing_half(tmp_path, monkeypatch):
    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", full)
        with pytest.raises(RunWriteError, match=r"run\.json: .*No space left.*Free disk space"):
            create_run(tmp_path, "sac", manifest())
    assert [path.name for folder in tmp_path.iterdir() for path in folder.iterdir()] == []
    (tmp_path / "file").write_text("")
    with pytest.raises(RunWriteError, match="file"):
        create_run(tmp_path / "file", "sac", manifest())


def test_a_missing_folder(tmp_path):
    with pytest.raises(EntropaxError, match=r"absent does not exist\. Pass"):
        read_manifest(tmp_path / "absent")


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(EntropaxError, match=r"is no run: it holds no run\.json\. Pass"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: text[:40], r"not valid JSON.*Restore"),
        (lambda text: "\x80", r"run\.json"),
        (lambda text: "[]", "no schema number"),
        (lambda text: text.replace('"schema": 1', '"schema": 2'), r"schema 2.*Upgrade"),
        (lambda text: text.replace('"seeds"', '"sedes"'), r"unknown entries \['sedes', 'seeds'\]"),
        (lambda text: text.replace('"seeds": [', '"seeds": ["x", '), r"seeds.*whole numbers"),
        (lambda text: "[" * 100_000, "not valid JSON"),
        (
            lambda text: json.dumps({**json.loads(text), "environment": "Pendulum-v1"}),
            r"environment cannot be 'Pendulum",
        ),
        (lambda text: json.dumps({**json.loads(text), "command": 3}), r"command cannot be 3\. Restore"),
        (lambda text: json.dumps({**json.loads(text), "seeds": []}), r"list of one or more whole numbers, not \[\]"),
        (lambda text: text.replace("0.684", '"high"'), r"per_dimension is 'high', not a number\. Restore"),
        (lambda text: text.replace("0.684", "[0.684]"), r"per_dimension is \[0\.684\], not a number"),
        (lambda text: text.replace("0.684", "1" + "0" * 400), "not a number"),
    ],
)
def test_a_damaged_manifest(tmp_path, edit, message):
    folder = create_run(tmp_path, "sac", manifest())
    file = folder / "run.json"
    file.write_text(edit(file.read_text()), encoding="latin-1")
    with pytest.raises(EntropaxError, match=message):
        read_manifest(folder)


def test_a_manifest_that_is_not_json_is_refused(tmp_path):
    made = new_manifest(
        algorithm={}, environment={}, training={}, seeds=(0,), spec={}, baselines={"maximum": float("nan")}
    )
    with pytest.raises(EntropaxError, match=r"run\.json cannot hold"):
        create_run(tmp_path, "sac", made)
