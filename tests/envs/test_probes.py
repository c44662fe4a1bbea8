"""The probes' closed forms against numerical integration in NumPy, float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.distributions import TanhNormal
from entropax.envs.probes import (
    ConstantReward,
    DelayedReward,
    DiscreteSoftOptimum,
    MatchObservation,
    ObservedReward,
    SoftChain,
    SoftOptimum,
    log_density,
)

KEY = jax.random.key(0)
# Points evenly spaced in the latent, so that the density's mass near the bounds is resolved.
LATENT = np.linspace(-7.0, 7.0, 4001)
ACTION = np.tanh(LATENT)
MEASURE = (1 - ACTION**2) * (LATENT[1] - LATENT[0])


def rewards_at(dynamics, state, actions, dtype=jnp.float32):
    step = jax.vmap(lambda action: dynamics.step(state, action, key=KEY)[1])
    return np.asarray(jax.jit(step)(jnp.asarray(actions, dtype)), np.float64)


def normal_entropy(loc, scale):
    density = np.exp(-0.5 * ((LATENT - loc) / scale) ** 2) / (scale * np.sqrt(2 * np.pi))
    log_density = np.log(np.maximum(density, 1e-300)) - np.log1p(-(ACTION**2))
    return -np.sum(density * log_density) * (LATENT[1] - LATENT[0])


@pytest.mark.parametrize("alpha", [0.05, 0.2, 1.0])
@pytest.mark.parametrize(("loc", "scale"), [(0.3, 0.5), (0.0, 0.87), (-1.2, 0.2)])
def test_soft_optimum(loc, scale, alpha):
    probe = SoftOptimum(loc=loc, scale=scale, alpha=alpha)
    state = probe.initial(key=KEY)
    reward = rewards_at(probe, state, ACTION[:, None])
    soft_value = alpha * np.log(np.sum(np.exp(reward / alpha) * MEASURE))
    assert soft_value == pytest.approx(float(probe.soft_value()), abs=2e-4 * alpha)
    density = np.exp(reward / alpha)
    entropy = -np.sum(density * reward / alpha * MEASURE)
    assert entropy == pytest.approx(float(probe.entropy()), abs=5e-4)
    assert entropy == pytest.approx(normal_entropy(loc, scale), abs=5e-4)


@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize(("slope", "alpha"), [(0.0, 0.5), (1.0, 0.2), (-0.7, 1.0)])
def test_discrete_soft_optimum(slope, alpha, count):
    probe = DiscreteSoftOptimum(slope=slope, alpha=alpha, count=count)
    assert probe.spec.action.count == count
    state = probe.initial(key=KEY)
    reward = rewards_at(probe, state, np.arange(count), jnp.int32)
    density = np.exp(slope * np.arange(count))
    density /= density.sum()
    np.testing.assert_allclose(reward, alpha * np.log(density), rtol=1e-5)
    assert alpha * np.log(np.sum(np.exp(reward / alpha))) == pytest.approx(float(probe.soft_value()), abs=1e-6)
    assert float(probe.entropy()) == pytest.approx(-np.sum(density * np.log(density)), rel=1e-5)
    np.testing.assert_allclose(probe.optimum().probs(), density, rtol=1e-5)


def test_the_optimum_beats_every_other_policy_by_alpha_times_the_divergence():
    probe = SoftOptimum(loc=0.3, scale=0.5, alpha=0.2)
    state = probe.initial(key=KEY)
    for loc, scale in ((0.3, 0.5), (0.3, 0.25), (-0.2, 0.5), (0.8, 0.9)):
        policy = TanhNormal(jnp.asarray([loc], jnp.float32), jnp.log(jnp.asarray([scale], jnp.float32)))

        def soft_return(key, policy=policy):
            action, log_prob = policy.sample_and_log_prob(key=key)
            return probe.step(state, action, key=key)[1] - 0.2 * log_prob

        values = np.asarray(jax.jit(jax.vmap(soft_return))(jax.random.split(KEY, 20_000)), np.float64)
        divergence = np.log(0.5 / scale) + (scale**2 + (loc - 0.3) ** 2) / (2 * 0.5**2) - 0.5
        error = values.std() / np.sqrt(len(values))
        assert values.mean() == pytest.approx(-0.2 * divergence, abs=4 * error + 1e-4)


def test_dimensions_add_up():
    one, three = SoftOptimum(size=1), SoftOptimum(size=3)
    assert three.spec.action.size == 3
    assert float(three.entropy()) == pytest.approx(3 * float(one.entropy()), rel=1e-6)
    actions = np.array([[0.1, 0.1, 0.1]])
    assert rewards_at(three, three.initial(key=KEY), actions)[0] == pytest.approx(
        3 * rewards_at(one, one.initial(key=KEY), actions[:, :1])[0], rel=1e-6
    )


def test_log_density_is_finite_at_the_bounds_with_finite_gradient():
    for action in (-1.0, 1.0):
        value, gradient = jax.value_and_grad(lambda a: log_density(a[None], 0.3, 0.5))(jnp.float32(action))
        assert np.isfinite(value)
        assert np.isfinite(gradient)
    inside = float(log_density(jnp.asarray([0.999], jnp.float32), 0.3, 0.5))
    latent = np.arctanh(np.float64(np.float32(0.999)))
    expected = -0.5 * ((latent - 0.3) / 0.5) ** 2 - np.log(0.5 * np.sqrt(2 * np.pi)) - np.log1p(-(np.tanh(latent) ** 2))
    assert inside == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("discount", [0.5, 0.99])
def test_soft_chain(discount):
    probe = SoftChain(alpha=0.3, bonus=2.0)
    first = probe.initial(key=KEY)
    second, _, ended = probe.step(first, jnp.zeros(1), key=KEY)
    _, _, over = probe.step(second, jnp.zeros(1), key=KEY)
    assert (bool(ended), bool(over)) == (False, True)
    np.testing.assert_array_equal(probe.observe(first), [1, 0])
    np.testing.assert_array_equal(probe.observe(second), [0, 1])
    soft = [
        0.3 * np.log(np.sum(np.exp(rewards_at(probe, state, ACTION[:, None]) / 0.3) * MEASURE))
        for state in (first, second)
    ]
    expected = [soft[0] + discount * soft[1], soft[1]]
    np.testing.assert_allclose(probe.soft_values(discount), expected, atol=2e-4)
    np.testing.assert_allclose(probe.soft_values(discount), [2 * discount, 2], rtol=1e-6)
    np.testing.assert_allclose(probe.entropies(), [normal_entropy(0.3, 0.5), normal_entropy(-0.4, 0.3)], atol=1e-4)


def test_constant_reward():
    probe = ConstantReward(reward=-2.5)
    reward = rewards_at(probe, probe.initial(key=KEY), ACTION[:, None])
    np.testing.assert_array_equal(reward, -2.5)
    assert float(probe.value()) == -2.5
    soft = 0.4 * np.log(np.sum(np.exp(reward / 0.4) * MEASURE))
    assert float(probe.soft_value(0.4)) == pytest.approx(soft, abs=1e-4)


def test_observed_reward_and_its_coin():
    probe = ObservedReward(reward=3.0)
    states = jax.vmap(lambda key: probe.initial(key=key))(jax.random.split(KEY, 1000))
    observations = jax.vmap(probe.observe)(states)
    assert set(np.asarray(observations).ravel()) == {-1.0, 1.0}
    assert abs(float(observations.mean())) < 0.1
    _, reward, ended = jax.vmap(lambda state: probe.step(state, jnp.zeros(1), key=KEY))(states)
    np.testing.assert_array_equal(reward, 3 * observations[:, 0])
    np.testing.assert_array_equal(jax.vmap(probe.value)(observations), reward)
    assert ended.all()


def test_delayed_reward():
    probe = DelayedReward(reward=2.0)
    state = probe.initial(key=KEY)
    rewards, ends = [], []
    for _ in range(2):
        state, reward, ended = probe.step(state, jnp.zeros(1), key=KEY)
        rewards.append(float(reward))
        ends.append(bool(ended))
    assert (rewards, ends) == ([0.0, 2.0], [False, True])
    np.testing.assert_allclose(probe.values(0.9), [0.9 * rewards[1], rewards[1]])


@pytest.mark.parametrize("alpha", [0.05, 0.5])
def test_match_observation(alpha):
    probe = MatchObservation()
    for seed in range(3):
        state = probe.initial(key=jax.random.key(seed))
        observation = probe.observe(state)
        best = probe.best_action(observation)
        assert float(best[0]) == float(observation[0]) / 2
        reward = rewards_at(probe, state, ACTION[:, None])
        assert ACTION[reward.argmax()] == pytest.approx(float(best[0]), abs=2e-3)
        assert float(probe.step(state, best, key=KEY)[1]) == 0
        soft = alpha * np.log(np.sum(np.exp(reward / alpha) * MEASURE))
        assert float(probe.soft_value(alpha)) == pytest.approx(soft, abs=1e-4)
