"""Seeds in processes of their own: the same run, the same checkpoint, and one clear error where a child fails."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

from entropax import EntropaxError, fit, resume
from entropax.cli import main
from entropax.exploration import PLAIN
from entropax.loops.driver import Driver
from entropax.loops.messages import Channel, named
from entropax.loops.process_lane import next_piece, process_lanes
from entropax.runs import read_checkpoint_meta, read_metrics
from entropax.runs.tensors import name_leaves

pytestmark = pytest.mark.slow

BRITTLE = """
import os
import gymnasium
from gymnasium.envs.classic_control import PendulumEnv

class Brittle(PendulumEnv):
    def __init__(self, dies):
        super().__init__()
        self.dies, self.steps = dies, 0

    def step(self, action):
        self.steps += 1
        if self.steps > 9 and self.dies:
            os._exit(3)
        if self.steps > 9:
            raise ValueError("the gripper is jammed")
        return super().step(action)

gymnasium.register("Jams-v0", Brittle, kwargs={"dies": False})
gymnasium.register("Dies-v0", Brittle, kwargs={"dies": True})
"""


class _PowerCutError(Exception):
    """The process is gone."""


def _cut(algorithm, loop, root, patch) -> Path:
    """A run of three seeds in two groups that ends with its first checkpoint, at step 400."""
    save = Driver.save

    def save_and_die(self) -> None:
        save(self)
        raise _PowerCutError

    patch.setattr(Driver, "save", save_and_die)
    patch.setattr("entropax.loops.fit.cores", lambda: [0, 1])
    patch.setattr("entropax.loops.fit.groups", lambda seeds, places: [(0, 1), (2,)])
    with pytest.raises(_PowerCutError):
        fit(algorithm, "Pendulum-v1", loop, seeds=3, root=root, progress=False)
    (path,) = root.iterdir()
    return path


@pytest.fixture(scope="module")
def apart(loop):
    return dataclasses.replace(loop, seeds_in="processes")


@pytest.fixture(scope="module")
def cut(small, loop, apart, tmp_path_factory):
    """The same run in processes and in one program, up to its first checkpoint."""
    folders = {}
    for where, training in (("processes", apart), ("program", loop)):
        with pytest.MonkeyPatch.context() as patch:
            folders[where] = _cut(small, training, tmp_path_factory.mktemp(where), patch)
    return folders


def _assert_same_rows(one: Path, other: Path, steps: list[int]) -> None:
    first, second = read_metrics(one).rows, read_metrics(other).rows
    assert [row.step for row in first] == [row.step for row in second] == steps
    for a, b in zip(first, second, strict=True):
        assert set(a.values) == set(b.values)
        for name in set(a.values) - {"time/fps"}:
            np.testing.assert_array_equal(a.values[name], b.values[name], err_msg=f"{name} at {a.step}")


def _assert_same_files(one: Path, other: Path, pattern: str) -> None:
    names = sorted(path.relative_to(one) for path in one.glob(pattern))
    assert names
    for name in names:
        first, second = load_file(one / name), load_file(other / name)
        assert set(first) == set(second)
        for leaf, array in first.items():
            np.testing.assert_array_equal(array, second[leaf], err_msg=f"{leaf} of {name}")


def test_a_run_in_processes_is_the_run_in_one_program(cut):
    _assert_same_rows(cut["processes"], cut["program"], [200, 400])
    for pattern in ("checkpoints/*/state.safetensors", "snapshots/*.safetensors", "policy.safetensors"):
        _assert_same_files(cut["processes"], cut["program"], pattern)
    metas = [read_checkpoint_meta(cut[where])[0] for where in ("processes", "program")]
    assert metas[0]["groups"] == metas[1]["groups"] == [[0, 1], [2]]
    assert metas[0]["lanes"] == metas[1]["lanes"]
    events = [[(event.step, event.name) for event in read_metrics(cut[where]).events] for where in cut]
    assert events[0] == events[1]


def test_a_checkpoint_of_processes_is_resumed_with_them_and_without(cut, tmp_path):
    without = Path(shutil.copytree(cut["processes"], tmp_path / "without"))
    manifest = without / "run.json"
    manifest.write_text(manifest.read_text().replace('"processes"', '"program"'))
    resume(without, progress=False)
    done = resume(cut["processes"], progress=False)
    assert done.training.seeds_in == "processes"
    _assert_same_rows(cut["processes"], without, [200, 400, 600])
    _assert_same_files(cut["processes"], without, "checkpoints/step_000000600/state.safetensors")


def _lane(algorithm, environment, training):
    return process_lanes(algorithm, environment, training, [(4,)], PLAIN)[0]


def test_an_environments_error_reaches_the_parent_with_its_traceback(small, apart, tmp_path, monkeypatch):
    (tmp_path / "brittle.py").write_text(BRITTLE)
    monkeypatch.syspath_prepend(tmp_path)
    lane = _lane(small, "brittle:Jams-v0", apart)
    lane.warm_up(2)
    lane.collect()
    lane.warm_up(2)
    lane.warm_up(50)
    lane.warm_up(50)
    with pytest.raises(EntropaxError, match=r"process of seed 4 failed:\n(.|\n)*brittle.py(.|\n)*gripper is jammed"):
        lane.collect()
    lane.close()


def test_a_child_that_dies_is_an_error_and_no_hang(small, apart, tmp_path, monkeypatch):
    (tmp_path / "brittle.py").write_text(BRITTLE)
    monkeypatch.syspath_prepend(tmp_path)
    lane = _lane(small, "brittle:Dies-v0", apart)
    lane.warm_up(50)
    with pytest.raises(EntropaxError, match="process of seed 4 ended with exit code 3"):
        lane.save()
    lane.close()


def test_an_id_that_only_this_program_knows_is_refused_with_the_way_to_name_it(small, apart):
    gymnasium.register("OnlyHere-v0", "gymnasium.envs.classic_control:PendulumEnv")
    try:
        with pytest.raises(EntropaxError, match=r"registered in this program, but not.*'module:OnlyHere-v0'"):
            _lane(small, "OnlyHere-v0", apart)
    finally:
        del gymnasium.registry["OnlyHere-v0"]


def test_what_processes_cannot_do_is_refused(small, apart, tmp_path, monkeypatch, capsys):
    with pytest.raises(EntropaxError, match="stepped in JAX"):
        fit(small, "entropax/Pendulum-v0", apart, seeds=2, root=tmp_path)
    with pytest.raises(EntropaxError, match=r"a function.*module:Name-v0"):
        fit(small, lambda: gymnasium.make("Pendulum-v1"), apart, seeds=2, root=tmp_path)
    with pytest.raises(SystemExit) as exit_:
        main(["train", "sac", "--env", "entropax/Pendulum-v0", "--seeds-in", "processes", "--root", str(tmp_path)])
    assert exit_.value.code == 2
    assert "Leave seeds_in out" in capsys.readouterr().err
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with pytest.raises(EntropaxError, match=r"GPU.*JAX_PLATFORMS=cpu"):
        fit(small, "Pendulum-v1", apart, seeds=2, root=tmp_path)
    assert not list(tmp_path.iterdir())


PARENT = """
import sys
from entropax import SAC, Dense, Training
from entropax.exploration import PLAIN
from entropax.loops.process_lane import process_lanes
training = Training(steps=90_000, warmup=80_000, seeds_in="processes")
(lane,) = process_lanes(SAC(torso=Dense((8,))), "Pendulum-v1", training, [(0,)], PLAIN)
print(lane._process.pid, flush=True)
while True:
    lane.warm_up(lane.piece)
