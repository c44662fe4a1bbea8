"""The similarity of two landscapes: by hand, and what it is for correlated values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.ops import landscape_similarity


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param([0, 1, 5], [0, 1, 5], 1.0, id="identical"),
        pytest.param([0, 1, 5], [-7, -5, 3], 1.0, id="shifted and scaled"),
        pytest.param([5, 5, 6, 7], [3, 1, 0, 0], 0.0, id="each high where the other is lowest"),
        pytest.param([0, 1, 1], [3, 2, 3], 0.5, id="half shared"),
        pytest.param([0, 3, 4], [1, 5, 4], (3 * 4 + 4 * 3) / (5 * 5), id="a cosine of two 3-4-5 triangles"),
        pytest.param([0, 1, 2], [2, 1, 0], 1 / 5, id="reversed"),
        pytest.param([2, 2, 2], [0, 1, 2], 0.0, id="one flat"),
        pytest.param([2, 2, 2], [-1, -1, -1], 0.0, id="both flat"),
    ],
)
def test_similarity_by_hand(one, other, expected):
    one, other = jnp.array(one, jnp.float32), jnp.array(other, jnp.float32)
    np.testing.assert_allclose(landscape_similarity(one, other), expected, atol=1e-6)
    np.testing.assert_allclose(landscape_similarity(other, one), expected, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-3, 1e12])
def test_the_scale_of_rewards_does_not_matter(scale):
    one, other = jnp.array([0.0, 3, 4]) * scale, jnp.array([1.0, 5, 4])
    np.testing.assert_allclose(landscape_similarity(one, other), 24 / 25, rtol=1e-5)


@pytest.mark.parametrize("correlation", [1.0, 0.5, 0.0, -0.5, -1.0])
def test_correlated_normal_values_are_as_alike_as_computed(correlation):
    """With m the mean least of 100 standard normals, m^2 = 6.29, the cosine is about (m^2 + rho) / (m^2 + 1)."""
    one, more = jax.random.normal(jax.random.key(0), (2, 2_000, 100))
    other = correlation * one + np.sqrt(1 - correlation**2) * more
    found = jax.jit(jax.vmap(landscape_similarity))(one, other)
    least = float(jnp.mean(jnp.min(one, axis=1)))
    assert least**2 == pytest.approx(6.3, abs=0.15)
    assert float(jnp.mean(found)) == pytest.approx((6.3 + correlation) / 7.3, abs=0.012)
    assert float(jnp.min(found)) >= 0
    assert float(jnp.max(found)) <= 1 + 1e-6


def test_vmap_is_a_loop_and_jit_is_eager():
    one, other = jax.random.normal(jax.random.key(1), (2, 8, 20))
    mapped = jax.jit(jax.vmap(landscape_similarity))(one, other)
    looped = [landscape_similarity(*pair) for pair in zip(one, other, strict=True)]
    np.testing.assert_allclose(mapped, np.stack(looped), rtol=1e-5)
