"""Trains healthy and faulty runs and counts what the rules of `entropax diagnose` say of them.

python benchmarks/diagnosis/run.py --root runs/diagnosis                 trains what is missing, then judges
python benchmarks/diagnosis/run.py --root runs/diagnosis --judge-only    judges what is there
python benchmarks/diagnosis/run.py --root runs/diagnosis --judge-only --tuning    shows only the tuning part
"""

import argparse
import dataclasses
import itertools
import json
import math
import time
from pathlib import Path
from typing import Any

from faults import FAULTS, Fault
from fresh import FRESH_FAULTS, FRESH_HEALTHY
from healthy import HEALTHY
from score import PARTS, TUNING, Judged, Share, by_rule, by_setting, part_of, summary
from setting import SEEDS, Setting, finished, outcome, trained
from third import THIRD_FAULTS, THIRD_HEALTHY

from entropax.diagnostics.one_seed import OneSeed
from entropax.diagnostics.rules import RULES, judge
from entropax.diagnostics.rules.rule import TOLERANCE
from entropax.diagnostics.window import Facts, Series
from entropax.loops.run import Run
from entropax.report.read import read_run
from entropax.runs import installed_versions

RESULTS = Path(__file__).resolve().parents[1] / "results" / "diagnosis.json"


_SETS = ((HEALTHY, FAULTS), (FRESH_HEALTHY, FRESH_FAULTS), (THIRD_HEALTHY, THIRD_FAULTS))


@dataclasses.dataclass(frozen=True)
class Entry:
    """A setting of the benchmark, with the fault it has, if any, and the number of its set."""

    setting: Setting
    fault: Fault | None
    number: int


def entries() -> list[Entry]:
    """All settings, one without and one with a fault in turn, so that a benchmark cut short has both."""
    found = []
    for number, (healthy, faults) in enumerate(_SETS, 1):
        sound = [Entry(setting, None, number) for setting in healthy]
        faulty = [Entry(fault.setting, fault, number) for fault in faults]
        found += [one for pair in itertools.zip_longest(sound, faulty) for one in pair if one is not None]
    return found


def train(root: Path) -> None:
    """Trains what is missing."""
    every = entries()
    for number, entry in enumerate(every, 1):
        began = time.perf_counter()
        trained(entry.setting, root)
        print(f"{number}/{len(every)} {entry.setting.name}: {time.perf_counter() - began:.0f} s", flush=True)


def judged(entry: Entry, run: Run) -> list[Judged]:
    """Judges every seed of a run on its own."""
    setting, fault = entry.setting, entry.fault
    read, returns = read_run(run.path), outcome(setting, run)
    found = []
    for index, seed in enumerate(SEEDS):
        series = {name: Series(one.steps, one.values[:, [index]]) for name, one in read.series.items()}
        facts = dataclasses.replace(read.facts, seeds=(seed,))
        found.append(
            Judged(
                setting.name,
                seed,
                part_of(entry.number, seed),
                fault.alters if fault else "",
                fault.rules if fault else (),
                returns[index] >= setting.solved,
                _on_target(series, facts, fault.meant if fault else math.nan),
                tuple((finding.rule, finding.severity.value) for finding in judge(series, facts)),
            )
        )
    return found


def _on_target(series: dict[str, Series], facts: Facts, meant: float) -> bool:
    late = OneSeed(series, facts, 0).late("entropy/nats") / facts.action_dimensions
    return math.isnan(meant) or abs(late - meant) <= TOLERANCE


def table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def shown(value: Any) -> str:
    """A cell of the first table."""
    return value.text() if isinstance(value, Share) else f"{value:.3g}"


def page(seeds: list[Judged], parts: tuple[str, ...]) -> str:
    """All tables."""
    counts = {part: summary(seeds, part) for part in parts}
    first = counts[parts[0]]
    tables = [table(("", *parts), [(name, *(shown(counts[part][name]) for part in parts)) for name in first])]
    rules = [rule.id for rule in RULES]
    for part in parts:
        told = [row for row in by_rule(seeds, rules, part) if any(row[1:])]
        tables.append(f"{part}, by rule\n\n" + table(("rule", "may name", "named", "false alarms"), told))
        head = ("setting", "seeds", "solved", "found of harmed", "findings")
        tables.append(f"{part}, by setting\n\n" + table(head, by_setting(seeds, part)))
    return "\n\n".join(tables)


def write(seeds: list[Judged], judge_only: bool) -> None:
    """Every seed's outcome and findings, and the summary of each part."""
    content = {
        "command": "python benchmarks/diagnosis/run.py" + " --judge-only" * judge_only,
        "versions": installed_versions(),
        "summary": {
            part: {
                name: {"count": value.count, "of": value.of, "interval": value.interval}
                if isinstance(value, Share)
                else value
                for name, value in summary(seeds, part).items()
            }
            for part in PARTS
        },
    }
    told = ("setting", "seed", "part", "solved", "on_target", "findings")
    lines = [json.dumps({name: vars(one)[name] for name in told}) for one in seeds]
    head = json.dumps(content, indent=1).removesuffix("\n}")
    RESULTS.write_text(head + ',\n "seeds": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("runs/diagnosis"), help="folder of the kept runs")
    parser.add_argument("--judge-only", action="store_true", help="train nothing; settings without a run are left out")
    parser.add_argument("--tuning", action="store_true", help="show the tuning part only, and write nothing")
    parsed = parser.parse_args()
    if not parsed.judge_only:
        train(parsed.root)
    runs = [(entry, finished(entry.setting, parsed.root)) for entry in entries()]
    seeds = [one for entry, run in runs if run is not None for one in judged(entry, run)]
    missing = [entry.setting.name for entry, run in runs if run is None]
    if parsed.tuning:
        print(page(seeds, (TUNING,)))
    else:
        print(page(seeds, PARTS))
        write(seeds, parsed.judge_only)
    print(f"\nnot trained: {', '.join(missing) or 'none'}")


if __name__ == "__main__":
    main()
