"""What both measured PPOs share: the settings, and the clock around a compiled program."""

import importlib.metadata
import json
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Settings(NamedTuple):
    """One setting of PPO for all libraries."""

    num_envs: int = 64
    num_steps: int = 64
    epochs: int = 4
    minibatches: int = 16
    net: tuple[int, ...] = (64, 64)
    """Hidden widths of actor and critic, with tanh between."""
    max_grad_norm: float = 0.5
    rollouts: int = 20
    """Rollouts, each with its updates, of one call of the compiled program."""


SETTINGS = Settings()
CALLS = 5
"""Timed calls, behind one that compiles and one that warms the caches."""


def measure(library: str, packages: Sequence[str], program: Callable[[Any], Any], state: Any) -> None:
    """Times the program, its state going on from call to call, and prints one JSON line, last on standard output."""
    import jax

    for _ in range(2):
        state = jax.block_until_ready(program(state))
    began = time.perf_counter()
    for _ in range(CALLS):
        state = jax.block_until_ready(program(state))
    seconds = time.perf_counter() - began
    steps = CALLS * SETTINGS.rollouts * SETTINGS.num_steps * SETTINGS.num_envs
    versions = {name: importlib.metadata.version(name) for name in packages}
    print(json.dumps({"library": library, "steps_per_second": steps / seconds, "versions": versions}))
