"""Vehicle and quadrotor as plain Gymnasium environments in NumPy, written as one would without JAX: the other side.

The numbers are those of `entropax/Vehicle-v0` and `entropax/Quadrotor-v0`; `tests/benchmarks/test_numpy_envs.py` holds
them equal. Scalars go through `math`, which is several times faster on them than NumPy.
"""

import math
import time
from math import atan, cos, hypot, sin
from typing import Any

import gymnasium
import numpy as np
from scipy.interpolate import CubicSpline


def _route() -> tuple[tuple[float, float, float], list[tuple[float, float]]]:
    """The car's first x, y and heading, and the target's places: a spline through eight points of the circle."""
    angles = np.linspace(0, 2 * np.pi, 8, endpoint=False)[::-1]
    corners = 10.0 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    corners = np.concatenate([corners, corners[:1]])
    chords = np.linalg.norm(np.diff(corners, axis=0), axis=1)
    path = CubicSpline(np.concatenate([[0.0], np.cumsum(chords)]), corners, bc_type="natural")
    (x, y), (along, across) = path(9.0), path(9.0, 1)
    arc, places = 13.0, []
    for index in range(110):
        places.append(tuple(map(float, path(arc))))
        arc += 0.1 * min(6.0, 1.0 + 0.01 * index)
    return (float(x), float(y), math.atan2(across, along)), places


START, TARGETS = _route()


class Vehicle(gymnasium.Env[np.ndarray, np.ndarray]):
    """A car on two tyres that hardly hold follows a point along a circle; 200 steps."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (6,), np.float64)
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        """Starts where every episode does."""
        gymnasium.Env.reset(self, seed=seed)
        self.x, self.y, self.heading = START
        self.forward, self.sideways, self.yaw_rate, self.time = 3.0, 0.0, -1.0, 0
        return self._observe(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        """Moves with the old velocities, then changes them, then the target moves."""
        throttle, steering = (min(max(float(number), -1.0), 1.0) for number in action)
        vx, vy, omega, c, s = self.forward, self.sideways, self.yaw_rate, cos(self.heading), sin(self.heading)
        self.x += (vx * c - vy * s) * 0.1
        self.y += (vx * s + vy * c) * 0.1
        self.heading = (self.heading + omega * 0.1 + math.pi) % (2 * math.pi) - math.pi
        speed = vx if abs(vx) > 1e-6 else math.copysign(1e-6, vx)
        front = -32.0 * atan((vy + 1.45 * omega) / speed - steering)
        rear = -34.0 * atan((vy - 1.45 * omega) / speed)
        drag = 1.36 * vx * vx + 0.01 * vx
        along, across = front * sin(steering), front * cos(steering)
        forward = vx + (throttle - (along + drag) / 1500.0 + vy * omega) * 0.1
        sideways = vy + ((rear + across) / 1500.0 - forward * omega) * 0.1
        self.yaw_rate = omega + (across * 1.45 - rear * 1.45) / 2250.0 * 0.1
        self.forward, self.sideways = (min(max(number, -30.0), 30.0) for number in (forward, sideways))
        self.time += 1
        target = TARGETS[min(self.time, 109)]
        reward = -0.3 * abs(self.x**2 + self.y**2 - 100.0) - hypot(target[0] - self.x, target[1] - self.y)
        return self._observe(), reward, self.time >= 200, False, {}

    def _observe(self) -> np.ndarray:
        target = TARGETS[min(self.time, 109)]
        ahead = (self.x + 2.9 * cos(self.heading), self.y + 2.9 * sin(self.heading))
        towards = (target[0] - ahead[0], target[1] - ahead[1])
        return np.array([*towards, self.heading, self.forward, self.sideways, self.yaw_rate])


class Quadrotor(gymnasium.Env[np.ndarray, np.ndarray]):
    """Four rotors keep up with a point along a line; 40 steps."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (9,), np.float64)
    action_space = gymnasium.spaces.Box(0.0, 10.0, (4,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        """Starts level, up to a metre off; `options` may give the position and the velocity."""
        gymnasium.Env.reset(self, seed=seed)
        draws = self.np_random.uniform(-1.0, 1.0, 6).tolist()
        given = options or {}
        self.position = list(given.get("position", (0.1 * draws[0], 0.1 * draws[1], draws[2])))
        self.velocity = list(given.get("velocity", (0.1 * draw for draw in draws[3:])))
        self.angles, self.rates, self.time = [0.0] * 3, [0.0] * 3, 0
        return self._observe(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        """Semi-implicit Euler."""
        w1, w2, w3, w4 = (min(max(float(number), 0.0), 10.0) ** 2 for number in action)
        push = 0.313 * (w1 + w2 + w3 + w4) / 0.65
        f, t, p = self.angles
        df, dt, dp = self.rates
        vx, vy, vz = self.velocity
        vx += (cos(f) * sin(t) * cos(p) + sin(f) * sin(p)) * push * 0.1
        vy += (cos(f) * sin(t) * sin(p) - sin(f) * cos(p)) * push * 0.1
        vz += (cos(f) * cos(t) * push - 9.81) * 0.1
        df_next = df + (dp * dt * (0.75 - 1.3) + 0.23 * 0.313 * (w1 - w3)) / 0.75 * 0.1
        dt_next = dt + (dp * df * (1.3 - 0.75) + 0.23 * 0.313 * (w2 - w4)) / 0.75 * 0.1
        dp_next = dp + 0.23 * 7.5e-4 * (w1 + w3 - w2 - w4) / 1.3 * 0.1
        self.velocity, self.rates = [vx, vy, vz], [df_next, dt_next, dp_next]
        self.position = [x + 0.1 * v for x, v in zip(self.position, self.velocity, strict=True)]
        self.angles = [a + 0.1 * r for a, r in zip(self.angles, self.rates, strict=True)]
        self.time += 1
        reward = -5 * sum(map(abs, self._error())) - sum(map(abs, self.angles))
        return self._observe(), reward, self.time >= 40, False, {}

    def _error(self) -> tuple[float, float, float]:
        x, y, z = self.position
        return 1.5 * 0.1 * max(self.time - 1, 0) - x, -y, -z

    def _observe(self) -> np.ndarray:
        vx, vy, vz = self.velocity
        return np.array([*self._error(), *self.angles, 1.5 - vx, -vy, -vz])


TASKS = {"Vehicle": Vehicle, "Quadrotor": Quadrotor}


def steps_per_second(task: str, copies: int, seconds: float, seed: int) -> float:
    """Steps many copies in turn with uniform actions, starting an episode anew where one ends.

    Args:
        task: a key of `TASKS`.
        copies: environments.
        seconds: how long to go on, at least.
        seed: of the first copy; the others follow.
    """
    environments = [TASKS[task]() for _ in range(copies)]
    for index, environment in enumerate(environments):
        environment.reset(seed=seed + index)
    space, generator = environments[0].action_space, np.random.default_rng(seed)
    low, high, size = float(space.low[0]), float(space.high[0]), space.shape[0]
    taken, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        actions = generator.uniform(low, high, (copies, size))
        for environment, action in zip(environments, actions, strict=True):
            _, _, terminated, truncated, _ = environment.step(action)
            if terminated or truncated:
                environment.reset()
        taken += copies
    return taken / passed
