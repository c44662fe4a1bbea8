"""Logs as their libraries write them: names, what is derived, seeds side by side, and every kind of damage."""

import json
import math
import struct
from pathlib import Path

import numpy as np
import pytest
from tensorboardX import SummaryWriter

from entropax.diagnostics.findings import Kind
from entropax.diagnostics.readers import Known, read_log, read_mapping
from entropax.diagnostics.readers.names import BRAX, CLEANRL, LIBRARIES, OF_TOKENS, OTHER, OURS, OWN, SB3
from entropax.diagnostics.readers.tensorboard import _masked_crcs, read_events
from entropax.diagnostics.verdict import verdict
from entropax.errors import EntropaxError

PENDULUM = Path(__file__).parent / "sb3_pendulum"
ROWS = 20
STEPS = 500 * np.arange(1, ROWS + 1)


def write_events(folder, rows, step=STEPS):
    """TensorBoard events of `{tag: values}` or `{tag: number}`."""
    with SummaryWriter(str(folder)) as writer:
        for tag, values in rows.items():
            for at, value in zip(step, np.broadcast_to(values, (len(step),)), strict=True):
                writer.add_scalar(tag, float(value), int(at))
    return folder


def cleanrl(slack=0.3, alpha=None, **more):
    """What sac_continuous_action.py logs, at a slack in nats."""
    alpha = np.linspace(0.9, 0.1, ROWS) if alpha is None else alpha
    return {
        "charts/episodic_return": 100.0,
        "losses/alpha": alpha,
        "losses/alpha_loss": alpha * slack,
        "losses/qf1_values": 5.0,
        "losses/qf_loss": 1.0,
        **more,
    }


def write_csv(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in [header, *rows]))
    return path


def read(*paths, mapping=None, **known):
    return read_log(list(paths), mapping or {}, Known(**known))


# Stable-Baselines3


def test_a_real_progress_csv_is_read_under_our_names():
    log = read(PENDULUM, action_dimensions=1.0)
    assert log.library is SB3
    assert log.facts.temperature_rate == pytest.approx(3e-4)
    assert len(log.series["rollout/ep_rew_mean"].steps) == 25
    assert log.series["train/n_updates"].values[-1, 0] == 4899
    assert len(log.series["eval/mean_reward"].steps) == 5
    assert verdict(log.series, log.facts).steps == 5000


def test_the_entropy_of_a_real_run_is_recovered_from_the_temperatures_loss():
    """An untrained policy of one action has nearly the widest tanh-Gaussian's 0.684 nats, less one batch's noise."""
    log = read(PENDULUM, action_dimensions=1.0)
    nats = log.series["entropy/nats"].values[:, 0]
    assert nats[0] == pytest.approx(0.684, abs=0.1)
    assert nats.max() < 0.75
    slack, loss, alpha = (
        log.series[name].values[:, 0] for name in ("entropy/slack", "train/ent_coef_loss", "train/ent_coef")
    )
    assert slack * np.log(alpha) == pytest.approx(loss)
    assert nats == pytest.approx(slack - 1.0)


def test_adams_limit_shows_in_a_real_run():
    log = read(PENDULUM, action_dimensions=1.0)
    pace = log.series["train/ent_coef_step"].values[:, 0] / 3e-4
    assert pace[0] == pytest.approx(-1, rel=0.02)
    assert np.abs(pace).max() < 1.02


def test_without_the_dimensions_slack_is_known_and_entropy_is_not():
    log = read(PENDULUM)
    assert "entropy/slack" in log.series
    assert "entropy/nats" not in log.series
    assert verdict(log.series, log.facts).kind is Kind.HEALTHY


def test_a_given_target_replaces_the_default_and_its_note():
    default, given = read(PENDULUM, action_dimensions=1.0), read(PENDULUM, action_dimensions=1.0, target=-0.5)
    assert given.series["entropy/nats"].values == pytest.approx(default.series["entropy/nats"].values + 0.5)
    assert [note for note in default.notes if "default, -1 nats" in note]
    assert [note for note in given.notes if "default" in note] == []


