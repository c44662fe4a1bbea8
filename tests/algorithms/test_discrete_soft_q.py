"""Soft Q-learning of discrete actions: its target and step against loops, its policy on device and on host."""

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from stored_choices import SPEC, choices

from entropax import Dense, DiscreteSoftQ, ops
from entropax.errors import EntropaxError
from entropax.policies import CategoricalActor, Divided
from entropax.types import unknown_progress

BATCH, ALPHA = 6, 0.3
SOFT_Q = DiscreteSoftQ(torso=Dense((8,)), batch_size=BATCH, discount=0.9, entropy_weight=ALPHA)


def drawn(seed: int = 0):
    """A state whose target critic differs from the critic."""
    state, other = (SOFT_Q.init(SPEC, key=jax.random.key(s)) for s in (seed, seed + 1))
    return replace(state, target_critic=other.critic)


def updated(state, data):
    return SOFT_Q.update(SPEC, state, data, unknown_progress(SPEC), key=jax.random.key(5))


def test_the_soft_value_is_that_of_its_boltzmann_policy():
    """V = E_pi[Q] + alpha H(pi) for pi in proportion to exp(Q / alpha), and no other policy has more."""
    q = np.array([[1.0, -2.0, 0.5], [300.0, 0.0, 299.0]])
    values = np.asarray(ops.soft_value(jnp.asarray(q, jnp.float32), ALPHA))
    for row, value in zip(q, values, strict=True):
        pi = np.exp((row - row.max()) / ALPHA)
        pi /= pi.sum()
        entropy = -np.sum(pi * np.log(np.maximum(pi, 1e-300)))
        assert value == pytest.approx(pi @ row + ALPHA * entropy, rel=1e-6)
        assert value > row.mean() + ALPHA * math.log(3)


def test_the_critic_regresses_on_the_soft_bellman_target():
    state, data = drawn(), choices(BATCH)
    losses, taken = [], []
    for i in range(BATCH):
        following = np.asarray(state.target_critic(data.next_observation[i, 0]), np.float64)
        ahead = ALPHA * math.log(np.sum(np.exp(following / ALPHA)))
        y = float(data.reward[i, 0]) + 0.9 * (1 - float(data.terminated[i, 0])) * ahead
        q = float(state.critic(data.observation[i, 0])[int(data.action[i, 0, 0])])
        losses.append(0.5 * (q - y) ** 2)
        taken.append(q)
    _, metrics = updated(state, data)
    np.testing.assert_allclose(metrics["train/critic_loss"], np.mean(losses), rtol=1e-5)
    np.testing.assert_allclose(metrics["train/q_mean"], np.mean(taken), rtol=1e-5)


def test_the_step_moves_only_what_was_taken_and_the_target_takes_in_its_share():
    """Where every stored action is 2, the last layer's other columns have no gradient."""
    state, data = drawn(), choices(BATCH)
    data = data._replace(action=jnp.full_like(data.action, 2.0))
    following, _ = updated(state, data)
    moved = np.asarray(following.critic.network.layers[-1].bias != state.critic.network.layers[-1].bias)
    np.testing.assert_array_equal(moved, [False, False, True, False])
    trees = (state.target_critic, following.critic, following.target_critic)
    for old, new, found in zip(*map(jax.tree.leaves, trees), strict=True):
        np.testing.assert_allclose(found, 0.995 * old + 0.005 * new, rtol=1e-5, atol=1e-7)


def test_it_acts_by_the_boltzmann_policy_on_device_as_on_host():
    state, observation, n = drawn(), np.array([1.0, -2.0, 0.5], np.float32), 20_000
    q = np.asarray(state.critic(jnp.asarray(observation)), np.float64)
    chances = np.exp(q / ALPHA) / np.exp(q / ALPHA).sum()
    assert (chances > 0.1).sum() == 2
    actor = jax.tree.map(np.asarray, SOFT_Q.actor(state))
    policy = actor(jnp.asarray(observation))
    np.testing.assert_allclose(policy.probs(), chances, rtol=1e-4)
    np.testing.assert_allclose(policy.entropy(), -np.sum(chances * np.log(chances)), rtol=1e-5)
    assert actor.max_entropy() == pytest.approx(math.log(4))
    keys = jax.random.split(jax.random.key(1), n)
    on_device = np.asarray(jax.vmap(lambda key: SOFT_Q.act(state, jnp.asarray(observation), key=key))(keys))
    host, many = actor.on_host(), np.tile(observation, (n, 1))
    for actions in (on_device, host.sample(many, np.random.default_rng(0))):
        assert (actions.shape, actions.dtype) == ((n, 1), np.float32)
        shares = np.bincount(SPEC.action.to_environment(actions), minlength=4) / n
        np.testing.assert_allclose(shares, chances, atol=4 * 0.5 / math.sqrt(n))
    mode = np.asarray(SOFT_Q.mode(state, jnp.asarray(observation)))
    np.testing.assert_array_equal(mode, [q.argmax()])
    assert host.mode(many).dtype == np.float32
    np.testing.assert_array_equal(host.mode(many[:2]), np.tile(mode, (2, 1)))


def test_the_twin_reads_logits_that_were_changed_in_place():
    network = Divided(Dense(()).init(3, 4, key=jax.random.key(0)), jnp.float32(0.1))
    actor = jax.tree.map(np.array, CategoricalActor(network, count=4))
    host, x = actor.on_host(), np.zeros((2, 3), np.float32)
    np.testing.assert_array_equal(host.mode(x), [[0], [0]])
    actor.network.network.layers[-1].bias[...] = [0, 0, 0, 1]
    np.testing.assert_array_equal(host.mode(x), [[3], [3]])
    np.testing.assert_array_equal(host.sample(np.tile(x, (1_000, 1)), np.random.default_rng(0))[:, 0].min(), 3)
    actor.network.divisor[...] = 1e6
    drawn = host.sample(np.tile(x, (1_000, 1)), np.random.default_rng(0))
    assert (np.bincount(drawn[:, 0].astype(int), minlength=4) > 400).all()


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"entropy_weight": 0.0}, "entropy_weight"),
        ({"batch_size": 0}, "batch_size"),
        ({"discount": 1.5}, "DiscreteSoftQ: discount"),
        ({"polyak": 0.0}, "polyak"),
        ({"critic_learning_rate": 0.0}, "critic_learning_rate"),
    ],
)
def test_settings_out_of_range_are_refused(settings, word):
    with pytest.raises(EntropaxError, match=word):
        DiscreteSoftQ(**settings)
