"""What holds in every test: no implicit rank promotion, and little time spent on compiling."""

import os
from pathlib import Path

import jax

_CACHE = Path(__file__).parent.parent / ".pytest_cache" / "xla"

# Most of a test is compilation. With less optimisation and XLA's older code generator it takes half the time, and the
# programs are as fast. Level 0 would compile in a fifth, but then one program no longer rounds like another.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=1 --xla_cpu_use_fusion_emitters=false")
# Compiled programs are kept between runs of the suite. Subprocesses of the tests share all this by the environment.
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(_CACHE)
jax.config.update("jax_compilation_cache_dir", str(_CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
jax.config.update("jax_numpy_rank_promotion", "raise")
