"""The landscapes as charts: two curves over one action dimension, or two heat maps over two."""

from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt
import numpy as np
from jaxtyping import Float

from entropax.report.charts import Chart, finish, number_axis
from entropax.report.data import plain
from entropax.report.landscape import DRAWS, Landscape
from entropax.types import Bounds

SOFT, PLAIN, POLICY = "var(--run-1)", "var(--run-0)", "var(--run-3)"
"""Colours of the page's style sheet: the soft value and its policy, the plain value, the run's policy."""

_POLICIES = {
    f"{DRAWS} actions of the run's policy": POLICY,
    f"{DRAWS} actions of exp(Q_soft / alpha), which the soft value asks for": SOFT,
    "the best action by the plain value": PLAIN,
}
_VALUES = {"soft value: the entropy to come is in it": SOFT, "plain value: the return alone": PLAIN}

_STRIPS = {"policy": -0.12, "soft": -0.24, "plain": -0.36}
"""Heights below the curves at which the actions of the policies lie."""

_CURVES = (
    "Each curve from its own lowest to its own highest value, as the similarity compares them; the numbers are in the "
    "tooltip. Below, a mark an action: of the run's policy, of the policy exp(Q_soft / alpha) over these actions, and "
    "the best one by the plain value."
)
_SOFT_PLANE = "Dots: actions of the run's policy{others}. Squares: actions of exp(Q_soft / alpha) on this plane."
_PLAIN_PLANE = "Dots: actions of the run's policy{others}. Diamond: the best action on this plane by the plain value."


def legend(view: Landscape) -> dict[str, str]:
    """What the colours of a view's charts mean; the marks' shapes tell a policy from a value."""
    return _VALUES | _POLICIES if len(view.dimensions) == 1 else _POLICIES


def charts(view: Landscape, bounds: Bounds) -> list[Chart]:
    """One chart for one dimension, two for two."""
    if len(view.dimensions) == 1:
        return [_curves(view, bounds)]
    policy = _dots(view.drawn[:, list(view.dimensions)], "circle", POLICY, 26)
    asked = _dots(view.drawn_soft, "square", SOFT, 26)
    best = _dots(view.best(view.plain)[None], "diamond", PLAIN, 160)
    others = ", whose other dimensions are as drawn" if len(view.mode) > 2 else ""
    soft = alt.layer(_heat_map(view, bounds, view.soft), policy, asked)
    without = alt.layer(_heat_map(view, bounds, view.plain), policy, best)
    return [
        finish(f"landscape-soft-{view.seed}", "Soft value", _SOFT_PLANE.format(others=others), soft, 380),
        finish(f"landscape-plain-{view.seed}", "Plain value", _PLAIN_PLANE.format(others=others), without, 380),
    ]


def units(
    view: Landscape, bounds: Bounds, actions: Float[np.ndarray, "row dimension"]
) -> Float[np.ndarray, "row dimension"]:
    """Actions over the dimensions shown, in the environment's units."""
    low, half = np.asarray(bounds.low, np.float32), bounds.half_range
    shown = np.asarray(view.dimensions)
    return low[shown] + (actions + 1) * half[shown]


def _share(values: Float[np.ndarray, "*cell"]) -> Float[np.ndarray, "*cell"]:
    """0 at the lowest value, 1 at the highest; 0 all over where they are equal."""
    spread = np.ptp(values)
    return (values - np.min(values)) / (spread if spread > 0 else 1)


def _axis(view: Landscape, bounds: Bounds, place: int) -> str:
    dimension = view.dimensions[place]
    low, high = bounds.low[dimension], bounds.high[dimension]
    there = "" if (low, high) == (-1, 1) else f" (-1 and 1 are {low:g} and {high:g} in the environment)"
    return f"action {dimension}{there}"


def _tooltip(view: Landscape) -> list[alt.Tooltip]:
    shown = []
    for letter, dimension in zip("xy", view.dimensions, strict=False):
        shown.append(alt.Tooltip(f"{letter}:Q", title=f"action {dimension}", format=".3~f"))
        shown.append(alt.Tooltip(f"u{letter}:Q", title="in the environment", format=".4~g"))
    shown += [
        alt.Tooltip("s:Q", title="soft value", format=".5~g"),
        alt.Tooltip("p:Q", title="plain value", format=".5~g"),
    ]
    return shown


