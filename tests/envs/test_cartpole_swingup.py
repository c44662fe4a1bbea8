"""Cart-pole swing-up against MuJoCo with the DeepMind Control Suite's model."""

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest

from entropax.envs.cartpole_swingup import CartpoleState, CartpoleSwingup, CartpoleSwingupSparse

KEY = jax.random.key(0)
COUNT = 2000
MODEL = mujoco.MjModel.from_xml_string("""
<mujoco>
  <option timestep="0.01" integrator="RK4"><flag contact="disable"/></option>
  <worldbody>
    <body pos="0 0 1">
      <joint name="slider" type="slide" limited="true" axis="1 0 0" range="-1.8 1.8" solreflimit=".08 1"
             damping="5e-4"/>
      <geom type="box" size="0.2 0.15 0.1" mass="1"/>
      <body>
        <joint type="hinge" axis="0 1 0" damping="2e-6"/>
        <geom type="capsule" fromto="0 0 0 0 0 1" size="0.045" mass=".1"/>
      </body>
    </body>
  </worldbody>
  <actuator><motor joint="slider" gear="10" ctrllimited="true" ctrlrange="-1 1"/></actuator>
</mujoco>
""")
DATA = mujoco.MjData(MODEL)


def random_inputs(position, steps=1):
    rng = np.random.default_rng(0)
    columns = [rng.uniform(-size, size, COUNT) for size in (position, 3 * np.pi, 4.0, 12.0)]
    return np.stack(columns, 1).astype(np.float32), rng.uniform(-1.2, 1.2, (COUNT, steps)).astype(np.float32)


def mujoco_steps(start, actions):
    """States `[step, 4]` in the order of `CartpoleState`, and rewards, of MuJoCo in float64."""
    mujoco.mj_resetData(MODEL, DATA)
    data = DATA
    data.qpos[:], data.qvel[:] = start[:2], start[2:]
    states, rewards = [], []
    for action in actions:
        data.ctrl[0] = np.clip(action, -1, 1)
        mujoco.mj_step(MODEL, data)
        states.append(np.concatenate([data.qpos, data.qvel]))
        rewards.append(suite_reward(*states[-1], data.ctrl[0]))
    return np.array(states), np.array(rewards)


def suite_reward(position, angle, velocity, angular_velocity, control):
    """The suite's formula with its `tolerance` written out."""
    scale = np.sqrt(-2 * np.log(0.1))
    centred = np.exp(-0.5 * (position / 2 * scale) ** 2)
    slow = np.exp(-0.5 * (angular_velocity / 5 * scale) ** 2)
    little = 1 - control**2 if abs(control) < 1 else 0.0
    return (np.cos(angle) + 1) / 2 * (4 + little) / 5 * (1 + slow) / 2 * (1 + centred) / 2


def our_steps(dynamics, start, actions):
    def one(state, action):
        state, reward, _ = dynamics.step(state, action[None], key=KEY)
        return state, (jnp.stack(jax.tree.leaves(state)), reward)

    roll = jax.vmap(lambda start, actions: jax.lax.scan(one, CartpoleState(*start), actions)[1])
    states, rewards = jax.jit(roll)(jnp.asarray(start), jnp.asarray(actions))
    return np.asarray(states), np.asarray(rewards)


def test_one_step_equals_mujoco():
    start, actions = random_inputs(1.7)
    expected = [mujoco_steps(*one) for one in zip(start, actions, strict=True)]
    states, rewards = our_steps(CartpoleSwingup(), start, actions)
    np.testing.assert_allclose(states, np.array([one[0] for one in expected]), atol=2e-6)
    np.testing.assert_allclose(rewards, np.array([one[1] for one in expected]), atol=5e-7)


def test_trajectories_equal_mujoco():
    start, actions = random_inputs(1.0, steps=30)
    start, actions = start[:300], actions[:300]
    expected = [mujoco_steps(*one) for one in zip(start, actions, strict=True)]
    states, rewards = our_steps(CartpoleSwingup(), start, actions)
    np.testing.assert_allclose(states, np.array([one[0] for one in expected]), atol=5e-5)
    np.testing.assert_allclose(rewards, np.array([one[1] for one in expected]), atol=5e-6)


