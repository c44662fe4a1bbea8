"""Our tasks against Gymnasium's, state by state."""

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rolls import zero

from entropax.envs.cartpole import LEAN, RAIL, CartPole, CartPoleState
from entropax.envs.cartpole_swingup import CartpoleSwingup, CartpoleSwingupSparse
from entropax.envs.deceptive_maze import DeceptiveMaze
from entropax.envs.mountain_car import MountainCarContinuous, MountainCarState
from entropax.envs.pendulum import Pendulum, PendulumState
from entropax.envs.registry import TASKS
from entropax.envs.wrappers import ActionCost, Sparse
from entropax.errors import EntropaxError
from entropax.types import Bounds, Spec

COUNT = 4000
KEY = jax.random.key(0)


def pendulum_inputs():
    rng = np.random.default_rng(0)
    angle = rng.uniform(-3 * np.pi, 3 * np.pi, COUNT).astype(np.float32)
    velocity = rng.uniform(-8, 8, COUNT).astype(np.float32)
    torque = rng.uniform(-2.5, 2.5, (COUNT, 1)).astype(np.float32)
    return angle, velocity, torque


def step_all(dynamics, states, actions):
    step = jax.vmap(lambda state, action: dynamics.step(state, action, key=KEY))
    after, reward, terminated = jax.jit(step)(states, jnp.asarray(actions))
    return jax.vmap(dynamics.observe)(after), reward, terminated


def test_pendulum_equals_gymnasium_within_float32():
    angle, velocity, torque = pendulum_inputs()
    env = gymnasium.make("Pendulum-v1").unwrapped
    expected, rewards = np.empty((COUNT, 3)), np.empty(COUNT)
    for i in range(COUNT):
        env.state = np.array([angle[i], velocity[i]], np.float64)
        expected[i], rewards[i], terminated, _, _ = env.step(torque[i])
        assert not terminated
    states = jax.vmap(PendulumState)(angle, velocity)
    observation, reward, terminated = step_all(Pendulum(), states, torque)
    np.testing.assert_allclose(observation, expected, atol=5e-6)
    np.testing.assert_allclose(reward, rewards, atol=2e-5)
    assert not terminated.any()


