"""SAC and MaxInfoSAC where reward is rare: seeds that solve the task, and when they first do.

    python benchmarks/learning/sparse.py                                        all, printed and written
    python benchmarks/learning/sparse.py --only MaxInfoSAC:MountainCar          one, added to what is written

Small networks, so that a whole population takes minutes on one core; both algorithms share every setting.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from machine import HERE, describe

from entropax import SAC, Dense, MaxInfoSAC, Training, fit
from entropax.envs.registry import TASKS
from entropax.intrinsic.ensemble import Ensemble, SharedTrunk

RESULTS = HERE / "learning" / "results" / "sparse.json"
SEEDS, TORSO, BATCH, EPISODES = 10, Dense((64, 64)), 64, 5
STEPS: Mapping[str, tuple[str, int]] = {
    "MountainCar": ("entropax/MountainCarContinuous-v0", 20_000),
    "PendulumSparse": ("entropax/PendulumSparse-v0", 20_000),
    "PendulumActionCost": ("entropax/PendulumActionCost-v0", 10_000),
}
"""By name: the task's id, and steps to train for."""
INNER = SAC(torso=TORSO, batch_size=BATCH)
ALGORITHMS: Mapping[str, SAC | MaxInfoSAC] = {
    "SAC": INNER,
    "MaxInfoSAC": MaxInfoSAC(INNER, ensemble=Ensemble(trunks=SharedTrunk(TORSO))),
}


def measured(algorithm: str, task: str) -> dict[str, Any]:
    """Trains a population and evaluates it ten times on its way."""
    env, steps = STEPS[task]
    training = Training(
        steps=steps,
        evaluate_every=steps // 10,
        evaluation_episodes=EPISODES,
        log_every=steps // 20,
        checkpoint_every=steps,
        capacity=steps,
    )
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as root:
        run = fit(ALGORITHMS[algorithm], env, training, seeds=SEEDS, root=root, progress=False)
        at, returns = run.metrics.series("eval/mean_reward")
    solved = returns >= TASKS[env].solved
    first = np.where(solved.any(axis=0), at[np.argmax(solved, axis=0)], np.nan)
    return {
        "algorithm": algorithm,
        "task": env,
        "steps": steps,
        "seeds": SEEDS,
        "solved_at_end": int(solved[-1].sum()),
        "ever_solved": int(solved.any(axis=0).sum()),
        "first_solved": [None if np.isnan(step) else int(step) for step in first],
        "evaluation_steps": at.tolist(),
        "returns": np.round(returns, 2).tolist(),
        "seconds": time.perf_counter() - began,
    }


def main() -> None:
    """Measures what is chosen, and writes it beside what was measured before."""
    everything = {f"{algorithm}:{task}": (algorithm, task) for task in STEPS for algorithm in ALGORITHMS}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=everything, default=list(everything), metavar="ALGORITHM:TASK")
    rows = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else {}
    for name in parser.parse_args().only:
        rows[name] = row = measured(*everything[name])
        print(f"{name}: {row['ever_solved']} of {SEEDS} ever, {row['solved_at_end']} at the end", flush=True)
        about = {"machine": describe(), "command": "python benchmarks/learning/sparse.py", "hidden": [64, 64]}
        RESULTS.write_text(json.dumps({**about, "batch": BATCH, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
