"""The log survives kills, a resume supersedes, and TensorBoard can read its half."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

from entropax.errors import EntropaxError
from entropax.runs import MetricsLog, RunEvent, RunWriteError, read_metrics


def write(folder: Path, steps: list[int], offset: float = 0.0) -> None:
    log = MetricsLog(folder, seeds=(3, 5))
    for step in steps:
        log.metrics(step, step / 10, {"train/ent_coef": [step + offset, -step]})
    log.close()


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_one_row_is_one_line_of_the_contract(tmp_path):
    log = MetricsLog(tmp_path, seeds=(3, 5))
    log.metrics(
        100, 1.5, {"train/q_mean": jnp.asarray([1.5, jnp.nan]), "entropy/per_dimension": [[0.5, -np.inf], [0.25, 1.0]]}
    )
    log.event(100, 1.6, "checkpoint", "saved")
    assert lines(tmp_path) == [
        {
            "schema": 1,
            "kind": "metrics",
            "step": 100,
            "seconds": 1.5,
            "values": {"train/q_mean": [1.5, None], "entropy/per_dimension": [[0.5, None], [0.25, 1.0]]},
        },
        {"schema": 1, "kind": "event", "step": 100, "seconds": 1.6, "name": "checkpoint", "message": "saved"},
    ]
    log.close()
    log.close()


def test_reading_gives_series_with_nan_for_null(tmp_path):
    log = MetricsLog(tmp_path, seeds=(3, 5))
    log.event(0, 0.0, "start", "begin")
    log.metrics(1, 0.1, {"a": [1, np.nan], "v": [[1, 2, 3], [4, 5, np.inf]]})
    log.metrics(2, 0.2, {"a": [2, 20]})
    log.close()
    table = read_metrics(tmp_path)
    assert table.names == ("a", "v")
    steps, values = table.series("a")
    np.testing.assert_array_equal(steps, [1, 2])
    np.testing.assert_array_equal(values, [[1, np.nan], [2, 20]])
    steps, values = table.series("v")
    assert (steps.tolist(), values.shape) == ([1], (1, 2, 3))
    assert values[0, 1].tolist()[:2] == [4, 5]
    assert np.isnan(values[0, 1, 2])
    assert table.events == (RunEvent(0, 0.0, "start", "begin"),)
    with pytest.raises(EntropaxError, match=r"No metric is named b\. This run has: a, v"):
        table.series("b")


def test_the_last_row_of_a_step_wins_and_rows_are_sorted(tmp_path):
    write(tmp_path, [10, 20, 30])
    write(tmp_path, [20, 15], offset=0.5)
    steps, values = read_metrics(tmp_path).series("train/ent_coef")
    assert steps.tolist() == [10, 15, 20, 30]
    assert values[:, 0].tolist() == [10, 15.5, 20.5, 30]


def test_what_is_written_later_of_a_step_joins_its_row(tmp_path):
    log = MetricsLog(tmp_path, seeds=(3,))
    log.metrics(10, 1.0, {"a": [1.0], "b": [1.0]})
    log.metrics(10, 2.0, {"b": [2.0], "eval/mean_reward": [3.0]})
    log.close()
    (row,) = read_metrics(tmp_path).rows
    assert {name: value.tolist() for name, value in row.values.items()} == {
        "a": [1.0],
        "b": [2.0],
        "eval/mean_reward": [3.0],
    }


@pytest.mark.parametrize("cut", [1, 2, 20, 60])
def test_a_torn_last_line_is_ignored_and_mended_on_reopening(tmp_path, cut):
    write(tmp_path, [10, 20])
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    kept = [10, 20] if cut == 1 else [10]
    assert read_metrics(tmp_path).series("train/ent_coef")[0].tolist() == kept
    write(tmp_path, [30])
    assert [line["step"] for line in lines(tmp_path)] == [*kept, 30]


def test_a_torn_last_line_of_endless_nesting_is_cut_off(tmp_path):
    write(tmp_path, [10])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write("[" * 100_000)
    write(tmp_path, [20])
    assert [line["step"] for line in lines(tmp_path)] == [10, 20]


def test_a_log_that_is_only_a_torn_line(tmp_path):
    (tmp_path / "metrics.jsonl").write_bytes('{"schema": 1, "message": "ü'.encode()[:-1])
    assert read_metrics(tmp_path).rows == ()
    write(tmp_path, [30])
    assert [line["step"] for line in lines(tmp_path)] == [30]


WRITER = """
import sys
from pathlib import Path
from entropax.runs import MetricsLog
log = MetricsLog(Path(sys.argv[1]), (0,))
for step in range(10**7):
    log.metrics(step, 0.0, {"a": [step], "v": [[0.5] * 50]})
    print(step, flush=True)
