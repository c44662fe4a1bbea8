"""The quadrotor against the published one and against its formulas written out again, and its variants."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rolls import roll
from scripted import hover

from entropax.envs.quadrotor import (
    Gyroscope,
    Quadrotor,
    QuadrotorState,
    RotorSpeeds,
    ThrustAndMoments,
    draw,
)
from entropax.envs.registry import TASKS
from entropax.envs.wrappers import TerminalTimeLimit

KEY = jax.random.key(0)
PLACE = (0.05, -0.05, 0.5)


def at(position, dtype=np.float32):
    still = jnp.zeros(3, dtype)
    return QuadrotorState(jnp.asarray(position, dtype), still, still, still, jnp.zeros((), jnp.int32))


# The reference has five or six decimals; float32 errs by some 1e-7 of a number and of a return.
@pytest.mark.parametrize(("dtype", "steps", "returns"), [(np.float64, 1e-6, 1e-5), (np.float32, 1e-5, 1e-3)])
def test_golden_values(dtype, steps, returns):
    with jax.enable_x64(dtype == np.float64):
        actions = np.tile(np.array([2.3, 2.25, 2.2, 2.25], dtype), (40, 1))
        observations, rewards, _ = roll(Quadrotor(), at(PLACE, dtype), actions)
        assert (observations.dtype, rewards.dtype) == (dtype, dtype)
        assert rewards[0] == pytest.approx(-2.99761, abs=steps)
        assert rewards[1] == pytest.approx(-3.243041, abs=steps)
        assert rewards[:10].sum() == pytest.approx(-58.9943, abs=5e-5)
        assert rewards.sum() == pytest.approx(-858.35726, abs=returns)
        second = [0.1, 0.050042, -0.498307, 0.001296, 0, 0, 1.5, 0.000421, 0.011288]
        np.testing.assert_allclose(observations[1], second, atol=steps)


def written_out(position, actions):
    """Observations and rewards in NumPy, float64, one number at a time."""
    g, m, jx, jy, jz, kt, kd, arm, dt = 9.81, 0.65, 0.75, 0.75, 1.3, 0.313, 7.5e-4, 0.23, 0.1
    (x, y, z), (vx, vy, vz), (f, t, p), (df, dth, dp) = position, (0, 0, 0), (0, 0, 0), (0, 0, 0)
    sin, cos, ahead, rows, rewards = np.sin, np.cos, 0.0, [], []
    for k, action in enumerate(actions):
        w1, w2, w3, w4 = np.clip(action, 0, 10) ** 2
        u1, u2, u3, u4 = kt * (w1 + w2 + w3 + w4), kt * (w1 - w3), kt * (w2 - w4), kd * (w1 + w3 - w2 - w4)
        vx += (cos(f) * sin(t) * cos(p) + sin(f) * sin(p)) * u1 / m * dt
        vy += (cos(f) * sin(t) * sin(p) - sin(f) * cos(p)) * u1 / m * dt
        vz += (-g + cos(f) * cos(t) * u1 / m) * dt
        x, y, z = x + vx * dt, y + vy * dt, z + vz * dt
        ddf = dp * dth * (jy - jz) / jx + arm * u2 / jx
        ddt = dp * df * (jz - jx) / jy + arm * u3 / jy
        ddp = dth * df * (jx - jy) / jz + arm * u4 / jz
        df, dth, dp = df + ddf * dt, dth + ddt * dt, dp + ddp * dt
        f, t, p = f + df * dt, t + dth * dt, p + dp * dt
        rows.append([ahead - x, -y, -z, f, t, p, 1.5 - vx, -vy, -vz])
        rewards.append(-5 * (abs(ahead - x) + abs(y) + abs(z)) - abs(f) - abs(t) - abs(p))
        ahead = 1.5 * 0.1 * (k + 1)
    return np.array(rows), np.array(rewards)


def test_random_actions_follow_the_formulas():
    actions = np.random.default_rng(0).uniform(-1, 11, (40, 4))
    expected, paid = written_out(PLACE, actions)
    with jax.enable_x64(True):
        observations, rewards, _ = roll(Quadrotor(), at(PLACE, np.float64), actions)
    np.testing.assert_allclose(observations, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(rewards, paid, rtol=1e-9)
    assert (np.abs(expected[-1]) > 1e-4).all(), "all nine must have moved"


def test_first_states_have_the_published_ranges():
    states = jax.vmap(lambda key: Quadrotor().initial(key=key))(jax.random.split(KEY, 4000))
    for column, half in zip(np.asarray(states.position).T, (0.1, 0.1, 1.0), strict=True):
        assert -half <= column.min() < -0.99 * half and 0.99 * half < column.max() <= half
    assert 0.099 < np.abs(states.velocity).max() <= 0.1
    drawn = np.concatenate([states.position, states.velocity], axis=1)
    assert np.abs(np.corrcoef(drawn.T) - np.eye(6)).max() < 0.06
    assert (states.angles == 0).all() and (states.rates == 0).all() and (states.time == 0).all()


def test_the_hovering_speed_hovers():
    action = np.asarray(hover(jnp.zeros(9)))
    assert action == pytest.approx(2.2568, abs=5e-5)
    observations, _, _ = roll(Quadrotor(), at((0, 0, 0)), np.tile(action, (40, 1)))
    np.testing.assert_allclose(observations[:, [1, 2, 3, 4, 5, 7, 8]], 0, atol=1e-4)


def test_the_published_time_limit_terminates():
    ended = roll(
        TerminalTimeLimit(Quadrotor(), 40),
        TerminalTimeLimit(Quadrotor(), 40).initial(key=KEY),
        np.ones((40, 4), np.float32),
    )[2]
    assert ended.tolist() == [False] * 39 + [True]
    for variant in ("Fixed", "Simplified"):
        dynamics = TASKS[f"entropax/Quadrotor{variant}-v0"].build()
        assert not roll(dynamics, at(PLACE), np.ones((40, 4), np.float32))[2].any()


def test_the_gyroscope_shows_the_rates_and_nothing_else_changes():
    actions = np.random.default_rng(1).uniform(0, 10, (20, 4)).astype(np.float32)
    published, reward, _ = roll(Quadrotor(), at(PLACE), actions)
    fixed, same, _ = roll(Quadrotor(gyroscope=Gyroscope()), at(PLACE), actions)
    np.testing.assert_array_equal(fixed[:, :9], published)
    np.testing.assert_array_equal(reward, same)
    angles = np.concatenate([np.zeros((1, 3)), published[:, 3:6]])
    np.testing.assert_allclose(fixed[:, 9:], np.diff(angles, axis=0) / 0.1, atol=1e-4)


def test_simplified_forces_are_given_directly():
    given = ThrustAndMoments().forces(jnp.asarray([0.5, -0.2, 0.4, 3.0]))
    np.testing.assert_allclose(given, [1.5 * 0.65 * 9.81, -1, 2, 5], rtol=1e-6)
    np.testing.assert_allclose(
        RotorSpeeds().forces(jnp.asarray([1.0, 2, 3, 20])), [35.682, -2.504, -30.048, -0.0705], rtol=1e-5
    )
    simplified = Quadrotor(actuation=ThrustAndMoments())
    observations, _, _ = roll(simplified, at((0, 0, 0)), np.zeros((40, 4), np.float32))
    np.testing.assert_allclose(observations[:, 1:6], 0, atol=1e-4)


def test_every_float_field_is_a_leaf_and_gradients_are_finite():
    assert len(jax.tree.leaves(Quadrotor())) == 2 + 8
    assert len(jax.tree.leaves(Quadrotor(actuation=ThrustAndMoments(), gyroscope=Gyroscope()))) == 3 + 8

    def total(quadrotor, actions):
        def one(state, action):
            state, reward, _ = quadrotor.step(state, action, key=KEY)
            return state, reward

        return jax.lax.scan(one, at((0, 0, 0)), actions)[1].sum()

    slopes = jax.grad(total, argnums=(0, 1))(Quadrotor(), jnp.full((10, 4), 2.0))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))


def test_its_picture_shows_the_body_from_two_sides_wherever_it_is():
    for place in ((0.0, 0.5, -0.3), (40.0, 25.0, -60.0)):
        frame = draw(jax.device_get(at(place)))
        assert (frame.shape, frame.dtype) == ((360, 724, 3), np.uint8)
        for view in (frame[:, :360], frame[:, 364:]):
            blue = (view == (47, 111, 196)).all(-1)
            assert blue.sum() > 300
            assert not blue[[0, -1]].any() and not blue[:, [0, -1]].any()
