"""What holds in every test: no implicit rank promotion, and little time spent on compiling."""

import os
from pathlib import Path

import jax

_CACHE = Path(__file__).parent.parent / ".pytest_cache" / "xla"

# Most of a test is compilation. Without LLVM's optimisation and with XLA's older code generator it takes a fifth of the
# time, and what is compiled runs half as fast.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false")
# Compiled programs are kept between runs of the suite. Subprocesses of the tests share all this by the environment.
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(_CACHE)
jax.config.update("jax_compilation_cache_dir", str(_CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
jax.config.update("jax_numpy_rank_promotion", "raise")