def sb3_at(folder, slack):
    """Events of Stable-Baselines3's SAC at a slack in nats."""
    alpha = np.linspace(0.9, 0.1, ROWS)
    return write_events(folder, {"train/ent_coef": alpha, "train/ent_coef_loss": slack * np.log(alpha)})


def test_an_assumed_target_that_cannot_be_is_not_used(tmp_path):
    possible, impossible = sb3_at(tmp_path / "a", 2 * 1.8), sb3_at(tmp_path / "b", 2 * 2.0)
    assert "entropy/nats" in read(possible, action_dimensions=2.0).series
    log = read(impossible, action_dimensions=2.0)
    assert "entropy/nats" not in log.series
    assert [note for note in log.notes if "would make the entropy larger than it can be" in note]
    given = read(impossible, action_dimensions=2.0, target=-4.0)
    assert given.series["entropy/nats"].values == pytest.approx(0.0, abs=1e-5)


def test_a_start_that_no_untrained_policy_has_makes_an_assumed_target_doubtful(tmp_path):
    likely = read(sb3_at(tmp_path / "a", 2 * 1.2), action_dimensions=2.0)
    unlikely = read(sb3_at(tmp_path / "b", 2 * 0.8), action_dimensions=2.0)
    assert [note for note in likely.notes if "untrained" in note] == []
    assert [note for note in unlikely.notes if "starts at -0.2 nats per dimension" in note]


def test_a_fixed_alpha_has_no_slack(tmp_path):
    rows = {"train/ent_coef": 0.2, "train/ent_coef_loss": 0.1, "rollout/ep_rew_mean": 1.0}
    assert "entropy/slack" not in read(write_events(tmp_path / "a", rows)).series


def test_ppo_s_entropy_has_its_sign_and_no_widest_policy(tmp_path):
    log = read(write_events(tmp_path / "a", {"train/entropy_loss": -1.4, "rollout/ep_rew_mean": 1.0}))
    assert log.series["entropy/nats"].values == pytest.approx(1.4)
    assert math.isnan(log.facts.entropy_maximum)


# CleanRL and Brax


def test_stable_baselines3_s_ppo_counts_entropy_in_environment_units(tmp_path):
    rows = {"train/entropy_loss": -1.4189, "rollout/ep_rew_mean": 1.0, "time/total_timesteps": 1.0}
    path = tmp_path / "progress.csv"
    lines = [",".join(map(str, [*list(rows.values())[:2], 1000 * row])) for row in range(1, 9)]
    path.write_text("\n".join([",".join(rows), *lines]))
    known = read_log([path], {}, Known(action_dimensions=1, log_half_range=math.log(2)))
    assert known.series["entropy/nats"].values == pytest.approx(1.4189 - math.log(2), abs=1e-6)
    unknown = read_log([path], {}, Known(action_dimensions=1))
    assert unknown.series["entropy/nats"].values == pytest.approx(1.4189, abs=1e-6)
    assert any("in environment units here; bounds of ±1 are assumed. Pass --env." in note for note in unknown.notes)


def test_cleanrl_s_loss_is_in_alpha_and_its_entropy_in_environment_units(tmp_path):
    folder = write_events(tmp_path / "Hopper__sac__1__1700000000", cleanrl())
    log = read(folder, action_dimensions=3.0, log_half_range=3 * math.log(2))
    assert log.library is CLEANRL
    assert log.series["entropy/slack"].values == pytest.approx(0.3, rel=1e-5)
    assert log.series["entropy/target"].values == pytest.approx(-3 - 3 * math.log(2))
    assert log.series["entropy/nats"].values == pytest.approx(0.3 - 3 - 3 * math.log(2))
    assert [note for note in log.notes if "environment units" in note] == []
    assert [note for note in read(folder, action_dimensions=3.0).notes if "bounds of ±1 are assumed" in note]


