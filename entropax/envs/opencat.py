"""A robot cat with eight motors that is to run, in MuJoCo through Gymnasium."""

import abc
import dataclasses
import importlib
import math
from pathlib import Path
from typing import Any, final

import gymnasium
import numpy as np
from jaxtyping import Float, Int

from entropax.envs.drawing import BAD, FAINT, GOOD, INK, SELF, Canvas, Colour
from entropax.errors import EntropaxError

try:
    # Compiled, with no stubs: a type checker knows nothing of its functions.
    mujoco: Any = importlib.import_module("mujoco")
except ImportError as missing:
    raise EntropaxError(
        "OpenCat is simulated by MuJoCo, which is not installed. Install it with: pip install 'gymnasium[mujoco]'"
    ) from missing

MODEL = Path(__file__).with_name("opencat.xml")
"""The robot and the floor, as MuJoCo's own format (MJCF)."""

LEGS = ("front_left", "front_right", "back_right", "back_left")
"""The legs in the order of actions and observations: of each first the upper joint, then the lower one."""

MAX_STEP, MAX_ANGLE = 11.0, 110.0
"""Degrees that an action of 1 asks for, and degrees that no target goes beyond."""

HISTORY = 30
"""Targets in an observation, one of every two steps."""

EPISODE_STEPS = 251
"""The step that truncates an episode: the original counts to 250 and ends on the next."""

_SUBSTEPS = 4
"""Steps of MuJoCo, 1/960 s, in one of the original's, 1/240 s."""

_START_ANGLES = np.deg2rad(np.tile([50.0, 0.0], 4))
_MAX_TILT = 1.3

_HALF, _WIDTH = 0.2, 480
"""Metres to either side of the robot in a frame, and pixels across it."""

_HEAD = np.array([0.06, 0.0, 0.014])
"""Where the head is drawn, in the torso's axes; the model has none."""

_PALE: Colour = (160, 168, 180)


class AbstractPenaltyWeight(abc.ABC):
    """What an environment multiplies the penalties in its reward by."""

    @abc.abstractmethod
    def after(self, finished_steps: int) -> float:
        """The weight once this environment's finished episodes have lasted `finished_steps` steps together."""


@final
@dataclasses.dataclass(frozen=True)
class Growing(AbstractPenaltyWeight):
    """As published: in proportion to the steps of finished episodes, 1 after `steps`; never reset.

    It counts by environment. Of 2 million steps in one environment the last are penalised with weight 1, in sixteen
    environments with 1/16; one that is made anew, to evaluate a policy or to resume a run, starts from 0.
    """

    steps: float = 2e6

    def __post_init__(self) -> None:
        """Raises EntropaxError for a growth that is not a positive number of steps."""
        if not (math.isfinite(self.steps) and self.steps > 0):
            raise EntropaxError(f"Penalties cannot grow over {self.steps} steps. Give a positive number of steps.")

    def after(self, finished_steps: int) -> float:
        """finished_steps / steps."""
        return finished_steps / self.steps


@final
@dataclasses.dataclass(frozen=True)
class Constant(AbstractPenaltyWeight):
    """Always the same: every environment, and every episode of it, is the same task."""

    weight: float = 1.0

    def __post_init__(self) -> None:
        """Raises EntropaxError for a weight that is negative or not finite."""
        if not (math.isfinite(self.weight) and self.weight >= 0):
            raise EntropaxError(f"A penalty weight of {self.weight} rewards or ruins what it weighs. Give 0 or more.")

    def after(self, finished_steps: int) -> float:
        """The weight."""
        return self.weight


PUBLISHED = Growing()
"""The weight of the original."""


def targets(angles: Float[np.ndarray, "8"], action: Float[np.ndarray, "8"]) -> Float[np.ndarray, "8"]:
    """Where an action sends the joints: 11 degrees at most from where they are, within ±110, in whole degrees.

    Args:
        angles: Measured angles in rad.
        action: In [-1, 1].

    Returns:
        Targets in rad.
    """
    wanted = np.rad2deg(angles) + MAX_STEP * action
    return np.deg2rad(np.round(np.clip(wanted, -MAX_ANGLE, MAX_ANGLE)))


