"""Soft Q-learning in both loops: an entropy that is not measured is null in the log and silent in a diagnosis."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from going_on import assert_goes_on

from entropax import Dense, SoftQ, fit, load
from entropax.cli import main
from entropax.diagnostics.dialects import SOFT_Q
from entropax.diagnostics.findings import Kind
from entropax.report import diagnose, read_run, write_report
from entropax.report.terminal import text
from entropax.runs import load_policy

pytestmark = pytest.mark.slow

SMALL = SoftQ(torso=Dense((16, 16)), batch_size=32, value_samples=4, fixed_particles=3, moved_particles=3)
NOT_MEASURED = {
    "entropy/nats",
    "entropy/environment_nats",
    "entropy/per_dimension",
    "entropy/sigma",
    "entropy/sigma_per_dimension",
    "entropy/fraction_of_feasible",
    "entropy/target",
    "entropy/slack",
    "entropy/policy_kl",
    "entropy/share_of_soft_value",
}


@pytest.fixture(scope="module", params=["entropax/Pendulum-v0", "Pendulum-v1"])
def trained(request, loop, tmp_path_factory):
    short = dataclasses.replace(loop, log_every=100)
    return fit(SMALL, request.param, short, seeds=2, root=tmp_path_factory.mktemp("runs"), progress=False)


def test_what_a_sampler_does_not_know_is_null_and_all_else_is_logged(trained):
    values = trained.metrics.rows[-1].values
    assert {name for name, value in values.items() if not np.isfinite(value).any()} == NOT_MEASURED
    np.testing.assert_allclose(values["train/ent_coef"], 0.1, rtol=1e-6)
    assert ((values["entropy/action_std"] > 0) & (values["entropy/action_std"] < 2)).all()
    assert ((values["entropy/saturation"] >= 0) & (values["entropy/saturation"] <= 1)).all()
    assert (np.diff([row.values["train/actor_param_norm"] for row in trained.metrics.rows], axis=0) != 0).any()
    np.testing.assert_array_equal(values["train/skipped_updates"], 0)


def test_a_policy_is_loaded_as_it_was(trained, tmp_path, capsys):
    again = load(trained.path)
    assert again.algorithm == trained.algorithm
    observations = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    expected = jax.vmap(lambda o: again.actor(1)(o).mode())(observations)
    np.testing.assert_allclose(again.policy(observations, seed=1), 2 * np.asarray(expected), rtol=1e-4, atol=1e-4)
    main(("export", str(trained.path), str(tmp_path / "policy.safetensors")))
    exported, _ = load_policy(tmp_path / "policy.safetensors", again.actors)
    for one, two in zip(jax.tree.leaves(exported), jax.tree.leaves(trained.actors), strict=True):
        np.testing.assert_array_equal(one, two)
    capsys.readouterr()
    main(("evaluate", str(trained.path), "--episodes", "2", "--stochastic"))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines if line.split()[0].isdigit()] == [["0", "2"], ["1", "2"]]


def test_a_run_is_judged_by_all_that_does_not_need_an_entropy(trained, tmp_path):
    run = read_run(trained.path)
    assert run.facts.dialect is SOFT_Q
    lacking = dict(run.verdict.unjudged)
    assert "entropy/nats" in lacking["premature-collapse"]
    assert "frozen-actor" not in lacking
    assert run.verdict.kind is not Kind.TOO_EARLY
    (found,) = diagnose([trained.path])
    assert found.attribution is None
    assert found.verdict.line() in text(found)
    assert "entropy" not in found.verdict.line()
    page = write_report([trained.path], tmp_path / "report.html", command="entropax report")
    assert "Not shown: " in page.read_text("utf-8")


def test_a_run_goes_on(trained):
    assert_goes_on(trained)


def test_the_command_line_trains_it(tmp_path, capsys):
    settings = ("--algorithm.entropy-weight", "0.05", "--algorithm.batch-size", "16")
    short = ("--steps", "300", "--warmup", "200", "--log-every", "50", "--evaluate-every", "0")
    small = ("algorithm.torso:dense", "--algorithm.torso.hidden-sizes", "8")
    main(("train", "soft-q", "--env", "entropax/Pendulum-v0", "--root", str(tmp_path), *short, *settings, *small))
    (path,) = tmp_path.iterdir()
    config = json.loads((path / "run.json").read_text("utf-8"))["algorithm"]
    assert (config["type"], config["entropy_weight"], config["batch_size"]) == ("SoftQ", 0.05, 16)
    assert "alpha 0.05" in capsys.readouterr().out
