"""The acrobot against the published one, and physics that must hold without it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rolls import roll

from entropax.envs.acrobot import Acrobot, AcrobotState, draw

KEY = jax.random.key(0)


def state(*numbers):
    return AcrobotState(*(jnp.asarray(number, float) for number in numbers))


# The reference has six decimals of a state and a reward, five of sums. In float32 a step errs by about 1e-6, and the
# fall of the first ten steps multiplies it: 20 steps end 2e-4 of their sum off.
@pytest.mark.parametrize(
    ("dtype", "steps", "ten", "twenty"), [(np.float64, 1e-6, 1e-5, 1e-6), (np.float32, 1e-5, 2e-3, 0.1)]
)
def test_golden_values(dtype, steps, ten, twenty):
    with jax.enable_x64(dtype == np.float64):
        torques = 10 * np.sin(0.5 * np.arange(20, dtype=dtype))[:, None]
        seen, rewards, terminated = roll(Acrobot(), state(np.pi / 2 + 0.3, 0.05, -0.02, 0.01), torques)
        assert (seen.dtype, rewards.dtype) == (dtype, dtype)
        angles = np.arctan2(seen[0, [1, 3]], seen[0, [0, 2]])
        np.testing.assert_allclose([*angles, *seen[0, 4:]], [1.903231, 0.02799, 0.351215, -0.23849], atol=steps)
        assert rewards[0] == pytest.approx(-0.129319, abs=steps)
        assert rewards[:10].sum() == pytest.approx(-73.83601, abs=ten)
        assert rewards.sum() == pytest.approx(-108.504892, abs=twenty)
        assert not terminated.any()


def test_energy_is_kept_without_a_torque():
    """With 200 steps of 2 ms, and a fall from near upright whose speeds stay below the limits."""
    acrobot, now, seen = Acrobot(dt=0.002), state(np.pi / 2 + 0.5, 0.3, 0.0, 0.0), []
    step = jax.jit(lambda now: acrobot.step(now, jnp.zeros(1), key=KEY)[0])
    for _ in range(600):
        seen.append([float(leaf) for leaf in jax.tree.leaves(now)])
        now = step(now)
    first, second, one, two = np.array(seen).T
    both = first + second
    spin = one + two
    speed = one**2 + (0.5 * spin) ** 2 + 2 * 0.5 * one * spin * np.cos(second)
    kinetic = 0.5 * (0.25 * one**2 + one**2 + speed + spin**2)
    height = 0.5 * np.sin(first) + np.sin(first) + 0.5 * np.sin(both)
    energy = kinetic + 9.8 * height
    assert kinetic.max() > 3
    np.testing.assert_allclose(energy, energy[0], rtol=1e-4)


def test_first_states_have_the_published_ranges():
    states = jax.vmap(lambda key: Acrobot().initial(key=key))(jax.random.split(KEY, 4000))
    ranges = ((np.pi / 4, 3 * np.pi / 4), (-0.1, 0.1), (-0.1, 0.1), (-0.1, 0.1))
    for leaf, (low, high) in zip(jax.tree.leaves(states), ranges, strict=True):
        margin = 0.01 * (high - low)
        assert low - 1e-6 <= leaf.min() < low + margin and high - margin < leaf.max() <= high + 1e-6


def test_torque_is_cut_and_speeds_and_angles_stay_in_their_ranges():
    wide, cut = (roll(Acrobot(), state(1.0, 0.0, 0.0, 0.0), np.full((100, 1), size, np.float32)) for size in (90, 20))
    np.testing.assert_array_equal(wide[0], cut[0])
    after, _, _ = Acrobot().step(state(3.1, -3.1, 40.0, -80.0), jnp.zeros(1), key=KEY)
    speeds = [abs(float(speed)) for speed in (after.first_speed, after.second_speed)]
    assert speeds == pytest.approx([4 * np.pi, 9 * np.pi])
    assert -np.pi <= float(after.first) <= np.pi and -np.pi <= float(after.second) <= np.pi


def test_upright_at_rest_costs_nothing_and_stays():
    seen, rewards, _ = roll(Acrobot(), state(np.pi / 2, 0.0, 0.0, 0.0), np.zeros((3, 1), np.float32))
    np.testing.assert_allclose(rewards, 0, atol=1e-9)
    np.testing.assert_allclose(seen[-1], [0, 1, 1, 0, 0, 0], atol=1e-5)


def test_every_float_field_is_a_leaf_and_gradients_are_finite():
    assert len(jax.tree.leaves(Acrobot())) == 7

    def total(acrobot, torques):
        def one(now, torque):
            now, reward, _ = acrobot.step(now, torque, key=KEY)
            return now, reward

        return jax.lax.scan(one, state(1.4, 0.0, 0.0, 0.0), torques)[1].sum()

    slopes = jax.grad(total, argnums=(0, 1))(Acrobot(), jnp.ones((10, 1)))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))


def test_its_picture_reaches_the_wanted_place_when_upright():
    upright, hanging = (draw(jax.device_get(state(angle, 0.0, 0.0, 0.0))) for angle in (np.pi / 2, -np.pi / 2))
    green = (hanging == (44, 150, 84)).all(-1)
    blue = (upright == (47, 111, 196)).all(-1)
    assert (green & blue).any(), "the upper end covers the mark"
    assert not (green & (hanging == (47, 111, 196)).all(-1)).any()
