"""What a run's series say about its entropy: pure functions, from numbers to findings to one verdict.

Every threshold is relative to what the policy class can do (its largest entropy per dimension) or to what the
temperature law can do (Adam moves log alpha by about its learning rate an update); none is an absolute entropy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from entropax.diagnostics.findings import Finding, Kind
from entropax.diagnostics.rules import RULES, Unjudged, judge, unjudged
from entropax.diagnostics.rules.rule import Rule
from entropax.diagnostics.statistics import bootstrap_interval, interquartile_mean
from entropax.diagnostics.window import ENOUGH_ROWS, Facts, Series, last_quarter, number, rows_to_judge


@dataclass(frozen=True)
class Verdict:
    """The worst of all findings, and the run's numbers over its last quarter."""

    kind: Kind
    counts: Mapping[Kind, int]
    """Seeds by their own worst kind; sums to the number of seeds."""
    findings: tuple[Finding, ...]
    """Worst first."""
    unjudged: tuple[Unjudged, ...]
    """Rules that lacked a metric or a fact; healthy is said without them."""
    numbers: Mapping[str, float]
    """`return` with `return_low` and `return_high`, `entropy` and `target` in nats, `sigma`, `alpha`; NaN if absent."""
    steps: int
    """The last environment step seen, per seed."""
    asked: int
    """Rules there are for such a run, the unjudged ones included."""

    def sentence(self) -> str:
        """The verdict with its counts, for a person."""
        seeds = sum(self.counts.values())
        concerned = self.counts.get(self.kind, 0)
        share = "" if concerned == seeds else f" in {concerned} of {seeds} seeds"
        return f"{self.kind.value.capitalize()}{share}."

    def line(self) -> str:
        """One line for the terminal: verdict, then return, entropy, sigma and alpha over the last quarter."""
        n = self.numbers
        interval = f" [{number(n['return_low'])}, {number(n['return_high'])}]" if np.isfinite(n["return_low"]) else ""
        target = f" (target {number(n['target'])})" if np.isfinite(n["target"]) else " (no target)"
        parts = [
            f"{self.sentence()[:-1]} after {self.steps} steps",
            f"return {number(n['return'])}{interval}" if np.isfinite(n["return"]) else "no episode finished",
        ]
        if np.isfinite(n["entropy"]):
            parts.append(f"entropy {number(n['entropy'])} nats{target}")
        parts += [f"{name} {number(n[name])}" for name in ("sigma", "alpha") if np.isfinite(n[name])]
        return " | ".join(parts)


_SUMMARY = {"entropy": "entropy/nats", "target": "entropy/target", "sigma": "entropy/sigma", "alpha": "train/ent_coef"}


def summary(series: Mapping[str, Series], facts: Facts) -> dict[str, float]:
    """The run's numbers over the last quarter: mean over its rows, interquartile mean over seeds."""
    returns = last_quarter(series, "rollout/ep_rew_mean", facts)
    interval = bootstrap_interval(returns, generator=np.random.default_rng(0))
    numbers = {
        "return": float(interquartile_mean(returns)),
        "return_low": float(interval.low),
        "return_high": float(interval.high),
    }
    return numbers | {
        key: float(interquartile_mean(last_quarter(series, name, facts))) for key, name in _SUMMARY.items()
    }


def verdict(series: Mapping[str, Series], facts: Facts, rules: Sequence[Rule] = RULES) -> Verdict:
    """Judges a run: the kind of its worst seed, how many seeds share it, and the numbers to say so.

    Args:
        series: by metric name, as `MetricsTable.series` returns them.
        facts: what the numbers are to be compared with.
        rules: those that are made for such a run.
    """
    findings = judge(series, facts, rules)
    order = list(Kind)
    rows = rows_to_judge(series, facts)
    counts: dict[Kind, int] = {}
    for index, seed in enumerate(facts.seeds):
        kinds = [finding.kind for finding in findings if seed in finding.seeds]
        worst = max(kinds, key=order.index, default=Kind.HEALTHY if rows[index] >= ENOUGH_ROWS else Kind.TOO_EARLY)
        counts[worst] = counts.get(worst, 0) + 1
    steps = max((int(one.steps[-1]) for one in series.values() if len(one.steps)), default=0)
    lacking = tuple(unjudged(series, facts, rules))
    worst = max(counts, key=order.index)
    return Verdict(worst, counts, tuple(findings), lacking, summary(series, facts), steps, len(rules))
