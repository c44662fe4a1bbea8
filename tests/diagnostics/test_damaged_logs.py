"""Damage that a parser lets through: endless nesting, numbers beyond floats, metrics of another rank."""

import json
import math
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

from entropax.cli import main
from entropax.diagnostics.readers import Known, read_log, read_mapping
from entropax.diagnostics.readers.lines import read_lines, read_trainer_state, vocabulary_beside
from entropax.diagnostics.readers.table import read_table
from entropax.diagnostics.readers.tensorboard import _masked_crcs, read_events
from entropax.diagnostics.verdict import verdict
from entropax.errors import EntropaxError

DEEP = "[" * 100_000
HUGE = 10**400
ROWS = 12
TRL = Path(__file__).parents[1] / "llm" / "trl_chance"


def read(path, mapping=None):
    return read_log([path], mapping or {}, Known(action_dimensions=1.0))


def write_csv(path, columns):
    """A table of constant columns, pairs of a name and a number, with its steps."""
    header = ",".join(["step", *(name for name, _ in columns)])
    rows = [",".join(map(str, [100 * (row + 1), *(value for _, value in columns)])) for row in range(ROWS)]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


# Nesting


def test_a_trainer_s_state_of_endless_nesting_is_refused(tmp_path, capsys):
    (tmp_path / "trainer_state.json").write_text(DEEP)
    with pytest.raises(SystemExit) as stop:
        main(("diagnose", str(tmp_path)))
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert "is no JSON: maximum recursion depth exceeded" in error


def test_a_line_of_endless_nesting_is_left_out(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text(f'{DEEP}\n{{"step": 1, "data": {{"actor/entropy": 0.5}}}}\n')
    content = read_lines(path)
    assert content.columns["actor/entropy"].values.tolist() == [0.5]
    assert content.notes == (f"{path}: 1 of 2 lines hold no step and data and are left out.",)


def test_a_mapping_of_endless_nesting_is_refused(tmp_path):
    (tmp_path / "names.json").write_text(DEEP)
    with pytest.raises(EntropaxError, match=r"Cannot read the mapping .*It is JSON, one object\."):
        read_mapping(tmp_path / "names.json")


@pytest.mark.parametrize("config", [DEEP, json.dumps({"vocab_size": HUGE})], ids=["nested", "huge"])
def test_a_model_s_configuration_that_makes_no_sense_has_no_vocabulary(tmp_path, config):
    state = Path(shutil.copytree(TRL, tmp_path / "run")) / "trainer_state.json"
    (state.parent / "config.json").write_text(config)
    assert vocabulary_beside(state) is None


# Numbers


@pytest.mark.parametrize(("value", "read_as"), [(HUGE, math.inf), (-HUGE, -math.inf)], ids=["above", "below"])
def test_whole_numbers_beyond_floats_are_infinite(tmp_path, value, read_as):
    (tmp_path / "run.jsonl").write_text(json.dumps({"step": 1, "data": {"actor/grad_norm": value}}) + "\n")
    assert read_lines(tmp_path / "run.jsonl").columns["actor/grad_norm"].values.tolist() == [read_as]
    (tmp_path / "trainer_state.json").write_text(json.dumps({"log_history": [{"step": 1, "grad_norm": value}]}))
    assert read_trainer_state(tmp_path / "trainer_state.json").columns["grad_norm"].values.tolist() == [read_as]


def test_a_step_beyond_floats_is_no_step(tmp_path):
    rows = [{"step": HUGE, "data": {"actor/entropy": 1.0}}, {"step": 2, "data": {"actor/entropy": 0.5}}]
    (tmp_path / "run.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_lines(tmp_path / "run.jsonl").columns["actor/entropy"].steps.tolist() == [2]


def test_a_tensor_that_ends_within_a_number_is_left_out(tmp_path):
    content = b""
    for step, (kind, data) in enumerate([(1, b"\0\0\0"), (2, b"\0" * 9), (1, struct.pack("<f", 2.5))]):
        event = Event(step=step)
        value = event.summary.value.add(tag="loss")
        value.tensor.dtype, value.tensor.tensor_content = kind, data
        record = event.SerializeToString()
        length = struct.pack("<Q", len(record))
        crcs = [struct.pack("<I", int(_masked_crcs([part])[0])) for part in (length, record)]
        content += length + crcs[0] + record + crcs[1]
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(content)
    found = read_events(path)
    assert (found.columns["loss"].steps.tolist(), found.columns["loss"].values.tolist()) == ([2], [2.5])
    assert found.notes == (f"{path}: 2 tensors are no whole numbers of floats and are left out.",)


# Vectors


@pytest.mark.parametrize(
    "names", [("entropy/nats/0",), ("entropy/nats/0", "entropy/nats/1"), ("rollout/ep_rew_mean/0",)]
)
def test_a_metric_of_one_value_given_as_a_vector_is_left_out(tmp_path, names):
    path = write_csv(
        tmp_path / "log.csv", [("train/ent_coef", 0.1), ("entropy/nats", -1.0), *((n, 7.0) for n in names)]
    )
    log = read(path)
    base = names[0][:-2]
    assert f"Left out: {', '.join(names)}, since {base} is one number, not a vector." in log.notes
    assert log.series["entropy/nats"].values.tolist() == [[-1.0]] * ROWS
    assert "rollout/ep_rew_mean" not in log.series
    assert math.isfinite(verdict(log.series, log.facts).numbers["entropy"])


def test_a_dimension_can_be_mapped_to_the_one_value(tmp_path):
    path = write_csv(tmp_path / "log.csv", [("train/ent_coef", 0.1), ("rollout/ep_rew_mean/0", 7.0)])
    log = read(path, {"rollout/ep_rew_mean/0": "rollout/ep_rew_mean"})
    assert log.series["rollout/ep_rew_mean"].values.tolist() == [[7.0]] * ROWS


def test_a_vector_given_as_one_value_is_left_out(tmp_path):
    path = write_csv(tmp_path / "log.csv", [("entropy/nats", -1.0), ("theirs", -1.0)])
    log = read(path, {"theirs": "entropy/per_dimension"})
    assert "entropy/per_dimension" not in log.series
    assert [note for note in log.notes if note.startswith("Left out: theirs") and "entropy/per_dimension/0" in note]
    assert verdict(log.series, log.facts).steps == 100 * ROWS


def test_dimensions_of_other_steps_are_left_out_and_named(tmp_path):
    columns = [("entropy/nats", -1.0), ("entropy/per_dimension/0", -0.5), ("entropy/per_dimension/1", -0.5)]
    path = write_csv(tmp_path / "log.csv", columns)
    lines = path.read_text().splitlines()
    lines[3] = lines[3].rpartition(",")[0] + ","
    path.write_text("\n".join(lines) + "\n")
    log = read(path)
    assert "entropy/per_dimension" not in log.series
    assert "entropy/per_dimension is left out: its dimensions were not logged at the same steps." in log.notes


# Tables


def test_columns_of_one_name_are_told(tmp_path):
    path = write_csv(tmp_path / "log.csv", [("train/ent_coef", 0.5), ("other", 1.0), ("train/ent_coef", 0.1)])
    content = read_table(path, {})
    np.testing.assert_array_equal(content.columns["train/ent_coef"].values, np.full(ROWS, 0.1))
    (note,) = content.notes
    assert "more than one column is called train/ent_coef; of such the last with a number counts" in note
