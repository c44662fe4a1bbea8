"""Soft Q-learning of discrete actions finds known Boltzmann policies, and the exact soft values of a finite problem."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import Dense, DiscreteSoftQ, Episodes, Training, train
from entropax.envs.probes import DiscreteSoftOptimum
from entropax.tabular import Choices, random_mdp, soft_value_iteration

pytestmark = pytest.mark.slow

SEEDS = 2
SOFT_Q = DiscreteSoftQ(torso=Dense((32, 32)), batch_size=64, critic_learning_rate=3e-3, polyak=0.05)


def learners(algorithm, environment, training):
    keys = jax.random.split(jax.random.key(0), SEEDS)
    return jax.jit(jax.vmap(lambda key: train(algorithm, environment, training, key=key)[0].learner))(keys)


def policies(algorithm, found, states):
    """Q and probabilities `[seeds, state, action]` at one-hot states."""

    def one(learner, state):
        return learner.critic(state), algorithm.actor(learner)(state).probs()

    each = jax.vmap(lambda learner: jax.vmap(lambda state: one(learner, state))(states))(found)
    return jax.tree.map(np.asarray, each)


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_the_policy_of_the_probe_is_its_optimum_with_a_soft_value_of_0(alpha):
    probe = DiscreteSoftOptimum(alpha=alpha, count=4)
    algorithm = dataclasses.replace(SOFT_Q, entropy_weight=alpha)
    training = Training(steps=900, warmup=400, num_envs=4, updates=4, capacity=900, log_every=500)
    found = learners(algorithm, Episodes(probe, 1), training)
    q, probs = policies(algorithm, found, jnp.ones((1, 1)))
    np.testing.assert_allclose(probs[:, 0], np.tile(probe.optimum().probs(), (SEEDS, 1)), atol=0.01)
    np.testing.assert_allclose(alpha * np.log(np.exp(q / alpha).sum(-1)), 0, atol=0.01)


def test_values_and_policy_of_a_finite_problem_are_the_exact_ones():
    """Six states and three actions at random, no end but the time limit's, which truncates; each state is reached."""
    alpha = 0.5
    drawn = random_mdp(np.random.default_rng(1), states=6, actions=3, branches=1, discount=0.8)
    mdp = dataclasses.replace(drawn, measure=np.ones((6, 3)))
    exact = soft_value_iteration(mdp, alpha)
    algorithm = dataclasses.replace(SOFT_Q, discount=0.8, entropy_weight=alpha, critic_learning_rate=1e-3)
    training = Training(steps=6_000, warmup=2_000, num_envs=16, updates=8, capacity=6_000, log_every=4_000)
    found = learners(algorithm, Episodes(Choices.of(mdp, start=0), 50), training)
    q, probs = policies(algorithm, found, jnp.eye(6))
    np.testing.assert_allclose(q, np.broadcast_to(exact.action_values, q.shape), atol=5e-3)
    np.testing.assert_allclose(probs, np.broadcast_to(exact.density, q.shape), atol=5e-3)
    assert np.ptp(exact.action_values, axis=1).min() > 0.5
