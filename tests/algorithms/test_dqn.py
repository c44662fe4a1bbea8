"""DQN: its targets by hand, its parts, and the rules by which it explores, on device and on host."""

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from stored_choices import SPEC, choices

from entropax import (
    DQN,
    Boltzmann,
    Dense,
    Double,
    Dueling,
    EpsilonGreedy,
    HardCopy,
    Huber,
    LayerNormed,
    NoisyNet,
    SoftCopy,
)
from entropax.algorithms.dqn_parts import Greatest, HalfSquare
from entropax.algorithms.noisy import NoisyNetwork
from entropax.errors import EntropaxError
from entropax.networks import DuelingNetwork
from entropax.types import unknown_progress

BATCH = 12
PLAIN = DQN(torso=Dense((8,)), batch_size=BATCH, discount=0.9)
OBSERVATION = np.array([0.3, -1.0, 0.6], np.float32)


def drawn(algorithm=PLAIN):
    """A state whose target critic differs from the critic."""
    state, other = (algorithm.init(SPEC, key=jax.random.key(seed)) for seed in (0, 1))
    return replace(state, target_critic=other.critic)


def updater(algorithm):
    data, progress = choices(BATCH), unknown_progress(SPEC)
    return jax.jit(
        lambda state, share: algorithm.update(SPEC, state, data, progress._replace(share=share), key=jax.random.key(5))
    )


@pytest.mark.parametrize(("double", "huber"), [(False, False), (False, True), (True, True)])
@pytest.mark.parametrize("head", [Dueling(), PLAIN.head])
def test_the_critic_descends_its_loss_to_targets_by_hand(double, huber, head):
    bootstrap, loss = Double() if double else Greatest(), Huber() if huber else HalfSquare()
    algorithm = replace(PLAIN, bootstrap=bootstrap, loss=loss, head=head)
    state, data = drawn(algorithm), choices(BATCH)
    losses, taken, errors = [], [], []
    for i in range(BATCH):
        ahead = data.next_observation[i, 0]
        theirs, ours = (np.asarray(q(ahead), np.float64) for q in (state.target_critic, state.critic))
        value = theirs[ours.argmax()] if double else theirs.max()
        y = float(data.reward[i, 0]) + 0.9 * (1 - float(data.terminated[i, 0])) * value
        q = float(state.critic(data.observation[i, 0])[int(data.action[i, 0, 0])])
        error = abs(q - y)
        losses.append(0.5 * error**2 if error <= 1 or not huber else error - 0.5)
        taken.append(q)
        errors.append(error)
    assert min(errors) < 1 < max(errors), "both branches of the loss are there"
    _, metrics = updater(algorithm)(state, jnp.float32(0.2))
    np.testing.assert_allclose(metrics["train/critic_loss"], np.mean(losses), rtol=1e-5)
    np.testing.assert_allclose(metrics["train/q_mean"], np.mean(taken), rtol=1e-5)


def test_double_takes_the_target_network_s_value_of_the_critic_s_choice():
    target, online = jnp.array([[1.0, 5.0, 2.0], [0.0, -1.0, 3.0]]), jnp.array([[9.0, 0.0, 1.0], [0.0, 2.0, 1.0]])
    np.testing.assert_array_equal(Greatest().value(target, online), [5, 3])
    np.testing.assert_array_equal(Double().value(target, online), [1, -1])


def test_a_dueling_network_is_its_value_with_advantages_of_mean_zero():
    network = Dueling().init(Dense((8,)), 3, 4, key=jax.random.key(0))
    assert isinstance(network, DuelingNetwork)
    streams = np.asarray(network.network(jnp.asarray(OBSERVATION)))
    q = np.asarray(network(jnp.asarray(OBSERVATION)))
    np.testing.assert_allclose(q.mean(), streams[0], rtol=1e-5)
    np.testing.assert_allclose(q - q.mean(), streams[1:] - streams[1:].mean(), rtol=1e-5, atol=1e-6)
    host = jax.tree.map(np.array, network).on_host()
    np.testing.assert_allclose(host(np.tile(OBSERVATION, (2, 1))), np.tile(q, (2, 1)), rtol=1e-5)


def test_the_target_network_is_copied_when_due_and_stays_in_between():
    algorithm = replace(PLAIN, following=HardCopy(3))
    update, state = updater(algorithm), drawn(algorithm)
    for number in range(1, 7):
        before = state.target_critic
        state, _ = update(state, jnp.float32(0))
        same = state.critic if number % 3 == 0 else before
        for one, two in zip(jax.tree.leaves(state.target_critic), jax.tree.leaves(same), strict=True):
            np.testing.assert_array_equal(one, two)
    soft = SoftCopy(0.25)
    mixed = soft(state.target_critic, drawn().target_critic, state.updates)
    leaves = (jax.tree.leaves(tree) for tree in (state.target_critic, drawn().target_critic, mixed))
    for old, new, found in zip(*leaves, strict=True):
        np.testing.assert_allclose(found, 0.75 * old + 0.25 * new, rtol=1e-5, atol=1e-6)