"""


def _gone(pid: int) -> bool:
    """Whether a process has ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def _wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 30
    while not _gone(pid):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
def test_a_killed_parent_leaves_no_child():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout as said:
        child = int(said.readline())
    assert not _gone(child)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(child, number)
    time.sleep(1)
    assert not _gone(child)
    parent.kill()
    parent.wait()
    _wait_until_gone(child)


COMMAND = """
import sys
import entropax.loops.fit
from entropax.cli import main
entropax.loops.fit.cores = lambda: [0, 1]
main(sys.argv[1:])
"""


ENDLESS = """
import os
from pathlib import Path

import gymnasium
from gymnasium.envs.classic_control import PendulumEnv

class Endless(PendulumEnv):
    steps = 0

    def __init__(self):
        super().__init__()
        self.own = 0

    def step(self, action):
        if self.own < 100 and Endless.steps > 400:  # Only the one for evaluations has steps of its own so late.
            Path("evaluating").write_text(str(os.getpid()))
        self.own += 1
        Endless.steps += 1
        return super().step(action)

gymnasium.register("Endless-v0", Endless)
"""

WHEN = {
    "warm-up": ("Pendulum-v1", ["--warmup", "400_000", "--steps", "400_100"], ("runs/*/metrics.jsonl", '"start"')),
    "training": ("Pendulum-v1", ["--steps", "60_000"], ("runs/*/metrics.jsonl", '"metrics"')),
    "evaluation without end": ("endless:Endless-v0", ["--steps", "600", "--warmup", "500"], ("evaluating", "")),
}


