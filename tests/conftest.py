"""What holds in every test: no implicit rank promotion, and compiled programs kept between runs of the suite."""

import os
from pathlib import Path

import jax

_CACHE = Path(__file__).parent.parent / ".pytest_cache" / "xla"

# Subprocesses of the tests share it through the environment.
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(_CACHE)
jax.config.update("jax_compilation_cache_dir", str(_CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
jax.config.update("jax_numpy_rank_promotion", "raise")
