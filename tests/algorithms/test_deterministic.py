"""TD3 and DDPG: targets, smoothing and delay against formulas written out, and the policy gradient."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import DDPG, TD3, Dense
from entropax.algorithms.deterministic import policy_loss
from entropax.algorithms.td3 import smoothed
from entropax.errors import EntropaxError
from entropax.types import Bounds, Spec, Transition, unknown_progress

SPEC = Spec(3, Bounds((-1.0, -1.0), (1.0, 1.0)))
BATCH = 12
PROGRESS = unknown_progress(SPEC)
SMALL = {"torso": Dense((8,)), "batch_size": BATCH, "discount": 0.9, "polyak": 0.1}
TD3_, DDPG_ = TD3(**SMALL, actor_learning_rate=1e-2), DDPG(**SMALL, actor_learning_rate=1e-2)


def batch(scale: float = 1.0, n_step: int = 1) -> Transition:
    """Random windows; a third of the steps terminate. Actions go beyond [-1, 1] where the scale is large."""
    rng = np.random.default_rng(1)

    def draw(*more):
        return jnp.asarray(rng.normal(size=(BATCH, n_step, *more)), jnp.float32)

    ended = jnp.asarray(rng.random((BATCH, n_step)) < 1 / 3, jnp.float32)
    return Transition(draw(3), scale * draw(2), draw(), draw(3), ended, ended)


def drawn(algorithm, seed: int = 0):
    """A state whose targets differ from what they follow."""
    state, other = (algorithm.init(SPEC, key=jax.random.key(s)) for s in (seed, seed + 1))
    return eqx.tree_at(lambda s: (s.target_actor, s.target_critics), state, (other.target_actor, other.target_critics))


def updated(algorithm, state, data, seed: int = 5):
    return jax.jit(lambda s: algorithm.update(SPEC, s, data, PROGRESS, key=jax.random.key(seed)))(state)


def same(one, two) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True))


def test_smoothing_clips_the_noise_and_then_the_action():
    actions = jnp.array([[0.0, 0.0, 0.9, -0.9]])
    noise = jnp.array([[1.0, -9.0, 9.0, -1.0]])
    np.testing.assert_allclose(smoothed(actions, noise, 0.2, 0.5), [[0.2, -0.5, 1.0, -1.0]], rtol=1e-6)
    np.testing.assert_allclose(smoothed(actions, noise, 0.2, 0.05), [[0.05, -0.05, 0.95, -0.95]], rtol=1e-6)
    np.testing.assert_array_equal(smoothed(actions, noise, 0.0, 0.5), actions)


@pytest.mark.parametrize("algorithm", [TD3_, TD3(**SMALL, num_critics=1), DDPG_], ids=["td3", "one-critic", "ddpg"])
def test_the_critics_regress_on_the_least_target_critic_at_the_target_policy_s_action(algorithm):
    state, data = drawn(algorithm), batch(0.5)
    noise = jax.random.normal(jax.random.key(5), (BATCH, 2))
    members = [jax.tree.map(lambda leaf, i=i: leaf[i], state.critics) for i in range(len(_first_axis(state.critics)))]
    targets = [jax.tree.map(lambda x, i=i: x[i], state.target_critics) for i in range(len(members))]
    losses, qs = [], []
    for i in range(BATCH):
        following = data.next_observation[i, 0]
        action = state.target_actor(following)
        if isinstance(algorithm, TD3):
            action = jnp.clip(action + jnp.clip(0.2 * noise[i], -0.5, 0.5), -1, 1)
        ahead = min(float(critic(following, action)) for critic in targets)
        y = float(data.reward[i, 0]) + 0.9 * (1 - float(data.terminated[i, 0])) * ahead
        taken = jnp.clip(data.action[i, 0], -1, 1)
        q = [float(critic(data.observation[i, 0], taken)) for critic in members]
        losses.append(sum(0.5 * (value - y) ** 2 for value in q))
        qs += q
    _, metrics = updated(algorithm, state, data)
    np.testing.assert_allclose(metrics["train/critic_loss"], np.mean(losses), rtol=1e-4)
    np.testing.assert_allclose(metrics["train/q_mean"], np.mean(qs), rtol=1e-3, atol=1e-5)


def _first_axis(tree):
    return jax.tree.leaves(tree)[0]


@pytest.mark.parametrize("algorithm", [TD3_, DDPG_], ids=["td3", "ddpg"])
def test_what_was_drawn_beyond_the_bounds_is_learned_from_as_the_environment_took_it(algorithm):
    raw = batch(3.0)
    assert float(jnp.max(jnp.abs(raw.action))) > 2
    clipped = raw._replace(action=jnp.clip(raw.action, -1, 1))
    state = drawn(algorithm)
    assert same(updated(algorithm, state, raw)[0], updated(algorithm, state, clipped)[0])


def test_actor_and_targets_move_only_when_due_and_the_critics_always():
    algorithm = TD3(**SMALL, policy_delay=3)
    state = drawn(algorithm)
    for number in range(1, 7):
        following, metrics = updated(algorithm, state, batch(), seed=number)
        due = number % 3 == 0
        assert not same(state.critics, following.critics)
        for part in ("actor", "actor_optimiser", "target_actor", "target_critics"):
            assert same(vars(state)[part], vars(following)[part]) == (not due), (number, part)
        assert int(following.updates) == number
        assert float(metrics["train/actor_grad_norm"]) > 0
        state = following


@pytest.mark.parametrize("algorithm", [TD3(**SMALL, policy_delay=1), DDPG_], ids=["td3", "ddpg"])
def test_targets_take_in_their_share_of_the_moved_networks(algorithm):
    state = drawn(algorithm)
    following, _ = updated(algorithm, state, batch())
    for target, source in (("target_critics", "critics"), ("target_actor", "actor")):
        parts = (vars(state)[target], vars(following)[source], vars(following)[target])
        for old, new, found in zip(*map(jax.tree.leaves, parts), strict=True):
            np.testing.assert_allclose(found, 0.9 * old + 0.1 * new, rtol=1e-5, atol=1e-7)


def test_the_policy_gradient_equals_finite_differences():
    """In double precision by the networks' NumPy forms, along random directions."""
    state, observations = drawn(TD3_), batch().observation[:, 0]
    critic = jax.tree.map(lambda leaf: leaf[0], state.critics)
    gradient = jax.grad(policy_loss)(state.actor, critic, observations)
    doubles = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), (state.actor, critic))

    def loss(actor) -> float:
        x = np.asarray(observations, np.float64)
        return -np.mean(doubles[1].network.on_host()(np.concatenate([x, actor.on_host()(x)], axis=-1)))

    rng = np.random.default_rng(3)
    for _ in range(3):
        way = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), doubles[0])
        ends = [jax.tree.map(lambda x, d, s=s: x + s * 1e-6 * d, doubles[0], way) for s in (1, -1)]
        slope = (loss(ends[0]) - loss(ends[1])) / 2e-6
        inner = sum(np.sum(g * d) for g, d in zip(jax.tree.leaves(gradient), jax.tree.leaves(way), strict=True))
        assert abs(slope) > 1e-3
        np.testing.assert_allclose(inner, slope, rtol=1e-3)


