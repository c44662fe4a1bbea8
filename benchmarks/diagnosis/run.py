"""Trains healthy and faulty runs and counts what the rules of `entropax diagnose` say of them.

python benchmarks/diagnosis/run.py --root runs/diagnosis                 trains what is missing, then judges
python benchmarks/diagnosis/run.py --root runs/diagnosis --judge-only    judges what is there
python benchmarks/diagnosis/run.py --root runs/diagnosis --set sixth     one set alone
python benchmarks/diagnosis/run.py --root runs/diagnosis --judge-only --tuning    shows all sets but the newest

`benchmarks/results/diagnosis.json` has for each set what it was judged with; a set not judged keeps its own.
"""

import argparse
import dataclasses
import itertools
import json
import math
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from faults import FAULTS, Fault
from fifth import FIFTH_FAULTS, FIFTH_HEALTHY
from fourth import FOURTH_FAULTS, FOURTH_HEALTHY
from fresh import FRESH_FAULTS, FRESH_HEALTHY
from healthy import HEALTHY
from score import NEWEST, PARTS, Judged, Share, by_fault, by_rule, by_setting, part_of, summary
from setting import Setting, finished, outcome, trained
from sixth import SIXTH_FAULTS, SIXTH_HEALTHY
from third import THIRD_FAULTS, THIRD_HEALTHY

from entropax.diagnostics.one_seed import OneSeed
from entropax.diagnostics.rules import RULES, judge
from entropax.diagnostics.rules.rule import TOLERANCE, UNSPENT, on_target
from entropax.diagnostics.window import Facts, Series
from entropax.loops.run import Run
from entropax.report.read import read_run
from entropax.runs import current_commit, installed_versions

RESULTS = Path(__file__).resolve().parents[1] / "results" / "diagnosis.json"
_TOLD = ("setting", "seed", "part", "solved", "on_target", "expected", "findings")

_SETS = {
    "first": (HEALTHY, FAULTS),
    "second": (FRESH_HEALTHY, FRESH_FAULTS),
    "third": (THIRD_HEALTHY, THIRD_FAULTS),
    "fourth": (FOURTH_HEALTHY, FOURTH_FAULTS),
    "fifth": (FIFTH_HEALTHY, FIFTH_FAULTS),
    "sixth": (SIXTH_HEALTHY, SIXTH_FAULTS),
}


@dataclasses.dataclass(frozen=True)
class Entry:
    """A setting of the benchmark, with the fault it has, if any, and the number of its set."""

    setting: Setting
    fault: Fault | None
    number: int


def entries(names: Collection[str] = tuple(_SETS)) -> list[Entry]:
    """All settings of these sets, one without and one with a fault in turn, so that a set cut short has both."""
    found = []
    for number, (name, (healthy, faults)) in enumerate(_SETS.items(), 1):
        if name not in names:
            continue
        sound = [Entry(setting, None, number) for setting in healthy]
        faulty = [Entry(fault.setting, fault, number) for fault in faults]
        found += [one for pair in itertools.zip_longest(sound, faulty) for one in pair if one is not None]
    return found


def train(root: Path, every: list[Entry]) -> None:
    """Trains what is missing."""
    for number, entry in enumerate(every, 1):
        began = time.perf_counter()
        trained(entry.setting, root)
        print(f"{number}/{len(every)} {entry.setting.name}: {time.perf_counter() - began:.0f} s", flush=True)


def judged(entry: Entry, run: Run) -> list[Judged]:
    """Judges every seed of a run on its own."""
    setting, fault = entry.setting, entry.fault
    read, returns = read_run(run.path), outcome(setting, run)
    found = []
    for index, seed in enumerate(setting.seeds):
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
    return on_target(late - meant)


def table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def shown(value: Any) -> str:
    """A cell of the first table."""
    return value.text() if isinstance(value, Share) else f"{value:.3g}"


def page(seeds: list[Judged]) -> str:
    """All tables of the parts that there are."""
    parts = [part for part in PARTS if any(one.part == part for one in seeds)]
    if not parts:
        return "nothing judged"
    counts = {part: summary(seeds, part) for part in parts}
    first = counts[parts[0]]
    tables = [table(("", *parts), [(name, *(shown(counts[part][name]) for part in parts)) for name in first])]
    rules = [rule.id for rule in RULES]
    for part in parts:
        told = [row for row in by_rule(seeds, rules, part) if any(row[1:])]
        tables.append(f"{part}, by rule\n\n" + table(("rule", "may name", "named", "false alarms"), told))
        head = ("setting", "seeds", "solved", "found of harmed", "findings")
        tables.append(f"{part}, by setting\n\n" + table(head, by_setting(seeds, part)))
        head = ("setting", "harmed seeds", "found of them", "findings")
        tables.append(f"{part}, by fault\n\n" + table(head, by_fault(seeds, part)))
    return "\n\n".join(tables)


def told(seeds: list[Judged], command: str) -> dict[str, Any]:
    """Every seed's outcome and findings of a set, the summary of its parts, and what it was judged with."""
    return {
        "command": command,
        "versions": installed_versions(),
        "commit": current_commit(),
        "on target, nats per dimension": [-TOLERANCE, UNSPENT],
        "summary": {
            part: {
                name: {"count": value.count, "of": value.of, "interval": value.interval}
                if isinstance(value, Share)
                else value
                for name, value in summary(seeds, part).items()
            }
            for part in dict.fromkeys(one.part for one in seeds)
        },
        "seeds": [{name: vars(one)[name] for name in _TOLD} for one in seeds],
    }


def write(sets: dict[str, dict[str, Any]]) -> None:
    """Replaces these sets in the results, a line for each seed."""
    content = json.loads(RESULTS.read_text()) | sets
    texts = []
    for name in (name for name in _SETS if name in content):
        seeds = ",\n   ".join(json.dumps(one) for one in content[name]["seeds"])
        head = json.dumps({key: value for key, value in content[name].items() if key != "seeds"}, indent=1)
        head = head.removesuffix("\n}").replace("\n", "\n ")
        texts.append(f' "{name}": {head},\n  "seeds": [\n   {seeds}\n  ]\n }}')
    RESULTS.write_text("{\n" + ",\n".join(texts) + "\n}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("runs/diagnosis"), help="folder of the kept runs")
    parser.add_argument("--set", choices=_SETS, action="append", help="sets to train and judge; all where not given")
    parser.add_argument("--judge-only", action="store_true", help="train nothing; settings without a run are left out")
    parser.add_argument("--tuning", action="store_true", help="show all sets but the newest, and write nothing")
    parsed = parser.parse_args()
    chosen = parsed.set or tuple(_SETS)
    command = "python benchmarks/diagnosis/run.py" + "".join(f" --set {name}" for name in parsed.set or ())
    if not parsed.judge_only:
        train(parsed.root, entries(chosen))
    seeds: list[Judged] = []
    whole: dict[str, dict[str, Any]] = {}
    missing: list[str] = []
    for name in chosen:
        runs = [(entry, finished(entry.setting, parsed.root)) for entry in entries((name,))]
        here = [one for entry, run in runs if run is not None for one in judged(entry, run)]
        absent = [entry.setting.name for entry, run in runs if run is None]
        if not absent:
            whole[name] = told(here, command + " --judge-only" * parsed.judge_only)
        seeds, missing = seeds + here, missing + absent
    if parsed.tuning:
        print(page([one for one in seeds if one.part != NEWEST]))
    else:
        print(page(seeds))
        write(whole)
    print(f"\nnot trained, and their sets not written: {', '.join(missing) or 'none'}")


if __name__ == "__main__":
    main()
