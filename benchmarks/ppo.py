"""Environment steps per second of PPO: Entropax on its pendulum in JAX, rejax on its own.

    python benchmarks/ppo.py              five alternating rounds, a few minutes
    python benchmarks/ppo.py --rounds 1   a trial: prints, writes nothing

Every measurement is a process of its own, on all cores.
"""

import argparse
import json
import subprocess
import sys
from typing import Any

from machine import HERE, describe, interpreter
from speed import environment, table

RESULTS = HERE / "results" / "ppo.json"
LIBRARIES = {"Entropax": "entropax", "rejax": "rejax"}


def measure(library: str) -> dict[str, Any]:
    """What a library's script prints last.

    Raises:
        RuntimeError: the script failed; the message ends with what it wrote on standard error.
    """
    command = [str(interpreter(library)), str(HERE / "peers" / f"{library}_ppo.py")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{library} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    """Measures in alternating rounds, prints a table, and writes JSON from five rounds on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="alternating rounds; ratios are taken within a round")
    flags = parser.parse_args()
    where = describe()
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in LIBRARIES}
    for number in range(flags.rounds):
        for name, library in LIBRARIES.items():
            found[name].append(measure(library))
        rates = ", ".join(f"{name} {rows[-1]['steps_per_second']:,.0f}" for name, rows in found.items())
        print(f"round {number + 1} of {flags.rounds}: {rates}", flush=True)
    lines = table(found, "steps_per_second", "steps/s", ("rejax",))
    print("\n".join(["", *lines]))
    if flags.rounds >= 5:
        result = {"command": ["benchmarks/ppo.py", *sys.argv[1:]], "machine": where, "rounds": found, "table": lines}
        RESULTS.write_text(json.dumps(result, indent=1) + "\n")
        print(f"\nwritten: {RESULTS}")


if __name__ == "__main__":
    main()
