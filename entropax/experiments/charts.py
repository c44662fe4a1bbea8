"""Charts over seeds for the pages of experiments, in the style of a run's report."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import altair as alt
import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import binomtest

from entropax.diagnostics.statistics import bootstrap_interval, interquartile_mean
from entropax.report.charts import COLOURS, Chart
from entropax.report.data import plain

SOLID, DASHED, DOTTED = (1, 0), (6, 4), (2, 3)
"""How a line is drawn: drawn and empty pixels."""

LINEAR, SHARE = alt.Scale(type="linear"), alt.Scale(domain=[0, 1])
SYMLOG = alt.Scale(type="symlog", constant=100)
"""Returns between minus tens of thousands and a few: linear within about a hundred of 0, logarithmic beyond."""


class Line(NamedTuple):
    """A line with a band around it; ends of the band are NaN where there is none."""

    name: str
    x: Sequence[float | str]
    middle: np.ndarray
    low: np.ndarray
    high: np.ndarray
    dash: tuple[int, int] = SOLID


class Rule(NamedTuple):
    """A named line across the chart, at a value of x (upright) or of y (level)."""

    name: str
    at: float


def over_seeds(
    name: str, x: Sequence[float | str], values: Float[np.ndarray, "x seeds"], dash: tuple[int, int] = SOLID
) -> Line:
    """Interquartile means over seeds with their 95 % bootstrap intervals."""
    low, high = bootstrap_interval(values, generator=np.random.default_rng(0))
    return Line(name, x, interquartile_mean(values), low, high, dash)


def shares(name: str, x: Sequence[float | str], reached: Bool[np.ndarray, "x seeds"]) -> Line:
    """Shares of seeds, with Wilson's 95 % intervals, which keep their width where all seeds agree."""
    tests = [binomtest(int(row.sum()), len(row)) for row in reached]
    low, high = np.array([test.proportion_ci(0.95, "wilson") for test in tests]).T
    return Line(name, x, reached.mean(axis=1), low, high)


def without_band(name: str, x: Sequence[float | str], values: Float[np.ndarray, " x"]) -> Line:
    """What theory says, dashed."""
    missing = np.full(len(values), np.nan)
    return Line(name, x, values, missing, missing, DASHED)


def line_chart(
    key: str,
    title: str,
    caption: str,
    lines: Sequence[Line],
    *,
    x: alt.X,
    y: str,
    scale: alt.Scale = LINEAR,
    upright: Sequence[Rule] = (),
    level: Sequence[Rule] = (),
) -> Chart:
    """Lines with bands, and rules across.

    Args:
        key: Unique on the page; letters, digits and hyphens.
        title: Above the chart.
        caption: Below it.
        lines: What is drawn; colours by their names' order.
        x: The channel of the field `x`, with its title and scale.
        y: Title of the other axis.
        scale: Of the other axis.
        upright: Named values of x.
        level: Named values of y.
    """
    names = list(dict.fromkeys(line.name for line in lines))
    dashes = {line.name: list(line.dash) for line in lines}
    legend = alt.Legend(orient="top", columns=2, symbolOpacity=1, symbolType="stroke", labelLimit=300, columnPadding=60)
    colours = [f"var(--run-{number % COLOURS})" for number in range(len(names))]
    colour = alt.Color("name:N", title=None, legend=legend, scale=alt.Scale(domain=names, range=colours))
    dash = alt.StrokeDash(
        "name:N", title=None, legend=legend, scale=alt.Scale(domain=names, range=[dashes[name] for name in names])
    )
    rows = _rows(lines)
    chart = alt.Chart(alt.InlineData(values=rows))
    points = alt.Chart(alt.InlineData(values=[row for row in rows if "l" in row]))
    middle = alt.Y("v:Q", title=y, scale=scale)
    tooltip = [alt.Tooltip("name:N", title=" "), alt.Tooltip("x:N", title="at"), alt.Tooltip("v:Q", title="value")]
    layers: list[Any] = [
        chart.mark_area(opacity=0.12).encode(x=x, y=alt.Y("l:Q", title=y, scale=scale), y2="h:Q", color=colour),
        chart.mark_line(strokeWidth=2).encode(x=x, y=middle, color=colour, strokeDash=dash),
        points.mark_point(filled=True, size=16).encode(x=x, y=middle, color=colour, tooltip=tooltip),
    ]
    layers += [layer for rule in upright for layer in _rule(rule, x="x:Q", angle=270, dx=-6, dy=-5)]
    layers += [layer for rule in level for layer in _rule(rule, y="v:Q", angle=0, dx=4, dy=-5)]
    sized = alt.layer(*layers).properties(width="container", height=260, background="transparent")
    return Chart(key, title, caption, sized.to_dict())


def _rows(lines: Sequence[Line]) -> list[dict[str, Any]]:
    rows = []
    for line in lines:
        for at, middle, low, high in zip(line.x, line.middle, line.low, line.high, strict=True):
            band = {"l": plain(float(low)), "h": plain(float(high))} if np.isfinite(low) else {}
            rows.append({"x": at, "v": plain(float(middle)), "name": line.name} | band)
    return rows


def _rule(rule: Rule, *, angle: int, dx: int, dy: int, **channel: str) -> list[Any]:
    """A thin line and its name at the top or at the left."""
    ((axis, field),) = channel.items()
    name = field.partition(":")[0]
    chart = alt.Chart(alt.InlineData(values=[{name: rule.at, "label": rule.name}]))
    along: dict[str, Any] = {axis: alt.X(field) if axis == "x" else alt.Y(field)}
    start = {"y": alt.value(0)} if axis == "x" else {"x": alt.value(0)}
    line = chart.mark_rule(strokeWidth=1, color="var(--muted)", strokeDash=[2, 2]).encode(**along)
    align = "right" if axis == "x" else "left"
    label = chart.mark_text(angle=angle, dx=dx, dy=dy, align=align, fontSize=10, color="var(--muted)")
    return [line, label.encode(text="label:N", **along, **start)]
