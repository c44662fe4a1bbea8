"""The vehicle against the published one, number by number, and its variants."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rolls import roll

from entropax.envs.base import Episodes
from entropax.envs.registry import TASKS
from entropax.envs.vehicle import CarState, Vehicle, VehicleState, draw, gripping, kinematic, route
from entropax.envs.wrappers import TerminalTimeLimit

KEY = jax.random.key(0)
K = np.arange(200)
ZERO, HALF = np.zeros((200, 2)), np.full((200, 2), 0.5)
WAVES = np.stack([np.sin(0.3 * K), np.cos(0.2 * K)], axis=1)


def published(actions, dtype):
    vehicle = Vehicle()
    state = vehicle.initial(key=KEY)
    first = np.asarray(vehicle.observe(state))
    observations, rewards, _ = roll(vehicle, state, np.asarray(actions, dtype))
    assert (first.dtype, observations.dtype, rewards.dtype) == (dtype, dtype, dtype)
    return first, observations, rewards.astype(np.float64)


# Tolerances of observations and rewards, of sums, and of returns: the reference has six, four and five decimals.
# In float32 one step errs by about 1e-6, and a return, a sum of 200 rewards of hundreds each, by 2e-6 of itself.
@pytest.mark.parametrize(
    ("dtype", "steps", "sums", "returns"), [(np.float64, 1e-6, 5e-5, 1e-5), (np.float32, 1e-5, 0.02, 0.2)]
)
def test_golden_values(dtype, steps, sums, returns):
    with jax.enable_x64(dtype == np.float64):
        first, observations, rewards = published(ZERO, dtype)
        np.testing.assert_allclose(first, [-0.969484, 1.025891, 3.017295, 3, 0, -1], atol=steps)
        second = [-0.81117, 0.758463, 2.917295, 2.999182, 0.299858, -0.998085]
        np.testing.assert_allclose(observations[0], second, atol=steps)
        tenth = [-0.458999, -1.012692, 2.025639, 1.764571, 2.495756, -0.982298]
        np.testing.assert_allclose(observations[9], tenth, atol=steps)
        assert rewards[0] == pytest.approx(-4.150038, abs=steps)
        assert rewards[:10].sum() == pytest.approx(-43.9087, abs=sums)
        assert rewards[:100].sum() == pytest.approx(-9952.8273, abs=sums)
        assert rewards.sum() == pytest.approx(-76858.56446, abs=returns)

        _, observations, rewards = published(HALF, dtype)
        np.testing.assert_allclose(observations[0, 3:], [3.048387, 0.305273, -0.997607], atol=steps)
        assert rewards.sum() == pytest.approx(-74560.71404, abs=returns)
        assert published(WAVES, dtype)[2].sum() == pytest.approx(-95530.56260, abs=returns)


def test_the_route_is_the_published_one():
    start, targets = route()
    np.testing.assert_allclose(start, [-1.3294475, -9.9461021, 3.0172953], atol=1e-7)
    assert targets.shape == (110, 2)
    np.testing.assert_allclose(targets[-1], [-7.643, 6.445], atol=5e-4)
    speeds = np.linalg.norm(np.diff(targets, axis=0), axis=1) / 0.1
    np.testing.assert_allclose(speeds, 1 + 0.01 * np.arange(109), rtol=0.05)  # by chords: the curve is longer


def test_the_target_waits_at_the_end_of_its_way():
    state = Vehicle().initial(key=KEY)
    seen = [Vehicle().observe(VehicleState(state.car, jnp.asarray(time, jnp.int32))) for time in (108, 109, 110, 199)]
    assert (seen[0] != seen[1]).any()
    np.testing.assert_array_equal(seen[1], seen[2])
    np.testing.assert_array_equal(seen[1], seen[3])


def test_actions_are_cut_at_the_box():
    state = Vehicle().initial(key=KEY)
    wide, cut = (roll(Vehicle(), state, np.full((5, 2), size, np.float32)) for size in (7, 1))
    np.testing.assert_array_equal(wide[0], cut[0])


@pytest.mark.parametrize(
    ("id", "ends"),
    [("Vehicle", (True, False)), ("VehicleFixed", (False, True)), ("VehicleSimplified", (False, True))],
)
def test_only_the_published_time_limit_terminates(id, ends):
    task = TASKS[f"entropax/{id}-v0"]
    episodes = Episodes(task.build(), task.time_limit)
    state, _ = episodes.reset(key=KEY)
    step = lambda state, _: episodes.step(state, jnp.zeros(2), key=KEY)  # noqa: E731
    _, steps = jax.jit(lambda state: jax.lax.scan(step, state, None, length=201))(state)
    assert np.flatnonzero(steps.terminated | steps.truncated).tolist() == [199]
    assert (bool(steps.terminated[199]), bool(steps.truncated[199])) == ends


def test_gripping_tyres_turn_the_car_a_hundred_times_as_fast():
    def turned(car):
        vehicle = Vehicle(car=car, start_yaw_rate=0.0)
        before = vehicle.initial(key=KEY)
        after, _, _ = vehicle.step(before, jnp.asarray([0.0, 0.1]), key=KEY)
        return float(after.car.yaw_rate)

    # At rest sideways the front slip is the wheel's angle: Cf atan(0.1) cos(0.1) Lf / Iz dt.
    assert turned(Vehicle().car) == pytest.approx(32 * np.arctan(0.1) * np.cos(0.1) * 1.45 / 2250 * 0.1, rel=1e-4)
    assert turned(gripping()) == pytest.approx(100 * turned(Vehicle().car), rel=1e-4)


def test_a_car_that_does_not_slip_drives_a_circle():
    vehicle, steering = kinematic(), 0.2
    radius = 2.9 / np.tan(steering)
    car = CarState(*(jnp.asarray(number, jnp.float32) for number in (0, 0, 0, 3, 0, 0)))
    state = VehicleState(car, jnp.zeros((), jnp.int32))
    for step in range(1, 31):
        state, _, _ = vehicle.step(state, jnp.asarray([0.0, steering]), key=KEY)
        turned = step * 0.1 * 3 / radius
        assert float(state.car.heading) == pytest.approx(turned, abs=1e-5)
    # Explicit Euler puts the corners of a polygon on a circle of its own: sides of 0.3 m, turned by 0.3 / radius each.
    across = 0.15 / np.sin(0.15 / radius)
    first = -0.15 / radius
    place = across * np.array([np.sin(first + turned) - np.sin(first), np.cos(first) - np.cos(first + turned)])
    np.testing.assert_allclose([state.car.x, state.car.y], place, atol=1e-5)
    assert float(state.car.yaw_rate) == pytest.approx(3 / radius, rel=1e-6)
    assert float(state.car.sideways) == 0


@pytest.mark.parametrize("forward", [0.0, 1e-9, -1e-9, 1e-3, -2.0])
@pytest.mark.parametrize("sideways", [0.0, 0.5])
def test_gradients_are_finite_where_the_car_stands_still(forward, sideways):
    def total(vehicle, forward, actions):
        car = CarState(*(jnp.asarray(number, jnp.float32) for number in (10, 0, 0, 0, sideways, 0)))
        car = CarState(car.x, car.y, car.heading, forward, car.sideways, car.yaw_rate)

        def one(state, action):
            state, reward, _ = vehicle.step(state, action, key=KEY)
            return state, reward

        return jax.lax.scan(one, VehicleState(car, jnp.zeros((), jnp.int32)), actions)[1].sum()

    actions = jnp.asarray([[-1.0, 0.3]] * 5)
    value, slopes = jax.value_and_grad(total, argnums=(0, 1, 2))(Vehicle(), jnp.float32(forward), actions)
    assert np.isfinite(value)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))


def test_standing_slip_is_a_right_angle_as_by_ieee():
    """Division by a zero forward speed gives infinity in the original, whose arc tangent is ± pi / 2."""
    numbers = (10.0, 0.0, 0.0, 0.0, 0.5, 0.0)
    state = VehicleState(CarState(*(jnp.asarray(number, jnp.float32) for number in numbers)), jnp.zeros((), jnp.int32))
    after, _, _ = Vehicle().step(state, jnp.zeros(2), key=KEY)
    assert float(after.car.sideways) == pytest.approx(0.5 - (32 + 34) * np.pi / 2 / 1500 * 0.1, abs=1e-6)


def test_fields_are_leaves_that_sweep():
    assert len(jax.tree.leaves(Vehicle())) == 10 + 4
    assert len(jax.tree.leaves(TerminalTimeLimit(kinematic(), 200))) == 2 + 4


def test_its_picture_shows_car_and_target_wherever_they_are():
    state = Vehicle().initial(key=KEY)
    for x, y in ((0.0, 0.0), (300.0, -200.0)):
        car = CarState(jnp.float32(x), jnp.float32(y), *jax.tree.leaves(state.car)[2:])
        frame = draw(VehicleState(car, jnp.asarray(50, jnp.int32)))
        assert frame.dtype == np.uint8
        blue = (frame == (47, 111, 196)).all(-1)
        green = (frame == (44, 150, 84)).all(-1)
        assert blue.sum() > 300
        assert green.sum() > 50
        assert not blue[[0, -1]].any() and not blue[:, [0, -1]].any()
