"""Where compiled programs are kept."""

from pathlib import Path

import jax
import pytest

from entropax.loops.devices import cache_compilations


@pytest.fixture
def unset(monkeypatch):
    before = jax.config.values["jax_compilation_cache_dir"]
    seconds = jax.config.values["jax_persistent_cache_min_compile_time_secs"]
    jax.config.update("jax_compilation_cache_dir", None)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    yield monkeypatch
    jax.config.update("jax_compilation_cache_dir", before)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", seconds)


def test_an_empty_setting_is_none(unset):
    unset.setenv("XDG_CACHE_HOME", "")
    cache_compilations()
    assert jax.config.values["jax_compilation_cache_dir"] == str(Path.home() / ".cache" / "entropax" / "xla")


def test_a_user_without_a_home_has_no_cache(unset):
    def unknown():
        raise RuntimeError("Could not determine home directory.")

    unset.setattr(Path, "home", unknown)
    cache_compilations()
    assert jax.config.values["jax_compilation_cache_dir"] is None
