"""The page in Chromium: it loads nothing, complains about nothing, and fits a desk and a phone."""

import json
import os
import re
import shutil
import signal
import subprocess
from html import unescape

import pytest
from synthetic import write_run

from entropax.report import write_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome on the path"),
]

PROBE = """
<script>
const seen = setInterval(() => {
  if (document.documentElement.dataset.drawn === undefined) return;
  clearInterval(seen);
  setTimeout(() => {
    const wide = [...document.querySelectorAll("body *")].filter((e) => !e.closest("svg, .scroll") &&
      e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.tagName + "." + e.className);
    const plots = [...document.querySelectorAll(".plot")].map((p) => {
      const svg = p.querySelector("svg");
      return svg ? [p.clientWidth, svg.getBoundingClientRect().width, svg.querySelectorAll("path").length] : null;
    });
    const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
    parent.postMessage(JSON.stringify({
      width: innerWidth, scroll: document.documentElement.scrollWidth, wide, plots, loaded,
      ink: getComputedStyle(document.body).color
    }), "*");
  }, 300);
}, 50);
</script>
"""
# A window has a least width, wider than a phone, so the page is looked at in a frame.
FRAME = """<!doctype html><meta name="color-scheme" content="light dark"><title></title>
<script>addEventListener("message", (event) => { document.title = "probe" + event.data; });</script>
<iframe src="FILE" style="border: 0; width: WIDTHpx; height: 900px"></iframe>
"""


def probe(html):
    """The page with the probe at its end (the drawing library holds the closing tags as strings, too)."""
    before, end, after = html.rpartition("</body>")
    return before + PROBE + end + after


def browse(folder, file, width, *flags):
    """Opens a file; returns what the probe found and the console's lines."""
    profile, frame = folder / f"profile-{width}-{len(flags)}", folder / f"frame-{width}.html"
    frame.write_text(FRAME.replace("FILE", file.as_uri()).replace("WIDTH", str(width)))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    command += [f"--user-data-dir={profile}", f"--window-size={width + 100},1000", "--enable-logging=stderr", "--v=0"]
    command += [*flags, "--hide-scrollbars", "--virtual-time-budget=8000", "--dump-dom", frame.as_uri()]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True
    )
    try:
        out, err = process.communicate(timeout=90)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    found = re.search(r"<title>probe(.*?)</title>", out, re.S)
    assert found, f"the page was not drawn: {err[-2000:]}"
    console = [line for line in err.splitlines() if "CONSOLE" in line]
    return json.loads(unescape(found[1])), console


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    paths = [write_run(folder / case, case) for case in ("healthy", "collapsed")]
    html = write_report(paths, folder / "report.html", command="entropax report").read_text("utf-8")
    probed = folder / "probed.html"
    probed.write_text(probe(html))
    return folder, probed


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_drawn_complete_within_its_width_and_in_silence(page, width):
    folder, probed = page
    found, console = browse(folder, probed, width)
    assert found["width"] == width
    assert found["scroll"] <= width
    assert found["wide"] == []
    assert console == []
    assert found["loaded"] == []
    assert len(found["plots"]) == 14
    for room, drawn, paths in found["plots"]:
        assert paths >= 2
        assert 0.9 * room <= drawn <= room + 1


def test_a_request_would_be_seen(page):
    folder, probed = page
    broken = folder / "broken.html"
    broken.write_text(probed.read_text().replace("<main>", '<main><img src="http://127.0.0.1:9/x.png" alt="">'))
    _, console = browse(folder, broken, 1280)
    assert any("Content Security Policy" in line for line in console)


def test_dark_has_light_ink(page):
    folder, probed = page
    light, _ = browse(folder, probed, 1280)
    dark, _ = browse(folder, probed, 1280, "--blink-settings=preferredColorScheme=0")
    assert light["ink"] == "rgb(28, 30, 33)"
    assert dark["ink"] == "rgb(232, 233, 234)"


def test_a_run_without_metrics_is_drawn_in_silence(tmp_path):
    path = write_run(tmp_path / "none", "healthy", rows=0)
    html = write_report([path], command="entropax report")
    html.write_text(probe(html.read_text("utf-8")))
    found, console = browse(tmp_path, html, 390)
    assert found["plots"] == []
    assert found["scroll"] <= 390
    assert console == []
