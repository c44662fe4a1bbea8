"""Entropies, Boltzmann policies and regularised losses against closed forms, and what users get wrong about bonuses."""

import jax
import jax.numpy as jnp
import numpy as np

from entropax import ops
from entropax.distributions import log_tanh_derivative

LOGITS = jnp.array([[2.0, 0.0, -1.0], [0.5, 0.5, 0.5]])
Q = jnp.array([[1.0, 0.5, -2.0], [0.0, 0.0, 3.0]])


def published_discrete_entropy(logits):
    """As blog posts write it, in double precision."""
    shifted = np.asarray(logits, np.float64) - np.max(logits, axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -(np.exp(log_probs) * log_probs).sum(axis=1)


def test_discrete_entropy():
    found = ops.discrete_entropy(LOGITS)
    np.testing.assert_allclose(found, published_discrete_entropy(LOGITS), rtol=1e-6)
    np.testing.assert_allclose(ops.discrete_entropy(LOGITS[None, :, None])[0, :, 0], found)
    np.testing.assert_allclose(ops.discrete_entropy(1e4 * LOGITS), [0, np.log(3)], rtol=1e-6, atol=1e-6)
    policy, nats = jax.nn.softmax(LOGITS[0]), found[0]
    slope = jax.grad(ops.discrete_entropy)(LOGITS[0])
    np.testing.assert_allclose(slope, -policy * (jnp.log(policy) + nats), rtol=1e-5)
    impossible = jax.grad(ops.discrete_entropy)(jnp.array([1.0, 0.0, -jnp.inf]))
    assert jnp.isfinite(impossible).all()


def test_gaussian_entropy():
    log_std = jnp.log(jnp.array([[0.1, 2.0, 1.0], [1.0, 1.0, 1.0]]))
    expected = 0.5 * 3 * np.log(2 * np.pi * np.e) + np.asarray(log_std, np.float64).sum(axis=1)
    np.testing.assert_allclose(ops.gaussian_entropy(log_std), expected, rtol=1e-6)


def test_tanh_gaussian_entropy_three_ways():
    """Quadrature, fresh samples, and the mean of minus log-densities, with gradients."""
    mean, log_std = jnp.array([0.8, -0.2]), jnp.log(jnp.array([0.5, 1.5]))
    noise = jax.random.normal(jax.random.key(0), (50_000, 2))
    exact, by_sampling = ops.tanh_gaussian_entropy(mean, log_std), ops.tanh_gaussian_entropy_by_sampling
    np.testing.assert_allclose(by_sampling(mean, log_std, noise), exact, atol=0.03)
    slopes = jax.grad(ops.tanh_gaussian_entropy, argnums=(0, 1))(mean, log_std)
    sampled = jax.grad(by_sampling, argnums=(0, 1))(mean, log_std, noise)
    np.testing.assert_allclose(jnp.stack(sampled), jnp.stack(slopes), atol=0.03)
    latent = mean[None] + jnp.exp(log_std)[None] * noise
    density = -0.5 * (noise**2 + np.log(2 * np.pi)) - log_std[None] - log_tanh_derivative(latent)
    np.testing.assert_allclose(-density.sum(axis=1).mean(), exact, atol=0.05)
    batch = ops.tanh_gaussian_entropy(jnp.stack([mean, mean]), jnp.stack([log_std, log_std]))
    np.testing.assert_allclose(batch, [exact, exact], rtol=1e-6)


def test_boltzmann_policy_and_its_soft_value():
    for alpha in (0.1, 2.0):
        policy, log_policy, value = (
            f(Q, alpha) for f in (ops.boltzmann_policy, ops.boltzmann_log_policy, ops.soft_value)
        )
        weights = np.exp(np.asarray(Q, np.float64) / alpha)
        np.testing.assert_allclose(policy, weights / weights.sum(axis=1, keepdims=True), rtol=1e-5)
        np.testing.assert_allclose(log_policy, (Q - value[:, None]) / alpha, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(ops.expected_soft_value(log_policy, Q, alpha), value, rtol=1e-6)
        np.testing.assert_allclose(
            jnp.sum(policy * Q, axis=1) + alpha * ops.discrete_entropy(Q / alpha), value, rtol=1e-5
        )
        others = jax.nn.log_softmax(jax.random.normal(jax.random.key(0), (50, 2, 3)))
        q = jnp.broadcast_to(Q, (50, 2, 3))
        assert (ops.expected_soft_value(others, q, alpha) < value[None]).all()


def test_an_action_that_is_not_taken_has_no_value_and_no_gradient():
    log_policy = jnp.array([0.0, -jnp.inf])
    value, slope = jax.value_and_grad(ops.expected_soft_value, argnums=1)(log_policy, jnp.array([2.0, jnp.inf]), 0.5)
    assert float(value) == 2.0
    assert slope.tolist() == [1.0, 0.0]
    by_policy = jax.grad(ops.expected_soft_value)(log_policy, jnp.array([2.0, 1.0]), 0.5)
    assert jnp.isfinite(by_policy).all()


def test_the_regularised_loss_is_the_published_one():
    taken, advantage, alpha = jnp.array([0, 2]), jnp.array([1.5, -0.5]), 0.01

    def loss(logits):
        log_prob = jnp.take_along_axis(jax.nn.log_softmax(logits), taken[:, None], axis=1)[:, 0]
        return ops.entropy_regularised_loss(log_prob, advantage, ops.discrete_entropy(logits), alpha).mean()

    log_policy = np.log(np.asarray(jax.nn.softmax(LOGITS), np.float64))
    log_prob = log_policy[[0, 1], [0, 2]]
    expected = -(log_prob * np.array([1.5, -0.5])).mean() - alpha * published_discrete_entropy(LOGITS).mean()
    np.testing.assert_allclose(loss(LOGITS), expected, rtol=1e-6)
    by_advantage = jax.grad(lambda a: ops.policy_gradient_surrogate(jnp.array(-1.0), a))(2.0)
    assert float(by_advantage) == 0.0


def test_stored_actions_log_probabilities_have_no_gradient_on_policy():
    policy = jax.nn.softmax(LOGITS[0])
    slopes = jax.vmap(lambda action: jax.grad(lambda x: -jax.nn.log_softmax(x)[action])(LOGITS[0]))(jnp.arange(3))
    np.testing.assert_allclose(policy @ slopes, 0, atol=1e-6)
    assert jnp.abs(jax.grad(ops.discrete_entropy)(LOGITS[0])).max() > 0.1


def test_a_climb_by_stored_actions_goes_nowhere():
    """A hundred steps by each bonus: by the entropy to log 3, by actions drawn anew in each step nowhere."""

    def climb(logits, key):
        stored, true = logits
        drawn = jax.random.categorical(key, stored, shape=(1_024,))
        slope = jax.grad(lambda x: -jax.nn.log_softmax(x)[drawn].mean())(stored)
        return (stored + 0.5 * slope, true + 0.5 * jax.grad(ops.discrete_entropy)(true)), None

    keys = jax.random.split(jax.random.key(0), 100)
    (stored, true), _ = jax.lax.scan(climb, (LOGITS[0], LOGITS[0]), keys)
    np.testing.assert_allclose(ops.discrete_entropy(stored), ops.discrete_entropy(LOGITS[0]), atol=0.1)
    np.testing.assert_allclose(ops.discrete_entropy(true), np.log(3), atol=1e-3)


def test_a_sigma_of_its_own_is_pushed_alike_in_all_states():
    for sigma in (0.01, 1.0, 50.0):
        np.testing.assert_array_equal(jax.grad(ops.gaussian_entropy)(jnp.log(jnp.full(3, sigma))), [1, 1, 1])


def test_the_common_correction_saturates():
    """In double precision already; in float32 tanh rounds to 1 before."""
    for u, common, exact in ((8.0, -13.44, -14.61), (10.0, -13.81, -18.61)):
        np.testing.assert_allclose(np.log(1 - np.tanh(u) ** 2 + 1e-6), common, atol=0.005)
        found, slope = jax.value_and_grad(log_tanh_derivative)(jnp.float32(u))
        np.testing.assert_allclose([found, slope], [exact, -2], atol=0.005)
    slope = jax.grad(lambda u: jnp.log(1 - jnp.tanh(u) ** 2 + 1e-6))(jnp.float32(10.0))
    assert -1 < slope <= 0  # -2 would be right; how tanh rounds is the compiler's.
