"""Bad input: exit code 2, one message that names the remedy, no traceback, and no run folder left behind."""

import json
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from entropax import SAC, Dense, Run, Training, load
from entropax.cli import main
from entropax.errors import EntropaxError
from entropax.loops.run import spec_to_json, way_on
from entropax.runs import create_run, new_manifest, to_config
from entropax.types import FOR_BOXES, FOR_CATEGORIES, Bounds, Spec

TRAIN = ("train", "sac", "--env", "Pendulum-v1")
DQN = ("train", "dqn", "--env", "CartPole-v1")
TARGET = ("algorithm.temperature:dual", "algorithm.temperature.target-entropy:per-dimension")

CASES = {
    "unknown command": (("trian",), "Did you mean 'train'?"),
    "no algorithm": (("train",), "entropax train sac --help"),
    "unknown algorithm": (
        ("train", "rainbow"),
        "Known are: sac, meta-sac, sac-adaent, sac-lite, decomposed-sac, max-info-sac, soft-q, td3, ddpg, ppo, a2c, "
        "discrete-sac, discrete-soft-q, dqn.",
    ),
    "no environment": (("train", "sac"), "Missing from entropax train sac: --env"),
    "unknown environment": (("train", "sac", "--env", "HalfCheeta-v5"), "Did you mean HalfCheetah-v5"),
    "unknown task of ours": (("train", "sac", "--env", "entropax/Pendulm-v0"), "Did you mean entropax/Pendulum-v0"),
    "discrete actions": (
        ("train", "sac", "--env", "CartPole-v1"),
        "The actions are one of 2 categories, but this needs continuous ones (a Box). Take an algorithm for "
        f"categories ({', '.join(FOR_CATEGORIES)}),",
    ),
    **{
        f"continuous actions for {name}": (
            ("train", name, "--env", "Pendulum-v1"),
            "The actions are a Box of 1, but this needs a finite set of them (Discrete). Take an algorithm for "
            f"continuous actions ({', '.join(FOR_BOXES)}),",
        )
        for name in ("discrete-soft-q", "discrete-sac", "dqn")
    },
    "epsilon above 1": ((*DQN, "algorithm.exploration:epsilon-greedy", "--algorithm.exploration.final", "2"), "[0, 1]"),
    "a fraction of no step": (
        (*DQN, "algorithm.exploration:epsilon-greedy", "--algorithm.exploration.fraction", "0"),
        "is a share of the run, in (0, 1], got 0.0",
    ),
    "cold Boltzmann": (
        (*DQN, "algorithm.exploration:boltzmann", "--algorithm.exploration.sampling-temperature", "0"),
        "above 0, got 0.0. It is of the order of the gaps between action values",
    ),
    "no copies": ((*DQN, "algorithm.following:hard-copy", "--algorithm.following.every", "0"), "1 is the least."),
    "a target of boxes": (
        (
            *("train", "discrete-sac", "--env", "CartPole-v1", "algorithm.temperature:dual"),
            "algorithm.temperature.target-entropy:per-dimension",
        ),
        "Use Nats or FractionOfUniform.",
    ),
    "infinite bounds": (("train", "sac", "--env", "tests/Unbounded-v0"), "The action bounds are not finite"),
    "replay too small": ((*TRAIN, "--num-envs", "4", "--capacity", "7"), "Set capacity to 8 or more."),
    "no steps": ((*TRAIN, "--steps", "0"), "steps is 0, but 1 is the least."),
    "negative warm-up": ((*TRAIN, "--warmup", "-1"), "0 is none."),
    "no seeds": ((*TRAIN, "--seeds", "0"), "must be a count from 1"),
    "seeds without end": ((*TRAIN, "--seeds", "99999999999"), "must be a count from 1 to 1,048,576"),
    "discount above 1": ((*TRAIN, "--algorithm.discount", "1.5"), "values diverge outside [0, 1]. Try 0.99."),
    "no polyak": ((*TRAIN, "--algorithm.polyak", "0"), "in (0, 1]"),
    "rate of zero": ((*TRAIN, "--algorithm.critic-learning-rate", "0"), "3e-4 is the published one."),
    "no critics": ((*TRAIN, "--algorithm.num-critics", "0"), "num_critics is 0, but 1 is the least."),
    "not a number": ((*TRAIN, "--algorithm.discount", "high"), "could not convert string to float: 'high'"),
    "misspelt flag": ((*TRAIN, "--stepps", "10"), "Perhaps you meant: --steps"),
    "unreachable target": (
        (*TRAIN, *TARGET, "--algorithm.temperature.target-entropy.nats", "0.9"),
        "0.6836 nats per dimension, at sigma 0.874 (the nearest reachable)",
    ),
    "negative alpha": (
        (*TRAIN, "algorithm.temperature:fixed", "--algorithm.temperature.alpha", "-1"),
        "alpha must be finite and above 0, got -1.0.",
    ),
    "noise of no size": ((*TRAIN, "exploration.noise:pink", "--exploration.noise.sigma", "0"), "try 0.3."),
    "noise on policy": (
        ("train", "ppo", "--env", "Pendulum-v1", "exploration.noise:white"),
        "take an algorithm that learns off policy, such as SAC or TD3.",
    ),
    "noise on categories": (
        ("train", "discrete-soft-q", "--env", "CartPole-v1", "exploration.noise:ou"),
        "OU is noise on numbers, but the actions are one of 2 categories",
    ),
    "coloured over no horizon": (
        ("train", "sac", "--env", "tests/Endless-v0", "exploration.noise:pink"),
        "take noise that needs none: OU or Repeated.",
    ),
    "counts of numbers of any size": ((*TRAIN, "exploration.bonus:table-counts"), "Take Counts, which hashes them"),
    "resume nothing": (("resume", "nowhere"), "nowhere does not exist. Pass the folder of a run"),
    "resume a name that no file can have": (("resume", "x" * 300), "cannot be looked at"),
    "evaluate nothing": (("evaluate", "nowhere"), "nowhere does not exist. Pass the folder of a run"),
    "evaluate no episodes": (("evaluate", "nowhere", "--episodes", "0"), "Use 1 or more."),
    "evaluate from a negative seed": (("evaluate", "nowhere", "--seed", "-1"), "--seed is -1, but seeds begin at 0."),
    "two modules": (("train", "sac", "--env", "a:b:c"), "No environment is called 'a:b:c'."),
    "no module before the colon": (("entropy", "--env", ":Pendulum-v1"), "Did you mean Pendulum-v1"),
    "a relative module": (("train", "sac", "--env", ".:x-v0"), "No environment is called '.:x-v0'."),
    "report nothing": (("report", "nowhere"), "nowhere does not exist. Pass the folder of a run"),
    "landscape of nothing": (("landscape", "nowhere"), "nowhere does not exist. Pass the folder of a run"),
    "a state in words": (("landscape", "nowhere", "--state", "upright"), "numbers with commas between"),
    "report without runs": (("report",), "A report needs at least one run."),
    "export nothing": (("export", "nowhere", "a.safetensors"), "nowhere does not exist. Pass the folder of a run"),
    "two targets": (("entropy", "--env", "Pendulum-v1", "--target", "-1", "--sigma", "0.1"), "one of them is enough"),
    "target above the widest": (("entropy", "--env", "Pendulum-v1", "--target", "0.7"), "0.6836 nats per dimension"),
    "sigma above the widest": (("entropy", "--env", "Pendulum-v1", "--sigma", "1.0"), "Use at most 0.874."),
    "entropy of categories": (("entropy", "--env", "CartPole-v1"), "this needs continuous ones (a Box)"),
    "final alpha of zero": (("entropy", "--env", "Pendulum-v1", "--final-alpha", "0"), "Dual never reaches 0."),
    "no experiment": (("reproduce",), "entropax reproduce collapse --help"),
    "unknown experiment": (("reproduce", "colapse"), "Did you mean 'collapse'?"),
    "an experiment without seeds": (("reproduce", "collapse", "--seeds", "0"), "take 1 seed or more"),
    "no task to compare on": (("reproduce", "exploration", "--envs", "Pendulum-v1"), "it needs a task in JAX"),
    "no known return": (("reproduce", "exploration", "--envs", "entropax/Toy-v0"), "counts as solved"),
    "unknown method": (("reproduce", "exploration", "--methods", "magic"), "Choose from: SAC; alpha about 0;"),
    "no method that fits": (
        ("reproduce", "exploration", "--envs", "entropax/CartPole-v0", "--methods", "TD3"),
        "fits entropax/CartPole-v0",
    ),
    "unknown law": (("reproduce", "collapse", "--laws", "Magic"), "Choose from: Dual;"),
    "a folder that is no run": (("resume", "."), "it holds no run.json"),
}


