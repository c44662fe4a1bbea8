"""Environment steps per second of Entropax's SAC, with its own defaults, read off the run's metrics log."""

import tempfile
import time

from protocol import Children, Stopwatch, arguments, report

ARGUMENTS = arguments(__doc__)

import entropax  # noqa: E402  (after the pinning: the thread pools are sized on import)
from entropax.networks import Dense  # noqa: E402

LOG_EVERY = 1000
"""Steps between two rows: the default, so that what is timed includes measuring and logging."""


def training() -> entropax.Training:
    """The peers' schedule: 100 random steps, then updates; no evaluation and no checkpoint but the last."""
    if ARGUMENTS.warmup_steps % LOG_EVERY or ARGUMENTS.warmup_steps < 1:
        raise SystemExit(f"--warmup-steps must be a multiple of {LOG_EVERY}: the clock starts at a row of metrics.")
    steps = ARGUMENTS.warmup_steps + ARGUMENTS.steps
    return entropax.Training(
        steps=steps,
        warmup=100,
        train_every=ARGUMENTS.train_freq,
        updates=ARGUMENTS.gradient_steps,
        log_every=LOG_EVERY,
        evaluate_every=0,
        checkpoint_every=steps,
        acting=ARGUMENTS.acting,
        seeds_in=ARGUMENTS.seeds_in,
    )


def main() -> None:
    """Trains, then reads the seconds of the first row behind the warm-up and of the last."""
    seeds = range(ARGUMENTS.seed, ARGUMENTS.seed + ARGUMENTS.num_seeds)
    children = Children("entropax.loops.process_child")
    algorithm = entropax.SAC(torso=Dense(tuple(ARGUMENTS.net)))
    with tempfile.TemporaryDirectory() as root:
        run = entropax.fit(algorithm, ARGUMENTS.env, training(), seeds=seeds, root=root, progress=False)
        ended, metrics = time.time(), run.metrics
    started = next(row for row in metrics.rows if row.step >= ARGUMENTS.warmup_steps)
    first, last = metrics.rows[0], metrics.rows[-1]
    watch = Stopwatch(started.step, last.step, first.step, started.seconds, last.seconds)
    watch.updated = ended - (metrics.events[-1].seconds - first.seconds)
    report("entropax", ("entropax", "jax", "equinox", "gymnasium", "mujoco", "numpy"), ARGUMENTS, watch, children.mb)


if __name__ == "__main__":
    main()
