"""PPO and A2C: the first step is the plain policy gradient, the entropy's gradient is the entropy's, settings hold."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import A2C, PPO, ClippedGaussian, Dense, LinearToZero, Orthogonal, TanhGaussian, TanhNormal
from entropax.algorithms.on_policy import experience, gradient, shuffled
from entropax.algorithms.ppo import AsEstimated, Standardised
from entropax.algorithms.values import OneValue
from entropax.errors import EntropaxError
from entropax.optimiser import clip_by_norm
from entropax.types import Bounds, Spec, Transition, unknown_progress

SPEC = Spec(3, Bounds((-2.0, -1.0), (2.0, 1.0)))
PROGRESS = unknown_progress(SPEC)
experienced = eqx.filter_jit(experience)
POLICIES = [TanhGaussian(Dense((8,))), ClippedGaussian(Dense((8,)))]
by_policy = pytest.mark.parametrize("policy", POLICIES, ids=["tanh", "clipped"])


def _rollout(algorithm, state, envs=3, steps=16):
    """Steps of the algorithm's own policy at random states."""
    rng, shape = np.random.default_rng(0), (envs, steps)
    observation, following = (jnp.asarray(rng.normal(size=(*shape, 3)), jnp.float32) for _ in range(2))
    keys = jax.random.split(jax.random.key(1), shape)
    action = jax.jit(jax.vmap(jax.vmap(lambda o, key: algorithm.act(state, o, key=key))))(observation, keys)
    terminated = jnp.asarray(rng.random(shape) < 0.2, jnp.float32)
    reward = jnp.asarray(rng.normal(size=shape), jnp.float32)
    return Transition(observation, action, reward, following, terminated, terminated)


def _largest_difference(one, other):
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return max(float(jnp.max(jnp.abs(a - b))) for a, b in pairs)


@by_policy
def test_the_first_minibatch_s_gradient_is_the_plain_policy_gradient(policy):
    """The ratio is 1 there, so that grad r A = A grad log pi, and no clipping bites."""
    ppo = PPO(0.9, policy=policy, num_steps=16, epochs=1, minibatches=1, advantages=AsEstimated(), clip=1e-3)
    state = ppo.init(SPEC, key=jax.random.key(0))
    batch = _rollout(ppo, state)
    steps = experienced(state.networks, OneValue(), batch, 0.9, 0.95)

    def ratio(log_probs, steps):
        return jnp.exp(log_probs - steps.log_prob)

    def climbed(objective):
        return jax.jit(lambda s: gradient(s.networks, steps, objective, 0.5, 0.0)[0])(state)

    mine = climbed(lambda p, s: ratio(p, s) * s.advantage)
    plain = climbed(lambda p, s: p * s.advantage)
    assert _largest_difference(mine, plain) < 1e-5
    updated, metrics = jax.jit(lambda s: ppo.update(SPEC, s, batch, PROGRESS, key=jax.random.key(2)))(state)
    norm = float(jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(plain.actor))))
    assert norm > 1e-3
    assert float(metrics["train/actor_grad_norm"]) == pytest.approx(norm, rel=1e-3)
    assert int(updated.updates) == 1


def test_later_minibatches_of_a_rollout_are_clipped():
    """Twenty passes with a large step carry ratios out of [1 - eps, 1 + eps]; a smaller eps ends the travel sooner."""

    def travelled(clip):
        ppo = PPO(num_steps=16, epochs=20, minibatches=1, learning_rate=3e-3, clip=clip)
        state = ppo.init(SPEC, key=jax.random.key(0))
        batch = _rollout(ppo, state)
        before = experienced(state.networks, OneValue(), batch, 0.9, 0.95)
        following, _ = jax.jit(lambda s: ppo.update(SPEC, s, batch, PROGRESS, key=jax.random.key(2)))(state)
        after = experienced(following.networks, OneValue(), batch, 0.9, 0.95)
        return float(jnp.mean(jnp.abs(jnp.exp(after.log_prob - before.log_prob) - 1)))

    free, held = travelled(1e6), travelled(0.01)
    assert held < 0.5 * free
    assert free > 0.2


