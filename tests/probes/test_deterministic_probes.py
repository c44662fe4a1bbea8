"""TD3 and DDPG find the best action and the plain value of probes, in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import DDPG, TD3, Dense, Episodes, Training, train
from entropax.envs.probes import DelayedReward, MatchObservation

pytestmark = pytest.mark.slow

TRAINING = Training(steps=2_400, warmup=400, num_envs=4, updates=4, capacity=2_400, log_every=2_000)
SMALL = {
    "torso": Dense((32, 32)),
    "batch_size": 64,
    "actor_learning_rate": 3e-3,
    "critic_learning_rate": 3e-3,
    "polyak": 0.05,
    "discount": 0.9,
    "exploration_noise": 0.3,
}
SEEDS = 3


def learners(algorithm, environment):
    keys = jax.random.split(jax.random.key(0), SEEDS)
    return jax.jit(jax.vmap(lambda key: train(algorithm, environment, TRAINING, key=key)[0].learner))(keys)


def mean_q(critics, observation):
    """Q over the action range, of the mean critic and seed."""
    actions = jnp.linspace(-0.9, 0.9, 19)[:, None]
    ask = jax.vmap(lambda critic, action: critic(jnp.array([observation]), action), in_axes=(None, 0))
    return jnp.mean(jax.vmap(jax.vmap(lambda critic: ask(critic, actions)))(critics))


@pytest.mark.parametrize("build", [TD3, DDPG])
def test_the_policy_becomes_the_best_action(build):
    """-(a - o/2)^2 is highest at half the observation."""
    probe, algorithm = MatchObservation(), build(**SMALL)
    found = learners(algorithm, Episodes(probe, 1))
    for sign in (-1.0, 1.0):
        observation = jnp.array([sign])
        actions = jax.vmap(lambda learner, o=observation: algorithm.mode(learner, o))(found)
        np.testing.assert_allclose(actions, np.broadcast_to(probe.best_action(observation), (SEEDS, 1)), atol=0.1)


@pytest.mark.parametrize("build", [TD3, DDPG])
def test_the_critics_learn_the_discounted_return(build):
    """Whatever is done pays 1 in the second state: Q(second) = 1, Q(first) = gamma."""
    found = learners(build(**SMALL), Episodes(DelayedReward(), 2))
    np.testing.assert_allclose(mean_q(found.critics, 0.0), 0.9, atol=0.05)
    np.testing.assert_allclose(mean_q(found.critics, 1.0), 1.0, atol=0.05)
