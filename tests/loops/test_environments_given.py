"""What a user may pass as environment, and what becomes of it where a run cannot begin or is cut short."""

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from entropax import EntropaxError, Episodes, Interrupted, fit, resume
from entropax.envs.pendulum import Pendulum
from entropax.loops.assemble import build
from entropax.loops.fit import _chosen
from entropax.loops.host_lane import HostLane, close_all
from entropax.loops.signals import StopNow, StopRequest
from entropax.loops.training import Training
from entropax.runs import RunWriteError, read_checkpoint_meta, read_metrics


class Counted(gymnasium.Env[np.ndarray, np.ndarray]):
    """Pays nothing, in episodes of 10 steps; knows how many of its kind are open."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
    made = opened = 0

    def __init__(self) -> None:
        self.time = 0
        Counted.made += 1
        Counted.opened += 1

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        self.time = 0
        return np.zeros(2, np.float32), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.time += 1
        return np.zeros(2, np.float32), 0.0, False, self.time >= 10, {}

    def close(self) -> None:
        Counted.opened -= 1


class Unbounded(Counted):
    action_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,), np.float32)


class WillNotClose(Counted):
    def close(self) -> None:
        super().close()
        raise RuntimeError("the simulator is gone")


@pytest.fixture(autouse=True)
def counted():
    Counted.made = Counted.opened = 0


class Jams(Counted):
    """Its 150th step fails, and so does closing it then."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        if self.steps == 150:
            raise ArithmeticError("the gripper is jammed")
        return super().step(action)

    def close(self) -> None:
        super().close()
        if self.steps >= 150:
            raise RuntimeError("the simulator is gone")


