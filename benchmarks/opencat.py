"""How far OpenCat in MuJoCo is from the original in PyBullet: the same motions in one of them.

    python benchmarks/opencat.py                     ours
    python benchmarks/opencat.py --original CLONE    the original, from a clone of github.com/ger01d/opencat-gym

The original needs a Python of its own with pybullet, gymnasium and numpy below 2, and needs nothing of Entropax.
Penalties weigh nothing here, so a return is a thousand times the metres covered, up to a fall.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

STEPS, EPISODES = 251, 20

TROTS = ((2, 15, 15, 90), (2, 15, 15, -90), (3, 15, 15, 90), (3, 15, 15, -90), (4, 10, 20, 90), (4, 10, 20, -90))
"""Strides a second, how far upper and lower joints swing in degrees, and how far the lower is ahead, in degrees."""


class Robot:
    """An environment, how its joints are read in rad, and how the height of its torso is read in metres."""

    def __init__(self, env, angles: Callable[[], np.ndarray], height: Callable[[], float], before: Callable[[], None]):
        self.env, self.angles, self.height, self._before = env, angles, height, before

    def episode(self, act: Callable[[int], np.ndarray]) -> tuple[float, int]:
        """Return and length of an episode in which `act` chooses by the step's number."""
        self._before()
        self.env.reset()
        total = 0.0
        for step in range(STEPS):
            _, reward, terminated, truncated, _ = self.env.step(act(step))
            total += float(reward)
            if terminated or truncated:
                break
        return total, step + 1


def ours() -> Robot:
    """Ours, with penalties of weight 0."""
    from entropax.envs.opencat import Constant, OpenCat

    env = OpenCat(Constant(0.0))
    return Robot(env, lambda: env.angles, lambda: env.torso[2], lambda: None)


def original(clone: Path) -> Robot:
    """The original, which counts finished episodes; forgetting them keeps its penalties at weight 0."""
    sys.path.insert(0, str(clone))
    os.chdir(clone)
    import pybullet
    from opencat_gym_env import OpenCatGymEnv

    env = OpenCatGymEnv()
    return Robot(
        env,
        lambda: np.array([state[0] for state in pybullet.getJointStates(env.robot_id, env.joint_id)]),
        lambda: pybullet.getBasePositionAndOrientation(env.robot_id)[0][2],
        lambda: setattr(env, "step_counter_session", 0),
    )


def trot(robot: Robot, strides: float, upper: float, lower: float, ahead: float) -> Callable[[int], np.ndarray]:
    """Steers towards angles that swing about 50 and 0 degrees, front left and back right against the other two."""

    def act(step: int) -> np.ndarray:
        phase = 2 * np.pi * strides * step / 80 + np.pi * np.array([0, 1, 0, 1])
        wanted = np.stack([50 + upper * np.sin(phase), lower * np.sin(phase + np.deg2rad(ahead))], axis=1).ravel()
        return np.clip((wanted - np.rad2deg(robot.angles())) / 11, -1, 1)

    return act


def main() -> None:
    """Prints one line a motion."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--original", type=Path, help="clone of github.com/ger01d/opencat-gym")
    clone = parser.parse_args().original
    robot = ours() if clone is None else original(clone)
    still, lift = np.zeros(8), np.tile([0.0, 1.0], 4)
    drift, _ = robot.episode(lambda step: still)
    print(f"standing: height {1000 * robot.height():.1f} mm, moved {drift:.1f} mm")
    robot.episode(lambda step: lift if step < 8 else still)
    print(f"lower joints asked for 11 degrees eight times: {np.rad2deg(robot.angles()[1]):.1f} degrees")
    for motion in TROTS:
        total, length = robot.episode(trot(robot, *motion))
        print(f"trot {motion}: return {total:.0f} in {length} steps")
    generator = np.random.default_rng(0)
    for name, repeat in (("uniform actions", 1), ("uniform, each held for 8 steps", 8)):
        plans = np.repeat(generator.uniform(-1, 1, (EPISODES, STEPS, 8)), repeat, axis=1)
        results = [robot.episode(lambda step, plan=plan: plan[step]) for plan in plans]
        returns, falls = [total for total, _ in results], sum(length < STEPS for _, length in results)
        print(f"{name}: return {np.mean(returns):.0f} ± {np.std(returns):.0f}, {falls} of {EPISODES} fall")


if __name__ == "__main__":
    main()
