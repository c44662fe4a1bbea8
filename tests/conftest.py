"""What holds in every test: no implicit rank promotion, and little time spent on compiling."""

import gc
import os
from pathlib import Path

import jax
import jaxtyping
import pytest

_CACHE = Path(__file__).parent.parent / ".pytest_cache" / "xla"

# Most of a test is compilation. At level 0 it takes a third of the time; the programs are slower, and one no longer
# rounds like another. Level 1, with XLA's older code generator where it still has it, is for tests that say so: see
# `optimised`. XLA ends a process that names a flag it does not know.
_OLDER = " --xla_cpu_use_fusion_emitters=false" if jax.__version_info__ < (0, 11) else ""
os.environ.setdefault("XLA_FLAGS", f"--xla_backend_optimization_level=1{_OLDER}")
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
# Compiled programs are kept between runs of the suite. Subprocesses of the tests share all this by the environment.
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(_CACHE)
jax.config.update("jax_disable_most_optimizations", True)
jax.config.update("jax_compilation_cache_dir", str(_CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
jax.config.update("jax_numpy_rank_promotion", "raise")

# Tracing makes many objects that live long; by default the collector looks at all of them again and again.
gc.set_threshold(100_000, 20, 50)


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "optimised: needs programs that round alike, or that run for longer than they compile"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Compiles for the test and the fixtures that it is the first to use."""
    jax.config.update("jax_disable_most_optimizations", item.get_closest_marker("optimised") is None)


@pytest.fixture
def untyped():
    """As users have it: no check of annotations before our own, as the gate has."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
