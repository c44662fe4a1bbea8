"""Where seeds run: groups of them, one group a device, and on a CPU one device a core."""

import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

JaxDevice: TypeAlias = Any
"""A `jax.Device`, which type checkers see as a variable."""


def spread(seeds: int) -> None:
    """Asks for one XLA device a core, so that seeds run beside one another; a no-op once JAX has started.

    At the sizes of reinforcement learning a matrix product is too small to split among cores, and whole seeds are not.
    One seed alone keeps all cores to itself.
    """
    try:
        jax.config.update("jax_num_cpu_devices", max(min(seeds, len(cores())), 1))
    except RuntimeError:
        return


def cores() -> list[int]:
    """The numbers of the cores that this process may use."""
    return sorted(os.sched_getaffinity(0)) if "sched_getaffinity" in vars(os) else list(range(os.cpu_count() or 1))


def cache_compilations() -> None:
    """Keeps compiled programs on disk between runs, unless the user has chosen a place for them already."""
    if jax.config.values["jax_compilation_cache_dir"] is None:
        try:
            home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        except RuntimeError:  # A user whom the system does not know, as in some containers.
            return
        jax.config.update("jax_compilation_cache_dir", str(home / "entropax" / "xla"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def groups(seeds: Sequence[int], places: int) -> list[tuple[int, ...]]:
    """Deals the seeds to so many devices or processes in order, as evenly as they go."""
    count = min(len(seeds), places)
    size, more = divmod(len(seeds), count)
    ends = [size * i + min(i, more) for i in range(count + 1)]
    return [tuple(seeds[start:end]) for start, end in itertools.pairwise(ends)]


def over_seeds(function: Callable[..., Any], seeds: int) -> Callable[..., Any]:
    """`vmap`, but a single seed runs unbatched: its products are plain ones, which run faster."""
    if seeds > 1:
        return jax.vmap(function)

    def one(*arguments: Any) -> Any:
        result = function(*jax.tree.map(lambda x: jnp.squeeze(x, 0), arguments))
        return jax.tree.map(lambda x: jnp.expand_dims(x, 0), result)

    return one
