"""What noise costs on a host environment: one step of acting and stepping, and one whole step with SAC's update.

    python benchmarks/acting.py
    python benchmarks/acting.py --rounds 1 --only White     prints, writes nothing

Ways to explore take turns, and ratios are taken within a round. SAC at its defaults on one Pendulum-v1, one seed, one
update after each step.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping

import jax
from machine import HERE, describe

from entropax import GSDE, OU, SAC, Exploration, ParameterNoise, Pink, Repeated, ThroughPolicy, Training, White
from entropax.loops.assemble import build
from entropax.loops.host_lane import HostLane

RESULTS = HERE / "results" / "acting.json"
WAYS: Mapping[str, Exploration] = {
    "Policy": Exploration(),
    "White": Exploration(White(0.1)),
    "OU": Exploration(OU(0.2)),
    "Pink": Exploration(Pink(0.3)),
    "Repeated": Exploration(Repeated(0.1)),
    "ThroughPolicy": Exploration(ThroughPolicy()),
    "GSDE": Exploration(GSDE()),
    "ParameterNoise": Exploration(ParameterNoise(0.1)),
}
STEPS, UPDATES = 400, 40
"""Steps without and with updates that a round times; a whole number of episodes."""


def lane_of(exploration: Exploration) -> HostLane:
    """A lane with 1,000 stored steps, everything compiled."""
    training = Training(steps=1_000_000, capacity=100_000, warmup=1_000)
    environments = [build("Pendulum-v1", 1) for _ in range(2)]
    lane = HostLane(SAC(), environments[:1], environments[1], training, (0,), jax.local_devices()[0], exploration)
    lane.warm_up(1_000)
    lane.advance(50)
    lane._acting.steps(lane.workers, 400)
    lane.collect()
    return lane


def seconds(work: Callable[[], object], count: int) -> float:
    """Of one of so many that the work does."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) / count


def timed(lane: HostLane) -> tuple[float, float]:
    """Seconds of a step without an update, and with one."""

    def whole() -> None:
        lane.advance(UPDATES)
        lane.collect()

    return seconds(lambda: lane._acting.steps(lane.workers, STEPS), STEPS), seconds(whole, UPDATES)


def main() -> None:
    """Times all in turn and writes the median of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", nargs="+", choices=sorted(WAYS), default=None)
    flags = parser.parse_args()
    names = [name for name in WAYS if name == "Policy" or flags.only is None or name in flags.only]
    lanes = {name: lane_of(WAYS[name]) for name in names}
    rounds = [{name: timed(lane) for name, lane in lanes.items()} for _ in range(flags.rounds)]
    found = {}
    for name in names:
        row = {}
        for place, kind in enumerate(("step", "with_update")):
            ratios = sorted(one[name][place] / one["Policy"][place] for one in rounds)
            row[kind] = {
                "microseconds": round(1e6 * statistics.median(one[name][place] for one in rounds), 1),
                "times_policy": [round(r, 3) for r in (statistics.median(ratios), ratios[0], ratios[-1])],
            }
        found[name] = row
        print(name, row)
    if flags.only is None and flags.rounds > 1:
        RESULTS.write_text(json.dumps({"machine": describe(), "rounds": flags.rounds, "ways": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
