"""The chart of what moved the entropy: one stack of bars from each snapshot of a run to the next."""

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from entropax.diagnostics.changes import Change, Part, RunAttribution
from entropax.report.attribution import NAMES
from entropax.report.charts import Chart, finish, number_axis

COLOURS = {part: f"var(--run-{6 if part is Part.REMAINDER else index})" for index, part in enumerate(NAMES)}
"""The colour of each part, of the page's style sheet; grey for what is not explained."""

_CAPTION = (
    "Change from each snapshot to the next, mean over seeds: what lies above 0 widened the policy, what lies below "
    "narrowed it, and the line is their sum."
)


def pieces_chart(pieces: Sequence[RunAttribution]) -> Chart | None:
    """Parts over the pieces of a run, widening ones stacked up from 0 and narrowing ones down; None without pieces."""
    changes = [piece.change() for piece in pieces]
    rows = [row for change in changes for row in stacked(change)]
    if not rows:
        return None
    sums = [_sum(change) for change in changes if math.isfinite(change.whole.value)]
    x = alt.X("s:Q", title=None, axis=number_axis(), scale=alt.Scale(nice=False, zero=False))
    colour = alt.Color(
        "p:N", legend=None, scale=alt.Scale(domain=list(NAMES.values()), range=[COLOURS[part] for part in NAMES])
    )
    shown = [
        alt.Tooltip("s:Q", title="from step", format=","),
        alt.Tooltip("e:Q", title="to step", format=","),
        alt.Tooltip("p:N", title="part"),
        alt.Tooltip("v:Q", title="nats per dimension", format="+.3~g"),
        alt.Tooltip("d:Q", title="standard error", format=".2~g"),
    ]
    y = alt.Y("l:Q", title="nats per dimension", axis=number_axis(), scale=alt.Scale(nice=True))
    bars = alt.Chart(alt.InlineData(values=rows)).mark_rect(stroke="var(--card)", strokeWidth=1.5)
    line = alt.Chart(alt.InlineData(values=sums)).mark_rule(color="var(--ink)", strokeWidth=2.25)
    chart = alt.layer(
        bars.encode(x=x, x2="e:Q", y=y, y2="h:Q", color=colour, tooltip=shown),
        line.encode(x=x, x2="e:Q", y="v:Q", tooltip=shown),
    )
    return finish("entropy-parts", "From snapshot to snapshot", _CAPTION, chart, 240)


def stacked(change: Change) -> list[dict[str, Any]]:
    """A bar for each part: steps `s` to `e`, from `l` to `h`, of the value `v` with the error `d`, called `p`."""
    rows, up, down = [], 0.0, 0.0
    for part, name in NAMES.items():
        value, error = change.parts[part]
        if not math.isfinite(value):
            continue
        low = up if value >= 0 else down + value
        up, down = (up + value, down) if value >= 0 else (up, down + value)
        ends = {"l": round(low, 5), "h": round(low + abs(value), 5)}
        rows.append({**_row(change, name, value, error), **ends})
    return rows


def _sum(change: Change) -> dict[str, Any]:
    return _row(change, "all together", *change.whole)


def _row(change: Change, name: str, value: float, error: float) -> dict[str, Any]:
    first, last = change.steps
    known = round(error, 5) if math.isfinite(error) else None
    return {"s": first, "e": last, "p": name, "v": round(value, 5), "d": known}