SHARED = Counted()
REFUSED = {
    "an environment itself": (gymnasium.make("Pendulum-v1"), 1, "is a TimeLimit itself.*lambda: gymnasium.make"),
    "nothing callable": (3, 1, "is a int itself"),
    "a function that returns none": (lambda: None, 1, "returned a NoneType, not a Gymnasium environment"),
    "a function that makes it once": (lambda: SHARED, 1, "returned the same environment twice"),
    "bounds that are not finite": (Unbounded, 1, "The action bounds are not finite"),
    "fewer copies than counted on": (Counted, 4, "has 1 copies, but num_envs is 4.*make_vec"),
    "more copies than counted on": (
        lambda: gymnasium.vector.SyncVectorEnv([Counted, Counted]),
        1,
        "has 2 copies, but num_envs is 1.*Set num_envs to 2",
    ),
}


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize(("environment", "copies", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_would_train_on_something_else_is_refused(environment, copies, message, small, loop, tmp_path):
    with pytest.raises(EntropaxError, match=message):
        fit(small, environment, dataclasses.replace(loop, num_envs=copies), root=tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []
    assert environment == REFUSED["a function that makes it once"][0] or Counted.opened == 0


def test_an_id_whose_environment_is_refused_leaves_none_open():
    gymnasium.register("tests/WithoutBounds-v0", Unbounded)
    try:
        with pytest.raises(EntropaxError, match="not finite"):
            build("tests/WithoutBounds-v0", 3)
    finally:
        del gymnasium.registry["tests/WithoutBounds-v0"]
    assert (Counted.made, Counted.opened) == (3, 0)


def test_a_run_that_cannot_begin_closes_all_environments(small, loop, tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(RunWriteError):
        fit(small, Counted, loop, seeds=2, root=tmp_path / "runs", progress=False)
    assert Counted.made >= 3  # Two seeds, and the evaluation of each device.
    assert Counted.opened == 0


def test_an_environment_that_will_not_close_hides_nothing_and_holds_up_no_other():
    environments = [build(each, 1) for each in (WillNotClose, Counted)]
    with pytest.warns(UserWarning, match=r"could not be closed: RuntimeError\('the simulator is gone'\)"):
        close_all(environments)  # pyright: ignore[reportArgumentType]
    assert Counted.opened == 0


def test_an_environment_that_fails_says_so_last_and_how_the_run_goes_on(small, loop, tmp_path):
    short = dataclasses.replace(loop, steps=200, warmup=50, log_every=50, checkpoint_every=100, evaluate_every=0)
    with (
        pytest.warns(UserWarning, match="could not be closed"),
        pytest.raises(ArithmeticError, match="the gripper is jammed") as error,
    ):
        fit(small, Jams, short, root=tmp_path, progress=False)
    (note,) = error.value.__notes__
    assert "last checkpoint is whole. Go on with:  entropax.resume(" in note
    assert Counted.opened == 0


INTERRUPTED = """
import os, signal, threading
import gymnasium, numpy as np
from entropax.loops.assemble import build
from entropax.loops.signals import StopRequest

if __name__ == "__main__":
    environments = build(lambda: gymnasium.make_vec("Pendulum-v1", num_envs=2, vectorization_mode="async"), 2)
    environments.reset(seed=0)
    threading.Timer(0.3, os.killpg, (0, signal.SIGINT)).start()
    steps = 0
    with StopRequest() as stop:
        while steps < 20:
            environments.step(np.zeros((2, 1), np.float32))
            steps += stop.requested
    environments.close()
    print(steps)
"""


def test_ctrl_c_reaches_the_driver_and_not_the_processes_of_an_environment(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(INTERRUPTED)
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=60, check=False, start_new_session=True
    )
    assert (done.stdout, done.returncode) == ("20\n", 0), done.stderr


def test_a_handler_of_ctrl_c_comes_back_after_an_environment_is_made():
    before = signal.getsignal(signal.SIGINT)
    during = []

    def make() -> gymnasium.Env[np.ndarray, np.ndarray]:
        during.append(signal.getsignal(signal.SIGINT))
        return Counted()

    build(make, 1)
    assert during == [signal.SIG_IGN]
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("seeds", [np.int64(2), np.arange(2), [np.int32(0), 1]])
def test_seeds_of_numpy_are_whole_numbers_too(seeds):
    chosen = _chosen(seeds)
    assert chosen == (0, 1)
    assert [type(seed) for seed in chosen] == [int, int]


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize("seeds", [0.5, [0.5], "2", None, np.zeros(2)])
def test_seeds_that_are_no_whole_numbers_are_refused(seeds):
    with pytest.raises(EntropaxError, match="must be a count from 1"):
        _chosen(seeds)


def test_rows_are_as_frequent_as_what_comes_with_them():
    assert Training(log_every=5_000, evaluate_every=2_000, checkpoint_every=3_000).row_every == 2_000
    assert Training(log_every=5_000, evaluate_every=0, checkpoint_every=3_000).row_every == 3_000
    assert Training(log_every=500, num_envs=4).row_every == 125


def _signalled(stop: StopRequest, seen: list[str]) -> None:
    with stop.cutting_short():
        seen.append("once")
        signal.raise_signal(signal.SIGTERM)
        seen.append("went on")


def test_a_signal_cuts_short_what_may_take_for_ever_and_only_that():
    seen: list[str] = []
    with StopRequest() as stop:
        for _ in range(2):
            with pytest.raises(StopNow):
                _signalled(stop, seen)
        assert seen == ["once"]
        signal.raise_signal(signal.SIGTERM)
        assert stop.signal == signal.SIGTERM


def test_an_evaluation_without_end_is_left_at_a_signal_and_made_up_for(small, loop, tmp_path, monkeypatch):
    rare = dataclasses.replace(loop, steps=300, log_every=1_000, evaluate_every=300, checkpoint_every=10_000)

    def without_end(self, episodes):
        del self, episodes
        os.kill(os.getpid(), signal.SIGTERM)
        while True:
            pass

    with monkeypatch.context() as patch:
        patch.setattr(HostLane, "evaluate", without_end)
        with pytest.raises(
            Interrupted, match=r"saved at step 300\. Go on with:  entropax\.resume\(.*environment="
        ) as stop:
            fit(small, Counted, rare, root=tmp_path, progress=False)
    assert stop.value.number == signal.SIGTERM
    (path,) = tmp_path.iterdir()
    assert read_checkpoint_meta(path)[1] == 300
    assert "eval/mean_reward" not in read_metrics(path).names
    done = resume(path, environment=Counted, progress=False)
    assert done.metrics.rows[-1].step == 300
    assert {"eval/mean_reward", "train/critic_loss"} <= set(done.metrics.rows[-1].values)
    assert Counted.opened == 0


@pytest.mark.filterwarnings("ignore:.*Using the latest versioned environment")
def test_an_id_without_a_version_is_kept_with_the_one_that_was_made(small, loop, tmp_path):
    short = dataclasses.replace(loop, steps=200, evaluate_every=0)
    run = fit(small, "Pendulum", short, root=tmp_path, progress=False)
    assert run.manifest.environment["id"] == "Pendulum-v1" and "Pendulum-v1" in run.path.name


def test_another_environment_than_the_run_s_is_refused(small, loop, tmp_path):
    short = dataclasses.replace(loop, steps=200, evaluate_every=0)
    run = fit(small, Episodes(Pendulum(), 50), short, root=tmp_path, progress=False)
    assert run.manifest.environment["by_id"] is False
    before = _content(run.path)
    with pytest.raises(EntropaxError, match="its environment was no id but Pendulum"):
        resume(run.path, progress=False)
    with pytest.raises(EntropaxError, match=r"trained on an environment of jax, but .* is one of gymnasium"):
        resume(run.path, environment="Pendulum-v1", progress=False)
    with pytest.raises(EntropaxError, match="trained on 3 observation entries"):
        resume(run.path, environment="entropax/MountainCarContinuous-v0", progress=False)
    assert _content(run.path) == before
    assert resume(run.path, environment=Episodes(Pendulum(), 50), progress=False).metrics.rows[-1].step == 200


def _content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
