"""Snapshots: whole or absent, at most sixteen, spread over the run however long it gets."""

import jax.numpy as jnp
import numpy as np
import pytest

from entropax.errors import EntropaxError
from entropax.runs import drop_snapshots_after, load_snapshot, save_snapshot, snapshot_steps
from entropax.runs.atomic import RunWriteError
from entropax.runs.snapshot_files import MOST, superfluous

LIKE = {"x": jnp.zeros(3)}


def save(folder, *steps):
    for step in steps:
        save_snapshot(folder, step, {"x": jnp.full(3, float(step))}, {})


def test_a_snapshot_comes_back_as_it_was_saved(tmp_path):
    save(tmp_path, 20, 1_000_000_000, 100)
    assert snapshot_steps(tmp_path) == [20, 100, 1_000_000_000]
    np.testing.assert_array_equal(load_snapshot(tmp_path, 100, LIKE)["x"], 100.0)


def test_a_folder_without_any_has_none(tmp_path):
    assert snapshot_steps(tmp_path) == []


def test_a_step_saved_twice_is_kept_once(tmp_path):
    save(tmp_path, 5)
    save_snapshot(tmp_path, 5, {"x": jnp.ones(3)}, {})
    assert snapshot_steps(tmp_path) == [5]
    np.testing.assert_array_equal(load_snapshot(tmp_path, 5, LIKE)["x"], 1.0)


@pytest.mark.parametrize("count", [17, 40, 100, 333])
def test_of_many_sixteen_stay_with_both_ends_evenly_spread(count):
    kept: list[int] = []
    for step in range(count):
        kept = [one for one in [*kept, step] if one not in superfluous([*kept, step], MOST)]
    assert (len(kept), kept[0], kept[-1]) == (MOST, 0, count - 1)
    gaps = np.diff(kept)
    # The last gap is still growing; of the others none is over twice another.
    assert gaps[:-1].max() <= 2 * gaps[:-1].min()
    assert gaps[-1] <= gaps[:-1].max()


def test_the_seventeenth_takes_the_place_of_the_most_crowded_one(tmp_path):
    save(tmp_path, *range(0, 160, 10), 155)
    assert snapshot_steps(tmp_path) == [*range(0, 150, 10), 155]


def test_an_unfinished_write_is_ignored_and_cleared_away(tmp_path):
    save(tmp_path, 1)
    stale = tmp_path / "snapshots" / ".step_000000007.safetensors.tmp"
    stale.write_bytes(b"half")
    assert snapshot_steps(tmp_path) == [1]
    save(tmp_path, 2)
    assert not stale.exists()


def test_what_comes_after_a_step_is_dropped(tmp_path):
    save(tmp_path, 1, 2, 3, 4)
    drop_snapshots_after(tmp_path, 2)
    assert snapshot_steps(tmp_path) == [1, 2]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_snapshot_is_refused(tmp_path, share):
    path = save_snapshot(tmp_path, 3, {"x": jnp.ones(3)}, {})
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(EntropaxError, match="no readable snapshot file"):
        load_snapshot(tmp_path, 3, LIKE)


def test_another_configuration_s_snapshot_is_refused(tmp_path):
    save(tmp_path, 3)
    with pytest.raises(EntropaxError, match=r"stored as float32\[3\]"):
        load_snapshot(tmp_path, 3, {"x": jnp.zeros(4)})


def test_a_failed_write_leaves_the_others(tmp_path, monkeypatch):
    save(tmp_path, *range(MOST))
    monkeypatch.setattr("os.rename", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(RunWriteError, match="No space left"):
        save(tmp_path, 99)
    assert snapshot_steps(tmp_path) == list(range(MOST))
    assert len(list((tmp_path / "snapshots").iterdir())) == MOST


def test_a_file_in_the_folder_s_place_is_named(tmp_path):
    (tmp_path / "snapshots").write_text("in the way")
    with pytest.raises(RunWriteError, match="snapshots"):
        save(tmp_path, 1)
