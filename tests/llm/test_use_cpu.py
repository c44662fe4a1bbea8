"""In a process of torch JAX never opens an accelerator: nothing computes before `use_cpu`, and the CPU alone after."""

import os
import subprocess
import sys

import jax
import pytest

from entropax.errors import EntropaxError
from entropax.llm import use_cpu

CONTROLLER = """
import sys
import jax
from jax._src import xla_bridge
from entropax.llm import BonusCoefficient, Controller, EntropyBonus, begin, use_cpu
from entropax.temperature import PI, Clamp, FractionOfInitial, Guard, Nats

target = Guard(Nats(0.3), FractionOfInitial(0.4))
law = PI(initial_alpha=1e-3, target_entropy=target, band=Clamp(1e-3, 5e-3))
controller = Controller(law, BonusCoefficient(), 151_936)
begin(EntropyBonus())
assert not xla_bridge.backends_are_initialized()
assert "torch" not in sys.modules
"""
COMPUTE = """
state = controller.update(controller.begin(), 0.2, 0.0, 1.0)
assert controller.from_json(controller.to_json(state)).acting
print(controller.value(state), [device.platform for device in jax.devices()])
"""


def python(program, **environment):
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )


def test_neither_import_nor_construction_computes_and_use_cpu_keeps_other_platforms_closed():
    """Without it JAX would open the platform named, which is none here, as it would open a GPU."""
    refused = python(CONTROLLER + COMPUTE, JAX_PLATFORMS="cuda")
    assert refused.returncode == 1
    assert "in begin" in refused.stderr
    done = python(CONTROLLER + "use_cpu()\nuse_cpu()\n" + COMPUTE, JAX_PLATFORMS="cuda")
    assert done.returncode == 0, done.stderr
    value, platforms = done.stdout.split(" ", 1)
    assert float(value) >= 1e-3 * (1 - 1e-6)
    assert platforms.strip() == "['cpu']"


def test_use_cpu_is_harmless_where_the_cpu_is_in_use():
    before = jax.config.jax_platforms
    try:
        use_cpu()
        assert jax.config.jax_platforms == "cpu"
    finally:
        jax.config.update("jax_platforms", before)


def test_use_cpu_refuses_where_an_accelerator_is_in_use(monkeypatch):
    before = jax.config.jax_platforms
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with pytest.raises(EntropaxError, match=r"gpu of this process.*JAX_PLATFORMS=cpu"):
        use_cpu()
    assert jax.config.jax_platforms == before
