"""Counts: the bonus falls off as 1 / sqrt(n), near states share it, and only what is stored has it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import SAC, Counts, Dense, Exploration, Training, make, train
from entropax.errors import EntropaxError
from entropax.exploration import PLAIN
from entropax.exploration.counts import code
from entropax.replay import unpack
from entropax.types import Bounds, Spec, Transition

SPEC = Spec(3, Bounds((-2.0,), (2.0,)))


def arrivals(observations, rewards):
    """One step of copies that arrive at these observations."""
    observations, rewards = jnp.asarray(observations, jnp.float32), jnp.asarray(rewards, jnp.float32)
    nothing = jnp.zeros_like(rewards)
    action = jnp.zeros((len(rewards), 1))
    return Transition(observations, action, rewards, observations, nothing, nothing)


def test_the_bonus_falls_off_as_one_over_the_root_of_the_visits():
    counts = Counts(beta=0.5)
    state = counts.init(SPEC, key=jax.random.key(0))
    here, there = [1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]
    for n in range(1, 10):
        rewards, state = counts.rewarded(state, arrivals([here], [-7.0]))
        np.testing.assert_allclose(rewards, [-7 + 0.5 / np.sqrt(n)], rtol=1e-6)
    # The opposite state has every sign turned, so it is another cell; two copies that arrive there count both.
    rewards, state = counts.rewarded(state, arrivals([there, there], [0.0, 1.0]))
    np.testing.assert_allclose(rewards, [0.5 / np.sqrt(2), 1 + 0.5 / np.sqrt(2)], rtol=1e-6)
    assert int(state.counts.sum()) == 11


def test_the_hash_is_the_signs_as_a_binary_number():
    projection = jnp.array([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]])
    assert int(code(projection, jnp.array([2.0, 1.0]))) == 0b111
    assert int(code(projection, jnp.array([1.0, 2.0]))) == 0b011
    assert int(code(projection, jnp.array([-1.0, -2.0]))) == 0b100
    assert int(code(projection, jnp.array([200.0, 100.0]))) == 0b111, "only the direction counts"


@pytest.mark.optimised
def test_a_bonus_is_stored_and_never_reported():
    """A policy that does not learn meets the same episodes with and without; rewards differ by the bonus alone."""
    environment = make("entropax/Pendulum-v0")
    still = SAC(torso=Dense((8,)), batch_size=8, actor_learning_rate=1e-30, critic_learning_rate=1e-30)
    training = Training(steps=896, warmup=96, num_envs=2, capacity=896, log_every=800, train_every=4)

    def run(exploration):
        return jax.jit(lambda key: train(still, environment, training, exploration, key=key))(jax.random.key(0))

    (plain, shown), (paid, paid_shown) = run(PLAIN), run(Exploration(bonus=Counts(beta=5.0)))
    for name in ("rollout/ep_rew_mean", "rollout/ep_len_mean", "rollout/episodes"):
        np.testing.assert_array_equal(shown[name], paid_shown[name])
    assert float(shown["rollout/episodes"][0]) == 4.0
    np.testing.assert_array_equal(plain.mean_return, paid.mean_return)
    one, two = (unpack(carry.replay.rows, environment.spec) for carry in (plain, paid))
    np.testing.assert_array_equal(one.observation, two.observation)
    bonus = np.asarray(two.reward - one.reward)
    assert np.all(bonus > 0) and np.all(bonus <= 5.001)
    counts = np.asarray(paid.exploration.bonus.counts)
    assert counts.sum() == 896, "random steps are visits too"
    # A cell seen n times has paid between sum 1 / sqrt(k) and, were both copies always there together, a little less.
    owed = 5 * sum(np.sum(1 / np.sqrt(np.arange(1, n + 1))) for n in counts if n)
    assert 0.7 * owed < bonus.sum() <= owed * 1.0001


@pytest.mark.parametrize("settings", [{"beta": 0.0}, {"bits": 0}, {"bits": 25}])
def test_what_cannot_count_is_refused(settings):
    with pytest.raises(EntropaxError, match="Counts"):
        Counts(**settings)
