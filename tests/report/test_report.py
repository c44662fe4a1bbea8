"""What the page says, without a browser: verdict, numbers, escaping, what is missing, and that it is written whole."""

import json
import math
import re
import subprocess
import sys

import numpy as np
import pytest
from synthetic import write_run

from entropax.diagnostics.findings import Kind
from entropax.diagnostics.window import Series
from entropax.errors import EntropaxError
from entropax.report import read_run, write_report
from entropax.report.data import heat_rows, middle_rows, points_per_series, seed_rows, thin

COMMAND = "entropax report runs/one"
VERDICTS = {
    "healthy": Kind.HEALTHY,
    "collapsed": Kind.COLLAPSED,
    "exploding": Kind.EXPLODING,
    "missed": Kind.TARGET_NOT_REACHED,
}


def specs(html):
    """The charts' specifications by key."""
    return json.loads(re.search(r'<script type="application/json" id="charts">(.*?)</script>', html, re.S)[1])


def visible(html):
    """The page without styles and scripts."""
    return re.sub(r"<(style|script)\b.*?</\1>", "", html, flags=re.S)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = write_run(tmp_path_factory.mktemp("page") / "one", "healthy")
    return write_report([path], command=COMMAND).read_text("utf-8")


@pytest.mark.parametrize("case", VERDICTS)
def test_each_case_has_its_verdict(tmp_path, case):
    judged = read_run(write_run(tmp_path / case, case)).verdict
    assert judged.kind is VERDICTS[case]
    assert judged.counts == {VERDICTS[case]: 4}


@pytest.mark.parametrize(
    ("env", "length"), [("entropax/DeepSea10-v0", 10), ("entropax/Pendulum-v0", None), ("Hopper-v5", None)]
)
def test_the_length_of_a_task_is_known_where_it_is_over_by_itself(tmp_path, env, length):
    path = write_run(tmp_path / "run", "healthy", rows=0)
    manifest = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps(manifest | {"environment": manifest["environment"] | {"id": env}}))
    known = read_run(path).facts.task_length
    assert known == length or (length is None and math.isnan(known))


def test_the_verdict_comes_first(page):
    text = visible(page)
    order = [
        "healthy</span>",
        "chart-rollout-ep-rew-mean",
        "chart-entropy-nats",
        "chart-train-ent-coef",
        "chart-sigma-0",
    ]
    order += ["chart-train-q-mean", ">Timeline<", ">Reproduce<", ">Configuration<"]
    places = [text.index(mark) for mark in order]
    assert places == sorted(places)


def test_every_figure_has_a_chart_and_every_chart_a_figure(page):
    figures = re.findall(r'class="plot" id="chart-([a-z0-9-]+)"', page)
    assert len(figures) == 13
    assert sorted(figures) == sorted(specs(page))


def test_nothing_points_outside_the_file(page):
    text = visible(page)
    assert re.findall(r'(?:src|href)="(?!data:)', text) == []
    assert "@import" not in page
    assert "default-src 'none'" in page
    assert "unsafe-eval" not in page.split("<body>")[0]


def test_what_came_from_the_run_is_escaped(page):
    text = visible(page)
    assert "&lt;b&gt;&amp;&quot;quoted&quot;&lt;/b&gt;&lt;/script&gt;" in text
    assert "<b>" not in text
    assert "from &lt;step_000025000&gt; &amp; on" in text


def test_a_folder_name_cannot_break_out(tmp_path):
    path = write_run(tmp_path / "<img src=x>&'\"", "healthy", rows=5)
    html = write_report([path], command=COMMAND).read_text("utf-8")
    assert "<img" not in html.split("<script>")[0]
    assert html.count("</script>") == 3


@pytest.mark.slow
def test_the_page_is_small_enough_with_many_seeds(tmp_path):
    path = write_run(tmp_path / "many", "healthy", rows=400, seeds=16)
    assert write_report([path], command=COMMAND).stat().st_size < 3_000_000


def test_configuration_commands_versions_and_seeds_are_there(page):
    text = visible(page)
    for shown in ("temperature.learning_rate", "0.0003", "[-2.0, -2.0, -2.0]", "0, 1, 2, 3", "0.10.0", COMMAND):
        assert shown in text


def test_the_entropy_chart_is_per_dimension(page):
    layers = specs(page)["entropy-nats"]
    values = [row["v"] for rows in layers["datasets"].values() for row in rows if "k" in row]
    assert -1.2 < min(values) < -0.9
    assert max(values) < 0.75


def test_a_run_without_any_row_says_what_is_missing(tmp_path):
    html = write_report([write_run(tmp_path / "none", "healthy", rows=0)], command=COMMAND).read_text("utf-8")
    assert "too early to say</span>" in html
    assert "Not shown: Return, Entropy against its target, Temperature" in html
    assert specs(html) == {}


