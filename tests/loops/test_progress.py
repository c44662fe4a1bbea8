"""What a person sees on a terminal, on a pipe, and on a terminal that cannot redraw a line."""

import io

import numpy as np
import pytest
from rich.console import Console

from entropax.loops import progress
from entropax.loops.progress import Display

ROW = {name: np.ones(2) for name in ("rollout/ep_rew_mean", "entropy/nats", "train/ent_coef", "time/fps")}


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch):
    def make(kind: str) -> io.StringIO:
        file = io.StringIO() if kind == "pipe" else _Terminal()
        environ = {"TERM": "xterm" if kind == "pipe" else kind, "COLUMNS": "100"}
        monkeypatch.setattr(progress, "Console", lambda stderr: Console(file=file, _environ=environ))
        return file

    return make


@pytest.mark.parametrize("kind", ["pipe", "dumb"])
def test_where_no_bar_can_be_drawn_a_row_is_a_line_and_comes_at_once(kind, screen):
    file = screen(kind)
    with Display("Task ×2", 100, True) as display:
        display.step(10)
        display.row(50, ROW)
        assert file.getvalue() == "Task ×2         50  return 1.0  entropy +1.00 nats  alpha 1  1 steps/s\n"
    assert "\x1b" not in file.getvalue()


def test_what_is_not_known_is_a_dash():
    unknown = {**ROW, "entropy/nats": np.full(2, np.nan)} | {"rollout/ep_rew_mean": np.array([np.nan, 3.0])}
    assert progress.headline(unknown) == "return 3.0  entropy – nats  alpha 1  1 steps/s"
    assert progress.headline({}) == "return –  entropy – nats  alpha –  – steps/s"


def test_a_terminal_has_a_bar(screen):
    file = screen("xterm")
    with Display("Task ×2", 100, True) as display:
        display.row(50, ROW)
    assert "50/100" in file.getvalue()


@pytest.mark.parametrize("kind", ["pipe", "dumb", "xterm"])
def test_brackets_are_shown_as_they_are(kind, screen):
    file = screen(kind)
    with Display("Task[/x]", 100, True) as display:
        display.row(50, ROW)
        display.say("bounded by [low, high] [/x]")
    assert "Task[/x]" in file.getvalue()
    assert "bounded by [low, high] [/x]" in file.getvalue()