def reward_of(
    forward: float,
    recent: Float[np.ndarray, "3 8"],
    rates: Float[np.ndarray, "2"],
    arm_contacts: int,
    weight: float,
) -> float:
    """What a step pays in which the robot does not fall.

    With q the joints' targets in units of 110 degrees,

        1000 forward - weight (sum (q - q1)² + sum (q - 2 q1 + q2)² + 0.1 ‖rates‖² + 0.01 arm_contacts)

    Args:
        forward: Metres gained in the direction of x.
        recent: The last three targets, q2, q1 and q.
        rates: Roll and pitch rate as observed: a tenth of rad/s, within ±1.
        arm_contacts: Contacts of upper and lower front legs counted since the episode began.
        weight: Of all penalties together.
    """
    before_last, last, now = recent
    jerky = np.sum((now - last) ** 2) + np.sum((now - 2 * last + before_last) ** 2)
    return float(1000 * forward - weight * (jerky + 0.1 * np.sum(rates**2) + 0.01 * arm_contacts))


def roll_and_pitch(quaternion: Float[np.ndarray, "4"]) -> tuple[float, float]:
    """Rotation about the way ahead and about the left, in rad, of MuJoCo's quaternion (w, x, y, z)."""
    w, x, y, z = (float(number) for number in quaternion)
    roll = math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    return roll, math.asin(min(max(2 * (w * y - z * x), -1.0), 1.0))


