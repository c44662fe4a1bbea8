"""Puts the page together and writes it."""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import vl_convert

from entropax.report import page
from entropax.report.charts import ALPHA, COLOURS, ENTROPY, RETURN, SMALL, Chart, heat_map, line_chart
from entropax.report.explain import Explained, explain
from entropax.report.pieces import COLOURS as PART_COLOURS
from entropax.report.pieces import pieces_chart
from entropax.report.read import Run, read_runs
from entropax.runs.atomic import write_bytes


def write(run_paths: Sequence[Path], output: Path | None, *, command: str) -> Path:
    """See `entropax.report.write_report`."""
    runs = read_runs(run_paths)
    found = Explained(runs[0].verdict)
    if len(runs) == 1:  # It takes seconds a run, and its parts are read one run at a time.
        found = explain(run_paths[0], runs[0].verdict, runs[0].series, runs[0].facts)
        runs = [replace(runs[0], verdict=found.verdict)]
    target = run_paths[0] / "report.html" if output is None else output
    write_bytes(target, render(runs, found, command=command).encode())
    return target


def render(runs: Sequence[Run], found: Explained, *, command: str) -> str:
    """The page as one string of HTML; what was found to move the entropy is that of a single run."""
    title = f"Entropax report: {runs[0].name}" if len(runs) == 1 else f"Entropax report: {len(runs)} runs"
    large = {plot.title: line_chart(plot, runs) for plot in (RETURN, ENTROPY, ALPHA)}
    heats = [heat_map(run, index) for index, run in enumerate(runs)]
    small = {plot.title: line_chart(plot, runs) for plot in SMALL}
    absent = [name for name, chart in (large | small).items() if chart is None]
    absent += [] if any(heats) else ["Sigma per action dimension"]
    legend = page.legend({run.name: f"var(--run-{index % COLOURS})" for index, run in enumerate(runs)})
    moved = pieces_chart(found.pieces)
    body = [
        page.header(title, runs),
        "<main>",
        page.verdicts(runs),
        _section("Return, entropy and temperature", legend, _figures(large.values())),
        _section("What moved the entropy", page.moved(found, PART_COLOURS), _figures([moved])),
        _section("Exploration per dimension", _figures(heats)),
        _section(
            "What else moves",
            legend,
            f'<div class="small">{_figures(small.values())}</div>' if any(small.values()) else "",
        ),
        page.missing(absent, found.notes),
        _section("Timeline", page.events(runs)),
        _section("Reproduce", page.reproduce(runs, command)),
        _section("Configuration", page.configuration(runs)),
        "</main>",
        "<footer><p>Steps are environment steps per seed. Metrics are explained in docs/metrics.md.</p></footer>",
    ]
    charts = [chart for chart in (*large.values(), moved, *heats, *small.values()) if chart is not None]
    return page.document(
        title=title,
        body="\n".join(body),
        charts=charts,
        bundle=bundle(),
    )


@functools.cache
def bundle() -> str:
    """The drawing library; making it takes a second or two."""
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")


def _figures(charts: Iterable[Chart | None]) -> str:
    return "".join(page.figure(chart) for chart in charts if chart is not None)


def _section(title: str, *parts: str) -> str:
    return f"<section><h2>{title}</h2>{''.join(parts)}</section>" if parts[-1] else ""
