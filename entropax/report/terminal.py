"""A diagnosis as text for a terminal, and as JSON for a program."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from entropax.diagnostics.findings import Finding
from entropax.diagnostics.window import Facts, Series, mean_over_rows, number
from entropax.report import attribution
from entropax.report.diagnosis import Diagnosis

_WIDTH, _LINE = 60, 120
BLOCKS, ASCII = "▁▂▃▄▅▆▇█", "_.-=+*%#"


def sparkline(values: np.ndarray, levels: str = BLOCKS) -> str:
    """One character a value `[n]`, the lowest to the highest; a gap where it is not finite."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    scale = (len(levels) - 1) / (high - low) if high > low else 0.0
    return "".join(levels[round((value - low) * scale)] if math.isfinite(value) else " " for value in values)


def chart(series: Series, seeds: Sequence[int], levels: str = BLOCKS) -> str:
    """The mean of some seeds (by position) over the steps, with both ends of either axis."""
    values = np.where(np.isfinite(series.values[:, list(seeds)]), series.values[:, list(seeds)], math.nan)
    rows = mean_over_rows(np.moveaxis(values.reshape(len(values), -1), 1, 0))
    groups = np.array_split(np.arange(len(rows)), min(_WIDTH, len(rows)))
    thinned = np.array([mean_over_rows(rows[group]) for group in groups])
    finite = thinned[np.isfinite(thinned)]
    if not len(finite):
        return "nothing finite was logged"
    span = f"{number(float(finite.min()))} to {number(float(finite.max()))}"
    return f"{sparkline(thinned, levels)} {span}, steps {series.steps[0]} to {series.steps[-1]}"


def text(diagnosis: Diagnosis, levels: str = BLOCKS) -> str:
    """Verdict, findings with evidence, and what could not be judged."""
    lines = [f"{diagnosis.name} ({diagnosis.origin})", diagnosis.verdict.line()]
    for finding in diagnosis.verdict.findings:
        lines += ["", *_finding(finding, diagnosis.series, diagnosis.facts, levels)]
    if diagnosis.attribution is not None:
        lines += ["", *attribution.lines(diagnosis.attribution, diagnosis.pieces)]
    if diagnosis.verdict.unjudged:
        lines += ["", f"{len(diagnosis.verdict.unjudged)} of {diagnosis.verdict.asked} rules not judged, for want of:"]
        lines += [f"  {rule}: {', '.join(missing)}" for rule, missing in diagnosis.verdict.unjudged]
    if diagnosis.notes:
        lines += ["", *(f"note: {note}" for note in diagnosis.notes)]
    return "\n".join(lines)


def _wrapped(line: str) -> list[str]:
    """A sentence as lines that fit a screen; settings and paths stay whole, to be copied."""
    return textwrap.wrap(line, _LINE, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def _finding(finding: Finding, series: Mapping[str, Series], facts: Facts, levels: str) -> list[str]:
    seeds = ", ".join(map(str, finding.seeds))
    first, last = finding.steps
    lines = [
        f"{finding.severity.value.upper()} {finding.rule} | steps {first} to {last} | seeds {seeds}",
        *_wrapped(finding.explanation),
        "  " + ", ".join(f"{name} {number(value)}" for name, value in finding.numbers.items()),
    ]
    if finding.evidence in series:
        chosen = [index for index, seed in enumerate(facts.seeds) if seed in finding.seeds]
        lines.append(f"  {finding.evidence}  {chart(series[finding.evidence], chosen, levels)}")
    if finding.change is not None:
        lines += _wrapped(f"what moved the entropy: {attribution.line(finding.change)}")
    lines += [part for rank, cause in enumerate(finding.causes, 1) for part in _wrapped(f"cause {rank}: {cause}")]
    return lines + [f"  try: {remedy}" for remedy in finding.remedy]


def as_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """Verdict, findings and notes as plain JSON; what is not finite is null."""
    judged = diagnosis.verdict
    return {
        "name": diagnosis.name,
        "origin": diagnosis.origin,
        "verdict": judged.kind.value,
        "steps": judged.steps,
        "seeds": list(diagnosis.facts.seeds),
        "counts": {kind.value: count for kind, count in judged.counts.items()},
        "numbers": _finite(judged.numbers),
        "findings": [
            {
                "rule": finding.rule,
                "kind": finding.kind.value,
                "severity": finding.severity.value,
                "seeds": list(finding.seeds),
                "steps": list(finding.steps),
                "numbers": _finite(finding.numbers),
                "evidence": finding.evidence,
                "explanation": finding.explanation,
                "causes": list(finding.causes),
                "remedy": list(finding.remedy),
                "change": None if finding.change is None else attribution.change_as_json(finding.change),
            }
            for finding in judged.findings
        ],
        "unjudged": {rule: list(missing) for rule, missing in judged.unjudged},
        "attribution": None if diagnosis.attribution is None else attribution.as_json(diagnosis.attribution),
        "pieces": [attribution.as_json(piece) for piece in diagnosis.pieces],
        "notes": list(diagnosis.notes),
    }


def _finite(numbers: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in numbers.items()}
