"""What a benchmark's numbers say in plain words; every sentence is computed from the cells."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool
from scipy.stats import binomtest

from entropax.diagnostics.window import number
from entropax.experiments.cells import FREE, Cell
from entropax.experiments.findings import holm, rank_chance


class Difference(NamedTuple):
    """How much larger a share of seeds one law solves than another on a task, with its 95 % interval."""

    value: float
    low: float
    high: float

    def words(self) -> str:
        """Better, worse, or that nothing is shown."""
        return "more" if self.low > 0 else "fewer" if self.high < 0 else "not clearly more or fewer"


def difference(cell: Cell, reference: Cell) -> Difference:
    """The difference of the solved shares."""
    counts = ((each.solved_seeds(), each.seeds) for each in (cell, reference))
    return difference_of_counts(*counts)


def difference_of_counts(counted: tuple[int, int], reference: tuple[int, int]) -> Difference:
    """The difference of two shares, with Newcombe's score interval (1998, Stat. Med. 17:873, method 10).

    It joins Wilson's intervals of the two shares. A bootstrap would give no width where all seeds agree.

    Args:
        counted: How many of a group have something, and how many there are.
        reference: Likewise, of the group it is compared with.
    """
    (one, low, high), (other, other_low, other_high) = wilson(*counted), wilson(*reference)
    gap = one - other
    return Difference(
        gap, gap - math.hypot(one - low, other_high - other), gap + math.hypot(high - one, other - other_low)
    )


def paired_difference(one: Bool[np.ndarray, " pair"], other: Bool[np.ndarray, " pair"]) -> Difference:
    """The difference of two shares of the same pairs, with Newcombe's interval (1998, Stat. Med. 17:2635, method 10).

    It joins Wilson's intervals of the two shares as `difference_of_counts` does, less what the pairs' correlation takes
    off, which is counted with a correction for continuity.

    Args:
        one: Which members of the pairs have something.
        other: Which of the members that they are compared with.
    """
    count = len(one)
    (share, low, high), (base, base_low, base_high) = (wilson(int(each.sum()), count) for each in (one, other))
    both, neither, first, second = (
        np.count_nonzero(each) for each in (one & other, ~one & ~other, one & ~other, ~one & other)
    )
    together = both * neither - first * second
    spread = math.sqrt(float(np.prod([each.sum() for each in (one, ~one, other, ~other)], dtype=float)))
    phi = (max(together - count / 2, 0.0) if together > 0 else together) / spread if spread else 0.0

    def joined(mine: float, theirs: float) -> float:
        return math.sqrt(mine**2 - 2 * phi * mine * theirs + theirs**2)

    gap = share - base
    return Difference(gap, gap - joined(share - low, base_high - base), gap + joined(high - share, base - base_low))


def wilson(count: int, of: int) -> tuple[float, float, float]:
    """A share, with Wilson's 95 % interval."""
    interval = binomtest(count, of).proportion_ci(0.95, "wilson")
    return count / of, float(interval.low), float(interval.high)


_CLAIMS: Mapping[str, str] = {
    "Dual, rate / 10": "a tenth of the temperature's learning rate",
    "Dual, target -0.5": "a target of -0.5 nats per dimension",
    "Dual, target 0": "a target of 0 nats per dimension",
    "Dual, alpha from 0.01": "an alpha that starts at 0.01",
}
"""The heuristics that the sources and other libraries give, by the law that follows each."""


def heuristics(cells: Sequence[Cell]) -> list[str]:
    """One sentence a heuristic: on which tasks it solves more or fewer seeds than SAC's default."""
    found = []
    by_name = {(cell.env, cell.method): cell for cell in cells}
    for law, words in _CLAIMS.items():
        having = [cell for cell in cells if cell.method == law and (cell.env, "Dual") in by_name]
        parts = [_compared(cell, by_name[cell.env, "Dual"]) for cell in having]
        if parts:
            found.append(f"{words[0].upper()}{words[1:]} solves {'; '.join(parts)}.")
    return found


def _compared(cell: Cell, default: Cell) -> str:
    gap = difference(cell, default)
    return (
        f"{gap.words()} seeds than the default on {cell.env.removeprefix('entropax/')} ({cell.solved_seeds()} against "
        f"{default.solved_seeds()} of {default.seeds}; difference {number(100 * gap.value)} points, 95 % "
        f"[{number(100 * gap.low)}, {number(100 * gap.high)}])"
    )


def ranks(cells: Sequence[Cell]) -> list[str]:
    """One sentence: which laws' late returns differ from the default's when all comparisons are taken together.

    By Mann and Whitney's rank test of the seeds, p adjusted by Holm for the number of all comparisons; the intervals of
    `heuristics` are of each alone.
    """
    default = {cell.env: cell.returns for cell in cells if cell.method == "Dual"}
    others = [cell for cell in cells if cell.method != "Dual" and cell.env in default]
    if not others:
        return []
    chances = holm([rank_chance(cell.returns, default[cell.env]) for cell in others])
    apart: dict[str, list[str]] = {"higher": [], "lower": []}
    for cell, chance in zip(others, chances, strict=True):
        if chance < 0.05:
            above = np.median(cell.returns) > np.median(default[cell.env])
            name = f"{cell.method} on {cell.env.removeprefix('entropax/')} (p = {number(chance)})"
            apart["higher" if above else "lower"].append(name)
    words = "; ".join(f"clearly {word}: {', '.join(names) or 'none'}" for word, names in apart.items())
    number_of = f"by rank tests whose p is adjusted for their number, {len(others)}"
    return [f"Late returns beside the default's, {number_of}: {words}."]


def pace(cells: Sequence[Cell]) -> list[str]:
    """One sentence a task: after how many steps each way of changing Dual has spent the first freedom."""
    laws = ("Dual", *_CLAIMS)
    found = []
    for env in dict.fromkeys(cell.env for cell in cells):
        here = [cell for cell in cells if cell.env == env and cell.method in laws]
        parts = [f"{cell.method}: {_steps(cell.spent_after())}" for cell in here]
        if len(parts) > 1:
            name = env.removeprefix("entropax/")
            found.append(f"{name}: half of the seeds are below {FREE:g} nats per dimension after: {'; '.join(parts)}.")
    return found


def _steps(count: float) -> str:
    return f"{count:,.0f} steps" if np.isfinite(count) else "not within the run"


def winners(cells: Sequence[Cell], dense: Sequence[str]) -> list[str]:
    """The share of seeds that each law solves over the sparse tasks and over the dense ones, best first.

    Only tasks on which every law was run count, so that all shares are of the same tasks.
    """
    found = []
    laws = {cell.method for cell in cells}
    whole = {cell.env for cell in cells if {other.method for other in cells if other.env == cell.env} == laws}
    for kind in ("sparse", "dense"):
        chosen = [cell for cell in cells if cell.env in whole and (cell.env in dense) == (kind == "dense")]
        shares = {
            law: float(np.mean([cell.solved_seeds() / cell.seeds for cell in chosen if cell.method == law]))
            for law in dict.fromkeys(cell.method for cell in chosen)
        }
        if shares:
            order = sorted(shares, key=lambda law: -shares[law])
            listed = ", ".join(f"{law} {100 * shares[law]:.0f} %" for law in order)
            names = ", ".join(dict.fromkeys(cell.env.removeprefix("entropax/") for cell in chosen))
            found.append(f"Share of seeds solved over the {kind} tasks ({names}): {listed}.")
    return found
