"""The page's HTML: what is said in words and tables. Everything that came from a run is escaped."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

from entropax.diagnostics.changes import Part
from entropax.diagnostics.findings import Finding, Kind
from entropax.diagnostics.window import ENOUGH_ROWS, number
from entropax.report.attribution import NAMES, line, sentence
from entropax.report.charts import Chart
from entropax.report.explain import Explained
from entropax.report.read import Run
from entropax.runs import RunEvent

# No source of anything but this file: a request would be an error in the console, and a test looks there.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
_TONES = {
    Kind.HEALTHY: ("good", "\N{CHECK MARK}"),
    Kind.TOO_EARLY: ("none", "\N{HORIZONTAL ELLIPSIS}"),
    Kind.TARGET_NOT_REACHED: ("poor", "\N{NOT EQUAL TO}"),
    Kind.MISLEADING: ("poor", "?"),
    Kind.COLLAPSED: ("bad", "\N{DOWNWARDS ARROW}"),
    Kind.EXPLODING: ("bad", "\N{UPWARDS ARROW}"),
}
_ALERTS = ("nonfinite", "interrupted", "finding")


def text(value: Any) -> str:
    """Any value as HTML text or attribute."""
    return escape(str(value), quote=True)


def document(*, title: str, body: str, charts: Sequence[Chart], bundle: str) -> str:
    """The whole file: style, body, the charts as JSON, the drawing library and the script that uses it."""
    # In a script element only "<" can end the data early.
    specs = json.dumps({chart.key: chart.spec for chart in charts}, allow_nan=False, separators=(",", ":"))
    data = specs.replace("<", "\\u003c")
    library = bundle.replace("</script", "<\\/script")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{text(title)}</title>
<link rel="icon" href="data:,">
<style>
{_asset("page.css")}</style>
</head>
<body>
{body}
<script type="application/json" id="charts">{data}</script>
<script>{library}</script>
<script>
{_asset("page.js")}</script>
</body>
</html>
"""


def _asset(name: str) -> str:
    return resources.files("entropax.report").joinpath(name).read_text("utf-8")


def header(title: str, runs: Sequence[Run]) -> str:
    """Title and what was run, on one line."""
    first = runs[0].manifest
    seeds = f"{len(first.seeds)} seed" + ("s" if len(first.seeds) > 1 else "")
    created = first.created[:16].replace("T", " ")
    about = f"{first.algorithm.get('type', '')} on {first.environment.get('id', '')}, {seeds}, {created}"
    lead = about if len(runs) == 1 else f"{len(runs)} runs compared"
    return f'<header><h1>{text(title)}</h1><p class="lead">{text(lead)}</p></header>'


def verdicts(runs: Sequence[Run]) -> str:
    """One card a run: badge, sentence, numbers, and every finding with evidence and remedy."""
    return f'<section class="verdicts" aria-label="Verdict">{"".join(map(_verdict, runs))}</section>'


def _verdict(run: Run) -> str:
    judged = run.verdict
    tone, sign = _TONES[judged.kind]
    name = f"<h3>{text(run.name)}</h3>"
    badge = f'<span class="badge">{sign} {text(judged.kind.value)}</span>'
    numbers = _numbers(
        [
            ("return", judged.numbers["return"], _interval(judged.numbers)),
            ("entropy in nats", judged.numbers["entropy"], _target(judged.numbers)),
            ("sigma in [-1, 1]", judged.numbers["sigma"], ""),
            ("alpha", judged.numbers["alpha"], ""),
        ]
    )
    return (
        f'<article class="verdict {tone}"><div class="head">{badge}{name}</div>'
        f"<p>{text(_explain(run))}</p>{numbers}"
        '<p class="note">Interquartile mean over seeds, last quarter of the run.</p>'
        f"{''.join(map(_finding, judged.findings))}</article>"
    )