def test_the_end_stops_equal_mujocos():
    start, actions = random_inputs(1.0, steps=40)
    start, actions = start[:300], actions[:300]
    start[:, 0] = np.where(start[:, 0] < 0, -1.8, 1.8) + 0.05 * start[:, 0]
    expected = np.array([mujoco_steps(*one)[0] for one in zip(start, actions, strict=True)])
    states, _ = our_steps(CartpoleSwingup(), start, actions)
    np.testing.assert_allclose(states, expected, atol=1e-4)
    assert (np.abs(expected[..., 0]) > 1.8).mean() > 0.2, "the draw must press into the stops"
    assert (np.abs(expected[..., 0]) < 1.75).mean() > 0.2, "and leave them"


def test_full_force_along_the_whole_rail_stays_near_it():
    start = np.array([[-1.8, np.pi, 0, 0]], np.float32)
    actions = np.ones((1, 300), np.float32)
    states, _ = our_steps(CartpoleSwingup(), start, actions)
    expected, _ = mujoco_steps(start[0], actions[0])
    assert 7 < expected[:, 2].max() < 9
    assert 1.95 < states[0, :, 0].max() < 2.05
    np.testing.assert_allclose(states[0, :100], expected[:100], atol=1e-4)
    assert abs(states[0, -1, 0] - 1.8) < 0.06, "the stop yields under 10 N by a few centimetres"


@pytest.mark.optimised
def test_sparse_pays_near_upright_in_the_middle():
    rng = np.random.default_rng(1)
    start = np.zeros((COUNT, 4), np.float32)
    start[:, 0], start[:, 1] = rng.uniform(-0.5, 0.5, COUNT), rng.uniform(-0.2, 0.2, COUNT)
    actions = np.zeros((COUNT, 1), np.float32)
    states, rewards = our_steps(CartpoleSwingupSparse(), start, actions)
    dense_states, _ = our_steps(CartpoleSwingup(), start, actions)
    np.testing.assert_array_equal(states, dense_states)
    cart, cosine = np.abs(states[:, 0, 0]), np.cos(states[:, 0, 1].astype(np.float64))
    clear = (np.abs(cart - 0.25) > 1e-6) & (np.abs(cosine - 0.995) > 1e-6)
    np.testing.assert_array_equal(rewards[clear, 0], ((cart <= 0.25) & (cosine >= 0.995))[clear])
    assert 0.2 < rewards.mean() < 0.3, "half of the positions, half of the angles"
    assert clear.mean() > 0.99


def test_starts_hang_in_the_middle():
    states = jax.vmap(lambda key: CartpoleSwingup().initial(key=key))(jax.random.split(KEY, 4000))
    for values, mean in zip(jax.tree.leaves(states), (0, np.pi, 0, 0), strict=True):
        assert values.mean() == pytest.approx(mean, abs=1e-3)
        assert values.std() == pytest.approx(0.01, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("position", [0.0, 1.8, -1.85])
def test_gradients_are_finite_and_true(position):
    start = jnp.asarray([position, 0.0, 0.5, 0.1])

    def total(dynamics, actions):
        def one(state, action):
            state, reward, _ = dynamics.step(state, action, key=KEY)
            return state, reward

        return jax.lax.scan(one, CartpoleState(*start), actions)[1].sum()

    actions = 0.5 * jnp.ones((20, 1))
    by_field, by_action = jax.jit(jax.grad(total, argnums=(0, 1)))(CartpoleSwingup(), actions)
    assert all(np.isfinite(leaf) for leaf in jax.tree.leaves(by_field))
    assert np.isfinite(by_action).all()
    difference = total(CartpoleSwingup(), actions + 1e-2) - total(CartpoleSwingup(), actions - 1e-2)
    assert by_action.sum() == pytest.approx(float(difference) / 2e-2, rel=1e-2)
