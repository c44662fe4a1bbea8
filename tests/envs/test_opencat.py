"""OpenCat: the model is the published one, a step does what the page says, and the robot stands."""

import sys

import gymnasium
import mujoco
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from entropax.envs.gymnasium_adapter import GymnasiumEnvironments
from entropax.envs.opencat import (
    EPISODE_STEPS,
    HISTORY,
    LEGS,
    MODEL,
    Constant,
    Growing,
    OpenCat,
    reward_of,
    roll_and_pitch,
    targets,
)
from entropax.envs.registry import HOST_TASKS, make
from entropax.errors import EntropaxError

STILL = np.zeros(8, np.float32)
IDS = list(HOST_TASKS)


def model():
    return mujoco.MjModel.from_xml_path(str(MODEL))


def started(*arguments, **named):
    env = OpenCat(*arguments, **named)
    env.reset(seed=0)
    return env


def actions(count, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (count, 8))


def tipped(env):
    """Lays the robot on its side, at rest."""
    env._data.qpos[2:7] = [0.06, np.cos(0.75), np.sin(0.75), 0, 0]
    env._data.qvel[:] = 0


@pytest.mark.parametrize("id", IDS)
def test_gymnasium_accepts_it(id):
    env = gymnasium.make(id, render_mode="rgb_array")
    check_env(env.unwrapped)
    env.close()


@pytest.mark.parametrize("id", IDS)
def test_it_runs_on_the_host_path(id):
    environments = make(id, num_envs=2)
    assert isinstance(environments, GymnasiumEnvironments)
    assert (environments.spec.observation_size, environments.spec.action.size, environments.num_envs) == (246, 8, 2)
    assert environments.warnings == ()
    observation = environments.reset(seed=0)
    step = environments.step(np.ones((2, 8)))
    assert observation.shape == step.observation.shape == (2, 246)
    environments.close()


def test_nothing_is_random():
    def roll(seed):
        env = OpenCat()
        rows = [env.reset(seed=seed)[0]]
        for action in actions(30):
            observation, reward, *_ = env.step(action)
            rows.append(np.append(observation, reward))
        return np.concatenate(rows)

    np.testing.assert_array_equal(roll(0), roll(1))


# The model


def test_masses_are_the_published_ones():
    robot = model()
    mass = {"torso": 0.111 + 0.068, "upper": 0.005, "lower": 0.017, "paw": 0.0005}
    for leg in LEGS:
        assert [float(robot.body(f"{leg}_{part}").mass[0]) for part in ("upper", "lower", "paw")] == [
            mass["upper"],
            mass["lower"],
            mass["paw"],
        ]
    assert float(robot.body("torso").mass[0]) == pytest.approx(mass["torso"])
    assert robot.body_mass.sum() == pytest.approx(mass["torso"] + 4 * 0.0225)
    # Boxes, m (a² + b²) / 12 about the left, torso and battery about the centre of both; and the original's legs.
    torso = 0.111 * ((0.105**2 + 0.02**2) / 12 + (0.015 * 0.068 / 0.179) ** 2)
    battery = 0.068 * ((0.09**2 + 0.015**2) / 12 + (0.015 * 0.111 / 0.179) ** 2)
    assert np.isclose(robot.body("torso").inertia, torso + battery).any()
    assert robot.body("back_left_lower").inertia[0] == pytest.approx(0.017 * (0.056**2 + 0.012**2) / 12, rel=1e-5)
    assert robot.body("back_left_lower").ipos.tolist() == [0, 0, 0]


def test_geometry_is_the_published_one():
    robot = model()
    data = mujoco.MjData(robot)
    data.qpos[7:] = np.deg2rad([0, 90] * 4)
    mujoco.mj_kinematics(robot, data)
    torso = data.body("torso").xpos
    assert (2 * robot.geom("torso").size).tolist() == [0.105, 0.08, 0.02]
    assert (2 * robot.geom("battery").size).tolist() == [0.09, 0.04, 0.015]
    assert (data.geom("battery").xpos - torso).tolist() == pytest.approx([0, 0, -0.015])
    for leg, (x, y) in zip(LEGS, ((0.055, 0.05), (0.055, -0.05), (-0.055, -0.05), (-0.055, 0.05)), strict=True):
        hip, knee, paw = (data.body(f"{leg}_{part}").xpos - torso for part in ("upper", "lower", "paw"))
        assert hip.tolist() == pytest.approx([x, y, 0])
        # The lower leg hangs 15 mm further in and straight down: 1.57 rad forwards at rest, and 90 degrees back.
        inwards = y - np.copysign(0.015, y)
        assert knee.tolist() == pytest.approx([x, inwards, -0.045])
        assert paw.tolist() == pytest.approx([x, inwards, -0.095], abs=1e-4)
        assert robot.geom(f"{leg}_paw").size[0] == 0.006