def _explain(run: Run) -> str:
    judged = run.verdict
    seeds, concerned = len(run.facts.seeds), judged.counts[judged.kind]
    who = (
        f"{concerned} of {seeds} seeds" if concerned < seeds else f"all {seeds} seeds" if seeds > 1 else "the one seed"
    )
    after = f"in {who}, after {judged.steps:,} environment steps per seed."
    if judged.kind is Kind.TOO_EARLY:
        return f"The entropy was measured fewer than {ENOUGH_ROWS} times {after}"
    if judged.kind is not Kind.HEALTHY:
        return f"{judged.kind.value.capitalize()} {after}"
    aim = "holds its target" if math.isfinite(judged.numbers["target"]) else "keeps its range, with no target to hold,"
    return f"The entropy {aim} and nothing diverges {after}"


def _interval(numbers: Mapping[str, float]) -> str:
    if not math.isfinite(numbers["return_low"]):
        return ""
    return f"95 % [{number(numbers['return_low'])}, {number(numbers['return_high'])}]"


def _target(numbers: Mapping[str, float]) -> str:
    if not math.isfinite(numbers["entropy"]):
        return ""
    return f"target {number(numbers['target'])}" if math.isfinite(numbers["target"]) else "no target"


def _numbers(entries: Iterable[tuple[str, float, str]]) -> str:
    cells = [
        f"<div><dt>{text(name)}</dt><dd>{number(value)}{f'<small>{text(more)}</small>' if more else ''}</dd></div>"
        for name, value, more in entries
    ]
    return f'<dl class="numbers">{"".join(cells)}</dl>'


def _finding(finding: Finding) -> str:
    seeds = ", ".join(map(str, finding.seeds))
    causes = "".join(f"<li>{text(cause)}</li>" for cause in finding.causes)
    remedies = "".join(f"<li>{text(remedy)}</li>" for remedy in finding.remedy)
    first, last = finding.steps
    moved = "" if finding.change is None else f"<p>What moved the entropy: {text(line(finding.change))}.</p>"
    return (
        f'<div class="finding"><p><strong>{text(finding.explanation)}</strong></p>'
        f'<p class="note">{text(finding.severity.value.capitalize())}, rule {text(finding.rule)}, '
        f"steps {first:,} to {last:,}, seeds {seeds}.</p>"
        f"{_numbers((name, value, '') for name, value in finding.numbers.items())}"
        f"{moved}<p>Likely causes, in order:</p><ol>{causes}</ol>"
        f"<p>What to change:</p><ul>{remedies}</ul></div>"
    )


def legend(colours: Mapping[str, str]) -> str:
    """Names colours, in CSS; empty where there are fewer than two to tell apart."""
    if len(colours) < 2:
        return ""
    items = [
        f'<li><span class="swatch" style="background:{colour}"></span>{text(name)}</li>'
        for name, colour in colours.items()
    ]
    return f'<ul class="legend">{"".join(items)}</ul>'


def moved(found: Explained, colours: Mapping[Part, str]) -> str:
    """The change of entropy over the whole run in words, and the names of the parts' colours; empty where unknown."""
    if found.attribution is None:
        return ""
    change = found.attribution.change()
    names = {NAMES[part]: colour for part, colour in colours.items()}
    return f"<p>In all, {text(line(change))}. {text(sentence(change))}</p>{legend(names)}"


def figure(chart: Chart) -> str:
    """An empty figure that the script fills."""
    return (
        f'<figure><h3>{text(chart.title)}</h3><div class="plot" id="chart-{chart.key}" role="img" '
        f'aria-label="{text(chart.title)}"></div><figcaption>{text(chart.caption)}</figcaption></figure>'
    )


def missing(titles: Sequence[str], notes: Sequence[str]) -> str:
    """Says which charts have no data, and why that may be; and what else is not there."""
    why = "never logged, or never finite: the run is short, still warming up, or its settings do not produce them"
    lines = [f"Not shown: {', '.join(titles)} ({why})."] if titles else []
    return "".join(f'<p class="note">{text(one)}</p>' for one in (*lines, *notes))


