"""The page and the numbers of a run's landscapes."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from entropax.algorithms.landscapes import AboveLowest, AbstractSimilarity, Correlation
from entropax.algorithms.sac_adaent import SACAdaEnt
from entropax.diagnostics.landscape import FLAT
from entropax.diagnostics.window import number
from entropax.loops.run import Run
from entropax.report import page
from entropax.report.charts import Chart
from entropax.report.data import plain
from entropax.report.landscape import Landscape, States
from entropax.report.landscape_charts import charts, legend
from entropax.report.write import bundle
from entropax.types import continuous

_LISTED = 10
"""States in the list of those whose landscapes are least alike."""


def render(run: Run, judged_by: SACAdaEnt, views: Sequence[Landscape], *, command: str) -> str:
    """The page as one string of HTML."""
    title = f"Landscape: {run.path.resolve().name}"
    bounds = continuous(run.spec)
    made = [charts(view, bounds) for view in views]
    manifest = run.manifest
    about = f"{manifest.algorithm['type']} on {manifest.environment['id']}, after {views[0].step:,} environment steps"
    body = [
        f'<header><h1>{page.text(title)}</h1><p class="lead">{page.text(about)}</p></header><main>',
        _selector(views),
        *(_section(view, mine, judged_by, len(views) > 1) for view, mine in zip(views, made, strict=True)),
        f"<section><h2>Reproduce</h2><pre><code>{page.text(command)}</code></pre></section>",
        "</main>",
        "<footer><p>Values in reward, actions in [-1, 1]. How to read this page: docs/landscape.md.</p></footer>",
    ]
    every = [chart for mine in made for chart in mine]
    return page.document(title=title, body="\n".join(body), charts=every, bundle=bundle())


def as_json(run: Run, judged_by: SACAdaEnt, views: Sequence[Landscape], *, command: str) -> str:
    """The numbers behind the page."""
    content = {
        "schema": 1,
        "command": command,
        "run": run.path.resolve().name,
        "algorithm": run.manifest.algorithm["type"],
        "environment": run.manifest.environment["id"],
        "samples": judged_by.samples,
        "measure": type(judged_by.similarity).__name__,
        "threshold": float(judged_by.threshold),
        "seeds": [_numbers(view, float(judged_by.threshold)) for view in views],
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _numbers(view: Landscape, threshold: float) -> dict[str, Any]:
    states = view.states
    return {
        "seed": view.seed,
        "step": view.step,
        "state": {"index": states.index, "observation": _list(states.observation), "flat": states.flat},
        "similarity": plain(states.similarity),
        "rank": states.rank,
        "states": {
            "stored": len(states.observations),
            "flat": int(np.sum(states.judged.flat)),
            "below_threshold": states.below(threshold),
        },
        "alpha": plain(view.alpha),
        "cost": plain(view.cost),
        "mode": _list(view.mode),
        "dimensions": list(view.dimensions),
        "actions": _list(view.centres),
        "soft": _list(view.soft),
        "plain": _list(view.plain),
        "best": {"soft": _list(view.best(view.soft)), "plain": _list(view.best(view.plain))},
        "drawn": {"policy": _list(view.drawn), "soft": _list(view.drawn_soft)},
    }


def _list(values: np.ndarray) -> list[Any]:
    return [plain(float(one)) if np.ndim(one) == 0 else _list(one) for one in values]


def _selector(views: Sequence[Landscape]) -> str:
    """Which seed to show; nothing where there is one."""
    if len(views) < 2:
        return ""
    options = "".join(f'<option value="{view.seed}">seed {view.seed}</option>' for view in views)
    return f'<p class="choices"><label>Show <select class="choose">{options}</select></label></p>'


def _section(view: Landscape, made: Sequence[Chart], judged_by: SACAdaEnt, several: bool) -> str:
    states, title = view.states, "given" if view.states.index is None else f"{view.states.index}"
    seed = f", seed {view.seed}" if several else ""
    figures = "".join(map(page.figure, made))
    drawn = f'<div class="small">{figures}</div>' if len(made) > 1 else figures
    return (
        f'<section data-choice="{view.seed}"><h2>State {title}{seed}</h2>'
        f"<p>{page.text(_sentence(view))}</p>{_figures(view, judged_by)}"
        f'<p class="note">{page.text(_about(view, judged_by))}</p>'
        f"{page.legend(legend(view))}{drawn}"
        f"<h2>Where the landscapes are least alike{page.text(seed)}</h2>{_table(states)}</section>"
    )


def lines(judged_by: SACAdaEnt, views: Sequence[Landscape]) -> list[str]:
    """Two lines a seed for a terminal: which state, and what it shows."""
    found = []
    for view in views:
        states = view.states
        name = "the given state" if states.index is None else f"state {states.index}"
        flat = ", where a landscape is flat" if states.flat else ""
        threshold, kept = float(judged_by.threshold), int(np.sum(states.kept))
        found.append(
            f"seed {view.seed}, step {view.step}: {name}{flat}, c(s) {number(states.similarity)}, rank {states.rank} "
            f"of {kept} states that are not flat, {states.below(threshold)} of them below {threshold:g}"
        )
        found.append(f"  {_sentence(view)}")
    return found


def _sentence(view: Landscape) -> str:
    """What the charts show, computed."""
    bests = (view.best(one) for one in (view.soft, view.plain))
    soft, plain_best = (", ".join(f"{one:.2f}" for one in best) for best in bests)
    if len(view.dimensions) > 1:
        soft, plain_best = f"({soft})", f"({plain_best})"
    if view.states.flat:
        return (
            f"Over the policy's actions a landscape is flat: its values differ by less than {FLAT:g} alpha, so that "
            "which action it ranks first means little."
        )
    if view.cost == 0:
        return f"Soft and plain value rank the same action first, {soft}: here entropy does not mislead."
    return (
        f"The soft value ranks the action {soft} first, the plain value {plain_best}. Following the soft one costs "
        f"{number(view.cost)} of the plain value, which spans {number(float(np.ptp(view.plain)))} here."
    )


def _figures(view: Landscape, judged_by: SACAdaEnt) -> str:
    states = view.states
    kept = int(np.sum(states.kept))
    cells = [
        (
            "similarity c(s)",
            number(states.similarity),
            "a landscape is flat" if states.flat else _scale(judged_by.similarity),
        ),
        ("rank of its c(s)", f"{states.rank}", f"of {kept} states, 1 is the least alike"),
        (
            f"states below {judged_by.threshold:g}",
            f"{states.below(float(judged_by.threshold))}",
            "SAC-AdaEnt's threshold",
        ),
        ("alpha", number(view.alpha), "reward per nat"),
        ("cost of the soft choice", number(view.cost), "plain value, reward"),
    ]
    items = "".join(
        f"<div><dt>{page.text(a)}</dt><dd>{page.text(b)}<small>{page.text(c)}</small></dd></div>" for a, b, c in cells
    )
    return f'<dl class="numbers">{items}</dl>'


def _scale(similarity: AbstractSimilarity) -> str:
    """What its numbers mean; the published one needs no name."""
    lowest = -1 if isinstance(similarity, Correlation) else 0
    name = "" if isinstance(similarity, AboveLowest) else f"{type(similarity).__name__}, "
    return f"{name}1: alike, {lowest}: opposed"


def _about(view: Landscape, judged_by: SACAdaEnt) -> str:
    states = view.states
    observation = ", ".join(number(float(one)) for one in states.observation)
    flat = int(np.sum(states.judged.flat))
    held = [one for one in range(len(view.mode)) if one not in view.dimensions]
    at = ", ".join(f"{one}: {view.mode[one]:.2f}" for one in held)
    return (
        f"Observation ({observation}). c(s) is measured on {judged_by.samples} actions of the policy. Of "
        f"{len(states.observations)} stored states, {flat} are left out, where a landscape is flat: over the policy's "
        f"actions its values differ by less than a tenth of alpha."
        + (f" Actions held at the policy's mode: {at}." if at else "")
    )


def _table(states: States) -> str:
    """The states of lowest c(s), equal observations on one line."""
    order = np.argsort(np.where(states.judged.flat, np.inf, states.judged.similarity), kind="stable")
    order = order[: int(np.sum(states.kept))]
    _, first, counts = np.unique(states.observations[order], axis=0, return_index=True, return_counts=True)
    ranked = sorted(zip(first.tolist(), counts.tolist(), strict=True))[:_LISTED]
    heads = ("state", "c(s)", "soft values span", "plain values span", "times stored", "observation")
    head = "".join(f'<th scope="col">{one}</th>' for one in heads)
    rows = []
    for place, count in ranked:
        index = order[place]
        spread = (float(one[index]) for one in states.judged.spread)
        observation = ", ".join(number(float(one)) for one in states.observations[index])
        values = (number(float(states.judged.similarity[index])), *map(number, spread), f"{count}", observation)
        rows.append(f"<tr><th>{index}</th>{''.join(f'<td>{page.text(one)}</td>' for one in values)}</tr>")
    note = "Spans are over the policy's actions, in reward. Look at another with --state and its number."
    table = f'<table class="grid"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    return f'<div class="scroll">{table}</div><p class="note">{note}</p>'
