"""Trains healthy and faulty runs and counts what the rules of `entropax diagnose` say of them.

python benchmarks/diagnosis/run.py --root runs/diagnosis                 trains what is missing, then judges
python benchmarks/diagnosis/run.py --root runs/diagnosis --judge-only    judges what is there
"""

import argparse
import itertools
import time
from pathlib import Path

from faults import FAULTS
from healthy import HEALTHY
from setting import trained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("runs/diagnosis"))
    parsed = parser.parse_args()
    pairs = itertools.zip_longest(HEALTHY, [fault.setting for fault in FAULTS])
    settings = [setting for pair in pairs for setting in pair if setting is not None]
    for number, setting in enumerate(settings, 1):
        began = time.perf_counter()
        trained(setting, parsed.root)
        print(f"{number}/{len(settings)} {setting.name}: {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
