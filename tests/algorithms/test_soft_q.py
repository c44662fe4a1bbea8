"""Soft Q-learning: target and sampler step against loops, its policy, and what it refuses."""

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import Dense, SoftQ, ops
from entropax.errors import EntropaxError
from entropax.types import Bounds, Categories, Spec, Transition, unknown_progress

SPEC = Spec(3, Bounds((-1.0, -1.0), (1.0, 1.0)))
BATCH = 6
PROGRESS = unknown_progress(SPEC)
SOFT_Q = SoftQ(
    torso=Dense((8,)),
    batch_size=BATCH,
    discount=0.9,
    entropy_weight=0.3,
    value_samples=5,
    fixed_particles=4,
    moved_particles=3,
)


def batch() -> Transition:
    rng = np.random.default_rng(1)

    def draw(*more):
        return jnp.asarray(rng.normal(size=(BATCH, 1, *more)), jnp.float32)

    ended = jnp.asarray(rng.random((BATCH, 1)) < 1 / 3, jnp.float32)
    return Transition(draw(3), jnp.tanh(draw(2)), draw(), draw(3), ended, ended)


def drawn(seed: int = 0):
    """A state whose target critic differs from the critic."""
    state, other = (SOFT_Q.init(SPEC, key=jax.random.key(s)) for s in (seed, seed + 1))
    return replace(state, target_critics=other.critics)


def only(critics):
    return jax.tree.map(lambda leaf: leaf[0], critics)


def updated(algorithm, state, data):
    return jax.jit(lambda s: algorithm.update(SPEC, s, data, PROGRESS, key=jax.random.key(5)))(state)


def test_the_critic_regresses_on_the_soft_value_of_uniform_actions():
    state, data = drawn(), batch()
    key, _ = jax.random.split(jax.random.key(5))
    proposals = jax.random.uniform(key, (BATCH, 5, 2), minval=-1.0, maxval=1.0)
    losses = []
    for i in range(BATCH):
        following = data.next_observation[i, 0]
        boltzmann = [math.exp(float(only(state.target_critics)(following, a)) / 0.3) for a in proposals[i]]
        ahead = 0.3 * math.log(np.mean(boltzmann) / 0.25)  # the density of uniform actions in two dimensions
        y = float(data.reward[i, 0]) + 0.9 * (1 - float(data.terminated[i, 0])) * ahead
        q = float(only(state.critics)(data.observation[i, 0], data.action[i, 0]))
        losses.append(0.5 * (q - y) ** 2)
    _, metrics = updated(SOFT_Q, state, data)
    np.testing.assert_allclose(metrics["train/critic_loss"], np.mean(losses), rtol=1e-4)


def test_the_sampler_is_pulled_along_the_stein_direction():
    """Its gradient written out: over states and moved particles, minus the direction times the latent's derivative."""
    state, data = drawn(), batch()
    still = replace(SOFT_Q, critic_learning_rate=1e-30)
    _, key = jax.random.split(jax.random.key(5))
    noise = jax.random.normal(key, (7, BATCH, 2))
    critic, total = only(state.critics), jax.tree.map(jnp.zeros_like, state.sampler)
    for b in range(BATCH):
        observation = data.observation[b, 0]

        def latent(sampler, e, observation=observation):
            return sampler(jnp.concatenate([observation, e]))

        def log_density(u, observation=observation):
            action = jnp.tanh(u)
            return critic(observation, action) + 0.3 * jnp.sum(jnp.log(1 - action**2))

        latents = jnp.stack([latent(state.sampler, e) for e in noise[:, b]])
        slopes = jnp.stack([jax.grad(log_density)(u) for u in latents[:4]])
        directions = ops.stein_direction(latents[:4], slopes, latents[4:], 0.3)
        for e, direction in zip(noise[4:, b], directions, strict=True):
            _, pull = jax.vjp(lambda s, e=e, latent=latent: latent(s, e), state.sampler)
            total = jax.tree.map(lambda t, g: t - g / (3 * BATCH), total, pull(direction)[0])
    norm = math.sqrt(sum(float(jnp.sum(leaf**2)) for leaf in jax.tree.leaves(total)))
    following, metrics = updated(still, state, data)
    assert float(metrics["train/actor_grad_norm"]) == pytest.approx(norm, rel=1e-3)
    for old, new, slope in zip(*map(jax.tree.leaves, (state.sampler, following.sampler, total)), strict=True):
        far = np.abs(slope) > 1e-4  # Adam's first step is its rate against the sign
        np.testing.assert_allclose((new - old)[far], -3e-4 * np.sign(slope)[far], rtol=1e-2)


