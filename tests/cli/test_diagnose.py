"""`entropax diagnose`: exit codes 0, 1 and 2, text and JSON, our runs and others, and the page's example."""

import json
import re
import shutil
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box
from tensorboardX import SummaryWriter

from entropax import (
    PI,
    SAC,
    Dense,
    Dual,
    EachDimension,
    Fixed,
    MetaSAC,
    SACAdaEnt,
    SACLite,
    StepRule,
    Training,
    fit,
)
from entropax.cli import baselines, commands, main
from entropax.diagnostics.dialects import (
    AROUND_SAC,
    ENTROPAX,
    META_SAC,
    ON_POLICY,
    SB3,
    SB3_ON_POLICY,
    SB3_ON_POLICY_STEERED,
    SB3_STEERED,
    Knob,
)
from entropax.report import read_run, write_report
from entropax.runs import to_config
from entropax.temperature import Clamp

ROOT = Path(__file__).parents[2]
PENDULUM = ROOT / "tests" / "diagnostics" / "sb3_pendulum"
ROWS = 40


def write_run(folder, nats, returns=10.0, env="Synthetic-v0", algorithm=None):
    """A run folder of ours with one seed of a two-dimensional task, target -1 nat per dimension."""
    folder.mkdir(parents=True)
    law = {"type": "Dual", "learning_rate": 3e-4, "target_entropy": {"type": "PerDimension", "nats": -1.0}}
    manifest = {
        "schema": 1,
        "algorithm": algorithm or {"type": "SAC", "discount": 0.99, "temperature": law},
        "environment": {"id": env, "backend": "jax", "num_envs": 1},
        "training": {"steps": ROWS},
        "seeds": [0],
        "spec": {"observation_size": 3, "action": {"kind": "bounds", "low": [-1.0, -1.0], "high": [1.0, 1.0]}},
        "command": "entropax train",
        "versions": {},
        "commit": None,
        "created": "2026-11-21T14:31:02+00:00",
        "baselines": {"entropy_maximum_per_dimension": 0.684},
    }
    (folder / "run.json").write_text(json.dumps(manifest))
    rows = np.broadcast_to(np.asarray(nats, float), (ROWS,))
    lines = [
        {
            "schema": 1,
            "kind": "metrics",
            "step": 1000 * (row + 1),
            "seconds": float(row),
            "values": {
                "entropy/nats": [2 * value],
                "entropy/target": [-2.0],
                "entropy/slack": [2 * value + 2],
                "train/ent_coef": [0.05],
                "train/critic_loss": [1.0],
                "rollout/ep_rew_mean": [returns],
            },
        }
        for row, value in enumerate(rows.tolist())
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def ended(capsys, *arguments):
    """Exit code, output and message of `entropax diagnose`."""
    code = 0
    try:
        main(("diagnose", *map(str, arguments)))
    except SystemExit as stop:
        code = stop.code
    out, error = capsys.readouterr()
    return code, out, error


@pytest.mark.parametrize(
    ("nats", "code", "verdict"), [(-1.0, 0, "Healthy"), (-0.4, 0, "Target not reached"), (-5.0, 1, "Collapsed")]
)
def test_only_a_critical_finding_fails(tmp_path, capsys, nats, code, verdict):
    found, out, error = ended(capsys, write_run(tmp_path / "run", nats))
    assert (found, error) == (code, "")
    assert out.splitlines()[0] == "run (Entropax)"
    assert out.splitlines()[1].startswith(f"{verdict} after 40000 steps")


def test_a_finding_shows_rule_interval_numbers_chart_causes_and_settings(tmp_path, capsys):
    nats = np.where(np.arange(ROWS) < 20, 0.5, -5.0)
    _, out, _ = ended(capsys, write_run(tmp_path / "run", nats))
    assert "CRITICAL premature-collapse | steps 21000 to 40000 | seeds 0\n" in out
    assert "entropy (nats per dimension) -5, share of the feasible range (%) 0.34" in out
    assert "  entropy/nats  " + "█" * 20 + "▁" * 20 + " -10 to 1, steps 1000 to 40000\n" in out
    assert "\n  cause 1: alpha is too small" in out
    assert "\n  try: algorithm.temperature:fixed --algorithm.temperature.alpha 0.5\n" in out
    assert "  dimension-collapse: entropy/per_dimension\n" in out


def test_several_run_folders_are_judged_one_by_one_and_one_critical_fails(tmp_path, capsys):
    code, out, _ = ended(capsys, write_run(tmp_path / "good", -1.0), write_run(tmp_path / "bad", -5.0))
    assert code == 1
    assert re.findall(r"^(\w+) \(Entropax\)$", out, re.MULTILINE) == ["good", "bad"]


def test_json_holds_the_finding(tmp_path, capsys):
    code, out, _ = ended(capsys, write_run(tmp_path / "run", -5.0), "--json")
    (run,) = json.loads(out)
    (finding,) = run["findings"]
    assert (code, run["verdict"], finding["rule"], finding["severity"]) == (
        1,
        "collapsed",
        "premature-collapse",
        "critical",
    )
    assert finding["steps"] == [1000, 40_000]
    assert finding["numbers"]["sigma"] is None
    assert run["unjudged"]["below-baseline"] == ["returns to compare with (--env)"]
    assert len(finding["causes"]) >= 2 and len(finding["remedy"]) >= 1


def test_another_library_s_run_is_judged_in_its_own_settings(capsys):
    code, out, _ = ended(capsys, PENDULUM, "--action-dimensions", "1")
    assert code == 0
    assert "sb3_pendulum (Stable-Baselines3 or SBX)" in out
    assert 'try: ent_coef="auto_0.0337"' in out


def test_a_run_of_ours_is_compared_with_its_own_environment_s_baselines(tmp_path, capsys):
    code, out, _ = ended(capsys, write_run(tmp_path / "poor", -1.0, -1700.0, "entropax/Pendulum-v0"))
    assert code == 1
    assert "CRITICAL below-baseline" in out
    code, out, _ = ended(capsys, write_run(tmp_path / "good", -1.0, -150.0, "entropax/Pendulum-v0"))
    assert code == 0
    assert "below-baseline" not in out


@pytest.mark.parametrize(
    ("algorithm", "rate", "band"),
    [
        (SAC(temperature=Dual(learning_rate=1e-3)), 1e-3, (np.nan, np.nan)),
        (SAC(temperature=PI(max_step=2e-3, band=Clamp(0.1, 0.5))), np.nan, (0.1, 0.5)),
        (SAC(temperature=EachDimension(Dual(learning_rate=5e-4, band=Clamp(0.2, 0.3)))), 5e-4, (0.2, 0.3)),
        (SAC(temperature=StepRule()), np.nan, (1e-4, 1.0)),
        (SAC(temperature=Fixed()), np.nan, (np.nan, np.nan)),
        (MetaSAC(learning_rate=2e-4), 2e-4, (1e-6, 1.0)),
        (SACAdaEnt(), np.nan, (np.nan, np.nan)),
        (SACLite(SAC(temperature=Dual(learning_rate=1e-3, band=Clamp(0.2, 0.3)))), 1e-3, (0.2, 0.3)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_moves_alpha_is_read_from_the_manifest(tmp_path, algorithm, rate, band):
    facts = read_run(write_run(tmp_path / "run", -1.0, algorithm=to_config(algorithm))).facts
    np.testing.assert_equal((facts.temperature_rate, facts.alpha_band, facts.discount), (rate, band, 0.99))


@pytest.mark.parametrize(("algorithm", "flag"), [(SAC(), "algorithm.temp"), (SACLite(), "algorithm.sac.temp")])
def test_remedies_are_settings_of_the_algorithm_that_ran(tmp_path, algorithm, flag, capsys):
    _, out, _ = ended(capsys, write_run(tmp_path / "run", -5.0, algorithm=to_config(algorithm)))
    assert f"try: {flag}" in out


def test_a_run_that_the_plug_in_logged_is_advised_in_stable_baselines3_s_settings(tmp_path, capsys):
    theirs = {"type": "stable_baselines3.SAC", "discount": 0.99, "temperature": {"type": "stable_baselines3.auto"}}
    _, out, _ = ended(capsys, write_run(tmp_path / "run", -5.0, algorithm=theirs))
    assert "try: ent_coef=" in out
    assert "--algorithm" not in out


@pytest.mark.parametrize(
    ("algorithm", "law", "dialect"),
    [
        ("SAC", "stable_baselines3.constant", SB3),
        ("SAC", "PI", SB3_STEERED),
        ("PPO", "stable_baselines3.constant", SB3_ON_POLICY),
        ("PPO", "Dual", SB3_ON_POLICY_STEERED),
    ],
)
def test_remedies_for_the_plug_in_s_runs_move_what_sets_alpha(tmp_path, algorithm, law, dialect):
    theirs = {"type": f"stable_baselines3.{algorithm}", "discount": 0.99, "temperature": {"type": law}}
    assert read_run(write_run(tmp_path / "run", -5.0, algorithm=theirs)).facts.dialect is dialect


def test_meta_sac_is_advised_in_its_own_settings(tmp_path):
    run = write_run(tmp_path / "run", -5.0, algorithm=to_config(MetaSAC()))
    assert read_run(run).facts.dialect is META_SAC


def test_an_environment_brings_its_dimensions_and_baselines(capsys):
    code, out, _ = ended(capsys, PENDULUM, "--env", "Pendulum-v1")
    assert code == 1
    assert "CRITICAL below-baseline" in out
    assert "return of the uniform policy" in out


def test_discrete_actions_are_compared_with_uniform_ones(tmp_path, capsys):
    log = tmp_path / "progress.csv"
    rows = [f"{500 * row},{9.0 + row % 2},0.1" for row in range(1, 41)]
    log.write_text("\n".join(["time/total_timesteps,rollout/ep_rew_mean,rollout/exploration_rate", *rows]))
    code, out, _ = ended(capsys, log, "--env", "CartPole-v1")
    assert code == 1
    assert "CRITICAL below-baseline" in out and "return of the uniform policy" in out
    assert "zero action" not in out and "try: a larger exploration_final_eps" in out


class Endless(gymnasium.Env):
    """No episode of it ends."""

    observation_space = Box(-1, 1, (1,), np.float32)
    action_space = Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), 0.0, False, False, {}


def test_a_task_that_never_ends_has_no_baselines_and_diagnosis_ends(monkeypatch):
    gymnasium.register("Endless-v0", Endless)
    monkeypatch.setattr(baselines, "STEPS", 300)
    try:
        assert baselines.known_of("Endless-v0").baselines == ()
        assert baselines.known_of("Endless-v0").action_dimensions == 1
    finally:
        gymnasium.registry.pop("Endless-v0")


def test_a_collapse_in_cleanrl_s_events_is_found(tmp_path, capsys):
    with SummaryWriter(str(tmp_path / "Task__sac__1__1700000000")) as writer:
        for row in range(ROWS):
            alpha = float(np.exp(-0.2 * row))
            writer.add_scalar("losses/alpha", alpha, 1000 * row)
            writer.add_scalar("losses/alpha_loss", alpha * 2 * (1.5 if row < 10 else -4.0), 1000 * row)
            writer.add_scalar("charts/episodic_return", 10.0, 1000 * row)
    code, out, _ = ended(capsys, tmp_path, "--action-dimensions", "2")
    assert code == 1
    assert "CRITICAL premature-collapse | steps 10000 to 39000" in out
    assert "a_optimizer" in out


def test_an_encoding_without_blocks_has_plain_characters(tmp_path, capsys, monkeypatch):
    from entropax.cli.diagnose import _levels

    monkeypatch.setattr(type(sys.stdout), "encoding", "ascii", raising=False)
    assert _levels() == "_.-=+*%#"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "A diagnosis needs at least one run."),
        (("nowhere",), "nowhere does not exist."),
        (("empty",), "empty holds no log: neither run.json"),
        ((PENDULUM, "--action-dimensions", "0"), "an action has 1 or more."),
        ((PENDULUM, "--env", "Pendulum-v1", "--action-dimensions", "2"), "Give one of the two flags."),
        ((PENDULUM, "--env", "Pendulm-v1"), "Did you mean"),
        ((PENDULUM, "--env", "CartPole-v1", "--action-dimensions", "1"), "CartPole-v1 has a finite set of actions."),
        ((PENDULUM, "--mapping", "nowhere.json"), "Cannot read the mapping nowhere.json"),
        (("torn",), "torn/events.out.tfevents.1 is no TensorBoard event file"),
        (("half",), "half/run.json is not valid JSON"),
    ],
)
def test_bad_input_ends_with_2_and_one_message(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "torn", "half"):
        (tmp_path / name).mkdir()
    (tmp_path / "torn" / "events.out.tfevents.1").write_bytes(b"this is not an event file")
    (tmp_path / "half" / "run.json").write_text("{")
    code, out, error = ended(capsys, *arguments)
    assert (code, out) == (2, "")
    assert error.startswith("entropax: ")
    assert message in error
    assert "Traceback" not in error