@by_policy
def test_the_entropy_s_gradient_is_that_of_the_entropy_and_not_of_the_stored_log_probs(policy):
    """By finite differences in log sigma: d/dlog sigma of H; a Gaussian's is 1 a dimension."""
    ppo = PPO(policy=policy)
    networks = ppo.init(SPEC, key=jax.random.key(0)).networks
    steps = experienced(networks, OneValue(), _rollout(ppo, ppo.init(SPEC, key=jax.random.key(0))), 0.9, 0.95)

    def nothing(log_probs, steps):
        return 0 * log_probs

    slope = jax.jit(lambda n: gradient(n, steps, nothing, 0.0, 1.0)[0])(networks)

    @jax.jit
    def entropy(shift):
        moved = eqx.tree_at(lambda n: n.actor.network.log_std, networks, networks.actor.network.log_std + shift)
        return jnp.mean(jax.vmap(lambda o: moved.actor(o).entropy())(steps.observation))

    for dimension in range(2):
        step = 1e-2 * jnp.eye(2)[dimension]
        expected = -(entropy(step) - entropy(-step)) / 2e-2
        assert float(slope.actor.network.log_std[dimension]) == pytest.approx(float(expected), abs=2e-3)
    if isinstance(policy, ClippedGaussian):
        np.testing.assert_allclose(slope.actor.network.log_std, -1.0, atol=1e-6)


def test_the_log_probability_of_a_squashed_action_is_that_of_its_latent():
    policy = TanhNormal(jnp.array([0.3]), jnp.array([-0.5]))
    for latent, tolerance in ((0.0, 1e-5), (-2.0, 1e-4), (4.9, 5e-3)):
        action = jnp.tanh(jnp.array([latent]))
        assert float(policy.log_prob(action)) == pytest.approx(
            float(policy.log_prob_of_latent(jnp.array([latent]))), abs=tolerance
        )
    assert np.isfinite(float(policy.log_prob(jnp.array([1.0]))))
    ends = jax.grad(lambda p: p.log_prob(jnp.array([-1.0])))(policy)
    assert np.isfinite(float(ends.mean[0])) and np.isfinite(float(ends.log_std[0]))


def test_the_density_of_given_actions_integrates_to_one_with_its_ends():
    for mean, log_std in ((0.3, -0.5), (4.0, 0.5), (20.0, 0.0), (-6.0, 1.0)):
        policy = TanhNormal(jnp.array([mean]), jnp.array([log_std]))
        latents = jnp.linspace(-4.95, 4.95, 20_001)
        actions = jnp.tanh(latents)
        log_probs = jax.vmap(lambda a, policy=policy: policy.log_prob(a[None]))(actions)
        inside = jnp.sum(jnp.exp(log_probs) * (1 - actions**2)) * (latents[1] - latents[0])
        ends = sum(1e-4 * jnp.exp(policy.log_prob(jnp.array([end]))) for end in (-1.0, 1.0))
        assert float(inside + ends) == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("mean", [0.0, 3.0, 5.0, 9.0, 200.0])
def test_the_score_of_a_policy_s_own_actions_has_mean_zero_also_where_it_saturates(mean):
    """E[grad log pi(a)] = 0; inverting tanh at a clipped action would give -150 at a mean of 200."""
    policy = TanhNormal(jnp.array([mean]), jnp.array([0.2]))
    noise = jax.random.normal(jax.random.key(0), (20_000, 1))
    actions = jnp.tanh(mean + jnp.exp(0.2) * noise)
    scores = jax.vmap(jax.grad(lambda p, a: p.log_prob(a)), in_axes=(None, 0))(policy, actions)
    for score in (scores.mean, scores.log_std):
        assert float(jnp.mean(score)) == pytest.approx(0, abs=0.05)
        assert np.isfinite(score).all()


@pytest.mark.parametrize("latent", [0.0, 1.0, -3.0, 4.9])
def test_a_ratio_of_squashed_policies_is_that_of_their_gaussians(latent):
    old, new = (TanhNormal(jnp.array([mean]), jnp.array([log_std])) for mean, log_std in ((0.3, -0.2), (0.4, -0.1)))
    action = jnp.tanh(jnp.array([latent]))
    found = new.log_prob(action) - old.log_prob(action)

    def gaussian(policy):
        return -0.5 * ((latent - policy.mean) * jnp.exp(-policy.log_std)) ** 2 - policy.log_std

    assert float(found) == pytest.approx(float((gaussian(new) - gaussian(old))[0]), abs=2e-3)