def test_mountain_car_equals_gymnasium_within_float32():
    rng = np.random.default_rng(1)
    position = rng.uniform(-1.2, 0.6, COUNT).astype(np.float32)
    position[: COUNT // 10] = rng.uniform(-1.2, -1.18, COUNT // 10)
    velocity = rng.uniform(-0.07, 0.07, COUNT).astype(np.float32)
    force = rng.uniform(-1.3, 1.3, (COUNT, 1)).astype(np.float32)
    env = gymnasium.make("MountainCarContinuous-v0").unwrapped
    expected, rewards, ends = np.empty((COUNT, 2)), np.empty(COUNT), np.empty(COUNT, bool)
    for i in range(COUNT):
        env.state = np.array([position[i], velocity[i]], np.float64)
        expected[i], rewards[i], ends[i], _, _ = env.step(force[i])
    states = jax.vmap(MountainCarState)(position, velocity)
    observation, reward, terminated = step_all(MountainCarContinuous(), states, force)
    np.testing.assert_allclose(observation, expected, atol=5e-7)
    np.testing.assert_array_equal(terminated, ends)
    np.testing.assert_allclose(reward, rewards, atol=2e-5)
    assert 100 < ends.sum() < COUNT, "the draw must contain both endings and steps on the way"
    at_wall = expected[:, 0] <= np.float32(-1.2)
    assert at_wall.sum() > 20, "the draw must contain the inelastic wall"
    assert (np.asarray(observation)[at_wall, 1] == 0).all()


def test_cart_pole_equals_gymnasium_within_float32():
    rng = np.random.default_rng(2)
    states = rng.uniform([-RAIL, -4, -LEAN, -4], [RAIL, 4, LEAN, 4], (COUNT, 4)).astype(np.float32)
    pushes = rng.integers(2, size=COUNT)
    env = gymnasium.make("CartPole-v1").unwrapped
    env.reset(seed=0)
    expected, rewards, ends = np.empty((COUNT, 4)), np.empty(COUNT), np.empty(COUNT, bool)
    for i in range(COUNT):
        env.state, env.steps_beyond_terminated = states[i].astype(np.float64), None
        expected[i], rewards[i], ends[i], _, _ = env.step(pushes[i])
    observation, reward, terminated = step_all(CartPole(), jax.vmap(CartPoleState)(*states.T), pushes.astype(np.int32))
    np.testing.assert_allclose(observation, expected, atol=1e-6)
    np.testing.assert_array_equal(reward, rewards)
    np.testing.assert_array_equal(terminated, ends)
    assert 100 < ends.sum() < COUNT - 100, "the draw must contain both endings and steps on the way"


def test_first_states_have_gymnasiums_ranges():
    keys = jax.random.split(KEY, 4000)
    pendulum = jax.vmap(lambda key: Pendulum().initial(key=key))(keys)
    for values, low, high in ((pendulum.angle, -np.pi, np.pi), (pendulum.velocity, -1, 1)):
        assert low <= values.min() < low * 0.99
        assert high * 0.99 < values.max() <= high
        assert abs(values.mean()) < 0.05 * high
    assert abs(np.corrcoef(pendulum.angle, pendulum.velocity)[0, 1]) < 0.05
    car = jax.vmap(lambda key: MountainCarContinuous().initial(key=key))(keys)
    assert -0.6 <= car.position.min() < -0.599
    assert -0.401 < car.position.max() <= -0.4
    assert (car.velocity == 0).all()
    entries = np.stack(jax.tree.leaves(jax.vmap(lambda key: CartPole().initial(key=key))(keys)))
    assert ((entries.min(axis=1) >= -0.05) & (entries.min(axis=1) < -0.0495)).all()
    assert ((entries.max(axis=1) <= 0.05) & (entries.max(axis=1) > 0.0495)).all()
    assert np.abs(np.corrcoef(entries) - np.eye(4)).max() < 0.05


def test_physics_is_swept_by_vmap_and_the_spec_stays_static():
    gravity = jnp.asarray([5.0, 10.0, 20.0])
    batch = jax.tree.map(lambda leaf: jnp.full(3, leaf), Pendulum())
    batch = jax.tree.unflatten(jax.tree.structure(batch), [gravity, *jax.tree.leaves(batch)[1:]])
    state = PendulumState(jnp.asarray(0.5, jnp.float32), jnp.asarray(0.0, jnp.float32))
    specs = []

    def velocity(dynamics):
        specs.append(dynamics.spec)
        return dynamics.step(state, jnp.zeros(1), key=KEY)[0].velocity

    swept = jax.jit(jax.vmap(velocity))(batch)
    np.testing.assert_allclose(swept, 1.5 * np.asarray(gravity) * np.sin(0.5) * 0.05, rtol=1e-5)
    assert hash(specs[0]) == hash(Spec(3, Bounds((-2.0,), (2.0,))))


@pytest.mark.parametrize(
    ("dynamics", "fields"),
    [
        (Pendulum(), 6),
        (Sparse(Pendulum()), 7),
        (ActionCost(MountainCarContinuous()), 10),
        (CartpoleSwingup(), 10),
        (CartpoleSwingupSparse(), 10),
        (DeceptiveMaze(), 3),
        (CartPole(), 6),
    ],
)
def test_every_float_field_is_a_leaf(dynamics, fields):
    assert len(jax.tree.leaves(dynamics)) == fields


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_step_keeps_shapes_dtypes_and_weak_types(task):
    dynamics = task.build()
    action = zero(dynamics.spec.action)
    state = jax.eval_shape(lambda: dynamics.initial(key=KEY))
    after, reward, _ = jax.eval_shape(lambda s: dynamics.step(s, action, key=KEY), state)
    for old, new in zip(jax.tree.leaves(state), jax.tree.leaves(after), strict=True):
        assert (old.shape, old.dtype, old.weak_type) == (new.shape, new.dtype, new.weak_type)
    assert (reward.shape, reward.dtype, reward.weak_type) == ((), jnp.float32, False)


def test_sparse_pays_one_exactly_near_upright():
    angle, velocity, torque = pendulum_inputs()
    angle[:1000] = np.linspace(-0.5, 0.5, 1000)
    velocity[:1000] = 0
    states = jax.vmap(PendulumState)(angle, velocity)
    _, dense, _ = step_all(Pendulum(), states, torque)
    _, reward, _ = step_all(Sparse(Pendulum(), threshold=-0.1), states, torque)
    np.testing.assert_array_equal(reward, (np.asarray(dense) >= -0.1).astype(np.float32))
    assert 0.5 < np.asarray(reward)[:1000].mean() < 0.7, "18 of 28.6 degrees"


def test_an_index_has_no_cost():
    with pytest.raises(EntropaxError, match="one of 2 categories"):
        ActionCost(CartPole())


def test_action_cost_subtracts_the_norm_in_environment_units():
    angle, velocity, torque = pendulum_inputs()
    states = jax.vmap(PendulumState)(angle, velocity)
    _, plain, _ = step_all(Pendulum(), states, torque)
    _, costly, _ = step_all(ActionCost(Pendulum(), cost=0.3), states, torque)
    np.testing.assert_allclose(plain - costly, 0.3 * np.abs(torque[:, 0]), atol=1e-5)