@final
class OpenCat(gymnasium.Env[np.ndarray, np.ndarray]):
    """Bittle, a robot cat of 11 by 8 cm and 0.27 kg, is to run along x; 80 steps a second, 251 an episode.

    OpenCat of Zhang, Chang and Gao, "When Maximum Entropy Misleads Policy Optimization" (ICML 2025), which is
    opencat-gym (github.com/ger01d/opencat-gym): geometry, masses, gains, timing, observation, reward and end are the
    original's. That simulates with PyBullet, this with MuJoCo, so motors and contacts are alike and not the same, and
    returns of the original are not reproduced; `docs/environments.md` lists the differences with their size.

    The 246 entries of an observation, in [-1, 1]: the torso's quaternion (x, y, z, w), its roll and pitch rate
    (a tenth of rad/s about the world's x and y, clipped), and 30 targets of the 8 joints, oldest first, in units of
    110 degrees, taken every second step. An action asks every joint for up to 11 degrees (`targets`). The reward
    is `reward_of`. A roll or pitch beyond 1.3 rad terminates and pays 0. Nothing is random.

    A step is three of 1/240 s: motors hear of the new targets after the first, the quaternion is read after the
    second, all else after the third.

    ```
    env = OpenCat(Constant(0.5), render_mode="rgb_array")
    observation, _ = env.reset(seed=0)
    observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
    ```

    Attributes:
        weight: How the penalties are weighed.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 80}  # noqa: RUF012, Gymnasium's name and type

    def __init__(self, weight: AbstractPenaltyWeight = PUBLISHED, render_mode: str | None = None):
        """Loads the model.

        Args:
            weight: How the penalties are weighed.
            render_mode: As in Gymnasium: "rgb_array" or None.

        Raises:
            EntropaxError: There is no such render mode.
        """
        if render_mode not in (None, "rgb_array"):
            raise EntropaxError(
                f"This task cannot be rendered as {render_mode!r}. Use render_mode='rgb_array' or None."
            )
        self.weight, self.render_mode = weight, render_mode
        self.observation_space = gymnasium.spaces.Box(-1.0, 1.0, (6 + 8 * HISTORY,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (8,), np.float32)
        self._model = mujoco.MjModel.from_xml_string(MODEL.read_text("utf-8"))
        self._data = mujoco.MjData(self._model)
        arms = [f"{leg}_{part}" for leg in LEGS[:2] for part in ("upper", "lower")]
        self._arms = [self._model.geom(name).id for name in arms]
        self._finished_steps = 0
        self._steps = -1
        self._arm_contacts = 0
        self._recent = np.zeros((3, 8))
        self._history = np.zeros((HISTORY, 8))

    @property
    def angles(self) -> Float[np.ndarray, "8"]:
        """Measured angles of the joints in rad: upper and lower of each of `LEGS`."""
        return self._data.qpos[7:].copy()

    @property
    def torso(self) -> Float[np.ndarray, "3"]:
        """Where the middle of the torso is, in metres."""
        return self._data.qpos[:3].copy()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        """Puts the robot 8 cm above the ground, legs bent; always the same, so `seed` and `options` change nothing."""
        gymnasium.Env.reset(self, seed=seed)
        mujoco.mj_resetData(self._model, self._data)
        self._data.qpos[7:] = self._data.ctrl[:] = _START_ANGLES
        mujoco.mj_forward(self._model, self._data)
        self._steps = self._arm_contacts = 0
        self._recent = np.tile(_scaled(_START_ANGLES), (3, 1))
        self._history = np.tile(_scaled(_START_ANGLES), (HISTORY, 1))
        return self._observation(self._data.qpos[3:7], np.zeros(2)), self._info()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """One step; an action beyond [-1, 1] is clipped to it.

        Returns:
            Observation, reward, terminated, truncated, and the weight of the penalties as `penalty_weight`.

        Raises:
            EntropaxError: No episode has been started, or the action is not eight finite numbers.
        """
        action = np.asarray(action, np.float64)
        if action.shape != (8,) or not np.isfinite(action).all():
            raise EntropaxError(f"An action is eight finite numbers in [-1, 1], one a joint; this one is {action}.")
        self._require_episode("step()")
        data, before = self._data, float(self._data.qpos[0])
        target = targets(data.qpos[7:], np.clip(action, -1.0, 1.0))
        self._simulate()
        self._arm_contacts += self._arms_touching()
        data.ctrl[:] = target
        self._simulate()
        quaternion = data.qpos[3:7].copy()
        self._simulate()
        self._remember(_scaled(target))
        rates = np.clip(0.1 * self._turning()[:2], -1.0, 1.0)
        info = self._info()
        forward = float(data.qpos[0]) - before
        reward = reward_of(forward, self._recent, rates, self._arm_contacts, info["penalty_weight"])
        self._steps += 1
        truncated = self._steps >= EPISODE_STEPS
        terminated = not truncated and max(map(abs, roll_and_pitch(data.qpos[3:7]))) > _MAX_TILT
        if terminated or truncated:
            self._finished_steps += self._steps
        return self._observation(quaternion, rates), 0.0 if terminated else reward, terminated, truncated, info

    def render(self) -> np.ndarray | None:
        """A frame `[height, width, 3]`, as `draw` says, or None where no render mode was chosen.

        Raises:
            EntropaxError: No episode has been started.
        """
        if self.render_mode is None:
            return None
        self._require_episode("render()")
        mujoco.mj_kinematics(self._model, self._data)
        return draw(self._data)

    def _require_episode(self, call: str) -> None:
        if self._steps < 0:
            raise EntropaxError(f"{call} was called before reset(), so there is no state. Call reset() first.")

    def _simulate(self) -> None:
        """1/240 s."""
        mujoco.mj_step(self._model, self._data, _SUBSTEPS)

    def _arms_touching(self) -> int:
        """How many of the front legs' four parts, paws apart, touch the ground or the robot."""
        touching = set(self._data.contact.geom.ravel().tolist())
        return sum(arm in touching for arm in self._arms)

    def _turning(self) -> Float[np.ndarray, "3"]:
        """The torso's angular velocity in the world's axes, rad/s; MuJoCo keeps it in the torso's own."""
        turning = np.zeros(3)
        mujoco.mju_rotVecQuat(turning, self._data.qvel[3:6], self._data.qpos[3:7])
        return turning

    def _remember(self, target: Float[np.ndarray, "8"]) -> None:
        """Takes a target into the reward's memory, and on even steps into the observation's."""
        self._recent = np.concatenate([self._recent[1:], target[None]])
        if self._steps % 2 == 0:
            self._history = np.concatenate([self._history[1:], target[None]])

    def _observation(self, quaternion: Float[np.ndarray, "4"], rates: Float[np.ndarray, "2"]) -> np.ndarray:
        return np.concatenate([np.roll(quaternion, -1), rates, self._history.ravel()]).astype(np.float32)

    def _info(self) -> dict[str, Any]:
        return {"penalty_weight": self.weight.after(self._finished_steps)}