def test_epsilon_falls_with_the_run_and_is_reported():
    algorithm = replace(PLAIN, exploration=EpsilonGreedy(0.9, 0.1, 0.5))
    update, state = updater(algorithm), drawn(algorithm)
    for share, epsilon in [(0.0, 0.9), (0.25, 0.5), (0.5, 0.1), (0.9, 0.1)]:
        following, metrics = update(state, jnp.float32(share))
        np.testing.assert_allclose(metrics["rollout/exploration_rate"], epsilon, rtol=1e-6)
        chances = np.asarray(algorithm.actor(following)(jnp.asarray(OBSERVATION)).probs())
        best = int(jnp.argmax(following.critic(jnp.asarray(OBSERVATION))))
        expected = np.full(4, epsilon / 4)
        expected[best] += 1 - epsilon
        np.testing.assert_allclose(chances, expected, rtol=1e-5)


RULES = {
    "random": EpsilonGreedy(1.0, 1.0),
    "epsilon": EpsilonGreedy(0.3, 0.3),
    "greedy": EpsilonGreedy(0.0, 0.0),
    "boltzmann": Boltzmann(0.5),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_draws_alike_on_device_and_on_host_and_its_mode_is_greedy(rule):
    algorithm, n = replace(PLAIN, exploration=rule), 20_000
    state = drawn(algorithm)
    actor = algorithm.actor(state)
    q = np.asarray(state.critic(jnp.asarray(OBSERVATION)), np.float64)
    chances = np.exp((q - q.max()) / 0.5)
    if isinstance(rule, EpsilonGreedy):
        chances = np.where(np.arange(4) == q.argmax(), 1 - rule.initial, 0) + rule.initial / 4
    chances = chances / chances.sum()
    policy = actor(jnp.asarray(OBSERVATION))
    expected = -np.sum(np.where(chances > 0, chances * np.log(np.maximum(chances, 1e-300)), 0))
    np.testing.assert_allclose(policy.entropy(), expected, rtol=1e-4, atol=1e-6)
    host, many = jax.tree.map(np.array, actor).on_host(), np.tile(OBSERVATION, (n, 1))
    keys = jax.random.split(jax.random.key(1), n)
    on_device = np.asarray(jax.jit(jax.vmap(lambda key: policy.sample_and_log_prob(key=key)[0]))(keys))
    for actions in (on_device, host.sample(many, np.random.default_rng(0))):
        assert (actions.shape, actions.dtype) == ((n, 1), np.float32)
        shares = np.bincount(actions[:, 0].astype(int), minlength=4) / n
        np.testing.assert_allclose(shares, chances, atol=4 * 0.5 / math.sqrt(n))
    assert int(algorithm.mode(state, jnp.asarray(OBSERVATION))[0]) == q.argmax() != 0
    np.testing.assert_array_equal(host.mode(many[:2]), np.full((2, 1), q.argmax()))


def test_the_host_twin_reads_an_epsilon_that_was_changed_in_place():
    actor = jax.tree.map(np.array, PLAIN.actor(drawn()))
    host, many = actor.on_host(), np.tile(OBSERVATION, (4_000, 1))
    best = host.mode(many[:1])[0, 0]
    for epsilon in (1.0, 0.2, 0.0):
        actor.network.epsilon[...] = epsilon
        share = np.mean(host.sample(many, np.random.default_rng(0))[:, 0] == best)
        assert share == pytest.approx(1 - 0.75 * epsilon, abs=4 * math.sqrt(0.25 / 4_000))


NOISY = replace(PLAIN, exploration=NoisyNet(), torso=LayerNormed((16,)))


def noisy_state(scale: float = 1.0):
    state = drawn(NOISY)
    network = state.critic.network
    sigma = jax.tree.map(lambda leaf: scale * leaf, network.sigma)
    return replace(state, critic=replace(state.critic, network=NoisyNetwork(network.mean, sigma)))


def test_noise_has_the_published_size_and_form():
    network = noisy_state().critic.network
    for layer, sigma in zip(network.mean.layers, network.sigma.layers, strict=True):
        np.testing.assert_allclose(sigma.weight, np.full(layer.weight.shape, 0.5 / math.sqrt(layer.weight.shape[0])))
        np.testing.assert_allclose(sigma.bias, np.full(layer.bias.shape, 0.5 / math.sqrt(layer.weight.shape[0])))
    drawn_networks = jax.jit(jax.vmap(lambda key: network.perturbed(key=key)))(
        jax.random.split(jax.random.key(0), 4_000)
    )
    noise = np.asarray(drawn_networks.layers[0].weight) - np.asarray(network.mean.layers[0].weight)
    noise = noise * math.sqrt(3) / 0.5
    # f(e) f(e') has mean 0 and variance E|e| E|e'| = 2 / pi; factorised noise is of rank one.
    np.testing.assert_allclose(noise.mean(0), 0, atol=5 * 0.8 / math.sqrt(4_000))
    np.testing.assert_allclose(noise.var(0), 2 / math.pi, rtol=0.15)
    np.testing.assert_allclose(noise[:, 0, 0] * noise[:, 1, 1], noise[:, 0, 1] * noise[:, 1, 0], atol=1e-3)
    np.testing.assert_array_equal(drawn_networks.norms[0].scale[:5], np.ones((5, 16)))


def test_a_noisy_policy_draws_alike_on_device_and_on_host_and_evaluates_with_means():
    state, n = noisy_state(3.0), 4_000
    actor, many = NOISY.actor(state), np.tile(OBSERVATION, (3, 1))
    policy = actor(jnp.asarray(OBSERVATION))
    keys = jax.random.split(jax.random.key(1), n)
    on_device = np.asarray(jax.jit(jax.vmap(lambda key: policy.sample_and_log_prob(key=key)[0]))(keys))[:, 0]
    host, generator = jax.tree.map(np.array, actor).on_host(), np.random.default_rng(0)
    on_host = np.array([host.sample(many, generator)[:, 0] for _ in range(n)])
    assert (on_host == on_host[:, :1]).all(), "one draw of noise serves all copies of a step"
    shares = [np.bincount(actions.astype(int), minlength=4) / n for actions in (on_device, on_host[:, 0])]
    np.testing.assert_allclose(*shares, atol=4 * math.sqrt(0.5 / n))
    assert min(shares[0]) > 0.02
    entropy = -np.sum(shares[0] * np.log(shares[0]))
    np.testing.assert_allclose(policy.entropy(), entropy, atol=0.15)
    best = int(np.argmax(state.critic.network.mean(jnp.asarray(OBSERVATION))))
    np.testing.assert_array_equal(policy.mode(), [best])
    np.testing.assert_array_equal(host.mode(many), np.full((3, 1), best))


def test_the_host_twin_of_a_noisy_policy_reads_parameters_that_were_changed_in_place():
    actor = jax.tree.map(np.array, NOISY.actor(noisy_state()))
    host, many, generator = actor.on_host(), np.tile(OBSERVATION, (2, 1)), np.random.default_rng(0)
    for leaf in jax.tree.leaves(actor.network.sigma):
        leaf[...] = 0
    for wanted in (2.0, 3.0):
        actor.network.mean.layers[-1].bias[...] = 100 * (np.arange(4) == wanted)
        np.testing.assert_array_equal(host.sample(many, generator), np.full((2, 1), wanted))
    actor.network.mean.norms[0].scale[...] = 0
    actor.network.mean.norms[0].offset[...] = 1
    actor.network.mean.layers[-1].bias[...] = 0
    best = actor.network.mean.layers[-1].weight.sum(0).argmax()
    np.testing.assert_array_equal(host.sample(many, generator), np.full((2, 1), best))


def test_an_update_moves_means_and_sigmas_and_tells_the_noise_s_size():
    state = noisy_state()
    following, metrics = updater(NOISY)(state, jnp.float32(0))
    for part in ("mean", "sigma"):
        before, after = (vars(one.critic.network)[part].layers for one in (state, following))
        for old, new in zip(before, after, strict=True):
            assert np.all(np.asarray(old.bias != new.bias)), part
    sizes = [0.5 / math.sqrt(3)] * (4 * 16) + [0.5 / math.sqrt(16)] * (17 * 4)
    np.testing.assert_allclose(metrics["train/noise_scale"], np.mean(sizes), rtol=1e-2)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: DQN(batch_size=0), "batch_size"),
        (lambda: DQN(discount=1.5), "DQN: discount"),
        (lambda: DQN(critic_learning_rate=0.0), "critic_learning_rate"),
        (lambda: HardCopy(0), "every is 0"),
        (lambda: SoftCopy(0.0), "SoftCopy: polyak"),
        (lambda: EpsilonGreedy(initial=1.2), "initial is 1.2"),
        (lambda: EpsilonGreedy(final=-0.1), "final is -0.1"),
        (lambda: EpsilonGreedy(fraction=0.0), "fraction is a share"),
        (lambda: Boltzmann(0.0), "sampling_temperature"),
        (lambda: NoisyNet(0.0), "initial_sigma"),
    ],
)
def test_settings_out_of_range_are_refused(make, word):
    with pytest.raises(EntropaxError, match=word):
        make()