@pytest.mark.parametrize("count", [1, 2, 1000, 4096])
def test_shuffled_numbers_are_all_there(count):
    np.testing.assert_array_equal(np.sort(shuffled(count, key=jax.random.key(0))), np.arange(count))


def test_every_number_comes_to_every_place_alike():
    """Chi squared of (number, place) over many shuffles, within four standard deviations of its mean of 1 each."""
    orders = np.asarray(jax.vmap(lambda key: shuffled(8, key=key))(jax.random.split(jax.random.key(1), 8000)))
    seen = np.stack([np.bincount(orders[:, place], minlength=8) for place in range(8)])
    free = 7 * 7
    assert abs(np.sum((seen - 1000) ** 2 / 1000) - free) < 4 * np.sqrt(2 * free)


def test_few_neighbours_keep_their_old_order_because_their_random_bits_agree():
    orders = np.asarray(jax.vmap(lambda key: shuffled(4096, key=key))(jax.random.split(jax.random.key(2), 50)))
    follows = np.mean(np.sum(orders[:, 1:] > orders[:, :-1], axis=1))
    assert abs(follows - 4095 / 2 - 4) < 4 * np.sqrt(4096 / 12 / 50), (
        "eight ties, of which half would have risen anyway"
    )


def test_advantages_are_standardised_within_the_minibatch():
    found = Standardised()(jnp.array([1.0, 2.0, 3.0, 6.0]))
    np.testing.assert_allclose(found, np.array([-2, -1, 0, 3]) / np.sqrt(3.5), rtol=1e-6)
    np.testing.assert_array_equal(Standardised()(jnp.full(4, 2.0)), 0)


def test_standardising_a_single_step_is_refused():
    """Less its own mean it is 0: the policy would stay as it was drawn."""
    ppo = PPO(num_steps=4, minibatches=4, policy=POLICIES[0], torso=Dense((8,)))
    state = ppo.init(SPEC, key=jax.random.key(0))
    batch = _rollout(ppo, state, envs=1, steps=4)
    with pytest.raises(EntropaxError, match=r"one step.*num_envs"):
        ppo.update(SPEC, state, batch, PROGRESS, key=jax.random.key(1))
    plain = dataclasses.replace(ppo, advantages=AsEstimated())
    updated, _ = jax.jit(lambda s: plain.update(SPEC, s, batch, PROGRESS, key=jax.random.key(1)))(state)
    assert _largest_difference(updated.networks.actor, state.networks.actor) > 1e-5
    np.testing.assert_array_equal(AsEstimated()(jnp.arange(3.0)), jnp.arange(3.0))


def test_a2c_takes_one_rmsprop_step_down_the_policy_gradient():
    a2c = A2C(num_steps=16, max_grad_norm=float("inf"), policy=POLICIES[0])
    state = a2c.init(SPEC, key=jax.random.key(0))
    batch = _rollout(a2c, state)
    steps = experienced(state.networks, OneValue(), batch, 0.99, 1.0)
    slope = jax.jit(lambda n: gradient(n, steps, lambda p, s: p * s.advantage, 0.5, 0.0)[0])(state.networks)
    following, _ = jax.jit(lambda s: a2c.update(SPEC, s, batch, PROGRESS, key=jax.random.key(0)))(state)
    expected = jax.tree.map(lambda p, g: p - 7e-4 * g / jnp.sqrt(0.01 * g**2 + 1e-5), state.networks, slope)
    assert _largest_difference(following.networks, expected) < 1e-5
    assert _largest_difference(following.networks, state.networks) > 1e-3