def test_a_run_of_one_row_draws_points(tmp_path):
    html = write_report([write_run(tmp_path / "one", "healthy", rows=1)], command=COMMAND).read_text("utf-8")
    assert "Not shown: Return, Evaluation, Sigma per action dimension" in html
    marks = [layer["mark"]["type"] for layer in specs(html)["train-ent-coef"]["layer"]]
    assert marks[-1] == "point"


def test_runs_of_one_row_draw_points_beside_runs_that_draw_lines(tmp_path):
    paths = [write_run(tmp_path / str(rows), "healthy", rows=rows) for rows in (1, 2)]
    drawn = specs(write_report(paths, tmp_path / "all.html", command=COMMAND).read_text("utf-8"))["train-ent-coef"]
    *_, hovered, dots = drawn["layer"]
    assert (hovered["mark"]["type"], dots["mark"]["type"]) == ("point", "point")
    assert [row["r"] for row in drawn["datasets"][dots["data"]["name"]]] == ["1"]
    lines = specs(write_report(paths[1:], tmp_path / "two.html", command=COMMAND).read_text("utf-8"))["train-ent-coef"]
    assert [layer["mark"]["type"] for layer in lines["layer"]].count("point") == 1, "seen under the pointer alone"


def test_a_run_that_has_not_logged_yet_still_has_a_page(tmp_path):
    path = write_run(tmp_path / "bare", "healthy", rows=0)
    (path / "metrics.jsonl").unlink()
    assert "No event was logged." in write_report([path], command=COMMAND).read_text("utf-8")


def test_several_runs_share_a_page(tmp_path):
    paths = [write_run(tmp_path / place / "run", case) for place, case in (("a", "healthy"), ("b", "collapsed"))]
    output = tmp_path / "both.html"
    assert write_report(paths, output, command=COMMAND) == output
    html = output.read_text("utf-8")
    assert html.count('<article class="verdict') == 2
    assert "run (2)" in html
    names = {row["r"] for rows in specs(html)["train-ent-coef"]["datasets"].values() for row in rows}
    assert names == {"run", "run (2)"}


def test_an_old_page_survives_a_failed_one(tmp_path):
    path = write_run(tmp_path / "run", "healthy", rows=5)
    (path / "report.html").write_text("old")
    (path / "run.json").write_text("{")
    with pytest.raises(EntropaxError, match=r"run\.json"):
        write_report([path], command=COMMAND)
    assert (path / "report.html").read_text() == "old"
    assert [file.name for file in path.glob(".report*")] == []


def test_a_log_of_other_seeds_than_the_manifest_s_is_refused(tmp_path):
    path = write_run(tmp_path / "one", "healthy")
    manifest = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**manifest, "seeds": [*manifest["seeds"], 99]}))
    with pytest.raises(EntropaxError, match=rf"seeds, but run\.json has {len(manifest['seeds']) + 1}"):
        read_run(path)


def test_no_run_is_an_error():
    with pytest.raises(EntropaxError, match="at least one run"):
        write_report([], command=COMMAND)


def test_importing_the_report_imports_no_chart_library():
    code = "import sys, entropax.report; print({'altair', 'vl_convert'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_thinning_keeps_the_mean_and_the_last_step():
    series = Series(np.arange(1, 1001), np.arange(1000.0)[:, None])
    thinned = thin(series, 50)
    assert len(thinned.steps) == 50
    assert thinned.steps[-1] == 1000
    assert thinned.values.mean() == pytest.approx(series.values.mean())
    assert thin(thinned, 50) is thinned


def test_points_are_shared_between_lines():
    assert points_per_series(1) == 240
    assert points_per_series(20) == 120
    assert points_per_series(10_000) == 40


def test_rows_leave_gaps_out():
    series = Series(np.array([1, 2]), np.array([[1.0, np.nan], [3.0, 5.0]]))
    assert len(seed_rows("r", series, (7, 8))) == 3
    first, second = middle_rows("r", series, interval=True)
    assert first == {"s": 1, "v": 1.0, "n": 1, "r": "r"}
    assert second["v"] == 4.0
    assert second["l"] == 3.0
    assert second["h"] == 5.0


def test_heat_cells_meet():
    rows = heat_rows(Series(np.array([10, 20, 40]), np.ones((3, 2, 2))), 80)
    assert [(row["s"], row["e"]) for row in rows if row["d"] == 0] == [(0, 10), (10, 20), (20, 40)]


def test_heat_begins_no_earlier_than_the_run():
    rows = heat_rows(Series(np.array([100, 1000, 2000]), np.ones((3, 2, 2))), 80)
    assert [(row["s"], row["e"]) for row in rows if row["d"] == 0] == [(0, 100), (100, 1000), (1000, 2000)]