class Unbounded(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        return np.zeros(2, np.float32), {}

    def step(self, action):
        return np.zeros(2, np.float32), 0.0, False, False, {}


class Endless(Unbounded):
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    for task in (Unbounded, Endless):
        gymnasium.register(f"tests/{task.__name__}-v0", task)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for task in (Unbounded, Endless):
        del gymnasium.registry[f"tests/{task.__name__}-v0"]


def refused(capsys, *arguments):
    """The message with which the command ended, on one line."""
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    out, error = capsys.readouterr()
    assert stop.value.code == 2
    assert out == ""
    assert "Traceback" not in error
    return " ".join(error.split())


@pytest.mark.parametrize(("arguments", "message"), CASES.values(), ids=CASES.keys())
def test_one_message_exit_code_2_and_nothing_left(arguments, message, capsys, empty_folder):
    error = refused(capsys, *arguments)
    assert error.count(message) == 1
    assert list(empty_folder.iterdir()) == []


@pytest.mark.parametrize("command", [("resume",), ("evaluate",), ("report",)])
@pytest.mark.parametrize(
    ("content", "message"),
    [(json.dumps({"schema": 10**6}), "newer"), ("{", "is not valid JSON")],
    ids=["newer schema", "torn file"],
)
def test_a_manifest_that_cannot_be_read(command, content, message, capsys, empty_folder):
    manifest = empty_folder / "run" / "run.json"
    manifest.parent.mkdir()
    manifest.write_text(content)
    assert message in refused(capsys, *command, "run")
    assert manifest.read_text() == content
    assert list(empty_folder.rglob("*")) == [manifest.parent, manifest]


def test_an_environment_that_was_no_id_is_not_taken_for_a_gymnasium_environment_of_its_name(capsys, empty_folder):
    path = made_run(empty_folder, {"id": "Pendulum", "by_id": False, "backend": "jax", "num_envs": 1})
    for command in ("resume", "evaluate"):
        error = refused(capsys, command, str(path))
        assert "its environment was no id but Pendulum" in error
        assert f"entropax.resume({str(path)!r}, environment=...)" in error


def test_a_manifest_whose_parts_have_changed_places(capsys, empty_folder):
    path = made_run(empty_folder, {"id": "Pendulum-v1", "backend": "gymnasium", "num_envs": 1})
    content = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**content, "algorithm": content["training"]}))
    assert "a Training in the place of a AbstractAlgorithm" in refused(capsys, "resume", str(path))


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"observation_size": "x"}, "'x' is no whole number"),
        ({"observation_size": -3}, "-3 is no whole number"),
        ({"action": {"kind": "categories", "size": "x"}}, "'x' is no whole number"),
        ({"action": {"kind": "bounds", "low": "1", "high": "2"}}, "are no numbers"),
        ({"action": {"kind": "bounds", "low": [-1.0, -1.0], "high": [1.0]}}, "as many of the one as of the other"),
    ],
)
def test_a_specification_that_is_none(part, message, empty_folder):
    path = made_run(empty_folder, {"id": "Pendulum-v1", "backend": "gymnasium", "num_envs": 1})
    content = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**content, "spec": {**content["spec"], **part}}))
    with pytest.raises(EntropaxError, match=rf"{message}.*Restore it from a backup"):
        _ = load(path).spec


