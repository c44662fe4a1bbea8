"""What an experiment found, and its files: an offline page, a page for the repository with figures, and the numbers."""

import dataclasses
import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import vl_convert
from scipy.stats import mannwhitneyu

from entropax.diagnostics.statistics import bootstrap_interval, interquartile_mean
from entropax.diagnostics.window import number
from entropax.experiments.cells import Cell
from entropax.report import page
from entropax.report.charts import Chart
from entropax.report.data import plain
from entropax.report.write import bundle
from entropax.runs.atomic import write_bytes


@dataclasses.dataclass(frozen=True)
class Table:
    """Text in rows, the first entry of each naming it."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str


@dataclasses.dataclass(frozen=True)
class Findings:
    """All that an experiment's pages hold.

    Attributes:
        name: the word after `entropax reproduce`.
        title: the question.
        about: what was run: tasks, steps, seeds, networks, deviations.
        sentences: the answer, every one computed from the cells.
        tables: and
        charts: what shows it.
        numbers: JSON, one entry a cell.
    """

    name: str
    title: str
    about: tuple[str, ...]
    sentences: tuple[str, ...]
    tables: tuple[Table, ...]
    charts: tuple[Chart, ...]
    numbers: tuple[Mapping[str, Any], ...]


def write(findings: Findings, root: Path, *, command: str) -> list[Path]:
    """Writes NAME.html, NAME.md with a NAME-KEY.svg a chart, and NAME.json; returns their paths.

    The Markdown page, its figures and the JSON are what `docs/results/` holds of an experiment.
    """
    head = json.dumps({"schema": 1, "experiment": findings.name, "command": command})[:-1]
    lines = ",\n".join(json.dumps(entry, allow_nan=False) for entry in findings.numbers)
    files = {
        f"{findings.name}.html": _html(findings, command),
        f"{findings.name}.json": f'{head}, "cells": [\n{lines}\n]}}\n',
        f"{findings.name}.md": _markdown(findings, command),
        **{_figure(findings, chart): _svg(chart) for chart in findings.charts},
    }
    root.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_bytes(root / name, content.encode())
    return [root / name for name in files]


def numbers_of(cell: Cell, **more: Any) -> dict[str, Any]:
    """A cell as JSON: returns and evaluations by seed, rounded."""
    return {
        "env": cell.env,
        "method": cell.method,
        "steps": cell.steps,
        "good": plain(cell.solved),
        "returns": rounded(cell.returns),
        "evaluation_steps": rounded(cell.evaluation_steps),
        "evaluations": rounded(cell.evaluations),
        **{name: rounded(value) if isinstance(value, np.ndarray) else value for name, value in more.items()},
    }


def rounded(values: np.ndarray) -> Any:
    """Nested lists of five significant digits, None where not finite."""
    return [rounded(row) if np.ndim(row) else plain(float(row)) for row in values]


def middle_words(values: np.ndarray) -> str:
    """An interquartile mean over seeds with its 95 % bootstrap interval: `-164 [-192, -130]`."""
    low, high = bootstrap_interval(values, generator=np.random.default_rng(0))
    interval = f" [{number(float(low))}, {number(float(high))}]" if np.isfinite(low) else ""
    return f"{number(float(interquartile_mean(values)))}{interval}"


def rank_chance(values: np.ndarray, others: np.ndarray) -> float:
    """Mann and Whitney's p that two groups of seeds rank alike; 1 where all are the same, where SciPy may give NaN."""
    alike = np.ptp(np.concatenate([values, others])) == 0
    return 1.0 if alike else float(mannwhitneyu(values, others).pvalue)


def holm(chances: Sequence[float]) -> list[float]:
    """Adjusts p values for their number (Holm 1979), so that one false claim in a list is as rare as each alone.

    Example:
        >>> holm([0.01, 0.5, 0.02])
        [0.03, 0.5, 0.04]
    """
    order = np.argsort(chances)
    scaled = np.asarray(chances)[order] * np.arange(len(chances), 0, -1)
    adjusted = np.empty(len(chances))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return adjusted.tolist()