def fixed(weight: float = 1.0, render_mode: str | None = None) -> OpenCat:
    """OpenCat with a constant weight of its penalties: `gymnasium.make("entropax/OpenCatFixed-v0", weight=0.5)`.

    Raises:
        EntropaxError: The weight is negative or not finite, or there is no such render mode.
    """
    return OpenCat(Constant(weight), render_mode)


def _scaled(angles: Float[np.ndarray, "8"]) -> Float[np.ndarray, "8"]:
    """Angles in rad in units of 110 degrees."""
    return angles / np.deg2rad(MAX_ANGLE)


def draw(data: Any) -> np.ndarray:
    """An `MjData` from the robot's right side and, below, from above, x to the right, `[height, width, 3]`.

    There is a line every 10 cm, dark at the start, and the numbers are centimetres from there. The green arrow is the
    way to run. Legs of the far side are pale, and the torso is red once it has fallen; a head, which the model has
    not, tells its front.
    """
    x, y = (float(number) for number in data.qpos[:2])
    side = Canvas((x - _HALF, -0.025), (x + _HALF, 0.155), width=_WIDTH)
    above = Canvas((x - _HALF, y - 0.09), (x + _HALF, y + 0.09), width=_WIDTH)
    side.polygon([(x - 1, 0.0), (x + 1, 0.0), (x + 1, -1.0), (x - 1, -1.0)], FAINT)
    for mark in range(math.ceil(10 * (x - _HALF)), math.floor(10 * (x + _HALF)) + 1):
        colour = FAINT if mark else INK
        side.line((mark / 10, 0.0), (mark / 10, 0.155), 0.001, colour)
        above.line((mark / 10, y - 0.09), (mark / 10, y + 0.09), 0.001, colour)
        if abs(mark / 10 - x) < _HALF - 0.02:
            side.text((mark / 10, -0.0125), f"{10 * mark}", 0.01, INK)
    side.arrow((x + 0.09, 0.135), (x + 0.17, 0.135), 0.005, GOOD)
    _draw_robot(side, data, np.array([0, 2]), {"front_left": _PALE, "back_left": _PALE})
    _draw_robot(above, data, np.array([0, 1]), dict.fromkeys(LEGS, INK))
    return np.concatenate([side.pixels(), np.full((4, _WIDTH, 3), INK, np.uint8), above.pixels()])


def _draw_robot(canvas: Canvas, data: Any, axes: Int[np.ndarray, "2"], behind: dict[str, Colour]) -> None:
    """Legs behind the torso, the torso with a head to tell its front, and other legs, projected onto two axes."""
    torso = data.body("torso")
    head = torso.xpos + torso.xmat.reshape(3, 3) @ _HEAD
    colour = BAD if max(map(abs, roll_and_pitch(data.qpos[3:7]))) > _MAX_TILT else SELF
    for leg, shade in behind.items():
        _draw_leg(canvas, data, axes, leg, shade)
    canvas.polygon(_outline(data, "battery", axes), INK)
    canvas.polygon(_outline(data, "torso", axes), colour)
    canvas.disc(head[axes], 0.014, colour)
    for leg in LEGS:
        if leg not in behind:
            _draw_leg(canvas, data, axes, leg, INK)


def _draw_leg(canvas: Canvas, data: Any, axes: Int[np.ndarray, "2"], leg: str, colour: Colour) -> None:
    """Two rods and a paw; the rods are thicker than the model's, to be seen."""
    hip, knee, paw = (data.body(f"{leg}_{part}").xpos[axes] for part in ("upper", "lower", "paw"))
    canvas.line(hip, knee, 0.008, colour)
    canvas.line(knee, paw, 0.006, colour)
    canvas.disc(paw, 0.006, colour)


def _outline(data: Any, box: str, axes: Int[np.ndarray, "2"]) -> list[Float[np.ndarray, "2"]]:
    """What a box covers, projected: the convex hull of its eight corners."""
    from scipy.spatial import ConvexHull

    corners = np.stack(np.meshgrid(*[(-1.0, 1.0)] * 3), axis=-1).reshape(8, 3) * data.model.geom(box).size
    geom = data.geom(box)
    points = (geom.xpos + corners @ geom.xmat.reshape(3, 3).T)[:, axes]
    return list(points[ConvexHull(points).vertices])
