"""The rules: each looks at one seed and says what is wrong with it, or nothing. `docs/diagnose.md` lists them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from entropax.diagnostics.findings import Finding, Kind, Severity, worst_first
from entropax.diagnostics.one_seed import OneSeed
from entropax.diagnostics.rules import (
    collapse,
    critic,
    endings,
    explosion,
    frozen,
    noise,
    numbers,
    outcome,
    scale,
    swings,
    target,
)
from entropax.diagnostics.rules.rule import Rule
from entropax.diagnostics.window import Facts, Series, rows_to_judge

RULES: tuple[Rule, ...] = (
    *numbers.RULES,
    *frozen.RULES,
    *critic.RULES,
    *explosion.RULES,
    *collapse.RULES,
    *target.RULES,
    *swings.RULES,
    *endings.RULES,
    *noise.RULES,
    *outcome.RULES,
    *scale.RULES,
)
"""All rules; one that silences another comes before it."""

_INSTEAD = {"rollout/ep_rew_mean": "eval/mean_reward"}
"""A metric that stands in for another: the mode's return where no exploring one was logged."""


class Unjudged(NamedTuple):
    """A rule that could not be asked, and what it lacks."""

    rule: str
    missing: tuple[str, ...]


def judge(series: Mapping[str, Series], facts: Facts, rules: Sequence[Rule] = RULES) -> list[Finding]:
    """Applies every rule to every seed; seeds with the same finding share one, worst first."""
    found: list[Finding] = []
    rows = rows_to_judge(series, facts)
    for index, seed in enumerate(facts.seeds):
        silent: set[str] = set()
        for rule in rules:
            if rule.id in silent or rows[index] < rule.least_rows or _missing(rule, series, facts):
                continue
            evidence = rule.speaks(OneSeed(series, facts, index))
            if evidence is not None:
                silent.update(rule.silences)
                found.append(Finding(rule=rule.id, seeds=(seed,), **evidence._asdict()))
    return worst_first(_merge(found))


def unjudged(series: Mapping[str, Series], facts: Facts, rules: Sequence[Rule] = RULES) -> list[Unjudged]:
    """The rules that lack a metric, or a fact that the log does not hold."""
    lacking = ((rule.id, _missing(rule, series, facts)) for rule in rules)
    return [Unjudged(rule, missing) for rule, missing in lacking if missing]


def _missing(rule: Rule, series: Mapping[str, Series], facts: Facts) -> tuple[str, ...]:
    metrics = [name for name in rule.needs if not _logged(series, name)]
    return (*metrics, *(fact.text for fact in rule.facts if not fact.known(facts)))


def _logged(series: Mapping[str, Series], name: str) -> bool:
    names = [name, _INSTEAD.get(name, name)]
    return any(each in series and bool((~np.isnan(series[each].values)).any()) for each in names)


def _merge(findings: Sequence[Finding]) -> list[Finding]:
    """Joins findings of one rule over seeds: numbers become means, the explanation names the seed it is of."""
    groups: dict[tuple[str, Kind, tuple[str, ...]], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.rule, finding.kind, tuple(finding.numbers)), []).append(finding)
    merged = []
    for group in groups.values():
        worst = max(group, key=lambda finding: list(Severity).index(finding.severity))
        merged.append(
            replace(
                worst,
                explanation=worst.explanation if len(group) == 1 else f"Seed {worst.seeds[0]}: {worst.explanation}",
                seeds=tuple(seed for finding in group for seed in finding.seeds),
                steps=(min(f.steps[0] for f in group), max(f.steps[1] for f in group)),
                numbers={key: float(np.mean([f.numbers[key] for f in group])) for key in worst.numbers},
            )
        )
    return merged
