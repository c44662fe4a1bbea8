"""The benchmark's page: the conclusion, a table of tasks and laws, and how the entropy went."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np

from entropax.diagnostics.statistics import bootstrap_interval, interquartile_mean
from entropax.experiments.cells import Cell
from entropax.experiments.conclusion import heuristics, pace, ranks, winners
from entropax.report import page
from entropax.report.charts import COLOURS, Chart
from entropax.report.data import plain
from entropax.report.write import bundle
from entropax.runs.atomic import write_bytes


def write_page(cells: Sequence[Cell], dense: Sequence[str], output: Path, *, command: str) -> Path:
    """Writes one self-contained HTML page."""
    charts = [_chart(cells, env, index) for index, env in enumerate(dict.fromkeys(cell.env for cell in cells))]
    title = "Which temperature law keeps SAC from collapsing?"
    body = [
        f'<header><h1>{title}</h1><p class="lead">{_about(cells)}</p></header><main>',
        _section("What the numbers say", _list(winners(cells, dense))),
        _section("Solved seeds and returns", _table(cells)),
        _section("Heuristics against the default", _list([*heuristics(cells), *ranks(cells)])),
        _section("How fast the freedom is spent", _list(pace(cells))),
        _section("Entropy on the way", "".join(page.figure(chart) for chart in charts)),
        _section("Reproduce", f"<pre><code>{page.text(command)}</code></pre>"),
        "</main>",
    ]
    html = page.document(title=title, body="\n".join(body), charts=charts, bundle=bundle())
    write_bytes(output, html.encode())
    return output


def write_results(cells: Sequence[Cell], output: Path, *, command: str) -> Path:
    """Writes the numbers as JSON, a line a cell: returns by seed; entropy and alpha as interquartile means; rounded."""
    head = json.dumps({"schema": 1, "experiment": "collapse", "command": command})[:-1]
    lines = ",\n".join(json.dumps(_json(cell), allow_nan=False) for cell in cells)
    write_bytes(output, f'{head}, "cells": [\n{lines}\n]}}\n'.encode())
    return output


def _json(cell: Cell) -> dict[str, Any]:
    def rounded(values: np.ndarray) -> Any:
        return [rounded(row) for row in values] if values.ndim > 1 else [plain(float(value)) for value in values]

    fields = {"env": cell.env, "law": cell.method, "steps": cell.steps, "solved": cell.solved}
    by_seed = {name: rounded(vars(cell)[name]) for name in ("returns", "evaluation_steps", "evaluations", "rows")}
    middle = {name: rounded(interquartile_mean(vars(cell)[name])) for name in ("entropy", "alpha")}
    return fields | {"seeds": cell.seeds} | by_seed | middle


def _about(cells: Sequence[Cell]) -> str:
    envs, laws = ({vars(cell)[name] for cell in cells} for name in ("env", "method"))
    seeds = {cell.seeds for cell in cells}
    return (
        f"{len(envs)} tasks, {len(laws)} laws, {min(seeds)} seeds each. A seed counts as solved by the mean of its "
        "last two evaluations."
    )


def _section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>{body}</section>" if body else ""


def _list(sentences: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{page.text(sentence)}</li>' for sentence in sentences)}</ul>" if sentences else ""


def _table(cells: Sequence[Cell]) -> str:
    """A row a law, a column a task: seeds solved, and the interquartile mean return with its interval."""
    envs, laws = (list(dict.fromkeys(vars(cell)[name] for cell in cells)) for name in ("env", "method"))
    by_name = {(cell.env, cell.method): cell for cell in cells}
    heads = "".join(f'<th scope="col">{page.text(env.removeprefix("entropax/"))}</th>' for env in envs)
    rows = [
        f"<tr><th>{page.text(law)}</th>{''.join(_entry(by_name.get((env, law))) for env in envs)}</tr>" for law in laws
    ]
    body = "".join(rows)
    table = f'<table class="grid"><thead><tr><th></th>{heads}</tr></thead><tbody>{body}</tbody></table>'
    note = (
        "Seeds solved at the end, and the step at which half of them first were; below, the interquartile mean return "
        "over seeds with its 95 % bootstrap interval."
    )
    return f'<div class="scroll">{table}</div><p class="note">{note}</p>'


def _entry(cell: Cell | None) -> str:
    if cell is None:
        return "<td></td>"
    solved, after, returns = cell.words()
    return f"<td><strong>{solved}</strong>{after}<br>{returns}</td>"


def _chart(cells: Sequence[Cell], env: str, index: int) -> Chart:
    """Entropy per dimension by law, interquartile mean over seeds with its interval."""
    rows = []
    for cell in (cell for cell in cells if cell.env == env):
        middle = interquartile_mean(cell.entropy)
        low, high = bootstrap_interval(cell.entropy, generator=np.random.default_rng(0))
        for step, value, below, above in zip(cell.rows, middle, low, high, strict=True):
            rows.append({"s": int(step), "v": plain(value), "l": plain(below), "h": plain(above), "law": cell.method})
    chart = alt.Chart(alt.InlineData(values=rows))
    x = alt.X("s:Q", title=None, scale=alt.Scale(nice=False, zero=False))
    laws = list(dict.fromkeys(cell.method for cell in cells))
    colours = [f"var(--run-{number % COLOURS})" for number in range(len(laws))]
    dashes = [[1, 0] if number < COLOURS else [5, 3] for number in range(len(laws))]
    legend = alt.Legend(orient="top", columns=2, symbolOpacity=1, symbolType="stroke", labelLimit=240, columnPadding=24)
    colour = alt.Color("law:N", title=None, legend=legend, scale=alt.Scale(domain=laws, range=colours))
    dash = alt.StrokeDash("law:N", title=None, legend=legend, scale=alt.Scale(domain=laws, range=dashes))
    layers = alt.layer(
        chart.mark_area(opacity=0.12).encode(x=x, y=alt.Y("l:Q", title="nats per dimension"), y2="h:Q", color=colour),
        chart.mark_line(strokeWidth=2).encode(x=x, y=alt.Y("v:Q"), color=colour, strokeDash=dash),
    )
    sized = layers.properties(width="container", height=240, background="transparent")
    caption = "Strong: interquartile mean over seeds; shaded: its 95 % bootstrap interval. By steps per seed."
    return Chart(f"entropy-{index}", f"Entropy: {env.removeprefix('entropax/')}", caption, sized.to_dict())
