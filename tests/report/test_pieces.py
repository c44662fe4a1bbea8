"""The chart of the parts: bars that stack to their sum, on the page of a single run that has them."""

import dataclasses
import json
import math
import re

import numpy as np
import pytest
from synthetic import write_run
from test_attribution_text import made

from entropax.diagnostics.changes import Part
from entropax.diagnostics.findings import Finding, Kind, Severity
from entropax.report import read_run, write
from entropax.report.attribution import NAMES, line
from entropax.report.explain import Explained, explain
from entropax.report.pieces import pieces_chart, stacked

PIECES = (
    made(alpha=(-0.2, -0.4), critic=(-0.1, -0.1), states=(0.3, 0.1), steps=(100, 200)),
    made(alpha=(-0.2, -0.2), remainder=(0.1, 0.1), steps=(200, 400)),
)


def test_bars_stack_away_from_zero_and_to_their_sum():
    change = PIECES[0].change()
    rows = {row["p"]: row for row in stacked(change)}
    assert list(rows) == list(NAMES.values())
    assert {(row["s"], row["e"]) for row in rows.values()} == {(100, 200)}
    assert [rows["state shift"][end] for end in ("l", "h")] == pytest.approx([0.0, 0.2])
    assert [rows["alpha"][end] for end in ("l", "h")] == pytest.approx([-0.3, 0.0])
    assert [rows["critic's landscape"][end] for end in ("l", "h")] == pytest.approx([-0.4, -0.3])
    assert sum(row["v"] for row in rows.values()) == pytest.approx(change.whole.value, abs=1e-4)


def test_a_part_that_is_not_finite_has_no_bar():
    names = [row["p"] for row in stacked(made(alpha=(math.nan, 0.0), critic=(0.1, 0.1)).change())]
    assert names == [name for part, name in NAMES.items() if part is not Part.ALPHA]


def test_the_line_is_the_whole_of_each_piece():
    chart = pieces_chart(PIECES)
    assert chart is not None
    (rule,) = [layer for layer in chart.spec["layer"] if layer["mark"]["type"] == "rule"]
    sums = chart.spec["datasets"][rule["data"]["name"]]
    np.testing.assert_allclose([row["v"] for row in sums], [-0.2, -0.1], atol=1e-5)
    assert "NaN" not in json.dumps(chart.spec, allow_nan=False)


def test_without_pieces_there_is_no_chart():
    assert pieces_chart(()) is None


def test_the_page_of_a_run_shows_what_moved_its_entropy_in_all_in_pieces_and_by_finding(tmp_path):
    run = read_run(write_run(tmp_path / "one", "healthy"))
    change = PIECES[1].change()
    finding = Finding(
        "premature-collapse", Kind.COLLAPSED, Severity.CRITICAL, (3,), (200, 400), {}, "entropy/nats",
        "It is gone.", ("that",), ("this",), change,
    )  # fmt: skip
    judged = dataclasses.replace(run.verdict, findings=(finding,))
    found = Explained(judged, PIECES[0], PIECES)
    html = write.render([dataclasses.replace(run, verdict=judged)], found, command="entropax report one")
    text = re.sub(r"<(style|script)\b.*?</\1>", "", html, flags=re.S).replace("&#x27;", "'")
    assert text.index(">Temperature<") < text.index(">What moved the entropy<") < text.index('id="chart-entropy-parts"')
    assert f"In all, {line(PIECES[0].change())}. The largest part is alpha" in text
    assert f"What moved the entropy: {line(change)}." in text
    for name in NAMES.values():
        assert f"</span>{name}</li>" in text


def test_a_run_without_snapshots_has_neither_section_nor_note(tmp_path):
    path = write_run(tmp_path / "one", "healthy")
    run = read_run(path)
    found = explain(path, run.verdict, run.series, run.facts)
    assert found == Explained(run.verdict)
    assert "What moved the entropy" not in write.render([run], found, command="entropax report one")


def test_why_nothing_is_attributed_is_said_on_the_page(tmp_path):
    run = read_run(write_run(tmp_path / "one", "healthy"))
    html = write.render([run], Explained(run.verdict, notes=("The <reason>.",)), command="entropax report one")
    assert '<p class="note">The &lt;reason&gt;.</p>' in html