def test_motors_and_friction_are_the_published_ones():
    robot = model()
    assert [robot.joint(robot.actuator(index).trnid[0]).name for index in range(8)] == [
        f"{leg}_{part}" for leg in LEGS for part in ("upper", "lower")
    ]
    assert (robot.actuator_forcerange == [-0.2, 0.2]).all()
    # A tenth of the error in each of the original's steps of 1/240 s.
    stiffness, damping = robot.actuator_gainprm[:, 0], -robot.actuator_biasprm[:, 2]
    np.testing.assert_allclose(stiffness / damping, 0.1 * 240)
    assert 4 * robot.opt.timestep == pytest.approx(1 / 240)
    assert robot.geom("front_left_paw").friction[0] == 1.0
    assert robot.geom("front_left_lower").friction[0] == robot.geom("floor").friction[0] == 0.5


# A step


def test_targets_are_whole_degrees_from_where_the_joints_are():
    angles = np.deg2rad([10.2, 0.0, -3.4, 109.0, -109.0, 50.0, 60.4, 5.0])
    action = np.array([1.0, 0.5, -1.0, 1.0, -1.0, 0.0, 0.0, 0.1])
    # 21.2, 5.5 (to the even one), -14.4, 120 and -120 (cut to 110), 50, 60.4, 6.1
    expected = [21, 6, -14, 110, -110, 50, 60, 6]
    np.testing.assert_allclose(np.rad2deg(targets(angles, action)), expected, atol=1e-9)


def test_the_first_observation():
    env = OpenCat()
    observation, info = env.reset()
    np.testing.assert_array_equal(observation[:6], [0, 0, 0, 1, 0, 0])
    np.testing.assert_allclose(observation[6:], np.tile([50 / 110, 0], 4 * HISTORY), atol=1e-7)
    assert info == {"penalty_weight": 0.0}
    np.testing.assert_allclose(np.rad2deg(env.angles), [50, 0] * 4)


def test_the_history_takes_every_second_target():
    env, wanted = started(), []
    for action in actions(5):
        wanted.append(targets(env.angles, action) / np.deg2rad(110))
        observation, *_ = env.step(action)
    history = observation[6:].reshape(HISTORY, 8)
    np.testing.assert_allclose(history[-3:], [wanted[0], wanted[2], wanted[4]], atol=1e-6)
    np.testing.assert_allclose(history[:-3], np.tile([50 / 110, 0], (HISTORY - 3, 4)), atol=1e-6)


def test_quaternion_and_rates_are_those_of_the_torso():
    env = started()
    env._data.qpos[2] = 1.0
    env._data.qvel[2:6] = [0, 3.0, -4.0, 0]
    observation, *_ = env.step(STILL)
    # In the air, roll 3 rad/s and pitch -4 rad/s: half angles after two of the three thirds of a step.
    w, x, y, z = (*observation[[3, 0, 1, 2]],)
    half_angle = 0.5 * 5 * 2 / 240
    assert [x, y] == pytest.approx([0.6 * np.sin(half_angle), -0.8 * np.sin(half_angle)], abs=2e-4)
    assert w == pytest.approx(np.cos(half_angle), abs=1e-5) and abs(z) < 1e-3
    assert observation[4:6].tolist() == pytest.approx([0.3, -0.4], abs=0.01)
    env._data.qvel[3] = 30.0
    assert env.step(STILL)[0][4] == 1.0


def test_rates_are_about_the_worlds_axes():
    env = started()
    env._data.qpos[2:7] = [1.0, np.sqrt(0.5), 0, 0, np.sqrt(0.5)]  # turned to the left, so the nose points to y
    env._data.qvel[3:6] = [2.0, 0, 0]
    assert env.step(STILL)[0][4:6].tolist() == pytest.approx([0, 0.2], abs=0.01)


