import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from token_batches import arrays

import entropax.llm as llm
from entropax import EntropaxError


def _changed(name, values):
    return llm.tokens(**(arrays() | {name: values}))


def test_padding_is_zero_whatever_it_held():
    given = arrays()
    for name in ("log_prob", "old_log_prob", "entropy"):
        given[name] = np.where(given["mask"], given[name], -np.inf).astype(np.float32)
    batch = llm.tokens(**given)
    assert not batch.mask.all()
    for values in (batch.log_prob, batch.old_log_prob, batch.advantages, batch.entropy):
        assert (values[~batch.mask] == 0).all()
        assert np.isfinite(values).all()
    assert (batch.ratio[~batch.mask] == 1).all()


def test_one_advantage_a_completion_is_every_tokens():
    batch = llm.tokens(**arrays())
    each = np.broadcast_to(arrays()["advantages"][:, None], batch.mask.shape)
    assert (batch.advantages[batch.mask] == each[batch.mask]).all()
    assert (_changed("advantages", each).advantages == batch.advantages).all()


@pytest.mark.parametrize("kind", [np.bool_, np.int64, np.float32])
def test_a_mask_of_any_type_is_taken(kind):
    assert (_changed("mask", arrays()["mask"].astype(kind)).mask == arrays()["mask"]).all()


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_single(half):
    """150,000 tokens of 2 nats: their sum, and their number, are beyond float16; bfloat16 counts in steps of 1,024."""
    log_prob = jnp.full((150, 1000), -2.0, half)
    batch = llm.tokens(log_prob, log_prob, jnp.asarray([3.0, -1.0] * 75, half), jnp.ones((150, 1000)), -log_prob)
    assert {each.dtype for each in batch if each.dtype != bool} == {jnp.dtype("float32")}
    method = llm.ScoreBonus(llm.Clip(), 0.5)
    w, c = method.weights(batch._replace(entropy=None), llm.begin(method), llm.ThisBatch())
    assert (w == batch.advantages).all()
    assert float(llm.loss(log_prob, None, batch.mask, llm.Weights(w, c))) == pytest.approx(2.0, rel=1e-6)


@pytest.mark.parametrize("name", ["old_log_prob", "mask", "entropy", "advantages"])
def test_shapes_that_differ_are_named(name):
    with pytest.raises(EntropaxError, match=rf"{name} is \(.*completion alone"):
        _changed(name, arrays()[name][:-1])


def test_a_mask_that_selects_nothing_is_refused():
    with pytest.raises(EntropaxError, match="selects no token"):
        _changed("mask", np.zeros_like(arrays()["mask"]))


@pytest.mark.parametrize("name", ["log_prob", "old_log_prob", "advantages", "entropy"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_refused(name, bad):
    values = arrays()[name].copy()
    values[0] = bad
    with pytest.raises(EntropaxError, match=f"{name} is NaN or infinite at .* tokens"):
        _changed(name, values)


def test_importing_it_starts_no_device_and_no_torch():
    code = (
        "import sys, entropax.llm; from jax._src import xla_bridge; "
        "sys.exit('torch' in sys.modules or xla_bridge.backends_are_initialized())"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120, check=False).returncode == 0