def test_brax_s_target_is_half_a_nat_a_dimension(tmp_path):
    alpha = np.linspace(1.0, 0.5, ROWS)
    rows = {"eval/episode_reward": 10.0, "training/alpha": alpha, "training/alpha_loss": 0.2 * alpha}
    log = read(write_events(tmp_path / "brax", rows), action_dimensions=4.0)
    assert log.library is BRAX
    assert log.series["entropy/target"].values == pytest.approx(-2.0)
    assert log.series["entropy/nats"].values == pytest.approx(-1.8)
    assert log.series["rollout/ep_rew_mean"].values == pytest.approx(10.0)


def test_the_share_of_the_value_and_q_follow(tmp_path):
    alpha = np.linspace(0.5, 0.1, ROWS)
    rows = {"train/ent_coef": alpha, "train/ent_coef_loss": 0.0, "train/actor_loss": -50.0}
    log = read(write_events(tmp_path / "a", rows), action_dimensions=2.0)
    assert log.series["train/q_mean"].values == pytest.approx(50.0)
    share = log.series["entropy/share_of_soft_value"].values[:, 0]
    assert share == pytest.approx(2 * alpha / (50 + 2 * alpha), rel=1e-5)


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
def test_every_name_leads_to_one_of_ours_that_exists(library):
    assert {ours for ours, _ in library.names.values()} <= OURS | OF_TOKENS
    page = "llm_diagnosis.md" if library.of_tokens else "diagnose.md"
    documented = (Path(__file__).parents[2] / "docs" / page).read_text("utf-8")
    assert [name for name in library.names if f"`{name}`" not in documented] == []


def test_our_own_names_and_vectors_are_read_from_events(tmp_path):
    rows = {"entropy/nats": -2.0, "entropy/per_dimension/0": -1.5, "entropy/per_dimension/1": -0.5}
    log = read(write_events(tmp_path / "seed_3", rows))
    assert log.library is OWN
    assert log.series["entropy/per_dimension"].values.shape == (ROWS, 1, 2)
    assert log.series["entropy/per_dimension"].values[0, 0] == pytest.approx([-1.5, -0.5])


# Seeds


def test_sub_folders_are_seeds_named_by_their_number(tmp_path):
    for seed in (3, 5):
        write_events(tmp_path / f"run_{seed}", cleanrl(slack=float(seed)))
    log = read(tmp_path)
    assert log.facts.seeds == (3, 5)
    assert log.series["entropy/slack"].values[0] == pytest.approx([3.0, 5.0], rel=1e-5)


def test_folders_given_together_are_the_seeds_of_one_run(tmp_path):
    one, two = write_events(tmp_path / "a", cleanrl()), write_events(tmp_path / "b", cleanrl())
    assert read(one, two).facts.seeds == (0, 1)


def test_rows_go_to_the_nearest_step_of_the_seed_with_most_rows(tmp_path):
    write_events(tmp_path / "s_0", {"charts/episodic_return": np.arange(ROWS)})
    write_events(tmp_path / "s_1", {"charts/episodic_return": [10.0, 20.0, 40.0]}, step=[510, 740, 2000])
    values = read(tmp_path).series["rollout/ep_rew_mean"]
    assert values.steps.tolist() == STEPS.tolist()
    assert values.values[[0, 3], 1].tolist() == [15.0, 40.0]
    assert np.isnan(np.delete(values.values[:, 1], [0, 3])).all()


def test_a_longer_seed_with_fewer_rows_keeps_its_end(tmp_path):
    write_events(tmp_path / "s_0", {"charts/episodic_return": 1.0})
    write_events(tmp_path / "s_1", {"charts/episodic_return": [2.0, 3.0]}, step=[1000, 40_000])
    log = read(tmp_path)
    series = log.series["rollout/ep_rew_mean"]
    assert (series.steps[-1], series.values[-1, 1]) == (40_000, 3.0)
    assert np.isnan(series.values[-1, 0])
    assert [note for note in log.notes if "s_0 ends at step 10000 of 40000" in note]


def test_a_seed_that_crashed_is_no_run_that_stopped_being_finite(tmp_path):
    write_events(tmp_path / "s_0", cleanrl())
    write_events(tmp_path / "s_1", {tag: np.broadcast_to(v, ROWS)[:8] for tag, v in cleanrl().items()}, step=STEPS[:8])
    log = read(tmp_path)
    assert [f.rule for f in verdict(log.series, log.facts).findings if f.rule == "nonfinite"] == []