def test_the_actor_climbs_the_first_critic_alone():
    algorithm = TD3(**SMALL, policy_delay=1, critic_learning_rate=1e-30)
    state, data = drawn(algorithm), batch()
    moved, _ = updated(algorithm, state, data)
    for index, alike in ((1, True), (0, False)):
        changed = eqx.tree_at(
            lambda s: s.critics, state, jax.tree.map(lambda leaf, i=index: leaf.at[i].multiply(-1.5), state.critics)
        )
        assert same(moved.actor, updated(algorithm, changed, data)[0].actor) == alike


@pytest.mark.parametrize("algorithm", [TD3(exploration_noise=0.3), DDPG(exploration_noise=0.3)], ids=["td3", "ddpg"])
def test_the_policy_explores_with_the_noise_that_is_set_around_its_mode(algorithm):
    state, observation = algorithm.init(SPEC, key=jax.random.key(0)), jnp.array([3.0, -2.0, 1.0])
    policy = algorithm.actor(state)(observation)
    np.testing.assert_allclose(policy.mean, algorithm.mode(state, observation), rtol=1e-6)
    np.testing.assert_allclose(jnp.exp(policy.log_std), 0.3, rtol=1e-6)
    keys = jax.random.split(jax.random.key(1), 4_000)
    actions = jax.vmap(lambda key: algorithm.act(state, observation, key=key))(keys)
    np.testing.assert_allclose(actions.mean(0), policy.mean, atol=0.02)
    np.testing.assert_allclose(actions.std(0), 0.3, rtol=0.05)
    assert float(algorithm.alpha(state)) == 0
    assert np.isnan(algorithm.target_entropy(SPEC, state))


@pytest.mark.parametrize(
    ("build", "settings", "word"),
    [
        (TD3, {"num_critics": 0}, "num_critics"),
        (TD3, {"exploration_noise": 0.0}, "exploration_noise"),
        (TD3, {"target_noise": -0.1}, "target_noise"),
        (TD3, {"target_noise_clip": float("nan")}, "target_noise_clip"),
        (DDPG, {"n_step": 0}, "n_step"),
        (DDPG, {"discount": 1.5}, "DDPG: discount"),
        (DDPG, {"actor_learning_rate": 0.0}, "actor_learning_rate"),
        (DDPG, {"exploration_noise": -1.0}, "exploration_noise"),
    ],
)
def test_settings_out_of_range_are_refused(build, settings, word):
    with pytest.raises(EntropaxError, match=word):
        build(**settings)