def _at_work(env, counts, ready, folder) -> subprocess.Popen[str]:
    """The command in processes of its own, as soon as a file of the folder has a text."""
    (folder / "endless.py").write_text(ENDLESS)
    flags = ["--seeds", "2", "--seeds-in", "processes", *counts, "--algorithm.batch-size", "32"]
    command = [sys.executable, "-c", COMMAND, "train", "sac", "--env", env, *flags]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True, cwd=folder)
    deadline, (pattern, text) = time.monotonic() + 90, ready
    while not any(text in path.read_text() for path in folder.glob(pattern)):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise AssertionError(process.communicate()[1])
        time.sleep(0.05)
    time.sleep(1)
    return process


@pytest.mark.parametrize(("env", "counts", "ready"), WHEN.values(), ids=WHEN)
def test_ctrl_c_saves_within_ten_seconds(env, counts, ready, tmp_path):
    process = _at_work(env, counts, ready, tmp_path)
    try:
        sent = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        took = time.monotonic() - sent
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, errors
    assert "entropax resume" in errors
    assert "Traceback" not in errors
    assert took < 10
    (path,) = (tmp_path / "runs").iterdir()
    meta, step = read_checkpoint_meta(path)
    assert step > 0
    assert meta["evaluation_owed"] == ("endless" in env)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
def test_a_killed_parent_leaves_no_child_that_evaluates_without_end(tmp_path):
    process = _at_work(*WHEN["evaluation without end"], tmp_path)
    child = int((tmp_path / "evaluating").read_text())
    assert not _gone(child)
    process.kill()
    process.communicate()
    _wait_until_gone(child)


def test_stretches_grow_to_half_a_second_of_rounds():
    piece, rounds_a_second = 1, 100
    found = []
    for _ in range(8):
        piece = next_piece(piece, piece, piece / rounds_a_second)
        found.append(piece)
    assert found == [2, 4, 8, 16, 32, 50, 50, 50]
    assert next_piece(50, 50, 5.0) == 5
    assert next_piece(1, 1, 30.0) == 1
    assert next_piece(4, 2, 0.0) == 8


def test_a_message_brings_json_and_arrays_of_every_shape():
    reading, writing = os.pipe()
    arrays = {
        "scalar": np.array(1.5, np.float32),
        "empty": np.zeros((0, 3), np.int64),
        "striped": np.arange(12).reshape(3, 4)[:, ::2],
        "yes": np.array([True, False]),
    }
    with os.fdopen(reading, "rb") as input_, os.fdopen(writing, "wb") as output:
        channel = Channel(input_, output)
        channel.send({"nan": float("nan"), "list": [1, "two"]}, arrays)
        content, received = channel.receive()
        channel.close()
        with pytest.raises(EOFError):
            channel.receive()
    assert content["list"] == [1, "two"]
    assert np.isnan(content["nan"])
    assert list(received) == list(arrays)
    for name, array in arrays.items():
        assert received[name].dtype == array.dtype
        np.testing.assert_array_equal(received[name], array)


def test_a_tree_by_names_is_the_tree_to_who_writes_it():
    tree = {"weights": jnp.ones((2, 3), jnp.bfloat16), "key": jax.random.key(3), "count": np.int32(4)}
    arrays, records = name_leaves(tree)
    again, same = name_leaves([named(arrays, records)])
    assert {name.removeprefix("[0]"): record for name, record in same.items()} == records
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[f"[0]{name}"], array)
