"""The charts as Vega-Lite: colours are the page's CSS variables, so that light, dark and print need no redrawing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np

from entropax.diagnostics.window import Series
from entropax.report.data import heat_rows, middle_rows, plain, points_per_series, seed_rows, thin
from entropax.report.read import Run

_LARGE, _SMALL = 280, 170
COLOURS = 8
"""Colours that the page's style sheet defines, --run-0 to --run-7."""

# SI prefixes from a thousand on only: 400m for 0.4 puzzles.
_LABEL = "abs(datum.value) >= 1000 ? format(datum.value, '~s') : format(datum.value, '~g')"


@dataclass(frozen=True)
class Chart:
    """A figure of the page."""

    key: str
    """Unique on the page; letters, digits and hyphens."""
    title: str
    caption: str
    spec: dict[str, Any]


@dataclass(frozen=True)
class Plot:
    """What a line chart shows."""

    metric: str
    title: str
    axis: str
    caption: str
    scale: str = "linear"
    height: int = _SMALL
    interval: bool = True


RETURN = Plot(
    "rollout/ep_rew_mean",
    "Return",
    "episode return",
    "While exploring, per logging interval. Strong: interquartile mean over seeds with its 95 % bootstrap interval; "
    "thin: single seeds.",
    height=_LARGE,
)
ENTROPY = Plot(
    "entropy/nats",
    "Entropy against its target",
    "nats per dimension",
    "Dashed: the target. Shaded: more than the policy class can have; a target in there is unreachable (uniform "
    "would be log 2, about 0.693, on [-1, 1], and log n over n categories).",
    height=_LARGE,
)
ALPHA = Plot(
    "train/ent_coef",
    "Temperature",
    "alpha (log)",
    "Weight of one nat of entropy in reward.",
    scale="log",
    height=_LARGE,
)
SMALL = (
    Plot("eval/mean_reward", "Evaluation", "episode return", "Deterministic policy."),
    Plot("entropy/saturation", "Saturation", "share of |a| > 0.97", "High: actions pile up at their bounds."),
    Plot("train/q_mean", "Q", "mean over the batch", "Growing without end is divergence."),
    Plot("entropy/share_of_soft_value", "Entropy's share of the soft value", "share", "Near 1: entropy is the reward."),
    Plot("train/critic_loss", "Critic loss", "mean over the batch (log)", "Squared error of Q.", scale="log"),
    Plot("train/critic_grad_norm", "Critic gradient", "norm (log)", "Before Adam.", scale="log"),
    Plot("train/actor_grad_norm", "Actor gradient", "norm (log)", "Before Adam.", scale="log"),
    Plot("entropy/policy_kl", "Policy change", "KL in nats (log)", "Between successive logged policies.", scale="log"),
    Plot("time/fps", "Speed", "steps per second", "All seeds together.", interval=False),
)


