"""Distributions against hand-computed numbers, brute-force integrals and their own samples."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.distributions import (
    Categorical,
    Normal,
    TanhNormal,
    entropy_of_sigma,
    log_tanh_derivative,
    max_tanh_normal_entropy,
    max_tanh_normal_sigma,
    normal_sigma_of_entropy,
    sigma_of_entropy,
    tanh_normal_entropy,
)

MEAN = jnp.array([0.3, -1.2, 2.0])
LOG_STD = jnp.array([-1.0, 0.2, -3.0])
DISTRIBUTIONS = [
    pytest.param(Normal(MEAN, LOG_STD), id="normal"),
    pytest.param(TanhNormal(MEAN, LOG_STD), id="tanh-normal"),
    pytest.param(Categorical(MEAN), id="categorical"),
]


def brute_force_entropy(mean, sigma):
    """Entropy in nats of tanh(N(mean, sigma)) by a rectangle rule of 20 001 nodes in double precision."""
    at = np.linspace(-10.0, 10.0, 20_001)
    density = np.exp(-0.5 * at**2)
    latent = np.abs(mean + sigma * at)
    correction = 2.0 * (math.log(2.0) - latent - np.log1p(np.exp(-2.0 * latent)))
    return math.log(sigma) + 0.5 * math.log(2 * math.pi * math.e) + correction @ density / density.sum()


@pytest.mark.parametrize(("latent", "expected"), [(0.0, 0.0), (1.0, -0.8675617), (8.0, -14.613706), (10.0, -18.613706)])
def test_tanh_correction_is_exact(latent, expected):
    for signed in (latent, -latent):
        np.testing.assert_allclose(log_tanh_derivative(jnp.float32(signed)), expected, rtol=1e-6, atol=1e-6)


def test_tanh_correction_keeps_its_gradient_when_saturated():
    gradient = jax.grad(log_tanh_derivative)
    np.testing.assert_allclose(gradient(jnp.float32(10.0)), -2.0, rtol=1e-6)
    np.testing.assert_allclose(gradient(jnp.float32(-10.0)), 2.0, rtol=1e-6)


def clipped(mean, std):
    """Mean and standard deviation of a Gaussian clipped to [-1, 1], by a rectangle rule in double precision."""
    at = np.linspace(-10.0, 10.0, 200_001)
    density = np.exp(-0.5 * at**2)
    taken = np.clip(mean + std * at, -1, 1)
    weights = density / density.sum()
    first = taken @ weights
    return first, math.sqrt((taken - first) ** 2 @ weights)


@pytest.mark.parametrize("mean", [-10.0, -3.0, -1.05, -0.9, 0.0, 0.5, 0.999, 1.0, 1.4, 9.0])
@pytest.mark.parametrize("std", [1e-4, 0.01, 0.1, 1.0, 2.0, 7.0])
def test_the_clipped_action_s_mean_and_spread_are_exact(mean, std):
    policy = Normal(jnp.array([mean]), jnp.log(jnp.array([std])))
    first, spread = clipped(mean, std)
    np.testing.assert_allclose(policy.action_mean(), [first], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(policy.action_std(), [spread], rtol=2e-3, atol=2e-5)


def test_saturation_of_a_gaussian_counts_what_is_clipped():
    policy = Normal(jnp.array([0.0, 2.0]), jnp.log(jnp.array([0.97, 1.03])))
    # P(|z| > 1), and P(z > -1) + P(z < -2.883)
    np.testing.assert_allclose(policy.saturation(0.97), [0.3173105, 0.8413447 + 0.0019680], rtol=1e-4)


def test_sigma_of_a_gaussian_s_entropy():
    policy = Normal(jnp.zeros(2), jnp.log(jnp.array([0.1, 3.0])))
    np.testing.assert_allclose(normal_sigma_of_entropy(policy.entropy_per_dimension()), [0.1, 3.0], rtol=1e-5)


def test_normal_by_hand():
    distribution = Normal(jnp.array([1.0, 0.0]), jnp.log(jnp.array([2.0, 0.5])))
    # -1/2 (1)^2 - log 2 - 1/2 log 2 pi, and 0 + log 2 - 1/2 log 2 pi
    np.testing.assert_allclose(distribution.log_prob(jnp.array([3.0, 0.0])), -0.5 - math.log(2 * math.pi), rtol=1e-6)
    np.testing.assert_allclose(distribution.entropy_per_dimension(), [2.1120857, 0.7257914], rtol=1e-6)
    np.testing.assert_allclose(distribution.entropy(), 2.8378770, rtol=1e-6)
    np.testing.assert_array_equal(distribution.mode(), [1.0, 0.0])


def test_categorical_by_hand():
    distribution = Categorical(jnp.log(jnp.array([0.5, 0.25, 0.25])) + 7.0)
    np.testing.assert_allclose(distribution.probs(), [0.5, 0.25, 0.25], rtol=1e-5)
    np.testing.assert_allclose(distribution.entropy(), 1.5 * math.log(2.0), rtol=1e-6)
    np.testing.assert_allclose(distribution.entropy_per_dimension(), [1.5 * math.log(2.0)], rtol=1e-6)
    np.testing.assert_allclose(distribution.log_prob(jnp.array([1.0])), -2 * math.log(2.0), rtol=1e-5)
    np.testing.assert_allclose(distribution.kl(Categorical(jnp.zeros(3))), math.log(3) - 1.5 * math.log(2), rtol=1e-5)
    np.testing.assert_array_equal(distribution.mode(), [0.0])


def test_categorical_ignores_impossible_actions():
    logits = jnp.array([0.0, 0.0, -jnp.inf])
    np.testing.assert_allclose(Categorical(logits).entropy(), math.log(2.0), rtol=1e-6)
    np.testing.assert_allclose(Categorical(logits).kl(Categorical(jnp.zeros(3))), math.log(1.5), rtol=1e-6)
    gradient = jax.grad(lambda finite: Categorical(jnp.where(jnp.isinf(logits), -jnp.inf, finite)).entropy())
    assert np.all(np.isfinite(gradient(jnp.zeros(3))))


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_entropy_is_the_mean_of_minus_log_prob(distribution):
    keys = jax.random.split(jax.random.key(0), 200_000)
    _, log_probs = jax.vmap(lambda key: distribution.sample_and_log_prob(key=key))(keys)
    interval = 4 * float(jnp.std(log_probs)) / math.sqrt(keys.shape[0])
    assert interval < 0.02
    assert abs(float(-jnp.mean(log_probs) - distribution.entropy())) < interval


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_samples_carry_their_own_log_prob(distribution):
    action, log_prob = distribution.sample_and_log_prob(key=jax.random.key(3))
    given = (
        distribution.log_prob_of_latent(jnp.arctanh(action))
        if isinstance(distribution, TanhNormal)
        else distribution.log_prob(action)
    )
    assert log_prob.shape == ()
    np.testing.assert_allclose(log_prob, given, rtol=1e-4)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_jit_is_eager_and_vmap_is_a_loop(distribution):
    def everything(distribution, key):
        return distribution.sample_and_log_prob(key=key), distribution.mode(), distribution.entropy()

    keys = jax.random.split(jax.random.key(1), 4)
    batch = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf + 0.1, leaf - 0.5, leaf * 2]), distribution)
    mapped = jax.jit(jax.vmap(everything))(batch, keys)
    for index in range(4):
        one = everything(jax.tree.map(lambda leaf, index=index: leaf[index], batch), keys[index])
        jax.tree.map(
            lambda many, single, index=index: np.testing.assert_allclose(many[index], single, rtol=2e-5, atol=2e-6),
            mapped,
            one,
        )


@pytest.mark.parametrize(("mean", "sigma"), [(0.0, 0.1), (0.0, 3.0), (1.5, 0.5), (-4.0, 1.0)])
def test_tanh_normal_density_integrates_to_one_over_actions(mean, sigma):
    """The midpoints of equal steps in u, weighted with their width in a, cover [-1, 1]."""
    edges = np.linspace(mean - 9 * sigma, mean + 9 * sigma, 4001)
    middle, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    distribution = TanhNormal(jnp.array([mean]), jnp.log(jnp.array([sigma])))
    log_prob = jax.vmap(distribution.log_prob_of_latent)(jnp.asarray(middle, jnp.float32)[:, None])
    action_width = width / np.cosh(middle) ** 2
    np.testing.assert_allclose(np.sum(np.exp(np.asarray(log_prob, np.float64)) * action_width), 1.0, atol=2e-5)


def test_log_prob_at_ten_is_exact():
    distribution = TanhNormal(jnp.array([10.0]), jnp.array([0.0]))
    expected = -0.5 * math.log(2 * math.pi) + 18.613706
    np.testing.assert_allclose(distribution.log_prob_of_latent(jnp.array([10.0])), expected, rtol=1e-6)


@pytest.mark.parametrize("mean", [0.0, 0.5, 2.0, -5.0])
def test_entropy_quadrature_against_brute_force(mean):
    """The quadrature is within 5e-6 nats; the rest of the tolerance is float32."""
    sigmas = np.geomspace(1e-3, 5.0, 40)
    expected = [brute_force_entropy(mean, sigma) for sigma in sigmas]
    found = tanh_normal_entropy(jnp.full(40, mean), jnp.log(jnp.asarray(sigmas, jnp.float32)))
    assert float(np.max(np.abs(np.asarray(found) - expected))) < 1e-5


@pytest.mark.parametrize(("mean", "sigma"), [(0.0, 0.3), (1.0, 1.0), (-2.0, 3.0)])
def test_entropy_gradient_is_that_of_brute_force(mean, sigma):
    by_mean, by_log_std = jax.grad(tanh_normal_entropy, argnums=(0, 1))(jnp.float32(mean), jnp.float32(math.log(sigma)))
    step = 1e-4
    up, down = brute_force_entropy(mean + step, sigma), brute_force_entropy(mean - step, sigma)
    wider, tighter = (brute_force_entropy(mean, sigma * math.exp(sign * step)) for sign in (1, -1))
    np.testing.assert_allclose(by_mean, (up - down) / (2 * step), atol=1e-4)
    np.testing.assert_allclose(by_log_std, (wider - tighter) / (2 * step), atol=1e-4)


@pytest.mark.parametrize("mean", [0.0, 10.0, -30.0, 200.0])
@pytest.mark.parametrize("log_std", [-20.0, 0.0, 2.0])
def test_gradients_are_finite_when_saturated(mean, log_std):
    def total(distribution):
        action, log_prob = distribution.sample_and_log_prob(key=jax.random.key(0))
        return jnp.sum(action) + log_prob + distribution.entropy() + jnp.sum(distribution.saturation())

    value, gradient = jax.value_and_grad(total)(TanhNormal(jnp.array([mean]), jnp.array([log_std])))
    assert np.isfinite(value)
    assert np.isfinite(gradient.mean).all()
    assert np.isfinite(gradient.log_std).all()


@pytest.mark.parametrize(("mean", "sigma"), [(0.0, 0.2), (0.8, 0.7), (-2.0, 2.5)])
def test_saturation_against_samples(mean, sigma):
    distribution = TanhNormal(jnp.array([mean]), jnp.log(jnp.array([sigma])))
    actions = np.tanh(mean + sigma * np.random.default_rng(0).standard_normal(400_000))
    np.testing.assert_allclose(distribution.saturation()[0], np.mean(np.abs(actions) > 0.97), atol=3e-3)


@pytest.mark.parametrize("mean", [0.0, 0.8, -5.0])
def test_action_moments_against_brute_force(mean):
    sigmas = np.geomspace(1e-3, 5.0, 30)
    at = np.linspace(-10.0, 10.0, 8001)
    density = np.exp(-0.5 * at**2) / np.sum(np.exp(-0.5 * at**2))
    actions = np.tanh(mean + np.multiply.outer(sigmas, at))
    means = actions @ density
    stds = np.sqrt((actions - means[:, None]) ** 2 @ density)
    distribution = TanhNormal(jnp.full(30, mean), jnp.log(jnp.asarray(sigmas, jnp.float32)))
    np.testing.assert_allclose(distribution.action_mean(), means, rtol=0, atol=2e-5)
    np.testing.assert_allclose(distribution.action_std(), stds, rtol=0, atol=1e-4)


def test_saturation_by_hand():
    edge = math.atanh(0.5)
    distribution = TanhNormal(jnp.array([0.0]), jnp.log(jnp.array([edge])))
    np.testing.assert_allclose(distribution.saturation(0.5), [0.3173105], rtol=1e-5)  # P(|N(0, 1)| > 1)


def test_kl_of_policies_that_hardly_differ_is_not_lost_to_rounding():
    one, other = (Normal(jnp.zeros(1), jnp.array([log_std], jnp.float32)) for log_std in (-1.0, -1.0 + 1e-4))
    apart = 2 * (np.float64(one.log_std[0]) - np.float64(other.log_std[0]))
    np.testing.assert_allclose(one.kl(other), (np.expm1(apart) - apart) / 2, rtol=1e-2)


def test_kl_is_the_mean_log_ratio():
    one, other = TanhNormal(MEAN, LOG_STD), TanhNormal(MEAN + 0.1, LOG_STD + 0.3)
    latents = MEAN[None] + jnp.exp(LOG_STD)[None] * jax.random.normal(jax.random.key(0), (200_000, 3))
    ratios = jax.vmap(lambda latent: one.log_prob_of_latent(latent) - other.log_prob_of_latent(latent))(latents)
    interval = 4 * float(jnp.std(ratios)) / math.sqrt(200_000)
    assert interval < 0.03
    assert abs(float(jnp.mean(ratios) - one.kl(other))) < interval
    np.testing.assert_allclose(one.kl(one), 0.0, atol=1e-6)
    # log 2 + (1/4 + 1/4) / 2 - 1/2
    by_hand = Normal(jnp.array([1.0]), jnp.array([0.0])).kl(Normal(jnp.array([0.0]), jnp.log(jnp.array([2.0]))))
    np.testing.assert_allclose(by_hand, math.log(2.0) - 0.25, rtol=1e-6)


def test_largest_entropy():
    np.testing.assert_allclose(max_tanh_normal_entropy(), 0.68364, atol=1e-5)
    np.testing.assert_allclose(max_tanh_normal_sigma(), 0.8744, atol=1e-4)
    for mean in (0.0, 0.2):
        around = [brute_force_entropy(mean, sigma) for sigma in (0.7, 0.8, 0.9, 1.0)]
        assert max(around) < max_tanh_normal_entropy() < math.log(2.0)


def test_sigma_table_by_hand():
    """Reference values computed apart: the entropies of sigma 1, 1.5, 2 and 3, and the sigmas of -3 … 0.5 nats."""
    np.testing.assert_allclose(entropy_of_sigma(jnp.array([1.0, 1.5, 2.0, 3.0])), [0.67, 0.42, 0.0, -1.10], atol=6e-3)
    nats = jnp.array([-3.0, -2.0, -1.0, -0.5, 0.0, 0.3, 0.5])
    np.testing.assert_allclose(sigma_of_entropy(nats), [0.012, 0.033, 0.090, 0.150, 0.258, 0.372, 0.50], atol=6e-4)


def test_sigma_of_entropy_inverts_and_clips():
    sigmas = jnp.geomspace(1e-6, 0.87, 200)
    np.testing.assert_allclose(jax.jit(sigma_of_entropy)(entropy_of_sigma(sigmas)), sigmas, rtol=1e-3)
    beyond = sigma_of_entropy(jnp.array([0.69, 5.0]))
    np.testing.assert_allclose(beyond, max_tanh_normal_sigma(), rtol=1e-6)