def test_the_reward_by_hand():
    before_last, last, now = np.zeros(8), np.full(8, 0.1), np.full(8, 0.3)
    # 1000 0.002 - 0.5 (8 0.2² + 8 0.1² + 0.1 (0.3² + 0.4²) + 0.01 7)
    expected = 2 - 0.5 * (0.32 + 0.08 + 0.025 + 0.07)
    recent = np.stack([before_last, last, now])
    assert reward_of(0.002, recent, np.array([0.3, -0.4]), 7, 0.5) == pytest.approx(expected)


def test_a_step_pays_what_the_formula_says():
    env, recent = started(Constant(0.7)), [np.tile([50 / 110, 0], 4)] * 2
    for action in actions(4):
        before = float(env._data.qpos[0])
        recent = [*recent, targets(env.angles, action) / np.deg2rad(110)][-3:]
        observation, reward, *_ = env.step(action)
        forward = float(env._data.qpos[0]) - before
        rates = observation[4:6].astype(np.float64)
        assert reward == pytest.approx(reward_of(forward, np.stack(recent), rates, 0, 0.7), abs=1e-6)


def test_contacts_of_the_front_legs_count_up_over_the_episode():
    env = started(Constant(1.0))
    # Upper legs level and lower legs folded beneath them: the robot lies on its battery, lower front legs on the floor.
    env._data.qpos[2], env._data.qpos[7:] = 0.03, np.deg2rad([80, 10] * 4)
    env._data.ctrl[:] = env._data.qpos[7:]
    for _ in range(20):
        env.step(STILL)
    first = env._arm_contacts
    env.step(STILL)
    assert first > 0 and env._arm_contacts > first
    env.reset()
    assert env._arm_contacts == 0


def test_a_fall_ends_the_episode_and_pays_nothing():
    env = started(Constant(1.0))
    tipped(env)
    _, reward, terminated, truncated, _ = env.step(actions(1)[0])
    assert (reward, terminated, truncated) == (0.0, True, False)


def test_roll_and_pitch():
    half = 0.5 * 0.8
    assert roll_and_pitch(np.array([np.cos(half), np.sin(half), 0, 0])) == pytest.approx((0.8, 0))
    assert roll_and_pitch(np.array([np.cos(half), 0, np.sin(half), 0])) == pytest.approx((0, 0.8))
    assert roll_and_pitch(np.array([np.cos(half), 0, 0, np.sin(half)])) == pytest.approx((0, 0))
    assert roll_and_pitch(np.array([np.sqrt(0.5), 0, np.sqrt(0.5), 0]))[1] == pytest.approx(np.pi / 2)


def test_the_robot_stands_and_step_251_truncates():
    env, ends = started(), []
    for _ in range(EPISODE_STEPS):
        _, reward, terminated, truncated, _ = env.step(STILL)
        ends.append((terminated, truncated))
    assert ends == [(False, False)] * 250 + [(False, True)]
    assert max(map(abs, roll_and_pitch(env._data.qpos[3:7]))) < 0.01
    # Standing on its paws: 45 mm at 50 degrees, 50 mm at 40 degrees (1.57 rad is 90) and the paw's 6 mm.
    height = 0.045 * np.cos(np.deg2rad(50)) + 0.05 * np.cos(np.deg2rad(40)) + 0.006
    assert env._data.qpos[2] == pytest.approx(height, abs=0.001)
    assert abs(env._data.qpos[0]) < 0.002 and abs(reward) < 0.01
    np.testing.assert_allclose(np.rad2deg(env.angles), [50, 0] * 4, atol=0.5)


def test_step_251_truncates_the_fallen_too():
    env = started()
    for _ in range(EPISODE_STEPS - 1):
        env.step(STILL)
    tipped(env)
    _, reward, terminated, truncated, _ = env.step(STILL)
    assert (terminated, truncated) == (False, True)
    assert reward != 0.0


def test_a_motor_follows_at_its_gain_and_with_its_force():
    env = started()
    env._model.opt.gravity[:] = 0
    env.step(np.eye(8)[1])
    env.step(STILL)
    # Two of three thirds of the first step and one of the second, 0.1 of the error each; the motor speeds up first.
    moved = np.rad2deg(env.angles[1])
    assert 0.6 * 11 * (1 - 0.9**3) < moved < 11 * (1 - 0.9**3)
    assert np.abs(env._data.actuator_force).max() <= 0.2