# Damage


def test_nan_that_was_logged_is_a_finding(tmp_path):
    loss = np.where(np.arange(ROWS) < 12, 1.0, np.nan)
    log = read(write_events(tmp_path / "a", cleanrl(**{"losses/qf_loss": loss})))
    (finding,) = [f for f in verdict(log.series, log.facts).findings if f.rule == "nonfinite"]
    assert finding.steps[0] == STEPS[12]


def test_checksums_are_those_of_the_format():
    """CRC-32C of `123456789` is 0xE3069283 (RFC 3720, appendix B.4), masked as TensorFlow does."""
    crc = 0xE3069283
    masked = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    assert _masked_crcs([b"", b"123456789"])[1] == masked
    # Records of other lengths in one call change nothing, down to the empty one, whose CRC is 0.
    assert _masked_crcs([b"x" * 15, b"123456789", b"ab", b""])[[1, 3]].tolist() == [masked, 0xA282EAD8]


def event_file(folder):
    (file,) = folder.glob("*tfevents*")
    return file


@pytest.mark.parametrize("cut", [1, 5, 12, 20])
def test_a_torn_last_record_is_left_out(tmp_path, cut):
    folder = write_events(tmp_path / "a", {"rollout/ep_rew_mean": np.arange(ROWS)})
    event_file(folder).write_bytes(event_file(folder).read_bytes()[:-cut])
    log = read(folder)
    assert log.series["rollout/ep_rew_mean"].values[:, 0].tolist() == list(range(ROWS - 1))
    assert [note for note in log.notes if "the last record is not whole yet" in note]


def test_a_record_whose_data_is_damaged_is_left_out_and_the_others_are_read(tmp_path):
    folder = write_events(tmp_path / "a", {"rollout/ep_rew_mean": np.arange(ROWS)})
    content = bytearray(event_file(folder).read_bytes())
    content[-5] ^= 0xFF
    event_file(folder).write_bytes(content)
    log = read(folder)
    assert len(log.series["rollout/ep_rew_mean"].steps) == ROWS - 1
    assert [note for note in log.notes if "1 of 21 records fail their checksum" in note]


def test_a_damaged_length_ends_the_file_there(tmp_path):
    folder = write_events(tmp_path / "a", {"rollout/ep_rew_mean": np.arange(ROWS)})
    content = bytearray(event_file(folder).read_bytes())
    first = 16 + struct.unpack_from("<Q", content, 0)[0]
    second = first + 16 + struct.unpack_from("<Q", content, first)[0]
    content[second] ^= 0xFF
    event_file(folder).write_bytes(content)
    log = read(folder)
    assert len(log.series["rollout/ep_rew_mean"].steps) == 1
    assert [note for note in log.notes if f"damaged at byte {second}" in note]


def test_scalars_written_as_tensors_are_read(tmp_path):
    from tensorboardX.proto.event_pb2 import Event

    tensors = [
        {"dtype": 1, "float_val": [2.5]},
        {"dtype": 1, "tensor_content": struct.pack("<f", 2.5)},
        {"dtype": 2, "tensor_content": struct.pack("<d", 2.5)},
        {"dtype": 7, "string_val": [b"text"]},
    ]
    content = b""
    for step, tensor in enumerate(tensors):
        event = Event(step=step)
        event.summary.value.add(tag="loss").tensor.MergeFrom(type(event.summary.value.add().tensor)(**tensor))
        data = event.SerializeToString()
        length = struct.pack("<Q", len(data))
        crcs = [struct.pack("<I", int(_masked_crcs([part])[0])) for part in (length, data)]
        content += length + crcs[0] + data + crcs[1]
    (tmp_path / "events.out.tfevents.1").write_bytes(content)
    column = read_events(tmp_path / "events.out.tfevents.1").columns["loss"]
    assert (column.steps.tolist(), column.values.tolist()) == ([0, 1, 2], [2.5, 2.5, 2.5])


