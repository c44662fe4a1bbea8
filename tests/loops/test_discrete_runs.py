"""Discrete actions in both loops: what is logged, evaluated, kept, judged and gone on with."""

import dataclasses
import json
import math

import jax
import numpy as np
import pytest
from going_on import assert_goes_on

from entropax import Dense, DiscreteSoftQ, fit, load
from entropax.cli import main
from entropax.diagnostics.dialects import SOFT_Q
from entropax.diagnostics.findings import Kind
from entropax.report import diagnose, read_run, write_report
from entropax.report.terminal import text
from entropax.runs import load_policy
from entropax.types import Categories, Spec

SMALL = DiscreteSoftQ(torso=Dense((16, 16)), batch_size=32)
OF_BOXES = {
    "entropy/environment_nats",
    "entropy/sigma",
    "entropy/sigma_per_dimension",
    "entropy/action_std",
    "entropy/saturation",
}


@pytest.fixture(scope="module", params=["entropax/CartPole-v0", "CartPole-v1"])
def trained(request, loop, tmp_path_factory):
    short = dataclasses.replace(loop, log_every=100)
    return fit(SMALL, request.param, short, seeds=2, root=tmp_path_factory.mktemp("runs"), progress=False)


def test_entropy_is_logged_in_nats_and_as_a_share_of_log_n(trained):
    rows = trained.metrics.rows
    values = rows[-1].values
    assert not OF_BOXES & values.keys()
    unsteered = {"entropy/target", "entropy/slack"}
    assert {name for name, value in values.items() if not np.isfinite(value).any()} == unsteered
    nats = values["entropy/nats"]
    assert ((nats > 0) & (nats <= math.log(2) + 1e-6)).all()
    np.testing.assert_allclose(values["entropy/per_dimension"][:, 0], nats)
    np.testing.assert_allclose(values["entropy/fraction_of_feasible"], np.exp(nats) / 2, rtol=1e-5)
    np.testing.assert_allclose(values["train/ent_coef"], 0.1, rtol=1e-6)
    assert (np.diff([row.values["train/critic_param_norm"] for row in rows], axis=0) != 0).any()
    np.testing.assert_array_equal(values["train/skipped_updates"], 0)
    returns = np.concatenate([row.values["rollout/ep_rew_mean"] for row in rows])
    assert (returns[np.isfinite(returns)] >= 8).all(), "a pole takes eight steps to fall"


def test_the_manifest_has_the_categories_and_gives_them_back(trained):
    again = load(trained.path)
    assert again.spec == Spec(4, Categories(2))
    assert again.manifest.spec["action"] == {"kind": "categories", "size": 2}
    assert again.manifest.baselines == {"entropy_maximum_per_dimension": math.log(2)}
    assert again.algorithm == trained.algorithm


def test_a_policy_is_loaded_as_it_was_and_acts_in_integers(trained, tmp_path, capsys):
    again = load(trained.path)
    observations = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    expected = jax.vmap(lambda o: again.actor(1)(o).mode())(observations)[:, 0]
    found = again.policy(observations, seed=1)
    np.testing.assert_array_equal(found, expected)
    assert (found.shape, found.dtype) == ((5,), np.int32)
    assert again.policy(observations[0]).shape == ()
    main(("export", str(trained.path), str(tmp_path / "policy.safetensors")))
    exported, _ = load_policy(tmp_path / "policy.safetensors", again.actors)
    for one, two in zip(jax.tree.leaves(exported), jax.tree.leaves(trained.actors), strict=True):
        np.testing.assert_array_equal(one, two)
    for more in ((), ("--stochastic",)):
        capsys.readouterr()
        main(("evaluate", str(trained.path), "--episodes", "2", *more))
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[:2] for line in lines if line.split()[0].isdigit()] == [["0", "2"], ["1", "2"]]


def test_a_run_is_judged_and_reported(trained, tmp_path):
    run = read_run(trained.path)
    assert run.facts.dialect is SOFT_Q
    assert (run.facts.action_dimensions, run.facts.entropy_maximum) == (1, math.log(2))
    assert "premature-collapse" not in dict(run.verdict.unjudged)
    assert run.verdict.kind is not Kind.TOO_EARLY
    (found,) = diagnose([trained.path])
    assert found.attribution is None
    assert "entropy" in text(found)
    page = write_report([trained.path], tmp_path / "report.html", command="entropax report")
    assert "Entropy against its target" in page.read_text("utf-8")


def test_a_run_goes_on(trained):
    assert_goes_on(trained)


def test_the_command_line_trains_it(tmp_path, capsys):
    settings = ("--algorithm.entropy-weight", "0.05", "--algorithm.batch-size", "16")
    short = ("--steps", "300", "--warmup", "200", "--log-every", "50", "--evaluate-every", "0")
    small = ("algorithm.torso:dense", "--algorithm.torso.hidden-sizes", "8")
    main(("train", "discrete-soft-q", "--env", "CartPole-v1", "--root", str(tmp_path), *short, *settings, *small))
    (path,) = tmp_path.iterdir()
    config = json.loads((path / "run.json").read_text("utf-8"))["algorithm"]
    assert (config["type"], config["entropy_weight"], config["batch_size"]) == ("DiscreteSoftQ", 0.05, 16)
    assert "alpha 0.05" in capsys.readouterr().out
