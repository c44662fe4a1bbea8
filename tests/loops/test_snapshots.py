"""The attribution of a real run: read from its folder, on both kinds of environment, and true to what it measures."""

import dataclasses
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import Dual, EachDimension, EntropaxError, Fixed, MetaSAC, SACAdaEnt, SACLite, fit, resume
from entropax.loops.driver import Driver
from entropax.loops.lane import STATES
from entropax.loops.snapshots import attribute_run, read_history, read_snapshots
from entropax.runs import RunWriteError, read_checkpoint_meta, snapshot_files, snapshot_steps


@pytest.fixture(params=["jax_run", pytest.param("host_run", marks=pytest.mark.slow)])
def run(request):
    return request.getfixturevalue(request.param)


def _mean_entropy(snapshot) -> float:
    policies = jax.vmap(snapshot.actor)(snapshot.observations)
    return float(jnp.mean(jax.vmap(lambda policy: policy.entropy_per_dimension())(policies)))


def test_the_parts_sum_to_the_difference_of_the_measured_entropies(run):
    found = attribute_run(run.path)
    assert (found.steps, found.seeds) == ((100, 600), (0, 1))
    parts = found.by_seed.parts
    old, new = (np.array([_mean_entropy(one) for one in read_snapshots(run, step)]) for step in found.steps)
    np.testing.assert_allclose(parts.whole, new - old, atol=2e-6)
    np.testing.assert_allclose(sum(parts[1:]), parts.whole, atol=3e-6)
    assert np.abs(parts.whole).min() > 0
    assert all(np.isfinite(error).all() for error in found.by_seed.errors)


def test_the_change_agrees_with_the_one_that_the_run_logged(run):
    found = attribute_run(run.path, 400, 600)
    rows = {row.step: np.asarray(row.values["entropy/nats"]) for row in run.metrics.rows}
    logged = rows[600] - rows[400]
    # A row is measured on 256 states: its error is sqrt(1024 / 256) times ours.
    error = np.sqrt(1 + STATES / 256) * found.by_seed.errors.whole
    assert (np.abs(found.by_seed.parts.whole - logged) < 4 * error).all()


def test_a_snapshot_is_the_run_s_own_policy_alpha_and_states(run):
    newest = read_snapshots(run, 600)
    for index, snapshot in enumerate(newest):
        for mine, theirs in zip(jax.tree.leaves(snapshot.actor), jax.tree.leaves(run.actor(index)), strict=True):
            np.testing.assert_array_equal(mine, theirs)
        np.testing.assert_allclose(snapshot.alpha, run.metrics.rows[-1].values["train/ent_coef"][index], rtol=1e-3)
        assert snapshot.observations.shape == (STATES, 3)
        # Pendulum's cosine and sine: rows that were never written would be zeros.
        np.testing.assert_allclose(np.linalg.norm(snapshot.observations[:, :2], axis=1), 1.0, atol=1e-5)
    assert not np.array_equal(newest[0].observations, newest[1].observations)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("learner", "environment"),
    [
        (lambda small: MetaSAC(sac=dataclasses.replace(small, temperature=Fixed(0.5))), "Pendulum-v1"),
        (lambda small: dataclasses.replace(small, temperature=EachDimension(Dual())), "entropax/Pendulum-v0"),
        (lambda small: SACAdaEnt(small, samples=8), "entropax/Pendulum-v0"),
        (lambda small: SACLite(small), "Pendulum-v1"),
    ],
    ids=["MetaSAC", "EachDimension", "SACAdaEnt", "SACLite"],
)
def test_other_learners_are_read_too(learner, environment, small, loop, tmp_path):
    loop = dataclasses.replace(loop, steps=300, checkpoint_every=200, evaluate_every=0)
    run = fit(learner(small), environment, loop, root=tmp_path, progress=False)
    found = attribute_run(run.path)
    np.testing.assert_allclose(sum(found.by_seed.parts[1:]), found.by_seed.parts.whole, atol=3e-6)
    assert found.by_seed.per_dimension.alpha.shape == (1, 1)


def test_a_snapshot_is_kept_where_updates_begin_and_with_every_checkpoint(run):
    assert snapshot_steps(run.path) == [100, 400, 600]
    # Before any update alpha is what it starts from, to 1e-3: one step of Adam.
    np.testing.assert_allclose([one.alpha for one in read_snapshots(run, 100)], 1.0, rtol=1e-3)


