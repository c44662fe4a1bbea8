"""Pictures of a task in plain NumPy: discs, lines, polygons and a few characters, smooth at their edges."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, final

import numpy as np

Colour: TypeAlias = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

Number: TypeAlias = float | int | np.floating
"""A length or a coordinate in the world's units."""

Point: TypeAlias = Sequence[Number] | np.ndarray
"""(x, y) in the world's units."""

PAPER: Colour = (255, 255, 255)
INK: Colour = (45, 50, 60)
FAINT: Colour = (214, 218, 224)
SELF: Colour = (47, 111, 196)
GOOD: Colour = (44, 150, 84)
BAD: Colour = (204, 61, 52)
"""In every picture: what is controlled is `SELF`, what is wanted `GOOD`, and what must be avoided `BAD`."""

_GLYPHS = {
    "0": "111101101101111",
    "1": "010110010010111",
    "2": "111001111100111",
    "3": "111001111001111",
    "4": "101101111001001",
    "5": "111100111001111",
    "6": "111100111101111",
    "7": "111001010010010",
    "8": "111101111101111",
    "9": "111101111001111",
    "+": "000010111010000",
    "-": "000000111000000",
}
"""Characters as five rows of three."""


@dataclasses.dataclass(frozen=True)
class Picture:
    """How a task is shown.

    Attributes:
        draw: From a state, its leaves on the host, to a frame `[height, width, 3]` of uint8.
        frames_per_second: At which frames of successive steps pass as fast as the task itself, or legibly so.
    """

    draw: Callable[[Any], np.ndarray]
    frames_per_second: int


@final
class Canvas:
    """A picture in the making, in the world's units with y upwards; later shapes cover earlier ones.

    A pixel is covered by the share of it that a shape covers, to first order: by its signed distance from the edge.
    What lies outside is cut off.

    ```
    canvas = Canvas((-1.0, -1.0), (1.0, 1.0), width=64)
    canvas.disc((0.0, 0.0), 0.5, SELF)
    frame = canvas.pixels()  # [64, 64, 3], uint8
    ```
    """

    def __init__(self, low: tuple[Number, Number], high: tuple[Number, Number], width: int = 480):
        """Blank paper.

        Args:
            low: The world's (x, y) at the lower left corner.
            high: At the upper right corner.
            width: In pixels; the height follows, so that a unit is as long upwards as sideways.
        """
        self._unit = width / (high[0] - low[0])
        height = round(self._unit * (high[1] - low[1]))
        self._x = (low[0] + (np.arange(width) + 0.5) / self._unit)[None, :]
        self._y = (high[1] - (np.arange(height) + 0.5) / self._unit)[:, None]
        self._pixels = np.full((height, width, 3), PAPER, np.float64)

    def disc(self, centre: Point, radius: Number, colour: Colour) -> None:
        """A filled circle."""
        self._cover(self._distance(centre) - radius, colour)

    def ring(self, centre: Point, radius: Number, thickness: Number, colour: Colour) -> None:
        """A circle, drawn by its outline."""
        self._cover(np.abs(self._distance(centre) - radius) - thickness / 2, colour)

    def line(
        self,
        start: Point,
        end: Point,
        thickness: Number,
        colour: Colour,
    ) -> None:
        """A segment with round ends."""
        x, y = self._x - start[0], self._y - start[1]
        along = (end[0] - start[0], end[1] - start[1])
        squared = along[0] ** 2 + along[1] ** 2
        share = np.clip((x * along[0] + y * along[1]) / max(squared, 1e-12), 0.0, 1.0)
        self._cover(np.hypot(x - share * along[0], y - share * along[1]) - thickness / 2, colour)

    def polygon(self, corners: Sequence[Point], colour: Colour) -> None:
        """A filled convex polygon, its corners in either direction."""
        points = np.array([[float(corner[0]), float(corner[1])] for corner in corners])
        edges = np.roll(points, -1, axis=0) - points
        turn = np.sign(edges[0, 0] * edges[1, 1] - edges[0, 1] * edges[1, 0])
        outside = np.full(np.broadcast_shapes(self._x.shape, self._y.shape), -np.inf)
        for (x, y), (dx, dy) in zip(points, edges, strict=True):
            beyond = turn * ((self._x - x) * dy - (self._y - y) * dx) / np.hypot(dx, dy)
            outside = np.maximum(outside, beyond)
        self._cover(outside, colour)

    def arrow(
        self,
        start: Point,
        end: Point,
        thickness: Number,
        colour: Colour,
    ) -> None:
        """A line with a head at its end; nothing where it has no length."""
        start, end = np.array([float(start[0]), float(start[1])]), np.array([float(end[0]), float(end[1])])
        size = float(np.hypot(*(end - start)))
        if size == 0.0:
            return
        along = (end - start) / size
        across = np.array([-along[1], along[0]])
        head = min(4 * thickness, size)
        self.line(start, end - head * along, thickness, colour)
        self.polygon((end, end - head * (along + 0.5 * across), end - head * (along - 0.5 * across)), colour)

    def text(self, centre: Point, text: str, height: Number, colour: Colour) -> None:
        """Digits, + and - around a point, in dots of whole pixels."""
        dot = max(1, round(height * self._unit / 5))
        left = round((centre[0] - self._x[0, 0]) * self._unit - dot * (4 * len(text) - 1) / 2)
        top = round((self._y[0, 0] - centre[1]) * self._unit - dot * 5 / 2)
        for index, character in enumerate(text):
            for number, bit in enumerate(_GLYPHS[character]):
                x, y = left + dot * (4 * index + number % 3), top + dot * (number // 3)
                if bit == "1" and x >= 0 and y >= 0:
                    self._pixels[y : y + dot, x : x + dot] = colour

    def pixels(self) -> np.ndarray:
        """The frame, `[height, width, 3]`, uint8."""
        return np.round(self._pixels).astype(np.uint8)

    def _distance(self, centre: Point) -> np.ndarray:
        return np.hypot(self._x - float(centre[0]), self._y - float(centre[1]))

    def _cover(self, outside: np.ndarray, colour: Colour) -> None:
        """Paints a shape, given how far outside of it each pixel's middle is, in the world's units."""
        share = np.clip(0.5 - outside * self._unit, 0.0, 1.0)[..., None]
        self._pixels += share * (np.array(colour, np.float64) - self._pixels)