def line_chart(plot: Plot, runs: Sequence[Run]) -> Chart | None:
    """Seeds, interquartile mean and interval of one metric over all runs that have it; None where none has."""
    scaled = [(run, _scaled(plot, run)) for run in runs if run.has(plot.metric)]
    having = [(run, series) for run, series in scaled if np.isfinite(series.values).any()]
    if not having:
        return None
    points = points_per_series(sum(len(run.facts.seeds) for run, _ in having))
    thinned = [(run, thin(series, points)) for run, series in having]
    lines = [row for run, series in thinned for row in seed_rows(run.name, series, run.facts.seeds)]
    by_run = [middle_rows(run.name, series, interval=plot.interval) for run, series in thinned]
    middles = [row for rows in by_run for row in rows]
    alone = [rows[0] for rows in by_run if len(rows) == 1]
    y = alt.Y("v:Q", title=plot.axis, scale=_scale(plot, runs, lines), axis=_y_axis(plot, lines))
    x = alt.X("s:Q", title=None, axis=number_axis(), scale=alt.Scale(nice=False, zero=False))
    colour = alt.Color("r:N", legend=None, scale=_run_colours(runs))
    seeds = alt.Chart(alt.InlineData(values=lines)).mark_line(strokeWidth=1, opacity=0.3)
    middle = alt.Chart(alt.InlineData(values=middles))
    hover = alt.selection_point(
        name="hover", fields=["s"], nearest=True, on="pointerover", clear="pointerout", empty=False
    )
    layers: list[Any] = [
        *_references(plot, runs),
        middle.mark_area(opacity=0.18).encode(x=x, y=alt.Y("l:Q"), y2="h:Q", color=colour),
        seeds.encode(x=x, y=y, color=colour, detail="k:N"),
        middle.mark_line(strokeWidth=2.25).encode(x=x, y=y, color=colour),
        middle.mark_point(filled=True, size=50)
        .encode(
            x=x, y=y, color=colour, opacity=alt.condition(hover, alt.value(1), alt.value(0)), tooltip=_tooltip(runs)
        )
        .add_params(hover),
    ]
    if not plot.interval or not any("l" in row for row in middles):
        del layers[-4]
    if alone:  # A single row has no line to draw.
        dots = alt.Chart(alt.InlineData(values=alone)).mark_point(filled=True, size=60)
        layers.append(dots.encode(x=x, y=y, color=colour, tooltip=_tooltip(runs)))
    return finish(plot.metric, plot.title, plot.caption, alt.layer(*layers), plot.height)


def heat_map(run: Run, index: int) -> Chart | None:
    """Equivalent sigma by step and action dimension, mean over seeds; None where it was not logged twice."""
    if not run.has("entropy/sigma_per_dimension"):
        return None
    rows = heat_rows(run.series["entropy/sigma_per_dimension"], 80)
    dimensions = 1 + max((row["d"] for row in rows), default=-1)
    if not rows:
        return None
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_rect(strokeWidth=0)
        .encode(
            x=alt.X(
                "s:Q",
                title=None,
                axis=alt.Axis(labelExpr=_LABEL, tickCount=5, grid=False),
                scale=alt.Scale(nice=False, zero=False),
            ),
            x2="e:Q",
            y=alt.Y("d:O", title="dimension", axis=alt.Axis(grid=False, ticks=False)),
            color=alt.Color(
                "v:Q",
                title="sigma",
                scale=alt.Scale(scheme="viridis", type="log", domain=[0.01, 0.9], clamp=True),
                legend=alt.Legend(orient="top", gradientLength=180, values=[0.01, 0.03, 0.1, 0.3, 0.9], format="~g"),
            ),
            tooltip=[
                alt.Tooltip("e:Q", title="step", format=","),
                alt.Tooltip("d:O", title="dimension"),
                alt.Tooltip("v:Q", title="sigma", format=".3~g"),
            ],
        )
    )
    caption = "Standard deviation of a centred squashed Gaussian with the same entropy, in [-1, 1]; mean over seeds."
    height = int(np.clip(22 * dimensions, 44, 440))
    return finish(f"sigma-{index}", f"Sigma per action dimension: {run.name}", caption, chart, height)


def _scaled(plot: Plot, run: Run) -> Series:
    """The metric in the chart's unit: entropies per dimension, logarithms of what is positive only."""
    series = run.series[plot.metric]
    values = series.values / (run.facts.action_dimensions if plot is ENTROPY else 1)
    return Series(series.steps, np.where(values > 0, values, math.nan) if plot.scale == "log" else values)


def _scale(plot: Plot, runs: Sequence[Run], lines: Sequence[dict[str, Any]]) -> alt.Scale:
    if plot is not ENTROPY:
        return _log_scale([row["v"] for row in lines]) if plot.scale == "log" else alt.Scale(zero=False, nice=True)
    targets = [row["v"] for run in runs for row in _target_rows(run)]
    seen = [row["v"] for row in lines] + targets
    return alt.Scale(domain=[min(seen) - 0.2, max([*seen, *_maxima(runs)]) + 0.3], nice=False, zero=False)


def _y_axis(plot: Plot, lines: Sequence[dict[str, Any]]) -> alt.Axis:
    if plot.scale == "linear":
        return number_axis()
    return alt.Axis(labelExpr=_LABEL, values=_log_ticks([row["v"] for row in lines]))