def test_the_target_critic_takes_in_its_share():
    state = drawn()
    following, _ = updated(SOFT_Q, state, batch())
    for old, new, found in zip(
        *map(jax.tree.leaves, (state.target_critics, following.critics, following.target_critics)), strict=True
    ):
        np.testing.assert_allclose(found, 0.995 * old + 0.005 * new, rtol=1e-5, atol=1e-7)


def test_the_mode_is_the_draw_of_highest_q_on_device_as_on_host():
    state, observation = drawn(), jnp.array([1.0, -2.0, 0.5])
    actor, policy = SOFT_Q.actor(state), SOFT_Q.actor(state)(observation)
    mode = SOFT_Q.mode(state, observation)
    draws = np.asarray(policy._draws())
    q = [float(actor.critic(observation, jnp.asarray(action))) for action in draws]
    np.testing.assert_allclose(mode, draws[np.argmax(q)], rtol=1e-6)
    assert np.ptp(q) > 1e-3
    host = jax.tree.map(np.asarray, actor).on_host()
    np.testing.assert_allclose(host.mode(np.tile(observation, (2, 1))), np.tile(mode, (2, 1)), rtol=1e-4)


def test_spread_and_samples_agree_on_device_and_on_host_and_entropy_is_not_measured():
    state, observation, n = drawn(), np.array([1.0, -2.0, 0.5], np.float32), 20_000
    actor = jax.tree.map(np.asarray, SOFT_Q.actor(state))
    policy = actor(jnp.asarray(observation))
    keys = jax.random.split(jax.random.key(1), n)
    on_device = np.asarray(jax.vmap(lambda key: SOFT_Q.act(state, jnp.asarray(observation), key=key))(keys))
    on_host = actor.on_host().sample(np.tile(observation, (n, 1)), np.random.default_rng(0))
    for actions in (on_device, on_host):
        assert (actions.shape, actions.dtype) == ((n, 2), np.float32)
        assert np.abs(actions).max() <= 1
    np.testing.assert_allclose(on_host.std(0), on_device.std(0), rtol=0.03)
    np.testing.assert_allclose(policy.action_std(), on_device.std(0), rtol=0.25)
    np.testing.assert_allclose(policy.saturation(0.5), (np.abs(on_device) > 0.5).mean(0), atol=0.15)
    unknown = (policy.entropy(), policy.entropy_per_dimension(), policy.log_prob(jnp.zeros(2)), policy.kl(policy))
    assert np.isnan(np.concatenate([np.ravel(part) for part in unknown])).all()
    assert np.isnan(actor.sigma_of(jnp.zeros(2))).all()
    assert actor.max_entropy() == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"entropy_weight": 0.0}, "entropy_weight"),
        ({"fixed_particles": 1}, "fixed_particles is 1"),
        ({"moved_particles": 0}, "moved_particles"),
        ({"value_samples": 0}, "value_samples"),
        ({"discount": 1.5}, "SoftQ: discount"),
        ({"polyak": 0.0}, "polyak"),
        ({"actor_learning_rate": 0.0}, "actor_learning_rate"),
    ],
)
def test_settings_out_of_range_are_refused(settings, word):
    with pytest.raises(EntropaxError, match=word):
        SoftQ(**settings)


def test_discrete_actions_are_refused():
    with pytest.raises(EntropaxError, match="continuous"):
        SoftQ().init(Spec(3, Categories(4)), key=jax.random.key(0))
