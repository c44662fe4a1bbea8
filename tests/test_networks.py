"""Networks: the NumPy form equals the compiled one, an ensemble's members differ, and shapes are as promised."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.networks import Critic, Dense, LayerNormed, ensemble
from entropax.policies import LOG_STD_MAX, LOG_STD_MIN, Actor, GaussianActor, Squashed, WithLogStd
from entropax.types import Bounds

TORSOS = [Dense((16, 8)), LayerNormed((16, 8)), Dense(()), LayerNormed((5,))]


def _perturbed(tree, key):
    """Adds noise to all leaves, so that zero biases and unit scales cannot hide a mistake."""
    leaves, structure = jax.tree.flatten(tree)
    keys = jax.random.split(key, len(leaves))
    return jax.tree.unflatten(
        structure, [x + 0.3 * jax.random.normal(k, x.shape) for x, k in zip(leaves, keys, strict=True)]
    )


@pytest.mark.parametrize("torso", TORSOS, ids=str)
def test_on_host_equals_the_compiled_form(torso):
    network = _perturbed(torso.init(5, 3, key=jax.random.key(0)), jax.random.key(1))
    x = np.random.default_rng(2).normal(size=(7, 5)).astype(np.float32)
    expected = jax.vmap(network)(x)
    found = jax.tree.map(np.asarray, network).on_host()(x)
    assert isinstance(found, np.ndarray)
    assert found.shape == (7, 3)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)


def test_layer_normalisation_is_applied_before_the_relu():
    network = LayerNormed((64,)).init(4, 64, key=jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (4,))
    hidden = network.norms[0](network.layers[0](x))
    assert float(jnp.mean(hidden)) == pytest.approx(0, abs=1e-5)
    assert float(jnp.mean(hidden**2)) == pytest.approx(1, abs=1e-3)
    expected = network.layers[1](jax.nn.relu(hidden))
    np.testing.assert_allclose(network(x), expected, rtol=1e-6)


def test_weights_are_glorot_uniform_and_biases_zero():
    first = Dense((200,)).init(100, 1, key=jax.random.key(0)).layers[0]
    bound = np.sqrt(6 / 300)
    assert float(jnp.max(jnp.abs(first.weight))) <= bound
    assert float(jnp.std(first.weight)) == pytest.approx(bound / np.sqrt(3), rel=0.02)
    assert not first.bias.any()


def test_ensemble_members_differ_and_each_equals_the_single_critic():
    def init(key):
        return Critic(Dense((8,)).init(3 + 2, 1, key=key))

    keys, key = jax.random.split(jax.random.key(4), 3), jax.random.key(4)
    critics = ensemble(init, 3, key=key)
    observation, action = jnp.ones(3), jnp.full(2, 0.5)
    q = jax.vmap(lambda critic: critic(observation, action))(critics)
    assert q.shape == (3,)
    assert len({float(value) for value in q}) == 3
    for member, one in zip(q, keys, strict=True):
        np.testing.assert_allclose(member, init(one)(observation, action), rtol=1e-6)
    assert jax.tree.leaves(critics)[0].shape[0] == 3


def test_critic_is_one_number_that_depends_on_the_action():
    critic = Critic(Dense((8,)).init(5, 1, key=jax.random.key(0)))
    q = critic(jnp.ones(3), jnp.zeros(2))
    assert q.shape == ()
    assert q != critic(jnp.ones(3), jnp.ones(2))


def test_samples_on_host_follow_the_policys_distribution():
    actor = _perturbed(Actor(Dense((8,)).init(3, 4, key=jax.random.key(0))), jax.random.key(1))
    observation = np.array([0.2, -0.5, 1.0], np.float32)
    policy, host = actor(jnp.asarray(observation)), jax.tree.map(np.asarray, actor).on_host()
    n = 40_000
    actions = host.sample(np.tile(observation, (n, 1)), np.random.default_rng(0))
    assert actions.shape == (n, 2)
    assert actions.dtype == np.float32
    assert np.abs(actions).max() <= 1
    std = np.asarray(policy.action_std())
    np.testing.assert_allclose(actions.mean(0), policy.action_mean(), atol=float(4 * std.max() / np.sqrt(n)))
    np.testing.assert_allclose(actions.std(0), std, rtol=0.03)
    saturated = (np.abs(actions) > 0.5).mean(0)
    np.testing.assert_allclose(saturated, policy.saturation(0.5), atol=0.012)
    assert len(np.unique(actions[:, 0])) > n // 2
    np.testing.assert_allclose(host.mode(observation[None])[0], policy.mode(), rtol=1e-5)


LOG_STDS = [jnp.float32(-1.0), jnp.array([-2.0, 0.5])]


@pytest.mark.parametrize("log_std", LOG_STDS, ids=["one", "each"])
@pytest.mark.parametrize("wrap", [lambda network: network, Squashed], ids=["plain", "squashed"])
def test_networks_around_networks_are_the_same_on_host(wrap, log_std):
    inner = _perturbed(Dense((16,)).init(5, 2, key=jax.random.key(0)), jax.random.key(1))
    network = WithLogStd(wrap(inner), log_std)
    x = 3 * np.random.default_rng(2).normal(size=(7, 5)).astype(np.float32)
    output, expected = jax.vmap(network)(x), jax.vmap(inner)(x)
    np.testing.assert_allclose(output[:, :2], jnp.tanh(expected) if wrap is Squashed else expected, rtol=1e-6)
    np.testing.assert_array_equal(output[:, 2:], np.broadcast_to(log_std, (7, 2)))
    found = jax.tree.map(np.asarray, network).on_host()(x)
    assert (found.shape, found.dtype) == ((7, 4), np.float32)
    np.testing.assert_allclose(found, output, rtol=2e-5, atol=2e-5)


def test_a_gaussian_actor_draws_beyond_the_bounds_and_the_environment_takes_the_nearest_action():
    """On host as on device; mean and spread of what the environment takes are those that the policy tells of."""
    network = WithLogStd(Dense(()).init(3, 2, key=jax.random.key(0)), jnp.log(jnp.array([0.5, 0.1])))
    actor = jax.tree.map(np.asarray, _perturbed(GaussianActor(network), jax.random.key(5)))
    observation = np.array([0.2, -0.5, 1.0], np.float32)
    policy, n = actor(jnp.asarray(observation)), 40_000
    on_host = actor.on_host().sample(np.tile(observation, (n, 1)), np.random.default_rng(0))
    keys = jax.random.split(jax.random.key(3), n)
    on_device = np.asarray(jax.vmap(lambda key: policy.sample_and_log_prob(key=key)[0])(keys))
    bounds = Bounds((-1.0, -1.0), (1.0, 1.0))
    std = np.asarray(policy.action_std())
    for drawn in (on_host, on_device):
        assert (drawn.shape, drawn.dtype) == ((n, 2), np.float32)
        assert (np.abs(drawn[:, 0]) > 1).mean() > 0.02
        taken = np.asarray(bounds.to_environment(drawn))
        assert np.abs(taken).max() == 1
        np.testing.assert_allclose(taken.mean(0), policy.action_mean(), atol=float(5 * std.max() / np.sqrt(n)))
        np.testing.assert_allclose(taken.std(0), std, rtol=0.03)
        np.testing.assert_allclose((np.abs(taken) > 0.97).mean(0), policy.saturation(0.97), atol=0.012)
    np.testing.assert_allclose(actor.on_host().mode(observation[None])[0], policy.mode(), rtol=1e-5)


def test_an_actor_knows_its_class_s_widest_and_the_sigma_of_an_entropy():
    network = Dense(()).init(1, 2, key=jax.random.key(0))
    assert Actor(network).max_entropy() == pytest.approx(0.684, abs=1e-3)
    assert np.isnan(GaussianActor(network).max_entropy())
    sigmas = jnp.array([0.01, 0.3])
    for actor in (Actor(network), GaussianActor(network)):
        entropies = type(actor(jnp.ones(1)))(jnp.zeros(2), jnp.log(sigmas)).entropy_per_dimension()
        np.testing.assert_allclose(actor.sigma_of(entropies), sigmas, rtol=1e-3)


def test_the_twin_reads_log_stds_that_were_changed_in_place():
    network = WithLogStd(Dense(()).init(2, 1, key=jax.random.key(0)), jnp.float32(-20.0))
    actor = jax.tree.map(np.array, GaussianActor(network))
    host, x = actor.on_host(), np.ones((4_000, 2), np.float32)
    assert host.sample(x, np.random.default_rng(0)).std() < 1e-6
    actor.network.log_std[...] = 0.0
    assert host.sample(x, np.random.default_rng(0)).std() == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize(("bias", "expected"), [(-100.0, LOG_STD_MIN), (100.0, LOG_STD_MAX)])
def test_log_std_is_clipped_on_device_and_on_host(bias, expected):
    network = Dense(()).init(2, 2, key=jax.random.key(0))
    layer = jax.tree.map(jnp.zeros_like, network.layers[0])
    layer = type(layer)(layer.weight, jnp.array([0.0, bias]))
    actor = Actor(type(network)((layer,)))
    assert float(actor(jnp.ones(2)).log_std[0]) == expected
    latent = np.random.default_rng(0).standard_normal((5, 1), np.float32) * np.exp(np.float32(expected))
    found = jax.tree.map(np.asarray, actor).on_host().sample(np.ones((5, 2), np.float32), np.random.default_rng(0))
    np.testing.assert_allclose(found, np.tanh(latent), rtol=1e-5)