def events(runs: Sequence[Run]) -> str:
    """What happened when; neighbouring checkpoints share a line, and rows that were not finite."""
    parts = []
    for run in runs:
        lines = "".join(map(_event, _condensed(run.events))) or '<li class="note">No event was logged.</li>'
        title = f"<h3>{text(run.name)}</h3>" if len(runs) > 1 else ""
        parts.append(f'{title}<ol class="events">{lines}</ol>')
    return "".join(parts)


def _condensed(logged: Sequence[RunEvent]) -> list[tuple[RunEvent, int]]:
    """Events with how many of the same name in a row they stand for; the last one is the one shown."""
    found: list[tuple[RunEvent, int]] = []
    for event in logged:
        again = found and found[-1][0].name == event.name and event.name in ("checkpoint", "nonfinite")
        found[-1:] = [(event, found[-1][1] + 1)] if again else [*found[-1:], (event, 1)]
    return found


def _event(entry: tuple[RunEvent, int]) -> str:
    event, count = entry
    name = (
        event.name.replace("_", " ") if count == 1 else f"{event.name.replace('_', ' ')} ({count} in a row, the last)"
    )
    tone = ' class="alert"' if event.name in _ALERTS else ""
    when = f"step {event.step:,}, {_clock(event.seconds)}"
    return f"<li{tone}><time>{when}</time> <strong>{text(name)}</strong> {text(event.message)}</li>"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def configuration(runs: Sequence[Run]) -> str:
    """Every setting, one column a run; rows where runs differ are marked."""
    flat = [_flatten(_settings(run)) for run in runs]
    paths = list(dict.fromkeys(path for settings in flat for path in settings))
    rows, group = [], ""
    for path in paths:
        parts = path.split(".")
        if parts[0] != group:
            group = parts[0]
            rows.append(f'<tr class="group"><th colspan="{len(runs) + 1}">{text(group)}</th></tr>')
        values = [settings.get(path, "") for settings in flat]
        tone = ' class="differs"' if len(set(values)) > 1 else ""
        cells = "".join(f"<td>{text(value)}</td>" for value in values)
        rows.append(f"<tr{tone}><th>{text('.'.join(parts[1:]) or group)}</th>{cells}</tr>")
    heads = "".join(f'<th scope="col">{text(run.name)}</th>' for run in runs)
    head = f"<thead><tr><th></th>{heads}</tr></thead>" if len(runs) > 1 else ""
    return f'<div class="scroll"><table>{head}<tbody>{"".join(rows)}</tbody></table></div>'


def _settings(run: Run) -> dict[str, Any]:
    manifest = run.manifest
    return {
        "algorithm": manifest.algorithm,
        "environment": {**manifest.environment, "spec": manifest.spec},
        "training": {**manifest.training, "seeds": ", ".join(map(str, manifest.seeds))},
        **({} if manifest.exploration is None else {"exploration": manifest.exploration}),
        "versions": {**manifest.versions, "commit": manifest.commit or "none", "created": manifest.created},
    }


def _flatten(value: Any, path: str = "") -> dict[str, str]:
    """Nested configuration as `a.b.c: value`, in its order; a module's type stands at its own path."""
    if not isinstance(value, Mapping):
        return {path: json.dumps(value) if isinstance(value, list | bool) or value is None else str(value)}
    found: dict[str, str] = {}
    for key, item in value.items():
        below = path if key == "type" and path.count(".") else f"{path}.{key}" if path else str(key)
        found |= _flatten(item, below)
    return found


def reproduce(runs: Sequence[Run], command: str) -> str:
    """The commands that made the runs and this page."""
    made = "".join(f"<pre><code>{text(run.manifest.command)}</code></pre>" for run in runs)
    return f"{made}<p>This page:</p><pre><code>{text(command)}</code></pre>"