def _curves(view: Landscape, bounds: Bounds) -> Chart:
    centres = view.centres[:, None]
    there = units(view, bounds, centres)[:, 0]
    columns = (centres[:, 0], there, view.soft, view.plain, _share(view.soft), _share(view.plain))
    rows = _rows(("x", "ux", "s", "p", "hs", "hp"), columns)
    data = alt.Chart(alt.InlineData(values=rows))
    x = alt.X("x:Q", title=_axis(view, bounds, 0), axis=number_axis(), scale=alt.Scale(domain=[-1, 1], nice=False))
    strips = " : ".join(f"datum.value == {height} ? '{name}'" for name, height in _STRIPS.items())
    label = f"{strips} : datum.value == 0 ? 'low' : datum.value == 1 ? 'high' : ''"
    axis = alt.Axis(values=[*_STRIPS.values(), 0, 0.5, 1], labelExpr=label)

    def y(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", title=None, axis=axis, scale=alt.Scale(domain=[-0.44, 1.06], nice=False))

    hover = alt.selection_point(
        name="hover", fields=["x"], nearest=True, on="pointerover", clear="pointerout", empty=False
    )
    seen = alt.condition(hover, alt.value(1), alt.value(0))
    layers: list[Any] = []
    for field, colour in (("hp", PLAIN), ("hs", SOFT)):
        layers.append(data.mark_line(strokeWidth=2.25, color=colour).encode(x=x, y=y(field)))
    points = data.mark_point(filled=True, size=60, color=SOFT)
    layers.append(points.encode(x=x, y=y("hs"), opacity=seen, tooltip=_tooltip(view)).add_params(hover))
    layers.append(data.mark_point(filled=True, size=60, color=PLAIN).encode(x=x, y=y("hp"), opacity=seen))
    drawn = view.drawn[:, list(view.dimensions)]
    for name, actions, colour in (("policy", drawn, POLICY), ("soft", view.drawn_soft, SOFT)):
        marks = alt.Chart(alt.InlineData(values=_places(actions, _STRIPS[name])))
        layers.append(marks.mark_tick(thickness=1.5, size=16, opacity=0.45, color=colour).encode(x=x, y=y("h")))
    best = alt.Chart(alt.InlineData(values=_places(view.best(view.plain)[None], _STRIPS["plain"])))
    layers.append(best.mark_point(shape="diamond", filled=True, size=110, color=PLAIN).encode(x=x, y=y("h")))
    return finish(f"landscape-{view.seed}", "Soft and plain value", _CURVES, alt.layer(*layers), 340)


def _places(actions: Float[np.ndarray, "sample 1"], height: float) -> list[dict[str, Any]]:
    return [{**row, "h": height} for row in _rows(("x",), actions.T)]


def _rows(names: Sequence[str], columns: Iterable[np.ndarray]) -> list[dict[str, Any]]:
    """A chart's rows from its columns."""
    return [
        {name: plain(float(value)) for name, value in zip(names, row, strict=True)}
        for row in zip(*columns, strict=True)
    ]


def _heat_map(view: Landscape, bounds: Bounds, values: Float[np.ndarray, "cell cell"]) -> alt.Chart:
    cells = alt.Chart(alt.InlineData(values=_cells(view, bounds, values)))
    axis = number_axis()
    scale = alt.Scale(domain=[-1, 1], nice=False)
    colour = alt.Color(
        "h:Q",
        title="from its lowest (0) to its highest value (1)",
        scale=alt.Scale(scheme="viridis", domain=[0, 1]),
        legend=alt.Legend(orient="top", gradientLength=180, values=[0, 0.5, 1]),
    )
    return cells.mark_rect(strokeWidth=0).encode(
        x=alt.X("l:Q", title=_axis(view, bounds, 0), axis=axis, scale=scale),
        x2="r:Q",
        y=alt.Y("b:Q", title=_axis(view, bounds, 1), axis=axis, scale=scale),
        y2="t:Q",
        color=colour,
        tooltip=_tooltip(view),
    )


def _cells(view: Landscape, bounds: Bounds, values: Float[np.ndarray, "cell cell"]) -> list[dict[str, Any]]:
    """A row a cell: its edges, its centre in both units, its share of the range, both values."""
    half = 1 / len(view.centres)
    x, y = (axis.ravel() for axis in np.meshgrid(view.centres, view.centres, indexing="ij"))
    there = units(view, bounds, np.stack([x, y], axis=1))
    shares = (_share(values).ravel(), view.soft.ravel(), view.plain.ravel())
    columns = (x - half, x + half, y - half, y + half, x, y, *there.T, *shares)
    return _rows(("l", "r", "b", "t", "x", "y", "ux", "uy", "h", "s", "p"), columns)


def _dots(actions: Float[np.ndarray, "sample 2"], shape: str, colour: str, size: int) -> alt.Chart:
    dots = alt.Chart(alt.InlineData(values=_rows(("x", "y"), actions.T)))
    marks = dots.mark_point(
        shape=shape, filled=True, size=size, color=colour, stroke="#ffffff", strokeWidth=0.8, opacity=1
    )
    return marks.encode(x="x:Q", y="y:Q")
