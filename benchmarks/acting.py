"""What noise and bonuses cost on a host environment, in acting and stepping alone and in a step with its update.

    python benchmarks/acting.py --of noises
    python benchmarks/acting.py --of bonuses --rounds 5
    python benchmarks/acting.py --of noises --rounds 1 --only White     prints, writes nothing

Ways to explore take turns, and ratios are taken within a round. SAC at its defaults on one Pendulum-v1, one seed, one
update after each step. A bonus sees steps and learns when an update is made, so without updates it costs nothing.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping

import jax
from machine import HERE, describe

from entropax import (
    GSDE,
    ICM,
    OU,
    RND,
    SAC,
    Counts,
    Disagreement,
    Exploration,
    ParameterNoise,
    Pink,
    Repeated,
    ThroughPolicy,
    Training,
    White,
)
from entropax.loops.assemble import build
from entropax.loops.host_lane import HostLane

RESULTS = HERE / "results" / "acting.json"
PLAIN = "Policy"
NOISES: Mapping[str, Exploration] = {
    PLAIN: Exploration(),
    "White": Exploration(White(0.1)),
    "OU": Exploration(OU(0.2)),
    "Pink": Exploration(Pink(0.3)),
    "Repeated": Exploration(Repeated(0.1)),
    "ThroughPolicy": Exploration(ThroughPolicy()),
    "GSDE": Exploration(GSDE()),
    "ParameterNoise": Exploration(ParameterNoise(0.1)),
}
BONUSES: Mapping[str, Exploration] = {
    PLAIN: Exploration(),
    "Counts": Exploration(bonus=Counts()),
    "RND": Exploration(bonus=RND()),
    "ICM": Exploration(bonus=ICM()),
    "Disagreement": Exploration(bonus=Disagreement()),
}
"""All but `TableCounts`, whose one-hot observations no Gymnasium space declares."""
KINDS = {"noises": NOISES, "bonuses": BONUSES}
STEPS, UPDATES = 400, 40
"""Steps without and with updates that a round times; a whole number of episodes."""


def lane_of(exploration: Exploration) -> HostLane:
    """A lane with 1,000 stored steps, everything compiled."""
    training = Training(steps=1_000_000, capacity=100_000, warmup=1_000)
    environments = [build("Pendulum-v1", 1) for _ in range(2)]
    lane = HostLane(SAC(), environments[:1], environments[1], training, (0,), jax.local_devices()[0], exploration)
    lane.warm_up(1_000)
    lane.advance(250)
    lane.collect()
    return lane


def seconds(work: Callable[[], object], count: int) -> float:
    """Of one of so many that the work does."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) / count


def timed(kind: str, lane: HostLane) -> dict[str, float]:
    """Seconds of a step with its update, and of one without where noise acts."""

    def whole() -> None:
        lane.advance(UPDATES)
        lane.collect()

    found = {"with_update": seconds(whole, UPDATES)}
    if kind == "noises":
        found["step"] = seconds(lambda: lane._acting.steps(lane.workers, STEPS), STEPS)
    return found


def main() -> None:
    """Times all of a kind in turn and writes the median of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--of", choices=sorted(KINDS), required=True)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", nargs="+", choices=sorted({*NOISES, *BONUSES}), default=None)
    flags = parser.parse_args()
    ways = KINDS[flags.of]
    lanes = {name: lane_of(way) for name, way in ways.items() if name in (PLAIN, *(flags.only or ways))}
    rounds = [{name: timed(flags.of, lane) for name, lane in lanes.items()} for _ in range(flags.rounds)]
    found = {}
    for name in lanes:
        row = {}
        for what in rounds[0][name]:
            ratios = sorted(one[name][what] / one[PLAIN][what] for one in rounds)
            row[what] = {
                "microseconds": round(1e6 * statistics.median(one[name][what] for one in rounds), 1),
                "times_policy": [round(r, 3) for r in (statistics.median(ratios), ratios[0], ratios[-1])],
            }
        found[name] = row
        print(name, row)
    if flags.only is None and flags.rounds > 1:
        kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        kept[flags.of] = {"machine": describe(), "rounds": flags.rounds, "ways": found}
        RESULTS.write_text(json.dumps(kept, indent=2) + "\n")


if __name__ == "__main__":
    main()
