"""The attribution of a real run: read from its folder, on both kinds of environment, and true to what it measures."""

import dataclasses
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import Dual, EachDimension, EntropaxError, Fixed, MetaSAC, fit
from entropax.loops.snapshots import STATES, attribute_run, read_snapshots


@pytest.fixture(params=["jax_run", "host_run"])
def run(request):
    return request.getfixturevalue(request.param)


def _mean_entropy(snapshot) -> float:
    policies = jax.vmap(snapshot.actor)(snapshot.observations)
    return float(jnp.mean(jax.vmap(lambda policy: policy.entropy_per_dimension())(policies)))


def test_the_parts_sum_to_the_difference_of_the_measured_entropies(run):
    found = attribute_run(run.path)
    assert (found.steps, found.seeds) == ((400, 600), (0, 1))
    parts = found.by_seed.parts
    old, new = (np.array([_mean_entropy(one) for one in read_snapshots(run, step)]) for step in found.steps)
    np.testing.assert_allclose(parts.whole, new - old, atol=2e-6)
    np.testing.assert_allclose(sum(parts[1:]), parts.whole, atol=3e-6)
    assert np.abs(parts.whole).min() > 0
    assert all(np.isfinite(error).all() for error in found.by_seed.errors)


def test_the_change_agrees_with_the_one_that_the_run_logged(run):
    found = attribute_run(run.path)
    rows = {row.step: np.asarray(row.values["entropy/nats"]) for row in run.metrics.rows}
    logged = rows[600] - rows[400]
    # A row is measured on 256 states: its error is sqrt(2048 / 256) times ours.
    error = np.sqrt(1 + STATES / 256) * found.by_seed.errors.whole
    assert (np.abs(found.by_seed.parts.whole - logged) < 4 * error).all()


def test_a_snapshot_is_the_checkpoint_s_own_policy_alpha_and_states(run):
    newest = read_snapshots(run, 600)
    for index, snapshot in enumerate(newest):
        for mine, theirs in zip(jax.tree.leaves(snapshot.actor), jax.tree.leaves(run.actor(index)), strict=True):
            np.testing.assert_array_equal(mine, theirs)
        np.testing.assert_allclose(snapshot.alpha, run.metrics.rows[-1].values["train/ent_coef"][index], rtol=1e-3)
        assert snapshot.observations.shape == (STATES, 3)
        # Pendulum's cosine and sine: rows that were never written would be zeros.
        np.testing.assert_allclose(np.linalg.norm(snapshot.observations[:, :2], axis=1), 1.0, atol=1e-5)
    assert not np.array_equal(newest[0].observations, newest[1].observations)


@pytest.mark.parametrize(
    ("learner", "environment"),
    [
        (lambda small: MetaSAC(sac=dataclasses.replace(small, temperature=Fixed(0.5))), "Pendulum-v1"),
        (lambda small: dataclasses.replace(small, temperature=EachDimension(Dual())), "entropax/Pendulum-v0"),
    ],
    ids=["MetaSAC", "EachDimension"],
)
def test_other_learners_are_read_too(learner, environment, small, loop, tmp_path):
    loop = dataclasses.replace(loop, steps=300, checkpoint_every=200, evaluate_every=0)
    run = fit(learner(small), environment, loop, root=tmp_path, progress=False)
    found = attribute_run(run.path)
    np.testing.assert_allclose(sum(found.by_seed.parts[1:]), found.by_seed.parts.whole, atol=3e-6)
    assert found.by_seed.per_dimension.alpha.shape == (1, 1)


def test_one_checkpoint_is_refused(jax_run, tmp_path):
    shutil.copytree(jax_run.path, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "step_000000400")
    with pytest.raises(EntropaxError, match=r"has 1 checkpoint\(s\), and a change lies between two"):
        attribute_run(tmp_path / "run")