def test_a_run_that_is_still_being_written_is_judged_up_to_its_last_whole_line(tmp_path, capsys):
    folder = write_run(tmp_path / "run", -1.0)
    text = (folder / "metrics.jsonl").read_text()
    (folder / "metrics.jsonl").write_text(text[: len(text) - 30])
    code, out, _ = ended(capsys, folder)
    assert (code, out.splitlines()[1].split(" |")[0]) == (0, "Healthy after 39000 steps")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two seeds of ours with three snapshots."""
    algorithm = SAC(torso=Dense((16, 16)), batch_size=32, actor_learning_rate=1e-3, critic_learning_rate=1e-3)
    loop = Training(steps=600, warmup=100, capacity=2_000, log_every=200, evaluate_every=0, checkpoint_every=300)
    root = tmp_path_factory.mktemp("attributed")
    return fit(algorithm, "entropax/Pendulum-v0", loop, seeds=2, root=root, progress=False).path


def test_a_run_of_ours_says_what_moved_its_entropy(trained, capsys):
    _, out, _ = ended(capsys, trained)
    block = re.search(r"^entropy, steps 100 to 600: (.*) nats per dimension, mean of 2 seeds, of which$", out, re.M)
    assert block is not None
    rows = re.findall(r"^  ([a-z' ]+?) +(\S+) \+/- (\S+)$", out, re.M)
    assert [name for name, *_ in rows] == ["state shift", "saturation", "alpha", "critic's landscape", "remainder"]
    assert re.search(r"^  The largest part is |^  No part is larger", out, re.M)
    # Three significant digits of five parts, each under a nat.
    np.testing.assert_allclose(sum(float(value) for _, value, _ in rows), float(block[1].split()[0]), atol=5e-3)


def test_json_has_every_part_of_every_seed(trained, capsys):
    _, out, _ = ended(capsys, trained, "--json")
    found = json.loads(out)[0]["attribution"]
    assert (found["steps"], found["unit"]) == ([100, 600], "nats per dimension")
    seeds = {name: np.asarray(part["seeds"]) for name, part in found["parts"].items()}
    np.testing.assert_allclose(sum(seeds[name] for name in seeds if name != "whole"), seeds["whole"], atol=3e-6)
    assert found["parts"]["alpha"]["mean"] == pytest.approx(np.mean(seeds["alpha"]))
    assert min(part["error"] for part in found["parts"].values()) >= 0


def test_json_has_the_pieces_of_the_run(trained, capsys):
    _, out, _ = ended(capsys, trained, "--json")
    assert [piece["steps"] for piece in json.loads(out)[0]["pieces"]] == [[100, 400], [400, 600]]


def test_the_page_of_a_run_of_ours_has_its_parts(trained, tmp_path):
    html = write_report([trained], tmp_path / "one.html", command="entropax report one").read_text("utf-8")
    assert "In all, steps 100 to 600, " in html
    assert 'id="chart-entropy-parts"' in html
    both = write_report([trained, trained], tmp_path / "two.html", command="entropax report two").read_text("utf-8")
    assert "chart-entropy-parts" not in both


def test_without_two_snapshots_nothing_is_said_of_it(tmp_path, capsys):
    _, out, _ = ended(capsys, write_run(tmp_path / "run", -1.0), "--json")
    (run,) = json.loads(out)
    assert (run["attribution"], run["pieces"], run["notes"]) == (None, [], [])


def test_a_damaged_snapshot_is_a_note(trained, tmp_path, capsys):
    shutil.copytree(trained, tmp_path / "run")
    file = tmp_path / "run" / "snapshots" / "step_000000400.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    _, out, _ = ended(capsys, tmp_path / "run")
    assert "note: The entropy's change is not attributed: " in out
    assert "is no readable snapshot file" in out
    assert "of which" not in out


@pytest.mark.parametrize(
    ("algorithm", "dialect"), [("sac", ENTROPAX), ("sac-lite", AROUND_SAC), ("sac-adaent", AROUND_SAC)]
)
@pytest.mark.parametrize("knob", list(Knob), ids=lambda knob: knob.name)
def test_every_remedy_of_ours_is_a_flag_that_train_takes(knob, algorithm, dialect, monkeypatch):
    seen = []
    monkeypatch.setattr(commands, "train", seen.append)
    value = "20000" if knob in (Knob.EVALUATE, Knob.MORE_STEPS) else "0.25"
    main(("train", algorithm, "--env", "Pendulum-v1", *dialect.say(knob, value).split()))
    assert len(seen) == 1


_OF_SAC_ALONE = (Knob.FIXED_ALPHA, Knob.TARGET)


@pytest.mark.parametrize("knob", [knob for knob in Knob if knob not in _OF_SAC_ALONE], ids=lambda knob: knob.name)
def test_every_remedy_for_meta_sac_is_a_flag_that_it_takes(knob, monkeypatch):
    seen = []
    monkeypatch.setattr(commands, "train", seen.append)
    value = "20000" if knob in (Knob.EVALUATE, Knob.MORE_STEPS) else "0.25"
    main(("train", "meta-sac", "--env", "Pendulum-v1", *META_SAC.say(knob, value).split()))
    assert len(seen) == 1


@pytest.mark.parametrize("knob", _OF_SAC_ALONE, ids=lambda knob: knob.name)
def test_what_meta_sac_lacks_is_a_command_that_has_it(knob, monkeypatch):
    seen = []
    monkeypatch.setattr(commands, "train", seen.append)
    train, algorithm, *flags = META_SAC.say(knob, "0.25").partition(" (")[0].split()
    main((train, algorithm, "--env", "Pendulum-v1", *flags))
    assert len(seen) == 1


@pytest.mark.parametrize("algorithm", ["ppo", "a2c"])
@pytest.mark.parametrize("knob", [Knob.INITIAL_ALPHA, Knob.FIXED_ALPHA, Knob.CRITIC_RATE, Knob.EVALUATE], ids=str)
def test_what_an_on_policy_learner_has_of_the_knobs_is_a_flag(knob, algorithm, monkeypatch):
    seen = []
    monkeypatch.setattr(commands, "train", seen.append)
    flag = ON_POLICY.say(knob, "20000" if knob is Knob.EVALUATE else "0.25").split()[:2]
    main(("train", algorithm, "--env", "Pendulum-v1", *flag))
    assert len(seen) == 1
    assert set(ON_POLICY.settings) == set(Knob)


def test_the_page_s_example_is_what_the_command_prints(capsys, monkeypatch, tmp_path):
    text = (ROOT / "docs" / "diagnose.md").read_text("utf-8")
    shown = re.search(r"```\n\$ entropax diagnose ([^\n]*)\n(.*?)```", text, re.DOTALL)
    assert shown is not None
    shutil.copytree(PENDULUM, tmp_path / "sb3_pendulum")
    monkeypatch.chdir(tmp_path)
    _, out, _ = ended(capsys, *shown[1].split())
    assert len(shown[1].split()) == 3
    assert out == shown[2]