"""


def test_a_kill_loses_no_row_that_was_reported(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(100):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    reported = int((["99", *process.stdout.read().split("\n")[:-1]])[-1])
    process.stdout.close()
    process.wait()
    steps, values = read_metrics(tmp_path).series("a")
    assert len(steps) >= reported + 1 >= 100
    assert values[:, 0].tolist() == list(range(len(steps)))


def test_resuming_supersedes_what_came_after(tmp_path):
    write(tmp_path, [10, 20, 30])
    log = MetricsLog(tmp_path, seeds=(3, 5))
    log.event(30, 3.0, "interrupted", "SIGTERM")
    log.truncate_after(20)
    assert [line["step"] for line in lines(tmp_path)] == [10, 20]
    log.event(20, 3.1, "resume", "from step 20")
    log.metrics(30, 4.0, {"train/ent_coef": [0.5, 0.5]})
    log.close()
    table = read_metrics(tmp_path)
    assert table.series("train/ent_coef")[1][:, 0].tolist() == [10, 20, 0.5]
    assert [event.name for event in table.events] == ["resume"]


def test_a_truncation_that_fails_changes_nothing(tmp_path, monkeypatch):
    write(tmp_path, [10, 20, 30])
    before = (tmp_path / "metrics.jsonl").read_bytes()
    log = MetricsLog(tmp_path, seeds=(3, 5))

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", full)
        with pytest.raises(RunWriteError, match="No space left"):
            log.truncate_after(10)
    log.close()
    assert (tmp_path / "metrics.jsonl").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_full_disk_is_reported_and_leaves_whole_lines(tmp_path):
    """No monkeypatch: the kernel takes the first part of the line and refuses the rest."""
    log = MetricsLog(tmp_path, seeds=(0,))
    log.event(0, 0.0, "start", "x" * 2000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "metrics.jsonl").stat().st_size + 30, before[1]))
    try:
        with pytest.raises(RunWriteError, match=r"metrics\.jsonl: .*File too large.*resume"):
            log.event(1, 0.0, "checkpoint", "y")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [line["step"] for line in lines(tmp_path)] == [0]
    log.event(2, 0.0, "checkpoint", "z")
    log.close()
    assert [line["step"] for line in lines(tmp_path)] == [0, 2]


@pytest.mark.parametrize("value", [1.0, [1.0], [1.0, 2.0, 3.0], [[[1.0]], [[2.0]]]])
def test_a_value_without_its_seed_axis_is_refused(tmp_path, value):
    log = MetricsLog(tmp_path, seeds=(3, 5))
    with pytest.raises(EntropaxError, match=r"Metric a has shape .*one entry per seed"):
        log.metrics(0, 0.0, {"a": value})
    log.close()
    assert lines(tmp_path) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"schema": 1, "kind"', r"line 2 is damaged.*Delete that line"),
        ('{"schema": 2, "kind": "metrics", "step": 1}', r"schema 2.*Upgrade"),
        ('{"kind": "metrics", "step": 1}', "no schema number"),
        ('{"schema": 1, "kind": "other", "step": 1}', "line 2 is no metrics row"),
        ('{"schema": 1, "kind": "metrics", "step": 1, "seconds": 0.0, "values": [1]}', "step 1 is malformed"),
        ('{"schema": 1, "kind": "event", "step": 1, "seconds": 0.0, "name": "x"}', "step 1 is malformed"),
        ('{"schema": 1, "kind": "event", "step": 1, "seconds": 0, "name": 3, "message": "x"}', "3 is no text"),
        ('{"schema": 1, "kind": "event", "step": 1, "seconds": NaN, "name": "x", "message": "x"}', "nan is not finite"),
        ('{"schema": 1, "kind": "metrics", "step": 1, "seconds": 0.0, "values": {"a": 1.0}}', "1.0 is no list by seed"),
        ("[" * 100_000, r"line 2 is damaged.*Delete that line"),
        (f'{{"schema": 1, "kind": "metrics", "step": {10**400}}}', "line 2 is no metrics row"),
        (f'{{"schema": 1, "kind": "metrics", "step": 1, "seconds": {10**400}, "values": {{}}}}', "step 1 is malformed"),
        (
            f'{{"schema": 1, "kind": "metrics", "step": 1, "seconds": 0, "values": {{"a": [{10**400}]}}}}',
            "step 1 is malformed",
        ),
    ],
)
def test_a_damaged_line_is_named(tmp_path, line, message):
    write(tmp_path, [10, 20])
    path = tmp_path / "metrics.jsonl"
    first, second = path.read_text().splitlines()
    path.write_text(f"{first}\n{line}\n{second}\n")
    with pytest.raises(EntropaxError, match=message):
        read_metrics(tmp_path)


def test_a_run_without_a_log(tmp_path):
    with pytest.raises(EntropaxError, match=r"Cannot read .*metrics\.jsonl"):
        read_metrics(tmp_path)


def tensorboard_events(folder: Path) -> list[Event]:
    """Decodes event files: records of length (8 bytes), checksum (4), message, checksum (4)."""
    found = []
    for path in sorted(folder.iterdir()):
        content, position = path.read_bytes(), 0
        while position < len(content):
            size = int.from_bytes(content[position : position + 8], "little")
            found.append(Event.FromString(content[position + 12 : position + 12 + size]))
            position += size + 16
    return found


def tensorboard_scalars(folder: Path) -> list[tuple[str, int, float]]:
    events = tensorboard_events(folder)
    return [(value.tag, event.step, value.simple_value) for event in events for value in event.summary.value]


def test_tensorboard_holds_finite_scalars_by_seed(tmp_path):
    log = MetricsLog(tmp_path, seeds=(3, 5))
    log.metrics(100, 1.0, {"train/q_mean": [1.5, np.nan], "entropy/sigma_per_dimension": [[0.5, 0.25], [1.0, 2.0]]})
    log.metrics(2**31 + 1, 2.0, {"train/q_mean": [2.5, 3.5]})
    log.close()
    assert tensorboard_scalars(tmp_path / "tensorboard" / "seed_3") == [
        ("train/q_mean", 100, 1.5),
        ("entropy/sigma_per_dimension/0", 100, 0.5),
        ("entropy/sigma_per_dimension/1", 100, 0.25),
        ("train/q_mean", 2**31 + 1, 2.5),
    ]
    assert tensorboard_scalars(tmp_path / "tensorboard" / "seed_5") == [
        ("entropy/sigma_per_dimension/0", 100, 1.0),
        ("entropy/sigma_per_dimension/1", 100, 2.0),
        ("train/q_mean", 2**31 + 1, 3.5),
    ]


def test_tensorboard_hides_what_a_resume_supersedes(tmp_path):
    """TensorBoard drops points at or past the step of a later file's session start."""
    log = MetricsLog(tmp_path, seeds=(3,))
    log.metrics(10, 1.0, {"a": [1.0]})
    log.truncate_after(20)
    log.close()
    starts = [
        event.step for event in tensorboard_events(tmp_path / "tensorboard" / "seed_3") if event.session_log.status
    ]
    assert starts == [21]


def test_reading_a_run_does_not_import_the_tensorboard_writer():
    code = "import sys, entropax.runs; print('tensorboardX' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
