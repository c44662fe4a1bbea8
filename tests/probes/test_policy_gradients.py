"""PPO and A2C on probes with closed-form answers: the best action, the discounted value, and the entropy's optimum."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import A2C, PPO, ClippedGaussian, Dense, Episodes, TanhGaussian, Training, train
from entropax.algorithms.on_policy_parts import AbstractPolicy
from entropax.distributions import max_tanh_normal_entropy, max_tanh_normal_sigma
from entropax.envs.probes import ConstantReward, DelayedReward, MatchObservation

pytestmark = pytest.mark.slow

SEEDS = 3
TORSO = Dense((32, 32))
TRAINING = Training(steps=8_192, num_envs=8, warmup=0, log_every=8_192)


def ppo(policy: AbstractPolicy, **settings) -> PPO:
    return PPO(
        policy=policy,
        torso=TORSO,
        learning_rate=3e-3,
        num_steps=64,
        epochs=4,
        minibatches=8,
        max_grad_norm=9.0,
        **settings,
    )


def learners(algorithm, environment, training=TRAINING):
    keys = jax.random.split(jax.random.key(0), SEEDS)
    carry, _ = jax.jit(jax.vmap(lambda key: train(algorithm, environment, training, key=key)))(keys)
    return carry.learner


@pytest.mark.parametrize("policy", [TanhGaussian(TORSO), ClippedGaussian(TORSO)], ids=["tanh", "clipped"])
def test_ppo_finds_the_best_action_of_each_state(policy):
    found = learners(ppo(policy), Episodes(MatchObservation(), 1))
    for sign in (-1.0, 1.0):
        best = jax.vmap(lambda s, o: s.networks.actor(o).mode(), in_axes=(0, None))(found, jnp.array([sign]))
        np.testing.assert_allclose(best, sign / 2, atol=0.1)
    assert float(jnp.max(found.networks.actor.network.log_std)) < -0.5, "the spread costs reward"


def test_a2c_finds_the_best_action_of_each_state():
    algorithm = A2C(policy=TanhGaussian(TORSO), torso=TORSO, learning_rate=3e-3, num_steps=8)
    found = learners(algorithm, Episodes(MatchObservation(), 1), dataclasses.replace(TRAINING, steps=65_536))
    for sign in (-1.0, 1.0):
        best = jax.vmap(lambda s, o: s.networks.actor(o).mode(), in_axes=(0, None))(found, jnp.array([sign]))
        np.testing.assert_allclose(best, sign / 2, atol=0.15)


def test_the_critic_learns_the_discounted_value():
    """V(first) = gamma, V(second) = 1, whatever is done."""
    found = learners(ppo(TanhGaussian(TORSO), discount=0.5), Episodes(DelayedReward(), 2))
    for observation, value in ((0.0, 0.5), (1.0, 1.0)):
        mean = jax.vmap(lambda s, o: s.networks.critic(o), in_axes=(0, None))(found, jnp.array([observation]))
        np.testing.assert_allclose(mean, value, atol=0.05)


def test_a_bonus_on_the_true_entropy_leads_to_the_widest_squashed_policy_and_stops_there():
    """Whatever is done pays 1, so only the bonus moves the spread: to sigma 0.87, not on for ever."""
    found = learners(ppo(TanhGaussian(TORSO), entropy_coefficient=1.0), Episodes(ConstantReward(), 1))
    policies = jax.vmap(lambda s: s.networks.actor(jnp.zeros(1)))(found)
    entropy = jax.vmap(lambda policy: policy.entropy())(policies)
    np.testing.assert_allclose(entropy, max_tanh_normal_entropy(), atol=0.01)
    np.testing.assert_allclose(jnp.exp(policies.log_std), max_tanh_normal_sigma(), atol=0.1)


def test_the_same_bonus_on_an_unsquashed_policy_grows_without_end():
    found = learners(ppo(ClippedGaussian(TORSO), entropy_coefficient=1.0), Episodes(ConstantReward(), 1))
    assert float(jnp.min(found.networks.actor.network.log_std)) > 1.0
