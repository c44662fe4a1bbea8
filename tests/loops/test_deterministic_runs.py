"""TD3 and DDPG in both loops: what is logged, the policy's file, what a diagnosis says, and how a run goes on."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from going_on import assert_goes_on

from entropax import DDPG, TD3, Dense, fit, load
from entropax.cli import main
from entropax.diagnostics.dialects import DETERMINISTIC
from entropax.report import diagnose, read_run, write_report
from entropax.report.terminal import text
from entropax.runs import load_policy, snapshot_steps

pytestmark = pytest.mark.slow

SMALL = {"torso": Dense((16, 16)), "batch_size": 32, "actor_learning_rate": 1e-3, "exploration_noise": 0.3}
NOT_MEASURED = {"entropy/target", "entropy/slack", "entropy/fraction_of_feasible"}
SPREAD_RULES = {
    "premature-collapse",
    "slow-collapse",
    "mended-collapse",
    "dimension-collapse",
    "entropy-explosion",
    "alpha-irrelevant",
    "reward-drowned",
    "noise-costs-return",
}
RUNS = [
    pytest.param((TD3(**SMALL), "entropax/Pendulum-v0"), id="td3-jax"),
    pytest.param((TD3(**SMALL), "Pendulum-v1"), id="td3-host"),
    pytest.param((DDPG(**SMALL), "Pendulum-v1"), id="ddpg-host"),
]


@pytest.fixture(scope="module", params=RUNS)
def trained(request, loop, tmp_path_factory):
    algorithm, environment = request.param
    short = dataclasses.replace(loop, log_every=100)
    return fit(algorithm, environment, short, seeds=2, root=tmp_path_factory.mktemp("runs"), progress=False)


def test_the_entropy_logged_is_the_noise_s(trained):
    values = trained.metrics.rows[-1].values
    assert {name for name, value in values.items() if not np.isfinite(value).any()} == NOT_MEASURED
    np.testing.assert_allclose(values["entropy/nats"], np.log(0.3) + 0.5 * np.log(2 * np.pi * np.e), rtol=1e-5)
    np.testing.assert_allclose(values["entropy/sigma"], 0.3, rtol=1e-5)
    np.testing.assert_array_equal(values["train/ent_coef"], 0)
    # Clipping takes from the spread, here 0.3 of a half range of 2.
    assert ((values["entropy/action_std"] > 0.1) & (values["entropy/action_std"] <= 0.6)).all()
    assert (values["entropy/policy_kl"] > 0).all()
    assert (np.diff([row.values["train/actor_param_norm"] for row in trained.metrics.rows], axis=0) != 0).any()
    assert "entropy_maximum_per_dimension" not in trained.manifest.baselines


def test_a_policy_is_loaded_as_it_was(trained, tmp_path, capsys):
    again = load(trained.path)
    assert again.algorithm == trained.algorithm
    observations = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    expected = jax.vmap(lambda o: again.actor(1)(o).mode())(observations)
    actions = again.policy(observations, seed=1)
    np.testing.assert_allclose(actions, 2 * np.asarray(expected), rtol=1e-4, atol=1e-5)
    assert np.abs(actions).max() <= 2
    main(("export", str(trained.path), str(tmp_path / "policy.safetensors")))
    exported, _ = load_policy(tmp_path / "policy.safetensors", again.actors)
    for one, two in zip(jax.tree.leaves(exported), jax.tree.leaves(trained.actors), strict=True):
        np.testing.assert_array_equal(one, two)
    capsys.readouterr()
    for flags in ((), ("--stochastic",)):
        main(("evaluate", str(trained.path), "--episodes", "2", *flags))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines if line.split()[0].isdigit()] == [["0", "2"], ["1", "2"]] * 2


def test_the_verdict_says_nothing_of_an_entropy_that_is_set(trained, tmp_path):
    run = read_run(trained.path)
    assert not run.facts.spread_learned
    assert run.facts.dialect is DETERMINISTIC
    lacking = dict(run.verdict.unjudged)
    assert lacking.keys() >= SPREAD_RULES
    assert all("an entropy that is learned" in " ".join(lacking[rule]) for rule in SPREAD_RULES)
    assert not {finding.evidence for finding in run.verdict.findings} & {"entropy/nats", "entropy/slack"}
    (found,) = diagnose([trained.path])
    assert found.attribution is None
    assert snapshot_steps(trained.path) == []
    assert found.verdict.line() in text(found)
    page = write_report([trained.path], tmp_path / "report.html", command="entropax report")
    assert "Not shown: Temperature" in page.read_text("utf-8")


def test_a_run_goes_on(trained):
    assert_goes_on(trained)


@pytest.mark.parametrize(("word", "flags"), [("td3", ("--algorithm.target-noise", "0.1")), ("ddpg", ())])
def test_the_command_line_trains_them(word, flags, tmp_path, capsys):
    settings = ("--algorithm.exploration-noise", "0.2", "--algorithm.batch-size", "16", *flags)
    short = ("--steps", "300", "--warmup", "200", "--log-every", "50", "--evaluate-every", "0")
    small = ("algorithm.torso:dense", "--algorithm.torso.hidden-sizes", "8")
    root = ("--root", str(tmp_path))
    main(("train", word, "--env", "entropax/Pendulum-v0", *root, *short, *settings, *small))
    (path,) = tmp_path.iterdir()
    config = json.loads((path / "run.json").read_text("utf-8"))["algorithm"]
    assert (config["type"], config["exploration_noise"], config["batch_size"]) == (word.upper(), 0.2, 16)
    assert config.get("target_noise", 0.1) == 0.1
    assert path.name.startswith(f"{word}-")
    assert "sigma 0.2" in capsys.readouterr().out
