"""SIGTERM in a process of its own: the run saves itself within seconds, says how to go on, and can."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from entropax import resume
from entropax.loops.signals import StopRequest
from entropax.runs import read_checkpoint_meta, read_metrics

SMALL = ["--algorithm.batch-size", "32", "algorithm.torso:dense", "--algorithm.torso.hidden-sizes", "16", "16"]


def _lines(root: Path) -> list[dict]:
    """What the run's log holds by now."""
    logs = list(root.glob("*/metrics.jsonl"))
    return [json.loads(text) for text in logs[0].read_text().split("\n")[:-1]] if logs else []


def _started(lines: list[dict]) -> bool:
    return any(line["kind"] == "event" and line["name"] == "start" for line in lines)


def _has_row(lines: list[dict]) -> bool:
    return any(line["kind"] == "metrics" for line in lines)


def _is_nearly_done(lines: list[dict]) -> bool:
    return any(line["kind"] == "metrics" and line["step"] >= 390 for line in lines)


# Ten steps lie between that row and the long evaluation.
EVALUATION = ["--log-every", "390", "--evaluate-every", "400", "--evaluation-episodes", "150"]
CASES = {
    "warm-up": (_started, 0.05, ["--warmup", "30000", "--steps", "30100", "--log-every", "100"]),
    "training": (_has_row, 0.1, ["--warmup", "100", "--steps", "6000", "--log-every", "200"]),
    "evaluation": (
        _is_nearly_done,
        0.6,
        ["--warmup", "100", "--steps", "400", *EVALUATION],
    ),
}


@pytest.mark.parametrize(
    "phase", [name if name == "training" else pytest.param(name, marks=pytest.mark.slow) for name in CASES]
)
def test_sigterm_saves_and_names_the_way_on(phase, tmp_path):
    ready, delay, flags = CASES[phase]
    command = [sys.executable, "-m", "entropax", "train", "sac", "--env", "Pendulum-v1", "--root", str(tmp_path)]
    process = subprocess.Popen([*command, *flags, *SMALL], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 90
        while not ready(_lines(tmp_path)):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(delay)
        sent = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        took = time.monotonic() - sent
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 143, errors
    (path,) = tmp_path.iterdir()
    assert f"entropax resume {path}" in errors
    assert took < 10
    stopped = read_checkpoint_meta(path)[1]
    total = int(flags[flags.index("--steps") + 1])
    assert 0 < stopped < total or phase == "evaluation"
    table = read_metrics(path)
    assert "interrupted" in [event.name for event in table.events]
    if phase == "warm-up":
        assert stopped < 30000
        assert table.rows == ()
    if phase == "evaluation":
        assert stopped == 400
        assert "eval/mean_reward" not in table.rows[-1].values
    done = resume(path, progress=False)
    if phase == "evaluation":
        assert "eval/mean_reward" in done.metrics.rows[-1].values
    assert read_checkpoint_meta(path)[1] == total
    assert done.metrics.rows[-1].step == total
    assert [event.name for event in done.metrics.events][-1] == "finished"


def test_the_handlers_before_come_back_and_the_first_signal_is_only_noted():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with StopRequest() as stop:
        assert not stop.requested
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested
        assert stop.signal == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert {number: signal.getsignal(number) for number in before} == before
