"""The reward's scale and the observation's: what changes, and what stays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.envs.base import Episodes
from entropax.envs.pendulum import Pendulum
from entropax.envs.registry import make
from entropax.envs.wrappers import NormalisedObservation, ScaledReward, observation_statistics
from entropax.errors import EntropaxError


def test_the_scaled_reward_is_the_reward_times_its_factor():
    plain, key = Pendulum(), jax.random.key(0)
    scaled = ScaledReward(plain, 0.01)
    state, action = plain.initial(key=key), jnp.array([1.0])
    after, reward, ended = plain.step(state, action, key=key)
    scaled_after, scaled_reward, scaled_ended = scaled.step(scaled.initial(key=key), action, key=key)
    assert float(reward) != 0
    np.testing.assert_allclose(scaled_reward, 0.01 * reward, rtol=1e-6)
    np.testing.assert_array_equal(jnp.stack(jax.tree.leaves(after)), jnp.stack(jax.tree.leaves(scaled_after)))
    assert bool(ended) == bool(scaled_ended)
    assert scaled.spec == plain.spec


def test_normalised_observations_have_mean_0_and_deviation_1_under_random_actions():
    task = make("entropax/Quadrotor-v0")
    mean, deviation = observation_statistics(task, episodes=50, key=jax.random.key(0))
    seen = Episodes(NormalisedObservation(task.dynamics, mean, deviation), task.time_limit)
    again = observation_statistics(seen, episodes=50, key=jax.random.key(0))
    np.testing.assert_allclose(again[0], 0, atol=1e-3)
    np.testing.assert_allclose(again[1], 1, rtol=1e-3)
    # The rewards are the task's, whatever the policy sees.
    action = jnp.full(4, 2.0)
    first, second = (each.reset(key=jax.random.key(1))[0] for each in (task, seen))
    rewards = [each.step(s, action, key=jax.random.key(2))[1].reward for each, s in ((task, first), (seen, second))]
    assert rewards[0] == rewards[1] != 0


def test_an_entry_that_never_moves_is_only_shifted():
    """The toy's last states end the episode, so none is ever seen: deviation 1, not 0."""
    mean, deviation = observation_statistics(make("entropax/Toy-v0"), episodes=20, key=jax.random.key(0))
    np.testing.assert_array_equal(mean[3:], 0)
    np.testing.assert_array_equal(deviation[3:], 1)
    assert mean[0] == 0.5


def test_normalised_observations_cannot_be_counted_as_one_hot():
    """An entry that is 1 nine times in ten is 0.33 deviations above its mean then, and would count as 0."""
    toy = make("entropax/Toy-v0").dynamics
    assert toy.spec.one_hot
    assert not NormalisedObservation(toy, jnp.full(6, 0.9), jnp.full(6, 0.3)).spec.one_hot


def test_statistics_of_another_size_are_refused():
    with pytest.raises(EntropaxError, match="shapes"):
        NormalisedObservation(Pendulum(), jnp.zeros(2), jnp.ones(2))
