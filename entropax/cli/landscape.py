"""`entropax landscape`: soft and plain value over the actions of one state."""

import dataclasses
import re
import shlex
import sys
from pathlib import Path

import tyro

from entropax.errors import EntropaxError


@dataclasses.dataclass
class Landscape:
    """Show soft and plain value over the actions of one state of a run, as an interactive page and as JSON."""

    run: tyro.conf.Positional[Path]
    """Folder of a run whose algorithm knows both values, such as sac-adaent's."""
    state: str | None = None
    """Which state: the number of a stored one, or an observation as --state=0.5,-1,0; by default that whose landscapes
    are least alike and not flat."""
    dimensions: tuple[int, ...] = ()
    """One or two action dimensions to show; by default those on which following the soft value costs most."""


def landscape(flags: Landscape) -> None:
    """Writes the page and its numbers, and prints what it found."""
    from entropax.report import write_landscape

    command = shlex.join(["entropax", *sys.argv[1:]])
    written = write_landscape(flags.run, _choice(flags.state), flags.dimensions, command=command)
    print(*written.lines, written.html, written.numbers, sep="\n")


def _choice(state: str | None) -> int | tuple[float, ...] | None:
    """A whole number alone is an index; numbers with a comma are an observation."""
    if state is None:
        return None
    if re.fullmatch(r"\d+", state):
        return int(state)
    words = [word for word in state.split(",") if word.strip()]
    try:
        return tuple(float(word) for word in words)
    except ValueError as cause:
        raise EntropaxError(
            f"--state is {state!r}, but must be the number of a stored state or an observation: numbers with commas "
            "between, such as --state=0.5,-1,0."
        ) from cause
