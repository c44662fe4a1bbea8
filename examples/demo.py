"""Trains SAC on two real environments, prints a verdict for each, and writes one report.

Run with `make demo`. The networks are 64 x 64, a quarter of the usual width, so that eight seeds take minutes on two
cores; MountainCarContinuous pays for doing nothing, which is where an entropy that falls too early shows.
"""

from pathlib import Path

import entropax
from entropax.report import read_run, write_report

TASKS = {"Pendulum-v1": 10_000, "MountainCarContinuous-v0": 20_000}
algorithm = entropax.SAC(torso=entropax.Dense((64, 64)), actor_learning_rate=1e-3, critic_learning_rate=1e-3)

runs = [
    entropax.fit(algorithm, task, entropax.Training(steps=steps, evaluate_every=5_000), seeds=4)
    for task, steps in TASKS.items()
]
for task, run in zip(TASKS, runs, strict=True):
    print(f"{task}: {read_run(run.path).verdict.line()}")
report = write_report([run.path for run in runs], Path("report.html"), command="make demo")
print(f"report: {report.resolve()}")