def test_pieces_follow_one_another_and_add_up_to_the_whole(run):
    pieces, whole = read_history(run.path).pieces(), attribute_run(run.path)
    assert [piece.steps for piece in pieces] == [(100, 400), (400, 600)]
    for values in zip(whole.by_seed.parts, *(piece.by_seed.parts for piece in pieces), strict=True):
        np.testing.assert_allclose(sum(values[1:]), values[0], atol=3e-6)
    # The entropy in between cancels, and its states' error with it: the sum is as certain as its two ends are.
    errors = [piece.by_seed.errors.whole for piece in pieces]
    assert (whole.by_seed.errors.whole < np.hypot(*errors)).all()


def test_some_seeds_alone_have_the_numbers_they_have_among_all(run):
    history = read_history(run.path)
    both, one = history.between(100, 600, (0, 1)), history.between(100, 600, (1,))
    assert one.seeds == (1,)
    np.testing.assert_array_equal(one.by_seed.parts.critic, both.by_seed.parts.critic[1:])


@pytest.mark.parametrize("steps", [(100, 500), (600, 100), (400, 400)])
def test_steps_without_snapshots_or_in_the_wrong_order_are_refused(jax_run, steps):
    with pytest.raises(EntropaxError, match=r"no snapshots from step .* only of \[100, 400, 600\]"):
        attribute_run(jax_run.path, *steps)


def test_one_snapshot_is_refused(jax_run, tmp_path):
    shutil.copytree(jax_run.path, tmp_path / "run")
    for step in (100, 600):
        (tmp_path / "run" / "snapshots" / f"step_{step:09d}.safetensors").unlink()
    for attributed in (attribute_run, read_history):
        with pytest.raises(EntropaxError, match=r"has 1 snapshot\(s\), and a change lies between two"):
            attributed(tmp_path / "run")


def _cut(monkeypatch, name, algorithm, loop, root):
    """A run whose driver dies in the second call of a method, and its folder."""

    class _PowerCutError(Exception):
        pass

    method, calls = getattr(Driver, name), []

    def die(self) -> None:
        calls.append(self.step)
        if len(calls) > 1:
            raise _PowerCutError
        method(self)

    with monkeypatch.context() as patch:
        patch.setattr(Driver, name, die)
        with pytest.raises(_PowerCutError):
            fit(algorithm, "entropax/Pendulum-v0", loop, seeds=2, root=root, progress=False)
    (path,) = root.iterdir()
    return path


@pytest.mark.parametrize(
    "method",
    [pytest.param("save", marks=pytest.mark.slow), "_snapshot"],
    ids=["before a checkpoint", "between it and its snapshot"],
)
def test_a_resumed_run_has_the_snapshots_of_the_uninterrupted_one(method, small, loop, jax_run, tmp_path, monkeypatch):
    path = _cut(monkeypatch, method, small, loop, tmp_path)
    assert read_checkpoint_meta(path)[1] == 400
    assert snapshot_steps(path) == ([100, 400] if method == "save" else [100])
    resume(path, progress=False)
    mine, theirs = (
        {file.name: file.read_bytes() for file in (one / "snapshots").iterdir()} for one in (path, jax_run.path)
    )
    assert mine == theirs


def test_snapshots_past_the_checkpoint_that_a_run_goes_on_from_are_taken_again(small, loop, jax_run, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(jax_run.path, path)
    shutil.rmtree(path / "checkpoints" / "step_000000600")
    last = path / "snapshots" / "step_000000600.safetensors"
    whole = last.read_bytes()
    last.rename(path / "snapshots" / "step_000000500.safetensors")
    resume(path, progress=False)
    assert snapshot_steps(path) == [100, 400, 600]
    assert last.read_bytes() == whole


@pytest.mark.slow
def test_a_snapshot_that_cannot_be_written_leaves_the_checkpoint_whole(small, loop, tmp_path, monkeypatch):
    write = snapshot_files.write_tensor_file

    def full_disk(path, *rest):
        if "400" in path.name:
            raise RunWriteError("No space left on device")
        write(path, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(snapshot_files, "write_tensor_file", full_disk)
        with pytest.raises(RunWriteError, match="No space"):
            fit(small, "Pendulum-v1", loop, seeds=2, root=tmp_path, progress=False)
    (path,) = tmp_path.iterdir()
    assert (read_checkpoint_meta(path)[1], snapshot_steps(path)) == (400, [100])
    resume(path, progress=False)
    assert snapshot_steps(path) == [100, 400, 600]
