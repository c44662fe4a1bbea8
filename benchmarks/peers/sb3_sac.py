"""Environment steps per second of Stable-Baselines3's SAC, with its own defaults."""

from protocol import Stopwatch, arguments, report, step_callback

ARGUMENTS = arguments(__doc__)

import torch  # noqa: E402  (after the pinning: the thread pools are sized on import)
from stable_baselines3 import SAC  # noqa: E402


def main() -> None:
    """Trains through the warm-up, times the rest and prints one JSON line."""
    if ARGUMENTS.cores:
        torch.set_num_threads(len(ARGUMENTS.cores))
    model = SAC(
        "MlpPolicy",
        ARGUMENTS.env,
        train_freq=ARGUMENTS.train_freq,
        gradient_steps=ARGUMENTS.gradient_steps,
        policy_kwargs={"net_arch": ARGUMENTS.net},
        seed=ARGUMENTS.seed,
        device="cpu",
    )
    # Updates begin in the first round that ends behind `learning_starts` random steps; the next callback follows it.
    first_update = (model.learning_starts // ARGUMENTS.train_freq + 1) * ARGUMENTS.train_freq + 1
    first = ARGUMENTS.warmup_steps
    watch = Stopwatch(first, first + ARGUMENTS.steps, first_update)
    model.learn(watch.last, callback=step_callback(watch))
    report("sb3", ("stable-baselines3", "torch", "gymnasium", "mujoco", "numpy"), ARGUMENTS, watch)


if __name__ == "__main__":
    main()
