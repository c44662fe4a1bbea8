"""Targets, losses and averages against numbers computed by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import ops


def array(*values):
    return jnp.array(values, jnp.float32)


def scalar(value):
    return jnp.float32(value)


def test_soft_target_by_hand():
    target = ops.soft_target(scalar(1.0), scalar(0.9), scalar(10.0), scalar(-1.0))
    np.testing.assert_allclose(target, 1.0 + 0.9 * (10.0 + 1.0), rtol=1e-6)
    ended = ops.soft_target(scalar(1.0), scalar(0.0), scalar(10.0), scalar(-1.0))
    np.testing.assert_allclose(ended, 1.0)


def test_plain_target_by_hand():
    np.testing.assert_allclose(ops.plain_target(array(1, 1), array(0.9, 0), array(10, 10)), [10.0, 1.0], rtol=1e-6)


@pytest.mark.parametrize(
    ("terminated", "last", "expected_return", "expected_discount", "expected_index"),
    [
        pytest.param([0, 0, 0], [0, 0, 0], 1 + 0.5 * 2 + 0.25 * 4, 0.125, 2, id="whole window"),
        pytest.param([0, 0, 1], [0, 0, 1], 3.0, 0.0, 2, id="terminated at the end"),
        pytest.param([0, 0, 0], [0, 0, 1], 3.0, 0.125, 2, id="truncated at the end"),
        pytest.param([0, 1, 0], [0, 1, 0], 2.0, 0.0, 1, id="terminated within"),
        pytest.param([0, 0, 0], [0, 1, 0], 2.0, 0.25, 1, id="truncated within"),
        pytest.param([0, 0, 1], [1, 0, 1], 1.0, 0.5, 0, id="a later episode's end does not count"),
    ],
)
def test_n_step_return_by_hand(terminated, last, expected_return, expected_discount, expected_index):
    found = ops.n_step_return(array(1, 2, 4), array(*terminated), array(*last), 0.5)
    np.testing.assert_allclose(found[0], expected_return)
    np.testing.assert_allclose(found[1], expected_discount)
    assert int(found[2]) == expected_index


def test_n_step_return_of_one_step_is_the_plain_one():
    found = ops.n_step_return(array(3), array(0), array(0), 0.99)
    np.testing.assert_allclose(found[0], 3.0)
    np.testing.assert_allclose(found[1], 0.99)
    assert int(found[2]) == 0


def test_n_step_return_does_not_look_past_the_end():
    rewards = jnp.array([1.0, jnp.inf, jnp.nan])
    total, discount, _ = ops.n_step_return(rewards, array(0, 0, 0), array(1, 0, 0), 0.5)
    assert float(total) == 1.0
    assert float(discount) == 0.5


def test_n_step_return_vmap_is_a_loop_and_jit_is_eager():
    keys = jax.random.split(jax.random.key(0), 3)
    rewards = jax.random.normal(keys[0], (16, 5))
    last = jax.random.bernoulli(keys[1], 0.3, (16, 5)).astype(jnp.float32)
    terminated = last * jax.random.bernoulli(keys[2], 0.5, (16, 5))
    mapped = jax.jit(jax.vmap(ops.n_step_return, in_axes=(0, 0, 0, None)))(rewards, terminated, last, 0.9)
    for row in range(16):
        total, power, index = 0.0, 1.0, 0
        for index in range(5):
            total, power = total + power * float(rewards[row, index]), power * 0.9
            if last[row, index]:
                break
        np.testing.assert_allclose(mapped[0][row], total, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(mapped[1][row], power * (1 - float(terminated[row, index])), rtol=1e-5)
        assert int(mapped[2][row]) == index


def test_critic_loss_by_hand_and_its_gradient():
    loss, gradient = jax.value_and_grad(ops.critic_loss)(array(1, 4), scalar(2.0))
    np.testing.assert_allclose(loss, 0.5 * (1 + 4))
    np.testing.assert_allclose(gradient, [-1.0, 2.0])


def test_actor_loss_by_hand():
    np.testing.assert_allclose(ops.actor_loss(array(-0.2, 0.6), array(2, 5)), [-2.2, -4.4], rtol=1e-6)


def test_price_of_an_action_by_hand():
    log_probs = array(-1, 3)
    np.testing.assert_allclose(ops.alpha_log_prob(scalar(0.2), log_probs), 0.4, rtol=1e-6)
    np.testing.assert_allclose(ops.alpha_log_prob(array(0.2, 0.5), log_probs), -0.2 + 1.5, rtol=1e-6)
    # The gradient by each dimension's log-probability is its own alpha.
    for alpha, expected in ((scalar(0.2), [0.2, 0.2]), (array(0.2, 0.5), [0.2, 0.5])):
        np.testing.assert_allclose(jax.grad(ops.alpha_log_prob, argnums=1)(alpha, log_probs), expected, rtol=1e-6)


def test_temperature_losses_by_hand():
    log_alpha, entropy, target = jnp.log(scalar(0.5)), scalar(-3.0), scalar(-1.0)
    in_log, log_gradient = jax.value_and_grad(ops.temperature_loss_log_alpha)(log_alpha, entropy, target)
    in_alpha, alpha_gradient = jax.value_and_grad(ops.temperature_loss_alpha)(log_alpha, entropy, target)
    np.testing.assert_allclose([in_log, log_gradient], [2 * np.log(2.0), -2.0], rtol=1e-6)
    np.testing.assert_allclose([in_alpha, alpha_gradient], [-1.0, -1.0], rtol=1e-6)


def test_polyak_by_hand():
    slow = {"weight": array(0, 2), "steps": scalar(4.0)}
    fast = {"weight": array(1, 4), "steps": scalar(0.0)}
    mixed = ops.polyak(slow, fast, 0.25)
    np.testing.assert_allclose(mixed["weight"], [0.25, 2.5])
    np.testing.assert_allclose(mixed["steps"], 3.0)
    jax.tree.map(np.testing.assert_array_equal, ops.polyak(slow, fast, 1.0), fast)
    jax.tree.map(np.testing.assert_array_equal, ops.polyak(slow, fast, 0.0), slow)


def test_polyak_keeps_types():
    slow, fast = {"weight": jnp.zeros(2, jnp.bfloat16)}, {"weight": jnp.ones(2, jnp.bfloat16)}
    shape = jax.eval_shape(ops.polyak, slow, fast, jnp.float32(0.005))
    assert shape["weight"].dtype == jnp.bfloat16
    assert not shape["weight"].weak_type
