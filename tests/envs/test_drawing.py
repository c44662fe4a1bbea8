"""The canvas covers what it should, by area; frames come through Gymnasium."""

import gymnasium
import numpy as np
import pytest

import entropax  # noqa: F401, registers our tasks
from entropax.envs.drawing import BAD, GOOD, INK, PAPER, SELF, Canvas
from entropax.envs.registry import TASKS
from entropax.errors import EntropaxError

DRAWN = [task for task in TASKS.values() if task.picture is not None]


def covered(canvas, colour):
    """Share of the paper that a colour covers, partly covered pixels in part."""
    frame = canvas.pixels().astype(float)
    away = np.array(PAPER) - np.array(colour)
    return ((np.array(PAPER) - frame) @ away / (away @ away)).sum()


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        (lambda canvas: canvas.disc((0.3, -0.2), 1.1, SELF), np.pi * 1.1**2),
        (lambda canvas: canvas.ring((0.3, -0.2), 1.0, 0.3, SELF), 2 * np.pi * 0.3),
        (lambda canvas: canvas.line((-1, -1), (1, 0.5), 0.2, SELF), 2.5 * 0.2 + np.pi * 0.1**2),
        (lambda canvas: canvas.polygon(((-1, 0), (1, 0.1), (0.2, 1.3)), SELF), 0.5 * abs(2 * 1.3 - 1.2 * 0.1)),
        (lambda canvas: canvas.polygon(((0.2, 1.3), (1, 0.1), (-1, 0)), SELF), 0.5 * abs(2 * 1.3 - 1.2 * 0.1)),
        (lambda canvas: canvas.text((0, 0), "-20", 0.5, SELF), (3 + 11 + 12) * 0.1**2),
        (lambda canvas: canvas.arrow((0.5, 0.5), (0.5, 0.5), 0.1, SELF), 0.0),
    ],
)
def test_shapes_have_their_area(shape, area):
    canvas = Canvas((-2, -2), (2, 2), width=400)
    shape(canvas)
    assert covered(canvas, SELF) / 100**2 == pytest.approx(area, rel=0.01, abs=1e-3)


def test_y_points_upwards_and_later_shapes_cover_earlier_ones():
    canvas = Canvas((0, 0), (2, 1), width=200)
    canvas.disc((1.5, 0.75), 0.2, GOOD)
    canvas.disc((1.5, 0.75), 0.1, BAD)
    canvas.arrow((0.2, 0.2), (0.6, 0.2), 0.04, INK)
    frame = canvas.pixels()
    assert (frame.shape, frame.dtype) == ((100, 200, 3), np.uint8)
    assert tuple(frame[25, 150]) == BAD
    assert tuple(frame[25, 165]) == GOOD
    assert tuple(frame[75, 150]) == PAPER
    assert tuple(frame[80, 30]) == INK


def test_text_beyond_the_edge_is_cut_off():
    canvas = Canvas((0, 0), (1, 1), width=100)
    canvas.text((0.0, 0.0), "8888", 0.5, INK)
    canvas.text((1.0, 1.0), "+1", 0.5, INK)
    assert 0 < covered(canvas, INK) < 100**2


@pytest.mark.parametrize("task", DRAWN, ids=lambda task: task.id)
def test_frames_change_as_the_task_does(task):
    env = gymnasium.make(task.id, render_mode="rgb_array")
    env.reset(seed=0)
    env.action_space.seed(0)
    first = env.render()
    env.step(env.action_space.sample())
    second = env.render()
    assert (first.dtype, first.shape) == (np.uint8, second.shape)
    assert 0 < (first != second).any(-1).mean() < 0.3
    assert len(np.unique(first.reshape(-1, 3), axis=0)) > 5
    env.close()


def test_what_cannot_be_drawn_says_so():
    with pytest.raises(EntropaxError, match=r"cannot be rendered as 'rgb_array'. Use render_mode=None"):
        gymnasium.make("entropax/Pendulum-v0", render_mode="rgb_array")
    with pytest.raises(EntropaxError, match=r"cannot be rendered as 'human'. Use render_mode='rgb_array' or None"):
        gymnasium.make("entropax/Vehicle-v0", render_mode="human")
    assert gymnasium.make("entropax/Vehicle-v0").unwrapped.render() is None
    with pytest.raises(EntropaxError, match=r"render\(\) was called before reset\(\)"):
        gymnasium.make("entropax/Vehicle-v0", render_mode="rgb_array").unwrapped.render()
