"""The soft value by sampling against integrals, and Stein's direction against loops."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm, truncnorm

from entropax import ops
from entropax.ops.stein import LEAST_WIDTH, kernel_width

ALPHA, CENTRE, WIDTH = 0.2, 0.3, 0.25


def quadratic(action):
    """Q whose Boltzmann density at alpha is the normal one cut to [-1, 1]."""
    return -ALPHA * (action - CENTRE) ** 2 / (2 * WIDTH**2)


def soft_value_of_quadratic():
    """Alpha times the log of the integral of exp(Q / alpha) over [-1, 1]."""
    inside = norm.cdf((1 - CENTRE) / WIDTH) - norm.cdf((-1 - CENTRE) / WIDTH)
    return ALPHA * math.log(WIDTH * math.sqrt(2 * math.pi) * inside)


def test_the_soft_value_of_a_quadratic_q_is_its_integral_whatever_the_proposal():
    n = 400_000
    uniform = np.random.default_rng(0).uniform(-1, 1, n)
    proposal = truncnorm((-1 - CENTRE) / 0.5, (1 - CENTRE) / 0.5, CENTRE, 0.5)
    narrow = proposal.rvs(n, random_state=np.random.default_rng(1))
    log_densities = {"uniform": np.full(n, -math.log(2)), "narrow": proposal.logpdf(narrow)}
    for actions, log_density in zip((uniform, narrow), log_densities.values(), strict=True):
        found = ops.soft_value_by_sampling(jnp.float32(quadratic(actions)), jnp.float32(log_density), ALPHA)
        # The ratio's relative spread is below 2, so the log's error is below 2 / sqrt(n), times alpha.
        assert float(found) == pytest.approx(soft_value_of_quadratic(), abs=4 * ALPHA * 2 / math.sqrt(n))


def test_the_best_proposal_needs_one_sample():
    """Samples of exp(Q / alpha) itself all have the same ratio."""
    target = truncnorm((-1 - CENTRE) / WIDTH, (1 - CENTRE) / WIDTH, CENTRE, WIDTH)
    action = target.rvs((5, 1), random_state=np.random.default_rng(0))
    found = ops.soft_value_by_sampling(jnp.float32(quadratic(action)), jnp.float32(target.logpdf(action)), ALPHA)
    np.testing.assert_allclose(found, np.full(5, soft_value_of_quadratic()), rtol=1e-4)


def test_few_samples_err_low_and_large_values_do_not_overflow():
    actions = np.random.default_rng(0).uniform(-1, 1, (20_000, 4))
    means = [
        float(jnp.mean(ops.soft_value_by_sampling(jnp.float32(quadratic(a)), jnp.full(a.shape, -math.log(2)), ALPHA)))
        for a in (actions[:, :1], actions)
    ]
    assert means[0] < means[1] < soft_value_of_quadratic()
    large = ops.soft_value_by_sampling(jnp.array([1e4, 1e4]), jnp.full(2, -math.log(2)), 1e-2)
    assert float(large) == pytest.approx(1e4 + 1e-2 * math.log(2), rel=1e-6)


@pytest.mark.parametrize("alpha", [0.1, 2.0])
def test_the_direction_equals_a_loop(alpha):
    rng = np.random.default_rng(3)
    fixed, slopes, moved = (rng.normal(size=(n, 2)) for n in (5, 5, 3))

    def kernel(x, y):
        return math.exp(-sum((x - y) ** 2) / width)

    width = np.median([sum((x - y) ** 2) for x in fixed for y in moved]) / math.log(5)
    expected = np.zeros((3, 2))
    for i, y in enumerate(moved):
        for x, slope in zip(fixed, slopes, strict=True):
            step = 1e-6 * np.eye(2)
            repulsion = [(kernel(x + e, y) - kernel(x - e, y)) / 2e-6 for e in step]
            expected[i] += (kernel(x, y) * slope + alpha * np.array(repulsion)) / 5
    found = ops.stein_direction(*(jnp.float32(part) for part in (fixed, slopes, moved)), alpha)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_particles_in_one_place_have_a_kernel_and_a_finite_direction():
    assert float(kernel_width(jnp.zeros((4, 4)))) == pytest.approx(LEAST_WIDTH)
    same = jnp.ones((4, 1))
    np.testing.assert_allclose(ops.stein_direction(same, same, same, 0.5), same, rtol=1e-6)


def test_particles_that_follow_it_become_samples_of_the_density():
    """The normal density with mean 1 and spread 0.5; the kernel's particles fill it evenly, so 100 of them suffice."""
    alpha, mean, spread = 0.3, 1.0, 0.5

    def step(particles, _):
        slopes = -alpha * (particles - mean) / spread**2
        return particles + 0.5 * ops.stein_direction(particles, slopes, particles, alpha), None

    start = jax.random.normal(jax.random.key(0), (100, 1))
    particles, _ = jax.jit(lambda x: jax.lax.scan(step, x, length=400))(start)
    assert float(jnp.mean(particles)) == pytest.approx(mean, abs=0.01)
    assert float(jnp.std(particles)) == pytest.approx(spread, rel=0.03)