def test_a_run_of_no_seeds_is_not_evaluated(capsys, empty_folder):
    path = made_run(empty_folder, {"id": "Pendulum-v1", "backend": "gymnasium", "num_envs": 1})
    content = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**content, "seeds": []}))
    assert "one or more whole numbers, not []" in refused(capsys, "evaluate", str(path))


@pytest.mark.parametrize(
    ("by_id", "way"),
    [(True, "entropax resume 'my runs/a'"), (False, "entropax.resume('my runs/a', environment=...), in Python")],
)
def test_the_way_on_can_be_typed_as_it_stands(by_id, way, empty_folder):
    path = made_run(empty_folder, {"id": "Pendulum-v1", "by_id": by_id, "backend": "gymnasium", "num_envs": 1})
    assert way_on(Run(Path("my runs/a"), load(path).manifest)).startswith(way)


def test_a_run_without_a_policy_cannot_be_exported_and_says_how_to_have_one(capsys, empty_folder):
    path = made_run(empty_folder, {"id": "Pendulum-v1", "by_id": True, "backend": "gymnasium", "num_envs": 1})
    error = refused(capsys, "export", str(path), "a.safetensors")
    assert "the run ended before its first checkpoint" in error
    assert "--checkpoint-every lower" in error


def test_a_page_for_a_folder_that_is_not_there_names_the_folder(capsys, empty_folder):
    path = made_run(empty_folder, {"id": "Pendulum-v1", "backend": "gymnasium", "num_envs": 1})
    with pytest.raises(SystemExit) as stop:
        main(("report", str(path), "--output", "nowhere/page.html"))
    assert stop.value.code == 2
    assert "there is no folder" in capsys.readouterr().err


def made_run(root, environment):
    """A run that has not written anything but its manifest."""
    algorithm = SAC(torso=Dense((8,)), batch_size=8)
    spec = Spec(3, Bounds((-2.0,), (2.0,)))
    made = new_manifest(
        algorithm=to_config(algorithm),
        environment=environment,
        training=to_config(Training()),
        seeds=(0,),
        spec=spec_to_json(spec),
        baselines={},
    )
    return create_run(root, "sac", made)


def test_a_root_that_is_a_file(capsys, empty_folder):
    (empty_folder / "runs").write_text("a file")
    tiny = ("--algorithm.batch-size", "8", "algorithm.torso:dense", "--algorithm.torso.hidden-sizes", "8")
    assert "Cannot write runs" in refused(capsys, *TRAIN, *tiny)
    assert (empty_folder / "runs").read_text() == "a file"


def test_a_process_ends_with_2_too(empty_folder):
    command = [sys.executable, "-m", "entropax", "train", "sac", "--env", "Pendulum-v1", "--seeds", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("entropax: seeds is 0")
    assert done.stderr.count("\n") == 1
    assert list(empty_folder.iterdir()) == []