# Penalties


def test_the_weight_grows_with_finished_episodes():
    env = started(Growing(1000.0))
    assert env.step(STILL)[4]["penalty_weight"] == 0.0
    env.reset()  # an episode that did not end does not count
    env.step(STILL)
    tipped(env)
    assert env.step(STILL)[2]
    assert env.reset()[1]["penalty_weight"] == 2 / 1000
    for _ in range(EPISODE_STEPS):
        *_, truncated, info = env.step(STILL)
    assert truncated and info["penalty_weight"] == 2 / 1000
    assert env.reset()[1]["penalty_weight"] == (2 + 251) / 1000
    assert OpenCat().weight.after(500_000) == 0.25


def test_the_fixed_weight_is_an_argument():
    for weight, env in (
        (1.0, gymnasium.make("entropax/OpenCatFixed-v0")),
        (0.5, gymnasium.make("entropax/OpenCatFixed-v0", weight=0.5)),
    ):
        env.reset()
        tipped(env.unwrapped)
        env.step(STILL)
        assert env.reset()[1] == {"penalty_weight": weight}


# What is refused


@pytest.mark.parametrize("action", [np.full(8, np.nan), np.full(8, np.inf), np.zeros(7)])
def test_actions_that_are_no_actions_are_refused(action):
    with pytest.raises(EntropaxError, match="eight finite numbers"):
        started().step(action)


def test_actions_beyond_the_box_are_clipped():
    far, near = started(), started()
    np.testing.assert_array_equal(far.step(np.full(8, 9.0))[0], near.step(np.ones(8))[0])


def test_mistakes_have_a_remedy():
    with pytest.raises(EntropaxError, match=r"step\(\) was called before reset\(\).*Call reset\(\) first"):
        OpenCat().step(STILL)
    with pytest.raises(EntropaxError, match=r"render\(\) was called before reset\(\)"):
        OpenCat(render_mode="rgb_array").render()
    with pytest.raises(EntropaxError, match=r"cannot be rendered as 'human'\. Use render_mode='rgb_array' or None"):
        OpenCat(render_mode="human")
    with pytest.raises(EntropaxError, match="penalty weight of nan"):
        Constant(float("nan"))
    with pytest.raises(EntropaxError, match=r"penalty weight of -1\.0"):
        gymnasium.make("entropax/OpenCatFixed-v0", weight=-1.0)
    with pytest.raises(EntropaxError, match="positive number of steps"):
        Growing(0.0)


def test_without_mujoco_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco", None)
    monkeypatch.delitem(sys.modules, "entropax.envs.opencat")
    for maker in (make, gymnasium.make):
        with pytest.raises(EntropaxError, match=r"pip install 'gymnasium\[mujoco\]'"):
            maker("entropax/OpenCat-v0")


# Frames


def test_a_frame_shows_robot_ground_and_way():
    env = started(render_mode="rgb_array")
    frame = env.render()
    assert (frame.shape, frame.dtype) == ((436, 480, 3), np.uint8)
    covered = {
        name: (np.abs(frame.astype(int) - colour).sum(-1) < 10).mean()
        for name, colour in {"robot": (47, 111, 196), "way": (44, 150, 84), "legs": (45, 50, 60)}.items()
    }
    assert 0.05 < covered["robot"] < 0.3 and covered["way"] > 0.002 and covered["legs"] > 0.02
    assert OpenCat().render() is None


def test_frames_follow_the_robot_and_redden_with_its_fall():
    env = started(render_mode="rgb_array")
    first = env.render()
    env._data.qpos[0] += 0.05
    moved = env.render()
    assert 0 < (first != moved).any(-1).mean() < 0.2
    tipped(env)
    red = (np.abs(env.render().astype(int) - (204, 61, 52)).sum(-1) < 10).mean()
    assert red > 0.05 and not (np.abs(first.astype(int) - (204, 61, 52)).sum(-1) < 10).any()


def test_drawing_leaves_the_physics_alone():
    plain, drawn = started(), started(render_mode="rgb_array")
    for action in actions(5):
        drawn.render()
        np.testing.assert_array_equal(plain.step(action)[0], drawn.step(action)[0])
