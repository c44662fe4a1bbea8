"""Environment steps per second of vehicle and quadrotor: ours in JAX, and the same dynamics as Gymnasium in NumPy.

    python benchmarks/environments.py              five alternating rounds, about two minutes
    python benchmarks/environments.py --quick      one round: a trial, nothing is written

All use every core: ours as one XLA device a core, as `entropax train` does with its seeds, NumPy as one process a core.
JAX is imported late, because NumPy's processes import this file.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from machine import HERE, describe
from numpy_envs import TASKS, steps_per_second
from speed import table

RESULTS = HERE / "results" / "environments.json"
COPIES, STEPS = 1024, 2000
"""Environments in all, and steps of each in one compiled scan."""
SECONDS = 3.0
"""How long NumPy steps in each round."""
NUMPY = "NumPy, Gymnasium"


class Ours:
    """Our environment with uniform actions and auto-reset, its copies dealt to some XLA devices."""

    def __init__(self, task: str, devices: int):
        import jax

        from entropax import Episodes
        from entropax.envs.registry import TASKS as OURS

        entry = OURS[f"entropax/{task}-v0"]
        environment = Episodes(entry.build(), entry.time_limit)
        self.count = COPIES // devices
        self.program = jax.jit(lambda state, key: roll(environment, state, key, self.count))
        self.work = []
        for index, device in enumerate(jax.local_devices()[:devices]):
            keys = jax.random.split(jax.random.key(index), self.count)
            state = jax.vmap(lambda key: environment.reset(key=key)[0])(keys)
            self.work.append(jax.device_put((state, jax.random.key(index)), device))
        self.steps_per_second()  # Compiles.

    def steps_per_second(self) -> float:
        """One scan on every device at once."""
        import jax

        began = time.perf_counter()
        jax.block_until_ready([self.program(*work) for work in self.work])
        return self.count * len(self.work) * STEPS / (time.perf_counter() - began)


def roll(environment: Any, state: Any, key: Any, count: int) -> Any:
    """Many steps of `count` copies: the last states, and a sum of all that was seen, so that none of it is left out."""
    import jax
    import jax.numpy as jnp

    bounds = environment.spec.action

    def step(carry: Any, key: Any) -> tuple[Any, None]:
        state, total = carry
        action_key, step_key = jax.random.split(key)
        actions = bounds.to_environment(jax.random.uniform(action_key, (count, bounds.size), jnp.float32, -1, 1))
        keys = jax.random.split(step_key, count)
        state, given = jax.vmap(lambda s, a, k: environment.step(s, a, key=k))(state, actions, keys)
        seen = jnp.sum(given.observation, axis=-1) + jnp.sum(given.final_observation, axis=-1)
        return (state, total + given.reward + seen), None

    (state, total), _ = jax.lax.scan(step, (state, jnp.zeros(count)), jax.random.split(key, STEPS))
    return state, total


def measure(task: str, rounds: int, cores: int) -> dict[str, list[dict[str, float]]]:
    """Steps per second of every contender in each round; they take turns."""
    ours = {f"Entropax, {n} XLA device{'s' * (n > 1)}": Ours(task, n) for n in dict.fromkeys((cores, 1))}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in (*ours, NUMPY)}
    with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn")) as pool:
        for index in range(rounds):
            for name, one in ours.items():
                found[name].append({"steps_per_second": one.steps_per_second()})
            share, seeds = COPIES // cores, [index * COPIES + core for core in range(cores)]
            parts = pool.map(steps_per_second, [task] * cores, [share] * cores, [SECONDS] * cores, seeds)
            found[NUMPY].append({"steps_per_second": sum(parts)})
            rates = ", ".join(f"{name} {rows[-1]['steps_per_second']:,.0f}" for name, rows in found.items())
            print(f"  round {index + 1}/{rounds}  {rates}", flush=True)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures both tasks and writes `benchmarks/results/environments.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="alternating rounds; ratios are taken within a round")
    parser.add_argument("--quick", action="store_true", help="one round: a trial, not a result; nothing is written")
    parsed = parser.parse_args(arguments)
    cores = len(os.sched_getaffinity(0))
    import jax

    jax.config.update("jax_num_cpu_devices", cores)
    result = {"command": ["benchmarks/environments.py", *sys.argv[1:]], "copies": COPIES, "steps": STEPS, "tasks": {}}
    result["machine"] = describe()
    for task in TASKS:
        print(f"{task} (load {os.getloadavg()[0]:.2f})", flush=True)
        found = measure(task, 1 if parsed.quick else parsed.rounds, cores)
        lines = table(found, "steps_per_second", "steps/s", (NUMPY,))
        print("\n".join(["", f"### {task}, {COPIES:,} copies, {cores} cores", *lines, ""]), flush=True)
        result["tasks"][task] = {"rounds": found, "table": lines}
    if not parsed.quick:
        RESULTS.parent.mkdir(exist_ok=True)
        partial = RESULTS.with_suffix(".partial")
        partial.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
        partial.replace(RESULTS)


if __name__ == "__main__":
    main()
