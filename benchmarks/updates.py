"""Time of one update of every off-policy algorithm, beside SAC's, at the same networks and batch.

    python benchmarks/updates.py
    python benchmarks/updates.py --rounds 1 --only SAC DecomposedSAC     prints, writes nothing

Updates run back to back in one compiled loop on one random batch, so nothing but the update is timed.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from machine import HERE, describe

from entropax import (
    DDPG,
    DQN,
    SAC,
    TD3,
    DecomposedSAC,
    DiscreteSAC,
    DiscreteSoftQ,
    MaxInfoSAC,
    MetaSAC,
    SACAdaEnt,
    SACLite,
    SoftQ,
)
from entropax.algorithms.base import AbstractAlgorithm
from entropax.types import Bounds, Categories, Spec, Transition, unknown_progress

RESULTS = HERE / "results" / "updates.json"
SPEC = Spec(17, Bounds((-1.0,) * 6, (1.0,) * 6))
"""Sizes of HalfCheetah-v5."""
CATEGORIES = Spec(17, Categories(6))
"""As many observations, and an action of six."""
ALGORITHMS: Mapping[str, tuple[AbstractAlgorithm[Any], int]] = {
    "SAC": (SAC(), 100),
    "SACLite": (SACLite(), 100),
    "DecomposedSAC": (DecomposedSAC(), 100),
    "MetaSAC": (MetaSAC(), 50),
    "MaxInfoSAC": (MaxInfoSAC(), 100),
    "TD3": (TD3(), 100),
    "DDPG": (DDPG(), 100),
    "SoftQ": (SoftQ(), 100),
    "SACAdaEnt": (SACAdaEnt(), 5),
    "DiscreteSAC": (DiscreteSAC(), 100),
    "DiscreteSoftQ": (DiscreteSoftQ(), 100),
    "DQN": (DQN(batch_size=256), 100),
}
"""Each at its defaults, but for DQN's batch, and updates to time: two hidden layers of 256 units and batches of 256 in
all of them; the trunk of MaxInfoSAC's models has 128."""


def spec_of(algorithm: AbstractAlgorithm[Any]) -> Spec:
    """What it is timed on."""
    return CATEGORIES if isinstance(algorithm, DiscreteSAC | DiscreteSoftQ | DQN) else SPEC


def timed(algorithm: AbstractAlgorithm[Any], updates: int) -> Callable[[], float]:
    """Compiles a loop of updates; each call runs it once and gives the seconds of one update."""
    rng = np.random.default_rng(0)
    spec = spec_of(algorithm)
    batch, window = algorithm.data().shape(1)

    def draw(*more: int) -> jax.Array:
        return jnp.asarray(rng.normal(size=(batch, window, *more)), jnp.float32)

    ends = jnp.zeros((batch, window), jnp.float32)
    action = jnp.tanh(draw(spec.action.size))
    if isinstance(spec.action, Categories):
        action = jnp.asarray(rng.integers(spec.action.count, size=action.shape), jnp.float32)
    data = Transition(draw(spec.observation_size), action, draw(), draw(spec.observation_size), ends, ends)
    progress = unknown_progress(spec)

    @jax.jit
    def run(state: Any) -> Any:
        keys = jax.random.split(jax.random.key(1), updates)
        return jax.lax.scan(lambda s, k: algorithm.update(spec, s, data, progress, key=k), state, keys)[0]

    state = algorithm.init(spec, key=jax.random.key(0))
    jax.block_until_ready(run(state))

    def once() -> float:
        started = time.perf_counter()
        jax.block_until_ready(run(state))
        return (time.perf_counter() - started) / updates

    return once


def flops(algorithm: AbstractAlgorithm[Any]) -> float:
    """XLA's count for one update."""
    spec = spec_of(algorithm)
    batch, window = algorithm.data().shape(1)

    def shape(*more: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((batch, window, *more), jnp.float32)

    data = Transition(
        shape(spec.observation_size), shape(spec.action.size), shape(), shape(spec.observation_size), shape(), shape()
    )
    key = jax.random.key(0)
    state = jax.eval_shape(lambda: algorithm.init(spec, key=key))
    program = jax.jit(lambda s, b: algorithm.update(spec, s, b, unknown_progress(spec), key=key))
    analysis: Any = program.lower(state, data).compile().cost_analysis()
    return float(analysis["flops"])


def main() -> None:
    """Measures in alternating rounds, prints a table, and writes JSON where all was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each algorithm")
    parser.add_argument("--only", nargs="+", choices=list(ALGORITHMS), default=list(ALGORITHMS), help="algorithms")
    flags = parser.parse_args()
    where = describe()
    chosen = {name: ALGORITHMS[name] for name in dict.fromkeys(["SAC", *flags.only])}
    programs = {name: timed(*choice) for name, choice in chosen.items()}
    rounds = []
    for number in range(flags.rounds):
        rounds.append({name: once() for name, once in programs.items()})
        print(
            f"round {number + 1} of {flags.rounds}: {', '.join(f'{n} {1e3 * s:.2f} ms' for n, s in rounds[-1].items())}"
        )
    rows = []
    for name, (algorithm, _) in chosen.items():
        ratios = [one[name] / one["SAC"] for one in rounds]
        rows.append(
            {
                "algorithm": name,
                "milliseconds": 1e3 * statistics.median(one[name] for one in rounds),
                "times_sac": statistics.median(ratios),
                "least": min(ratios),
                "most": max(ratios),
                "gigaflop": flops(algorithm) / 1e9,
            }
        )
    print("\n| algorithm | ms per update | times SAC's (least to most) | GFLOP by XLA's count |")
    print("| --- | --- | --- | --- |")
    for row in rows:
        spread = f"{row['times_sac']:.2f} ({row['least']:.2f} to {row['most']:.2f})"
        print(f"| {row['algorithm']} | {row['milliseconds']:.2f} | {spread} | {row['gigaflop']:.2f} |")
    if flags.rounds >= 5 and set(chosen) == set(ALGORITHMS):
        about = {"machine": where, "jax": jax.__version__, "updates": {n: u for n, (_, u) in ALGORITHMS.items()}}
        RESULTS.write_text(json.dumps({**about, "rounds": rounds, "rows": rows}, indent=1) + "\n")
        print(f"\nwritten: {RESULTS}")


if __name__ == "__main__":
    main()