@pytest.mark.parametrize(
    "plain", [A2C(num_steps=16, policy=POLICIES[0]), PPO(num_steps=16, epochs=1, minibatches=1, policy=POLICIES[0])]
)
def test_an_annealed_rate_is_the_share_of_the_run_that_is_left(plain):
    """One optimiser step moves in proportion to its rate, and the state is the same with the rate kept."""
    annealed = dataclasses.replace(plain, annealing=LinearToZero())
    state = plain.init(SPEC, key=jax.random.key(0))
    assert jax.tree.structure(annealed.init(SPEC, key=jax.random.key(0))) == jax.tree.structure(state)
    batch = _rollout(plain, state)

    @jax.jit
    def moved(share):
        progress = PROGRESS._replace(share=share)
        found = [one.update(SPEC, state, batch, progress, key=jax.random.key(0))[0] for one in (plain, annealed)]
        return [jax.tree.map(jnp.subtract, one.networks, state.networks) for one in found]

    for share in (0.0, 0.75):
        whole, rest = moved(jnp.float32(share))
        expected = jax.tree.map(lambda leaf, left=1 - share: left * leaf, whole)
        assert _largest_difference(rest, expected) < 1e-6
        assert _largest_difference(whole, jax.tree.map(jnp.zeros_like, whole)) > 1e-4


def test_a_gradient_is_cut_to_its_norm_and_a_short_one_left_alone():
    long = {"a": jnp.array([3.0]), "b": jnp.array([4.0])}
    np.testing.assert_allclose(clip_by_norm(long, 0.5)["b"], 0.4, rtol=1e-6)
    np.testing.assert_array_equal(clip_by_norm(long, 6.0)["b"], 4.0)
    np.testing.assert_array_equal(clip_by_norm(long, float("inf"))["a"], 3.0)
    np.testing.assert_array_equal(clip_by_norm({"a": jnp.zeros(2)}, 0.5)["a"], 0.0)


def test_the_published_networks_are_orthogonal_and_the_policy_begins_at_its_bias():
    network = Orthogonal((32, 16), output_gain=0.01).init(32, 4, key=jax.random.key(0))
    first, second, last = (layer.weight for layer in network.layers)
    np.testing.assert_allclose(first.T @ first, 2 * np.eye(32), atol=1e-5)
    np.testing.assert_allclose(second.T @ second, 2 * np.eye(16), atol=1e-5)
    np.testing.assert_allclose(last.T @ last, 1e-4 * np.eye(4), atol=1e-8)
    assert not any(layer.bias.any() for layer in network.layers)
    actor = PPO().actor(PPO().init(SPEC, key=jax.random.key(0)))
    np.testing.assert_allclose(actor(jnp.ones(3)).mean, 0, atol=0.05)
    np.testing.assert_array_equal(actor(jnp.ones(3)).log_std, 0)


@pytest.mark.parametrize("kind", [PPO, A2C])
@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"num_steps": 1}, "num_steps"),
        ({"discount": 1.1}, "discount"),
        ({"gae_lambda": -0.1}, "gae_lambda"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"max_grad_norm": 0.0}, "max_grad_norm"),
        ({"entropy_coefficient": float("nan")}, "entropy_coefficient must be finite"),
        ({"value_coefficient": -1.0}, "value_coefficient is -1.0"),
        ({"value_coefficient": float("inf")}, "value_coefficient is inf"),
    ],
)
def test_settings_out_of_range_are_refused(kind, settings, word):
    with pytest.raises(EntropaxError, match=word):
        kind(**settings)


@pytest.mark.parametrize(
    "part",
    [
        lambda value: TanhGaussian(initial_log_std=value),
        lambda value: ClippedGaussian(initial_log_std=value),
    ],
)
def test_parts_that_are_not_finite_are_refused(part):
    with pytest.raises(EntropaxError, match="must be finite, got nan"):
        part(float("nan"))


@pytest.mark.parametrize("settings", [{"clip": 0.0}, {"epochs": 0}, {"minibatches": 0}, {"minibatches": 4096}])
def test_settings_of_ppo_out_of_range_are_refused(settings):
    with pytest.raises(EntropaxError, match="PPO: "):
        PPO(**settings)


def test_the_entropy_s_weight_is_alpha_and_nothing_is_steered_to():
    ppo = dataclasses.replace(PPO(), entropy_coefficient=0.25)
    state = ppo.init(SPEC, key=jax.random.key(0))
    assert float(ppo.alpha(state)) == 0.25
    assert np.isnan(float(ppo.target_entropy(SPEC, state)))
