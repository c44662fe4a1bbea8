"""Logs of TRL and verl through `entropax diagnose`. `trl_chance` and `trl_easy` are real: trl 1.16.0's GRPOTrainer on a
random Qwen2 of one layer, rewards by chance and the share of one letter, of whose scalars some are left out here."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from tensorboardX import SummaryWriter

from entropax.cli import main
from entropax.diagnostics.readers import Known, read_log
from entropax.diagnostics.readers.names import OF_TOKENS, SHARED, TOKENS, TRL, VERL
from entropax.errors import EntropaxError
from entropax.llm import AEPO, Clip, EntropyBonus, KLCov
from entropax.llm.diagnosis import TokenDiagnosis
from entropax.report import diagnose

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "llm_diagnosis.md").read_text("utf-8")
ROWS = 40


def read(path, **known):
    return read_log([path], {}, Known(**known))


def ended(capsys, *arguments):
    """Exit code, output and message of `entropax diagnose`."""
    code = 0
    try:
        main(("diagnose", *map(str, arguments)))
    except SystemExit as stop:
        code = stop.code
    return code, *capsys.readouterr()


def verl_row(row, **more):
    return {
        "actor/entropy": 1.0 - 0.02 * row,
        "critic/score/mean": 0.2 + 0.01 * row,
        "actor/pg_clipfrac": 0.01,
        "actor/grad_norm": 0.5,
        "actor/entropax/selected_fraction": 0.002,
        "timing_s/step": 3.0,
        **more,
    }


def write_lines(path, rows, tail=""):
    path.write_text("".join(json.dumps({"step": at + 1, "data": row}) + "\n" for at, row in enumerate(rows)) + tail)
    return path


def test_a_real_run_with_rewards_by_chance_has_collapsed(capsys):
    code, out, _ = ended(capsys, HERE / "trl_chance")
    assert code == 1
    assert "(TRL)\nCollapsed after 120 steps" in out
    assert "CRITICAL token-collapse" in out
    assert "entropy_target=" in out


def test_a_real_run_that_solved_its_task_has_not(capsys):
    code, out, _ = ended(capsys, HERE / "trl_easy")
    assert code == 0
    assert "token-collapse" not in out
    assert "groups-without-signal" in out


def test_a_log_s_names_become_ours():
    log = read(HERE / "trl_chance")
    history = json.loads((HERE / "trl_chance" / "trainer_state.json").read_text())["log_history"]
    assert log.library is TRL
    assert log.series["entropy/nats"].values[:3, 0].tolist() == [row["entropy"] for row in history[:3]]
    assert log.series["rollout/ep_rew_mean"].values[-1, 0] == history[119]["reward"]
    assert (log.facts.action_dimensions, np.isnan(log.facts.entropy_maximum)) == (1, True)
    assert any("Not one token was clipped" in note for note in log.notes)


def test_a_given_target_makes_a_slack():
    log = read(HERE / "trl_chance", target=0.5)
    slack = log.series["entropy/nats"].values - 0.5
    assert log.series["entropy/slack"].values == pytest.approx(slack)
    (judged,) = diagnose([HERE / "trl_chance"], known=Known(target=0.5))
    assert "token-target-missed" not in dict(judged.verdict.unjudged)


def test_what_is_not_asked_of_tokens_is_said():
    (judged,) = diagnose([HERE / "trl_chance"])
    assert dict(judged.verdict.unjudged)["inert-method"][0] == "entropax/selected_fraction"
    assert "premature-collapse" not in dict(judged.verdict.unjudged)
    assert any("rules about dimensions of actions, critics and episodes are not asked" in note for note in judged.notes)


def test_a_folder_of_checkpoints_is_its_newest_one(tmp_path):
    for number in (20, 100):
        (tmp_path / f"checkpoint-{number}").mkdir()
        state = {"log_history": [{"step": at, "entropy": 1.0, "frac_reward_zero_std": 0.0} for at in range(number)]}
        (tmp_path / f"checkpoint-{number}" / "trainer_state.json").write_text(json.dumps(state))
    assert read(tmp_path).series["entropy/nats"].steps[-1] == 99
    shutil.copy(HERE / "trl_easy" / "trainer_state.json", tmp_path)
    assert read(tmp_path).series["entropy/nats"].steps[-1] == 120


def test_tensorboard_s_prefix_is_taken_off(tmp_path):
    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(ROWS):
            writer.add_scalar("train/entropy", 1.0, step)
            writer.add_scalar("train/frac_reward_zero_std", 0.9, step)
            writer.add_scalar("train/entropax/selected_fraction", 0.0, step)
            writer.add_scalar("train/entropy_coef", 0.01, step)
    log = read(tmp_path)
    assert log.library is TRL
    assert {"entropy/nats", "entropax/selected_fraction", "entropax/knob"} <= log.series.keys()
    assert any("Pass --target" in note for note in log.notes)


def test_verl_s_lines_are_read_and_its_worker_s_prefix_is_taken_off(tmp_path, capsys):
    path = write_lines(tmp_path / "run.jsonl", map(verl_row, range(ROWS)), tail='{"step": 41, "da')
    log = read(path)
    assert log.library is VERL
    assert log.series["entropy/nats"].values[-1, 0] == pytest.approx(0.22)
    assert log.series["entropax/selected_fraction"].values.shape == (ROWS, 1)
    assert any("1 of 41 lines" in note for note in log.notes)
    code, out, _ = ended(capsys, tmp_path)
    assert (code, "(verl)\nHealthy after 40 steps" in out) == (0, True)


def test_of_two_scalars_for_one_the_mapping_s_goes_first_then_ours_then_the_table_s(tmp_path):
    """Whatever their order in the log: verl's own reward, and the two entropies that verl and TRL's plug-in log."""
    rows = [verl_row(row) | {"val-core/acc": 0.5, "entropax/entropy": 3.0} for row in range(ROWS)]
    path = write_lines(tmp_path / "log.jsonl", rows)
    mapped = read_log([path], {"val-core/acc": "rollout/ep_rew_mean"}, Known())
    assert (mapped.series["rollout/ep_rew_mean"].values == 0.5).all()
    assert (mapped.series["entropy/nats"].values == 3.0).all()
    backwards = [{"actor/entropy_loss": 2.0, **verl_row(row)} for row in range(ROWS)]
    theirs = read(write_lines(tmp_path / "theirs.jsonl", backwards)).series["entropy/nats"].values
    assert theirs[0] == 1.0


def test_a_loss_of_verl_that_is_not_finite_is_critical(tmp_path, capsys):
    rows = [verl_row(row, **{"actor/grad_norm": float("nan") if row > 30 else 1.0}) for row in range(ROWS)]
    code, out, _ = ended(capsys, write_lines(tmp_path / "run.jsonl", rows))
    assert (code, "CRITICAL token-nonfinite" in out) == (1, True)
    assert "actor_rollout_ref.actor.optim.lr" in out


def test_a_trainer_that_logs_our_measures_alone_is_judged(tmp_path):
    rows = [{"entropax/entropy": 1.0, "entropax/selected_fraction": 0.1} for _ in range(ROWS)]
    log = read(write_lines(tmp_path / "run.jsonl", rows))
    assert log.library is TOKENS
    assert {"entropy/nats", "entropax/selected_fraction"} == log.series.keys()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("trainer_state.json", "{", "is no JSON"),
        ("trainer_state.json", "[]", "has no log_history"),
        ("trainer_state.json", '{"log_history": [{"step": null, "entropy": 1.0}]}', "holds no scalar"),
        ("run.jsonl", "no json\n", "1 of 1 lines"),
    ],
)
def test_a_log_that_cannot_be_read_ends_with_2(tmp_path, capsys, name, content, message):
    (tmp_path / name).write_text(content)
    code, _, error = ended(capsys, tmp_path)
    assert (code, message in error) == (2, True)


def test_a_table_that_names_an_entropy_is_not_taken_for_trl(tmp_path):
    (tmp_path / "log.csv").write_text("step,entropy,reward\n1,0.5,1.0\n")
    with pytest.raises(EntropaxError, match="no scalar with a known name"):
        read(tmp_path)


def test_every_measure_has_a_row_with_formula_and_unit():
    rows = {}
    for line in PAGE.split("## Names of")[0].splitlines():
        cells = re.split(r"(?<!\\)\|", line)
        if line.startswith("| `entropax/"):
            rows |= dict.fromkeys(re.findall(r"`(entropax/[a-z_0-9/]+)`", cells[1]), cells)
    assert sorted(rows.keys() ^ (OF_TOKENS | SHARED.keys())) == []
    assert [name for name, cells in rows.items() if not (cells[2].strip() and cells[3].strip())] == []


@pytest.mark.parametrize("config", [{"vocab_size": 10}, {"text_config": {"vocab_size": 10}}], ids=["text", "several"])
def test_the_vocabulary_is_found_beside_a_checkpoint(tmp_path, config):
    folder = tmp_path / "run" / "checkpoint-120"
    shutil.copytree(HERE / "trl_chance", folder)
    (folder / "config.json").write_text(json.dumps(config))
    log = read(tmp_path / "run")
    assert set(log.series["entropax/vocabulary"].values.ravel()) == {10}
    assert any("10 tokens, as config.json" in note for note in log.notes)
    assert set(read(tmp_path / "run", vocabulary=12).series["entropax/vocabulary"].values.ravel()) == {12}


@pytest.mark.parametrize("config", ["{", "[]", "{}", '{"vocab_size": "ten"}'])
def test_a_configuration_without_a_vocabulary_says_nothing(tmp_path, config):
    shutil.copytree(HERE / "trl_chance", tmp_path / "run")
    (tmp_path / "run" / "config.json").write_text(config)
    assert "entropax/vocabulary" not in read(tmp_path / "run").series


def test_a_sum_that_verl_calls_an_entropy_is_seen_with_the_vocabulary(capsys, tmp_path):
    rows = [verl_row(at, **{"actor/entropy": 300.0 - at}) for at in range(ROWS)]
    path = write_lines(tmp_path / "log.jsonl", rows)
    assert "token-entropy-impossible |" not in ended(capsys, path)[1]
    _, out, _ = ended(capsys, path, "--vocabulary", "151936")
    assert "WARNING token-entropy-impossible |" in out and "loss_agg_mode=token-mean" in out
    code, _, said = ended(capsys, path, "--vocabulary", "1")
    assert code == 2 and "2 tokens or more" in said


def test_the_page_s_example_is_what_the_command_prints(capsys, monkeypatch, tmp_path):
    shown = re.search(r"```\n\$ entropax diagnose ([^\n]*)\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    shutil.copytree(HERE / "trl_chance", tmp_path / "trl_chance")
    monkeypatch.chdir(tmp_path)
    assert ended(capsys, *shown[1].split())[1] == shown[2]


# A run recorded in Python


def recorded(method=None, rows=ROWS, **more):
    diagnosis = TokenDiagnosis(Clip() if method is None else method)
    for row in range(rows):
        nats = 0.9 - 0.02 * row
        numbers = {"entropax/entropy": nats, "entropax/reward": 0.8 - 0.3 * float(np.exp(nats)), "loss": 1.0}
        diagnosis.record(row, numbers | {name: values[row] for name, values in more.items()})
    return diagnosis


def test_a_recorded_run_is_judged_like_a_log():
    diagnosis = recorded(KLCov(), **{f"entropax/{name}_fraction": [0.0] * ROWS for name in ("selected", "off_policy")})
    (finding,) = diagnosis.findings()
    assert finding.rule == "inert-method"
    assert "one optimiser step a rollout" in finding.explanation
    assert "KLCov" in diagnosis.liveness()
    assert recorded(EntropyBonus()).liveness() is None


def test_a_recorded_run_has_its_law_while_nothing_controls_it():
    law = recorded().law()
    assert (law.a, law.b) == pytest.approx((0.3, 0.8))
    for name in ("entropax/knob", "entropax/target"):
        with pytest.raises(EntropaxError, match="holds only while nothing acts"):
            recorded(**{name: [0.1] * ROWS}).law()
    with pytest.raises(EntropaxError, match="holds only while nothing acts"):
        recorded(**{"entropax/selected_fraction": [0.0] * 30 + [0.1] * 10}).law()
    with pytest.raises(EntropaxError, match="holds only while nothing acts"):
        recorded(AEPO()).law()
    with pytest.raises(EntropaxError, match="too few"):
        recorded(rows=5).law()


def test_prediction_and_entropy_are_compared_row_by_row():
    draw = np.random.default_rng(0).normal(size=ROWS)
    diagnosis = TokenDiagnosis(Clip())
    nats = 2 + np.cumsum(np.concatenate([[0.0], 0.01 * draw[:-1]]))
    for row in range(ROWS):
        diagnosis.record(row, {"entropax/entropy": nats[row], "entropax/predicted_change": draw[row]})
    found = diagnosis.agreement()
    assert (found.correlation, found.scale, found.rows) == pytest.approx((1.0, 0.01, ROWS - 1))


def test_numbers_that_are_unknown_or_not_finite_are_told():
    with pytest.raises(EntropaxError, match="knows none of: loss, reward"):
        TokenDiagnosis(Clip()).record(0, {"loss": 1.0, "reward": 1.0})
    diagnosis = recorded(**{"entropax/grad_norm": [1.0] * 39 + [float("nan")]})
    assert [finding.rule for finding in diagnosis.findings()] == ["token-nonfinite"]
