"""Replay: both forms hold the same rows, and a window is what was stored in a row, never past the newest."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.replay import HostReplay, add, empty, pack, row_width, sample, unpack
from entropax.types import Bounds, Spec, Transition

SPEC = Spec(3, Bounds((-2.0, -1.0), (2.0, 1.0)))
WIDTH = 3 + 2 + 3 + 3


def _transition(rng: np.random.Generator, shape: tuple[int, ...]) -> Transition:
    def draw(*more: int) -> np.ndarray:
        return rng.normal(size=(*shape, *more)).astype(np.float32)

    flags = (rng.random((2, *shape)) < 0.3).astype(np.float32)
    return Transition(draw(3), draw(2), draw(), draw(3), flags[0], flags[1])


def _filled(num_envs: int, capacity: int, writes: int, chance: float = 1.0):
    """Both forms after the same adds; column 0 of a row is the number of its write, column 1 its environment."""
    device, host = empty(SPEC, num_envs, capacity), HostReplay(SPEC, num_envs, capacity)
    rng, step, kept = np.random.default_rng(0), jax.jit(add), [[] for _ in range(num_envs)]
    for number in range(writes):
        rows = rng.normal(size=(num_envs, WIDTH)).astype(np.float32)
        rows[:, 0], rows[:, 1] = number, np.arange(num_envs)
        valid = rng.random(num_envs) < chance
        device = step(device, jnp.asarray(rows), jnp.asarray(valid))
        host.add(rows, valid)
        for env in np.flatnonzero(valid):
            kept[env].append(rows[env])
    return device, host, kept


def test_row_width():
    assert row_width(SPEC) == WIDTH


@pytest.mark.parametrize("shape", [(), (4,), (4, 2)])
def test_pack_and_unpack_are_inverse_in_numpy_and_jax(shape):
    transition = _transition(np.random.default_rng(0), shape)
    rows = pack(transition)
    assert isinstance(rows, np.ndarray)
    assert rows.shape == (*shape, WIDTH)
    np.testing.assert_array_equal(pack(jax.tree.map(jnp.asarray, transition)), rows)
    for before, after in zip(transition, unpack(jnp.asarray(rows), SPEC), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("writes", [0, 3, 5, 17])
@pytest.mark.parametrize("chance", [1.0, 0.6])
def test_host_and_device_hold_the_newest_valid_rows(writes, chance):
    num_envs, ring = 3, 5
    device, host, kept = _filled(num_envs, num_envs * ring, writes, chance)
    np.testing.assert_array_equal(device.rows, host.rows)
    np.testing.assert_array_equal(device.cursor, host.cursor)
    np.testing.assert_array_equal(device.size, host.size)
    arrays = host.arrays()
    for env in range(num_envs):
        newest = kept[env][-ring:]
        assert host.size[env] == len(newest)
        for stored, expected in zip(arrays["rows"][env], newest, strict=False):
            np.testing.assert_array_equal(stored, expected)


@pytest.mark.parametrize("writes", [3, 8, 9, 21])
@pytest.mark.parametrize("window", [1, 3])
def test_windows_are_consecutive_and_reach_from_the_oldest_to_the_newest(writes, window):
    num_envs, ring = 2, 8
    device, host, _ = _filled(num_envs, num_envs * ring, writes)
    oldest, newest = max(writes - ring, 0), writes - 1
    draws = {
        "device": np.asarray(sample(device, 512, window, key=jax.random.key(0))),
        "host": host.sample((512,), window, np.random.default_rng(0)),
    }
    for drawn in draws.values():
        assert drawn.shape == (512, window, WIDTH)
        number, env = drawn[..., 0], drawn[..., 1]
        np.testing.assert_array_equal(np.diff(number, axis=1), 1)
        np.testing.assert_array_equal(env, np.broadcast_to(env[:, :1], env.shape))
        assert number.min() == oldest
        assert number.max() == newest
        starts, counts = np.unique(number[:, 0], return_counts=True)
        np.testing.assert_array_equal(starts, np.arange(oldest, newest - window + 2))
        expected = 512 / len(starts)
        assert np.abs(counts - expected).max() < 5 * np.sqrt(expected) + 1
        assert abs(env[:, 0].mean() - 0.5) < 0.1


def test_rings_of_different_length_are_drawn_within_their_own_bounds():
    device, host, kept = _filled(3, 24, 14, chance=0.5)
    assert len({len(rows) for rows in kept}) > 1
    rows = [{row.tobytes() for row in env[-8:]} for env in kept]
    for drawn in (
        np.asarray(sample(device, 300, 2, key=jax.random.key(1))),
        host.sample((10, 30), 2, np.random.default_rng(1)).reshape(300, 2, WIDTH),
    ):
        for window in drawn:
            assert all(row.tobytes() in rows[int(window[0, 1])] for row in window)


@pytest.mark.parametrize("writes", [2, 8, 13])
def test_what_arrays_gave_loads_into_a_replay_that_samples_and_goes_on_identically(writes):
    _, host, _ = _filled(2, 16, writes, chance=0.8)
    again = HostReplay(SPEC, 2, 16)
    again.load({name: array.copy() for name, array in host.arrays().items()})
    for _ in range(2):
        drawn = [r.sample((4, 32), 2, np.random.default_rng(3)) for r in (host, again)]
        if host.size.min() >= 2:
            np.testing.assert_array_equal(*drawn)
        rows = np.random.default_rng(4).normal(size=(2, WIDTH)).astype(np.float32)
        for replay in (host, again):
            for _ in range(3):
                replay.add(rows, np.array([True, False]))
    np.testing.assert_array_equal(host.arrays()["rows"][0], again.arrays()["rows"][0])


@pytest.mark.parametrize("writes", [3, 8, 13])
@pytest.mark.parametrize(("window", "coming"), [(1, 1), (3, 2)])
def test_draw_ahead_of_coming_steps_is_the_draw_after_them(writes, window, coming):
    _, before, _ = _filled(2, 16, writes)
    _, after, _ = _filled(2, 16, writes + coming)
    awaited = 0
    for seed in range(200):
        ahead = before.draw((4,), window, np.random.default_rng(seed), coming)
        later = after.draw((4,), window, np.random.default_rng(seed))
        np.testing.assert_array_equal(ahead.env, later.env)
        np.testing.assert_array_equal(ahead.slots, later.slots)
        np.testing.assert_array_equal(ahead.cursor, after.cursor)
        rows = after.read(later)
        assert ahead.awaits == (rows[..., 0] >= writes).any()
        assert not later.awaits
        if not ahead.awaits:
            np.testing.assert_array_equal(before.read(ahead), rows)
        awaited += ahead.awaits
    assert 0 < awaited < 200
