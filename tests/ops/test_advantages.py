"""Advantages against a plain loop over steps, with ends of episodes inside; the clipped surrogate by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.ops import clipped_surrogate, generalised_advantages, temporal_difference


def _slow(reward, value, next_value, terminated, last, discount, gae_lambda):
    """Sum over l of (gamma lambda)^l delta_{t+l}, step by step, to the first end of an episode."""
    n, found = len(reward), []
    for start in range(n):
        total, weight = 0.0, 1.0
        for t in range(start, n):
            bootstrap = 0.0 if terminated[t] else next_value[t]
            total += weight * (reward[t] + discount * bootstrap - value[t])
            weight *= discount * gae_lambda
            if last[t]:
                break
        found.append(total)
    return np.array(found)


@pytest.mark.parametrize(("discount", "gae_lambda"), [(0.9, 0.95), (1.0, 1.0), (0.99, 0.0), (0.5, 0.5)])
def test_advantages_are_the_sums_to_the_end_of_the_episode(discount, gae_lambda):
    rng = np.random.default_rng(0)
    reward, value, next_value = rng.normal(size=(3, 12)).astype(np.float32)
    terminated, last = np.zeros((2, 12), np.float32)
    terminated[3] = last[3] = 1  # A termination,
    last[7] = 1  # a truncation, which bootstraps from its own next observation, and an open end.
    errors = temporal_difference(*map(jnp.asarray, (reward, value, next_value, terminated)), discount)
    found = jax.jit(generalised_advantages)(errors, jnp.asarray(last), discount, gae_lambda)
    expected = _slow(reward, value, next_value, terminated, last, discount, gae_lambda)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert not np.allclose(found, _slow(reward, value, next_value, last, last, discount, gae_lambda)), "time limit"


def test_lambda_1_is_the_return_minus_the_value_and_0_the_one_step_error():
    reward, value = jnp.array([1.0, 2.0, 4.0]), jnp.array([0.5, 0.25, 0.125])
    next_value, flags = jnp.array([0.25, 0.125, 8.0]), jnp.zeros(3)
    errors = temporal_difference(reward, value, next_value, flags, 0.5)
    one_step = [1 + 0.125 - 0.5, 2 + 0.0625 - 0.25, 4 + 4 - 0.125]
    np.testing.assert_allclose(generalised_advantages(errors, flags, 0.5, 0.0), one_step)
    returns = np.array([1 + 1 + 1 + 1, 2 + 2 + 2, 4 + 4])
    np.testing.assert_allclose(generalised_advantages(errors, flags, 0.5, 1.0), returns - value)


def test_a_ratio_that_has_left_its_bounds_to_its_gain_has_no_gradient():
    log_ratio = jnp.log(jnp.array([1.0, 1.3, 0.7, 1.3, 0.7]))
    advantage = jnp.array([2.0, 2.0, -2.0, -2.0, 2.0])
    value = clipped_surrogate(log_ratio, advantage, 0.2)
    np.testing.assert_allclose(value, [2.0, 2.4, -1.6, -2.6, 1.4], rtol=1e-6)
    slope = jax.grad(lambda x: jnp.sum(clipped_surrogate(x, advantage, 0.2)))(log_ratio)
    np.testing.assert_allclose(slope, [2.0, 0.0, 0.0, -2.6, 1.4], rtol=1e-6)
