"""An interrupted run goes on: bit for bit on a JAX environment, with its replay on a Gymnasium one."""

import dataclasses
import errno

import numpy as np
import pytest
from safetensors.numpy import load_file

from entropax import EntropaxError, SACAdaEnt, SACLite, fit, resume
from entropax.loops.driver import Driver
from entropax.runs import CheckpointWriteError, read_checkpoint_meta, read_metrics


class _PowerCutError(Exception):
    """The process is gone."""


def _cut_after_the_first_checkpoint(monkeypatch) -> None:
    save = Driver.save

    def save_and_die(self) -> None:
        save(self)
        self.event("lost", "written after the checkpoint's own line, gone or kept by its step")
        raise _PowerCutError

    monkeypatch.setattr(Driver, "save", save_and_die)


def _interrupted(monkeypatch, algorithm, environment, loop, root):
    with monkeypatch.context() as patch:
        _cut_after_the_first_checkpoint(patch)
        with pytest.raises(_PowerCutError):
            fit(algorithm, environment, loop, seeds=2, root=root, progress=False)
    (path,) = root.iterdir()
    return path


def _tensors(path, step: int):
    return load_file(path / "checkpoints" / f"step_{step:09d}" / "state.safetensors")


def _replays(path, step: int) -> list[np.ndarray]:
    """The rows of each seed, `[envs, steps, width]`; no other array of Pendulum's is 10 wide."""
    tensors = _tensors(path, step)
    return [tensors[name] for name in sorted(tensors) if tensors[name].ndim == 3 and tensors[name].shape[-1] == 10]


def test_a_resumed_run_on_a_jax_environment_is_the_uninterrupted_one(small, loop, jax_run, tmp_path, monkeypatch):
    path = _interrupted(monkeypatch, small, "entropax/Pendulum-v0", loop, tmp_path)
    assert [row.step for row in read_metrics(path).rows] == [200, 400]
    again = resume(path, progress=False)
    for one, two in zip(jax_run.metrics.rows, again.metrics.rows, strict=True):
        assert one.step == two.step
        assert set(one.values) == set(two.values)
        for name in set(one.values) - {"time/fps"}:
            np.testing.assert_array_equal(one.values[name], two.values[name], err_msg=f"{name} at {one.step}")
    whole, resumed = _tensors(jax_run.path, 600), _tensors(path, 600)
    assert set(whole) == set(resumed)
    assert len(whole) > 40
    for name, array in whole.items():
        np.testing.assert_array_equal(array, resumed[name], err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("build", [lambda small: SACAdaEnt(small, samples=8), SACLite], ids=["adaent", "lite"])
def test_what_wraps_sac_goes_on_bit_for_bit(build, small, loop, tmp_path, monkeypatch):
    (cut, uncut) = (tmp_path / name for name in ("cut", "uncut"))
    whole = fit(build(small), "entropax/Pendulum-v0", loop, seeds=2, root=uncut, progress=False)
    path = _interrupted(monkeypatch, build(small), "entropax/Pendulum-v0", loop, cut)
    resume(path, progress=False)
    one, two = _tensors(whole.path, 600), _tensors(path, 600)
    assert set(one) == set(two)
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name], err_msg=name)


def test_a_resumed_run_on_a_gymnasium_environment_keeps_its_replay(small, loop, host_run, tmp_path, monkeypatch):
    path = _interrupted(monkeypatch, small, "Pendulum-v1", loop, tmp_path)
    stored = _replays(path, 400)
    assert [array.shape[:2] for array in stored] == [(1, 400)] * 2
    again = resume(path, progress=False)
    assert [row.step for row in again.metrics.rows] == [200, 400, 600]
    for row in (0, 1):
        for name in set(host_run.metrics.rows[row].values) - {"time/fps"}:
            np.testing.assert_array_equal(host_run.metrics.rows[row].values[name], again.metrics.rows[row].values[name])
    after = _replays(path, 600)
    for old, new in zip(stored, after, strict=True):
        assert new.shape[1] == 600
        np.testing.assert_array_equal(new[:, :400], old)
        assert np.abs(new[:, 400:]).sum(-1).min() > 0
    assert read_checkpoint_meta(path)[0]["rounds"] == 600
    np.testing.assert_array_equal(again.metrics.rows[-1].values["train/n_updates"], 500)


@pytest.mark.parametrize("environment", ["entropax/Pendulum-v0", "Pendulum-v1"])
def test_the_first_row_of_a_resumed_run_knows_the_warm_up(environment, small, loop, tmp_path, monkeypatch):
    """A checkpoint that is due with the warm-up's last step waits for the row that tells of it."""
    often = dataclasses.replace(loop, steps=400, warmup=200, log_every=100, checkpoint_every=200, evaluate_every=0)
    path = _interrupted(monkeypatch, small, environment, often, tmp_path)
    assert read_checkpoint_meta(path)[1] == 300
    rows = resume(path, progress=False).metrics.rows
    assert [row.step for row in rows] == [300, 400]
    np.testing.assert_array_equal(rows[0].values["rollout/episodes"], [1, 1])
    assert (rows[0].values["rollout/ep_rew_mean"] < 0).all()


def test_a_failed_checkpoint_leaves_the_last_good_one(small, loop, tmp_path, monkeypatch):
    from entropax.runs import checkpoint

    write, calls = checkpoint.save_file, []

    def full_disk(tensors, path):
        calls.append(path)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(tensors, path)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_file", full_disk)
        with pytest.raises(CheckpointWriteError, match=r"(?i)space"):
            fit(small, "Pendulum-v1", loop, seeds=2, root=tmp_path, progress=False)
    (path,) = tmp_path.iterdir()
    assert [place.name for place in (path / "checkpoints").iterdir()] == ["step_000000400"]
    assert read_checkpoint_meta(path)[1] == 400
    assert [row.step for row in read_metrics(path).rows][-1] == 600


def test_without_a_checkpoint_there_is_nothing_to_resume(small, loop, tmp_path, monkeypatch):
    def die(self, *unused) -> None:
        raise _PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(Driver, "_advance_to", die)
        with pytest.raises(_PowerCutError):
            fit(small, "Pendulum-v1", loop, root=tmp_path, progress=False)
    (path,) = tmp_path.iterdir()
    with pytest.raises(EntropaxError, match="no complete checkpoint"):
        resume(path, progress=False)
    with pytest.raises(EntropaxError):
        resume(tmp_path / "nowhere", progress=False)
