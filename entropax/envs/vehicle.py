"""A car that must find onto a circular path and keep up with a point on it, by a bicycle model."""

import abc
import functools
from typing import final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from entropax.envs.base import AbstractDynamics
from entropax.envs.drawing import FAINT, GOOD, INK, SELF, Canvas
from entropax.envs.motion import length, wrap_angle
from entropax.types import Bounds, Spec

RADIUS = 10.0
"""Metres from the origin to the path."""

DT = 0.1
"""Seconds a step, of which the target's positions are made."""

SLOWEST = 1e-6
"""Forward speed in m/s, up to sign, that slip angles are computed with where the car is slower than that."""

_START, _TARGET_START, _TARGETS = 9.0, 13.0, 110
"""Arc lengths in metres at which the car and its target start, and the number of the target's positions."""


class CarState(eqx.Module):
    """Position in m, heading in rad, velocity along and across the car in m/s, and yaw rate in rad/s."""

    x: Float[Array, ""]
    y: Float[Array, ""]
    heading: Float[Array, ""]
    forward: Float[Array, ""]
    sideways: Float[Array, ""]
    yaw_rate: Float[Array, ""]


class AbstractCar(eqx.Module):
    """How a car moves."""

    @abc.abstractmethod
    def drive(self, car: CarState, throttle: Float[Array, ""], steering: Float[Array, ""]) -> CarState:
        """The car a step later.

        Args:
            car: Where it is.
            throttle: Acceleration along the car in m/s².
            steering: Angle of the front wheel in rad.
        """


@final
class DynamicBicycle(AbstractCar):
    """A bicycle whose two tyres push sideways in proportion to their slip angle; explicit Euler, every field traced.

    The published stiffness, 32 and 34 N/rad, is a hundredth of what the model is elsewhere used with: tyres that
    hardly hold. Such a car spins on with the yaw rate it starts with and is steered by when it accelerates.
    `gripping` has a hundred times as much.
    """

    to_front: float = 1.45
    to_rear: float = 1.45
    front_stiffness: float = 32.0
    rear_stiffness: float = 34.0
    yaw_inertia: float = 2250.0
    mass: float = 1500.0
    air_drag: float = 1.36
    rolling_drag: float = 0.01
    max_speed: float = 30.0
    dt: float = DT

    def drive(self, car: CarState, throttle: Float[Array, ""], steering: Float[Array, ""]) -> CarState:
        """Moves with the old velocities, then changes them; forces are those of the old velocities."""
        moved = _moved(car, self.dt)
        speed = jnp.where(jnp.abs(car.forward) > SLOWEST, car.forward, jnp.where(car.forward < 0, -SLOWEST, SLOWEST))
        front_slip = jnp.arctan((car.sideways + self.to_front * car.yaw_rate) / speed - steering)
        rear_slip = jnp.arctan((car.sideways - self.to_rear * car.yaw_rate) / speed)
        front, rear = -self.front_stiffness * front_slip, -self.rear_stiffness * rear_slip
        drag = self.air_drag * car.forward**2 + self.rolling_drag * car.forward
        along, across = front * jnp.sin(steering), front * jnp.cos(steering)
        forward = car.forward + (throttle - (along + drag) / self.mass + car.sideways * car.yaw_rate) * self.dt
        sideways = car.sideways + ((rear + across) / self.mass - forward * car.yaw_rate) * self.dt
        torque = across * self.to_front - rear * self.to_rear
        return CarState(
            *moved,
            jnp.clip(forward, -self.max_speed, self.max_speed),
            jnp.clip(sideways, -self.max_speed, self.max_speed),
            car.yaw_rate + torque / self.yaw_inertia * self.dt,
        )


@final
class KinematicBicycle(AbstractCar):
    """A bicycle that never slips: it goes where its front wheel points; explicit Euler, every field traced."""

    wheelbase: float = 2.9
    dt: float = DT

    def drive(self, car: CarState, throttle: Float[Array, ""], steering: Float[Array, ""]) -> CarState:
        """Moves with the old speed, turns with the wheel's angle, then changes the speed."""
        yaw_rate = car.forward / self.wheelbase * jnp.tan(steering)
        x, y, _ = _moved(car, self.dt)
        heading = wrap_angle(car.heading + yaw_rate * self.dt)
        return CarState(x, y, heading, car.forward + throttle * self.dt, jnp.zeros_like(car.sideways), yaw_rate)


def _moved(car: CarState, dt: float | Float[Array, ""]) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""]]:
    """Position and heading after `dt` seconds at the velocities of now."""
    cos, sin = jnp.cos(car.heading), jnp.sin(car.heading)
    x = car.x + (car.forward * cos - car.sideways * sin) * dt
    y = car.y + (car.forward * sin + car.sideways * cos) * dt
    return x, y, wrap_angle(car.heading + car.yaw_rate * dt)


class VehicleState(eqx.Module):
    """The car, and the number of steps taken, which tells where the target is."""

    car: CarState
    time: Int[Array, ""]