def number_axis() -> alt.Axis:
    """An axis of plain numbers."""
    return alt.Axis(labelExpr=_LABEL, tickCount=5)


def _log_scale(values: Sequence[float]) -> alt.Scale:
    """From the round number below the values to the one above, so that at least two ticks are labelled."""
    round_numbers = [float(f"{m}e{power}") for power in range(*_powers(values)) for m in (1, 2, 5)]
    low = max(value for value in round_numbers if value <= min(values))
    high = min(value for value in round_numbers if value > max(values))
    return alt.Scale(type="log", domain=[low, high], nice=False)


def _log_ticks(values: Sequence[float]) -> list[float]:
    """At most about seven round ticks: powers of ten, and within two decades also their 2 and 5."""
    start, stop = _powers(values)
    steps = (1, 2, 5) if stop - start <= 3 else (1,)
    return [float(f"{m}e{power}") for power in range(start, stop, max(1, (stop - start) // 5)) for m in steps]


def _powers(values: Sequence[float]) -> tuple[int, int]:
    """A range of powers of ten that holds the values."""
    return math.floor(math.log10(min(values))), math.floor(math.log10(max(values))) + 2


def _run_colours(runs: Sequence[Run]) -> alt.Scale:
    colours = [f"var(--run-{index % COLOURS})" for index in range(len(runs))]
    return alt.Scale(domain=[run.name for run in runs], range=colours)


def _tooltip(runs: Sequence[Run]) -> list[alt.Tooltip]:
    shown = [
        alt.Tooltip("s:Q", title="step", format=","),
        alt.Tooltip("v:Q", title="interquartile mean", format=".4~g"),
        alt.Tooltip("l:Q", title="95 % from", format=".4~g"),
        alt.Tooltip("h:Q", title="95 % to", format=".4~g"),
        alt.Tooltip("n:Q", title="seeds"),
    ]
    return [alt.Tooltip("r:N", title="run"), *shown] if len(runs) > 1 else shown


def _maxima(runs: Sequence[Run]) -> list[float]:
    return sorted({run.facts.entropy_maximum for run in runs if math.isfinite(run.facts.entropy_maximum)})


def _target_rows(run: Run) -> list[dict[str, Any]]:
    if not run.has("entropy/target"):
        return []
    series = run.series["entropy/target"]
    per_dimension = Series(series.steps, series.values / run.facts.action_dimensions)
    return middle_rows(run.name, thin(per_dimension, 60), interval=False)


def _references(plot: Plot, runs: Sequence[Run]) -> list[alt.Chart]:
    """Behind the entropy: what no policy can have, and each run's target."""
    if plot is not ENTROPY:
        return []
    layers = []
    for maximum in _maxima(runs):
        edge = alt.InlineData(values=[{"v": plain(maximum), "t": f"most a policy can have: {maximum:.3f}"}])
        layers.append(alt.Chart(edge).mark_rect(fill="var(--infeasible)", opacity=1).encode(y="v:Q", y2=alt.value(0)))
        layers.append(
            alt.Chart(edge)
            .mark_text(align="right", baseline="bottom", dx=-6, dy=-4, fontSize=11, color="var(--muted)")
            .encode(y="v:Q", x=alt.value("width"), text="t:N")
        )
    targets = [row for run in runs for row in _target_rows(run)]
    if targets:
        dashed = alt.Chart(alt.InlineData(values=targets)).mark_line(strokeDash=[6, 4], strokeWidth=1.5)
        layers.append(dashed.encode(x="s:Q", y="v:Q", color=alt.Color("r:N", legend=None, scale=_run_colours(runs))))
    return layers


def finish(
    metric: str, title: str, caption: str, chart: alt.Chart | alt.LayerChart | alt.FacetChart, height: int
) -> Chart:
    """A chart as wide as its place on the page."""
    sized = chart.properties(width="container", height=height, background="transparent")
    return Chart(metric.replace("/", "-").replace("_", "-"), title, caption, sized.to_dict())
