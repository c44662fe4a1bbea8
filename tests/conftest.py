"""What holds in every test: no implicit rank promotion, and little time spent on compiling."""

import gc
import os
from pathlib import Path

import jax
import pytest

_CACHE = Path(__file__).parent.parent / ".pytest_cache" / "xla"

# Most of a test is compilation. With less optimisation and XLA's older code generator it takes half the time, and the
# programs are as fast. Level 0 takes half of that again, but its programs are slower, and one no longer rounds like
# another: it is for files that say so, see `_unoptimised`.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=1 --xla_cpu_use_fusion_emitters=false")
# Compiled programs are kept between runs of the suite. Subprocesses of the tests share all this by the environment.
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(_CACHE)
jax.config.update("jax_compilation_cache_dir", str(_CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
jax.config.update("jax_numpy_rank_promotion", "raise")

# Tracing makes many objects that live long; by default the collector looks at all of them again and again.
gc.set_threshold(100_000, 20, 50)


def pytest_configure(config):
    config.addinivalue_line("markers", "unoptimised: a file whose programs cost more to compile than to run")


@pytest.fixture(autouse=True, scope="module")
def _unoptimised(request):
    """Compiles at level 0 in files marked `unoptimised`, whose programs run briefly and are compared by tolerances."""
    marked = request.node.get_closest_marker("unoptimised") is not None
    jax.config.update("jax_disable_most_optimizations", marked)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