@final
class Vehicle(AbstractDynamics[VehicleState]):
    """A car starts on a circle of radius 10 m, turning inwards, and is to follow a point that runs along it.

    Vehicle of Zhang, Chang and Gao, "When Maximum Entropy Misleads Policy Optimization" (ICML 2025), for which the
    defaults stand. A step lasts 0.1 s and pays

        - track_cost |x² + y² - 100| - (distance to the target)

    so being away from the track costs thousands. The target speeds up from 1 to 2.1 m/s and stops after 110 steps. An
    observation shows neither the time nor the car's place, and the target as seen from a point `reach` metres ahead of
    the car. Never terminates; as published the time limit does, which is `TerminalTimeLimit(Vehicle(), 200)`.

    Attributes:
        car: How the car moves.
        start_yaw_rate: Yaw rate at the start, rad/s.
        start_speed: Speed along the car at the start, m/s.
        track_cost: Reward per square metre off the track.
        reach: Metres from the car to the point that observations of the target start from.
    """

    car: AbstractCar = DynamicBicycle()
    start_yaw_rate: float = -1.0
    start_speed: float = 3.0
    track_cost: float = 0.3
    reach: float = 2.9

    @property
    def spec(self) -> Spec:
        """Observation of 6; throttle in [-1, 1] m/s² and steering in [-1, 1] rad."""
        return Spec(6, Bounds((-1.0, -1.0), (1.0, 1.0)))

    def initial(self, *, key: Key[Array, ""]) -> VehicleState:
        """Always the same: on the path, along it."""
        (x, y, heading), _ = route()
        numbers = (x, y, heading, self.start_speed, 0.0, self.start_yaw_rate)
        return VehicleState(CarState(*(jnp.asarray(number, float) for number in numbers)), jnp.zeros((), jnp.int32))

    def observe(self, state: VehicleState) -> Float[Array, "6"]:
        """Target from the front point (x, y), heading, velocity along and across the car, yaw rate."""
        car, target = state.car, _target(state)
        ahead_x = car.x + self.reach * jnp.cos(car.heading)
        ahead_y = car.y + self.reach * jnp.sin(car.heading)
        towards = (target[0] - ahead_x, target[1] - ahead_y)
        return jnp.stack([*towards, car.heading, car.forward, car.sideways, car.yaw_rate])

    def step(
        self, state: VehicleState, action: Float[Array, "2"], *, key: Key[Array, ""]
    ) -> tuple[VehicleState, Float[Array, ""], Bool[Array, ""]]:
        """Drives, then the target moves; the reward is that of the state after it. Never terminates."""
        throttle, steering = jnp.clip(action[0], -1.0, 1.0), jnp.clip(action[1], -1.0, 1.0)
        after = VehicleState(self.car.drive(state.car, throttle, steering), state.time + 1)
        car, target = after.car, _target(after)
        off_track = jnp.abs(car.x**2 + car.y**2 - RADIUS**2)
        behind = length(target[0] - car.x, target[1] - car.y)
        return after, -self.track_cost * off_track - behind, jnp.zeros((), bool)


def gripping() -> DynamicBicycle:
    """The car with tyres of realistic stiffness, 3200 and 3400 N/rad."""
    return DynamicBicycle(front_stiffness=3200.0, rear_stiffness=3400.0)


def kinematic() -> Vehicle:
    """The task with a car that does not slip, and so does not start with a spin."""
    return Vehicle(car=KinematicBicycle(), start_yaw_rate=0.0)


@functools.cache
def route() -> tuple[tuple[float, float, float], np.ndarray]:
    """The car's first (x, y, heading), and the target's position after each number of steps, `[steps, 2]`.

    The path is a natural cubic spline, by chord length, through eight points of the circle, clockwise, and back to
    the first. The target's speed in m/s is min(6, 1 + 0.1 t).
    """
    from scipy.interpolate import CubicSpline

    angles = np.linspace(0, 2 * np.pi, 8, endpoint=False)[::-1]
    corners = RADIUS * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    corners = np.concatenate([corners, corners[:1]])
    chords = np.linalg.norm(np.diff(corners, axis=0), axis=1)
    path = CubicSpline(np.concatenate([[0.0], np.cumsum(chords)]), corners, bc_type="natural")
    x, y = path(_START)
    heading = np.arctan2(*path(_START, 1)[::-1])
    speeds = np.minimum(6.0, 1.0 + 0.1 * DT * np.arange(_TARGETS - 1))
    lengths = _TARGET_START + DT * np.concatenate([[0.0], np.cumsum(speeds)])
    return (float(x), float(y), float(heading)), path(lengths)


def _target(state: VehicleState) -> Float[Array, "2"]:
    """Where the target is; it waits at the end of its way."""
    positions = jnp.asarray(route()[1], state.car.x.dtype)
    return positions[jnp.minimum(state.time, len(positions) - 1)]


def draw(state: VehicleState) -> np.ndarray:
    """The car in blue, its velocity, the path and the target in green, `[height, width, 3]`; the car stays in view."""
    car, target = state.car, route()[1][min(int(state.time), _TARGETS - 1)]
    place = np.array([float(car.x), float(car.y)])
    half = max(13.0, 1.25 * float(np.abs(place).max()))
    unit = half / 13
    canvas = Canvas((-half, -half), (half, half))
    canvas.ring((0.0, 0.0), RADIUS, 0.9, FAINT)
    canvas.line(place, target, 0.05 * unit, INK)
    canvas.disc(target, 0.45 * unit, GOOD)
    cos, sin = np.cos(float(car.heading)), np.sin(float(car.heading))
    along, across = np.array([cos, sin]), np.array([-sin, cos])
    size = np.array([2.0, 0.85]) * unit
    corners = [place + a * size[0] * along + b * size[1] * across for a, b in ((1, 1), (-1, 1), (-1, -1), (1, -1))]
    canvas.polygon(corners, SELF)
    window = [corners[0] * 0.7 + corners[1] * 0.3, corners[3] * 0.7 + corners[2] * 0.3]
    canvas.line(window[0], window[1], 0.3 * unit, (255, 255, 255))
    canvas.arrow(place, place + float(car.forward) * along + float(car.sideways) * across, 0.15 * unit, INK)
    return canvas.pixels()