def test_a_resumed_run_s_later_file_wins(tmp_path):
    write_events(tmp_path / "a", {"rollout/ep_rew_mean": 1.0})
    event_file(tmp_path / "a").rename(tmp_path / "a" / "events.out.tfevents.1")
    write_events(tmp_path / "b", {"rollout/ep_rew_mean": 2.0}, step=STEPS[10:])
    event_file(tmp_path / "b").rename(tmp_path / "a" / "events.out.tfevents.2")
    values = read(tmp_path / "a").series["rollout/ep_rew_mean"].values[:, 0]
    assert values.tolist() == [1.0] * 10 + [2.0] * 10


def test_a_torn_last_line_and_short_lines_are_left_out_with_a_note(tmp_path):
    path = write_csv(tmp_path / "log.csv", ["step", "train/ent_coef"], [[1, 0.5], [2], [3, ""], [4, "nan"], [5, 0.1]])
    path.write_text(path.read_text() + "6,0.")
    log = read(path)
    series = log.series["train/ent_coef"]
    assert series.steps.tolist() == [1, 4, 5]
    assert series.values[:, 0].tolist() == [0.5, math.inf, 0.1]
    assert [note for note in log.notes if "the last line has no end yet" in note]
    assert [note for note in log.notes if "1 of 5 lines" in note]


def test_the_mark_that_spreadsheets_begin_a_file_with_is_no_part_of_a_name(tmp_path):
    path = write_csv(tmp_path / "a.csv", ("global_step", "rollout/ep_rew_mean"), [(1, 2.0), (2, 3.0)])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read(path).series["rollout/ep_rew_mean"].steps.tolist() == [1, 2]


def test_a_mapping_names_scalars_and_the_step(tmp_path):
    path = write_csv(tmp_path / "log.csv", ["frames", "agent/alpha"], [[10, 0.5], [20, 0.4]])
    mapping = tmp_path / "names.json"
    mapping.write_text(json.dumps({"agent/alpha": "train/ent_coef", "frames": "step"}))
    log = read(path, mapping=read_mapping(mapping))
    assert log.library is OTHER
    assert log.series["train/ent_coef"].steps.tolist() == [10, 20]
    assert "entropy/slack" not in log.series


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "It is JSON, one object."),
        ('["a"]', "is not of the form"),
        ('{"a": "train/alpha"}', "leads to train/alpha, which no rule knows"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_refused(tmp_path, content, message):
    (tmp_path / "names.json").write_text(content)
    with pytest.raises(EntropaxError, match=message):
        read_mapping(tmp_path / "names.json")


def test_no_known_scalar_lists_what_was_found(tmp_path):
    folder = write_events(tmp_path / "a", {"agent/alpha": 0.5, "agent/return": 1.0})
    with pytest.raises(EntropaxError, match=r"it has: agent/alpha, agent/return\..*--mapping"):
        read(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("progress.csv", b"", "holds no scalar. .* is empty"),
        ("events.out.tfevents.1", b"", "holds no scalar"),
        ("events.out.tfevents.1", b"no events, but long enough", "fails its checksum"),
        ("log.csv", b"step,a\n1," + b"9" * 200_000 + b"\n", "is no CSV file"),
        ("log.csv", b"step,train/ent_coef\ninf,1\n1e300,1\n", "2 of 2 lines"),
        ("log.csv", b"a,b\n1,2\n", r'no step column; it has: a, b\. .*"step"'),
    ],
)
def test_files_without_a_log_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EntropaxError, match=message):
        read(tmp_path)


def test_a_folder_without_a_log_is_named(tmp_path):
    (tmp_path / "notes.txt").write_text("text")
    with pytest.raises(EntropaxError, match="holds no log"):
        read(tmp_path)
    with pytest.raises(EntropaxError, match="does not exist"):
        read(tmp_path / "nowhere")


def test_a_seed_without_known_scalars_is_left_out(tmp_path):
    write_events(tmp_path / "s_0", cleanrl())
    write_events(tmp_path / "s_1", {"other": 1.0})
    log = read(tmp_path)
    assert log.facts.seeds == (0,)
    assert [note for note in log.notes if "s_1 has no known scalar" in note]