def gap_words(values: np.ndarray, others: np.ndarray, chance: float | None = None) -> str:
    """Whether one group of seeds is higher than another, with the difference of interquartile means and its interval.

    A bootstrap of few seeds is too sure of itself: two against two are apart by chance one time in three. So *higher*
    and *lower* stand only where Mann and Whitney's rank test of the seeds also gives p < 0.05.

    Args:
        values: Of the one group, by seed.
        others: Of the other.
        chance: The p value that decides, where it is one of several that were adjusted for their number.
    """
    generator = np.random.default_rng(0)
    drawn = [group[generator.integers(len(group), size=(2000, len(group)))] for group in (values, others)]
    low, high = np.quantile(interquartile_mean(drawn[0]) - interquartile_mean(drawn[1]), [0.025, 0.975])
    chance = rank_chance(values, others) if chance is None else chance
    sure = chance < 0.05
    word = "higher" if sure and low > 0 else "lower" if sure and high < 0 else "not clearly higher or lower"
    difference = float(interquartile_mean(values) - interquartile_mean(others))
    interval = f"95 % [{number(float(low))}, {number(float(high))}]"
    return f"{word} (difference {number(difference)}, {interval}, rank test p = {number(chance)})"


def undone_words(skipped: Iterable[np.ndarray]) -> list[str]:
    """That updates were not finite, where some were; `skipped` are counts by seed, an array a member."""
    count = int(sum(one.sum() for one in skipped))
    return [f"{count} updates were not finite and undone."] if count else []


def _html(findings: Findings, command: str) -> str:
    def listed(sentences: Sequence[str]) -> str:
        return f"<ul>{''.join(f'<li>{page.text(sentence)}</li>' for sentence in sentences)}</ul>"

    def section(title: str, body: str) -> str:
        return f"<section><h2>{title}</h2>{body}</section>"

    tables = "".join(map(_html_table, findings.tables))
    body = [
        f"<header><h1>{page.text(findings.title)}</h1></header><main>",
        section("What the numbers say", listed(findings.sentences)),
        section("Figures", "".join(map(page.figure, findings.charts))),
        section("Tables", tables),
        section("What was run", listed(findings.about)),
        section("Reproduce", f"<pre><code>{page.text(command)}</code></pre>"),
        "</main>",
    ]
    return page.document(title=findings.title, body="\n".join(body), charts=findings.charts, bundle=bundle())


def _html_table(table: Table) -> str:
    heads = "".join(f'<th scope="col">{page.text(head)}</th>' for head in table.heads)
    rows = "".join(
        f"<tr><th>{page.text(row[0])}</th>{''.join(f'<td>{page.text(entry)}</td>' for entry in row[1:])}</tr>"
        for row in table.rows
    )
    grid = f'<table class="grid"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    return (
        f'<h3>{page.text(table.title)}</h3><div class="scroll">{grid}</div><p class="note">{page.text(table.note)}</p>'
    )


def _markdown(findings: Findings, command: str) -> str:
    def listed(sentences: Sequence[str]) -> str:
        return "\n".join(f"* {sentence}" for sentence in sentences)

    def grid(table: Table) -> str:
        lines = [f"| {' | '.join(row)} |" for row in (table.heads, ("---",) * len(table.heads), *table.rows)]
        return "\n".join([f"**{table.title}**", "", *lines, "", table.note])

    figures = [f"![{chart.title}]({_figure(findings, chart)})\n\n{chart.caption}" for chart in findings.charts]
    parts = [
        f"# {findings.title}",
        f"```\n{command}\n```",
        "Every sentence here is computed from the runs; all returns by seed: "
        f"[{findings.name}.json]({findings.name}.json).",
        "## What the numbers say",
        listed(findings.sentences),
        *figures,
        *map(grid, findings.tables),
        "## What was run",
        listed(findings.about),
    ]
    return "\n\n".join(parts) + "\n"


def _figure(findings: Findings, chart: Chart) -> str:
    return f"{findings.name}-{chart.key}.svg"


@functools.cache
def _light() -> Mapping[str, str]:
    """The style sheet's colours on a light ground, which come first in it."""
    style = resources.files("entropax.report").joinpath("page.css").read_text("utf-8")
    return dict(re.findall(r"(--[\w-]+): (#\w+);", style.partition("@media")[0]))


def _svg(chart: Chart) -> str:
    """The chart as a picture that stands alone: the page's variables become colours."""
    text = re.sub(r"var\((--[\w-]+)\)", lambda found: _light()[found[1]], json.dumps(chart.spec))
    sized = json.loads(text) | {"width": 640, "background": "white", "title": chart.title}
    return vl_convert.vegalite_to_svg(sized)
