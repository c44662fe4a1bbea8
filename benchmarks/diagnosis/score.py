"""From judged seeds to recall and false alarms; nothing here trains or reads a rule's mind."""

import collections
import dataclasses
from collections.abc import Sequence
from typing import Any

from scipy.stats import binomtest

PARTS = "tuning", "held out", "second set", "third set", "fourth set", "fifth set", "sixth set"
TUNING, HELD_OUT, *_, NEWEST = PARTS


def part_of(number: int, seed: int) -> str:
    """Which part a seed of a set, counted from 1, belongs to; the first set's even seeds were for tuning."""
    return PARTS[number] if number > 1 else PARTS[seed % 2]


@dataclasses.dataclass(frozen=True)
class Judged:
    """One seed, its outcome and what the rules said of it.

    Attributes:
        setting: name.
        seed: number.
        part: one of `PARTS`.
        alters: what is wrong with it; empty for a run without a fault.
        expected: rules that may name the fault.
        solved: whether the late deterministic return reaches the task's threshold.
        on_target: whether the late entropy is where it was meant to be; True where it was meant to be nowhere.
        findings: rule and severity of each.
    """

    setting: str
    seed: int
    part: str
    alters: str
    expected: tuple[str, ...]
    solved: bool
    on_target: bool
    findings: tuple[tuple[str, str], ...]

    @property
    def healthy(self) -> bool:
        """A run without a fault that did what it should."""
        return not self.alters and self.solved

    @property
    def harmed(self) -> bool:
        """A run with a fault that shows in its outcome; no log can tell the others from healthy ones."""
        return bool(self.alters) and not (self.solved and self.on_target)

    def heard(self, *severities: str) -> tuple[str, ...]:
        """Expected rules that spoke, of these severities."""
        return tuple(rule for rule, severity in self.findings if rule in self.expected and severity in severities)

    @property
    def found(self) -> bool:
        """Whether a finding names the fault."""
        return bool(self.heard("critical", "warning"))


@dataclasses.dataclass(frozen=True)
class Share:
    """A count of a count."""

    count: int
    of: int

    @property
    def value(self) -> float:
        """The share; NaN of nothing."""
        return self.count / self.of if self.of else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval; everything where nothing was seen."""
        if not self.of:
            return 0.0, 1.0
        ends = binomtest(self.count, self.of).proportion_ci(0.95, "wilson")
        return float(ends.low), float(ends.high)

    def text(self) -> str:
        """Share, interval and counts."""
        low, high = self.interval
        return f"{self.value:.2f} ({low:.2f} to {high:.2f}), {self.count} of {self.of}"


def share(judged: Sequence[Judged], holds: Any) -> Share:
    """How many of these a property holds for."""
    return Share(sum(bool(holds(one)) for one in judged), len(judged))


def summary(judged: Sequence[Judged], part: str) -> dict[str, Any]:
    """Recall and false alarms of a part, and the counts that they rest on."""
    here = [one for one in judged if one.part == part]
    healthy = [one for one in here if one.healthy]
    faulty = [one for one in here if one.alters]
    harmed = [one for one in faulty if one.harmed]
    alarms = collections.Counter(severity for one in healthy for _, severity in one.findings)
    return {
        "healthy": len(healthy),
        "without a fault, not solved": sum(not one.alters and not one.solved for one in here),
        "faulty": len(faulty),
        "harmless here": len(faulty) - len(harmed),
        "recall": share(harmed, lambda one: one.found),
        "recall, critical findings only": share(harmed, lambda one: one.heard("critical")),
        "recall, any rule": share(harmed, lambda one: one.findings),
        "recall, harmless ones included": share(faulty, lambda one: one.found),
        "false alarms per run": sum(alarms.values()) / max(len(healthy), 1),
        "critical false alarms per run": alarms["critical"] / max(len(healthy), 1),
        "healthy runs with a finding": share(healthy, lambda one: one.findings),
    }


def by_rule(judged: Sequence[Judged], rules: Sequence[str], part: str) -> list[tuple[str, int, int, int]]:
    """For each rule: harmed runs it may name, how many of them it spoke of, and its false alarms."""
    here = [one for one in judged if one.part == part]
    return [
        (
            rule,
            sum(one.harmed and rule in one.expected for one in here),
            sum(one.harmed and rule in one.expected and rule in dict(one.findings) for one in here),
            sum(one.healthy and rule in dict(one.findings) for one in here),
        )
        for rule in rules
    ]


def by_setting(judged: Sequence[Judged], part: str) -> list[tuple[str, int, int, int, str]]:
    """For each setting: seeds, solved, and harmed and found (faults) or alarmed (no fault); and the rules heard."""
    rows = []
    here = [one for one in judged if one.part == part]
    for name in dict.fromkeys(one.setting for one in here):
        seeds = [one for one in here if one.setting == name]
        heard = collections.Counter(rule for one in seeds for rule, _ in one.findings)
        harmed = sum(one.harmed for one in seeds)
        found = sum(one.harmed and one.found for one in seeds)
        told = f"{found} of {harmed}" if seeds[0].alters else ""
        rules = ", ".join(f"{rule} {count}" for rule, count in heard.most_common())
        rows.append((name, len(seeds), sum(one.solved for one in seeds), told, rules))
    return rows


def by_fault(judged: Sequence[Judged], part: str) -> list[tuple[str, str, str, str]]:
    """For each setting with a fault: harmed seeds, how many of them were found, and the rules heard in all seeds."""
    rows = []
    here = [one for one in judged if one.part == part and one.alters]
    for name in dict.fromkeys(one.setting for one in here):
        seeds = [one for one in here if one.setting == name]
        heard = collections.Counter(rule for one in seeds for rule, _ in one.findings)
        rules = [f"`{rule}` {n}" + " (not expected)" * (rule not in seeds[0].expected) for rule, n in heard.items()]
        harmed = [one for one in seeds if one.harmed]
        counts = (str(len(harmed)), str(sum(one.found for one in harmed))) if harmed else ("harmless here", "")
        rows.append((name, *counts, ", ".join(rules) or "none"))
    return rows
