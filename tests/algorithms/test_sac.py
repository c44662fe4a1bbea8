"""SAC's update against its paper, term by term, computed here the plain way."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import SAC, Dense, Dual, Fixed
from entropax.temperature import Evidence
from entropax.types import Bounds, Spec, Transition, unknown_progress

SPEC = Spec(3, Bounds((-2.0, -1.0), (2.0, 1.0)))
BATCH = 12
KEY = jax.random.key(5)
PROGRESS = unknown_progress(SPEC)
# What an update with this key draws: noise of the targets' actions, then of the actor's.
NOISE = jax.random.normal(KEY, (2, BATCH, 2))


def values(critics, observation, action):
    """Q_i(s, a) of each critic of an ensemble."""
    return jax.vmap(lambda critic: critic(observation, action))(critics)


def _batch(n_step: int = 1, terminated: float | None = None) -> Transition:
    rng = np.random.default_rng(1)

    def draw(*more: int) -> jax.Array:
        return jnp.asarray(rng.normal(size=(BATCH, n_step, *more)), jnp.float32)

    ended = rng.random((BATCH, n_step)) < 0.3 if terminated is None else np.full((BATCH, n_step), terminated)
    ended = jnp.asarray(ended, jnp.float32)
    last = jnp.maximum(ended, jnp.asarray(rng.random((BATCH, n_step)) < 0.3, jnp.float32))
    return Transition(draw(3), jnp.tanh(draw(2)), draw(), draw(3), ended, last)


def _algorithm(**settings) -> SAC:
    return SAC(torso=Dense((8,)), batch_size=BATCH, discount=0.9, polyak=0.25, critic_learning_rate=0.01, **settings)


def _state(algorithm: SAC):
    """A state whose target critics are not its critics, so that a mix-up shows."""
    state = algorithm.init(SPEC, key=jax.random.key(0))
    other = algorithm.init(SPEC, key=jax.random.key(1))
    return eqx.tree_at(lambda s: s.target_critics, state, other.critics)


def _update(algorithm: SAC, state, batch, key=KEY):
    return jax.jit(lambda s: algorithm.update(SPEC, s, batch, PROGRESS, key=key))(state)


@pytest.mark.parametrize("n_step", [1, 3])
def test_targets_use_target_critics_and_the_temperature_before_its_step(n_step):
    algorithm = _algorithm(temperature=Dual(initial_alpha=0.7, learning_rate=0.5), n_step=n_step)
    state, batch = _state(algorithm), _batch(n_step)
    _, metrics = _update(algorithm, state, batch)
    losses = []
    for i, noise in enumerate(NOISE[0]):
        reward, weight, k = 0.0, 1.0, 0
        for k in range(n_step):
            reward, weight = reward + weight * float(batch.reward[i, k]), weight * 0.9
            if batch.last[i, k]:
                break
        observation = batch.next_observation[i, k]
        action, log_probs = state.actor(observation).reparameterised(noise)
        soft = float(jnp.min(values(state.target_critics, observation, action)) - 0.7 * log_probs.sum())
        target = reward + weight * (1 - float(batch.terminated[i, k])) * soft
        q = np.asarray(values(state.critics, batch.observation[i, 0], batch.action[i, 0]))
        losses.append(0.5 * np.sum((q - target) ** 2))
    assert float(metrics["train/critic_loss"]) == pytest.approx(np.mean(losses), rel=1e-4)


def test_actor_and_temperature_see_the_new_critics_and_the_same_samples():
    algorithm = _algorithm(temperature=Dual(initial_alpha=0.7, learning_rate=0.5))
    state, batch = _state(algorithm), _batch()
    following, metrics = _update(algorithm, state, batch)
    losses, entropies = [], []
    for observation, noise in zip(batch.observation[:, 0], NOISE[1], strict=True):
        action, log_probs = state.actor(observation).reparameterised(noise)
        losses.append(float(0.7 * log_probs.sum() - jnp.min(values(following.critics, observation, action))))
        entropies.append(-log_probs)
    assert float(metrics["train/actor_loss"]) == pytest.approx(np.mean(losses), rel=1e-4, abs=1e-5)
    law, more = algorithm.temperature.update(SPEC, state.temperature, Evidence(jnp.stack(entropies), PROGRESS))
    np.testing.assert_allclose(following.temperature.log_alpha, law.log_alpha, rtol=1e-5)
    assert float(algorithm.alpha(following)) == pytest.approx(float(more["train/ent_coef"]), rel=1e-5)
    assert abs(float(algorithm.alpha(following)) - 0.7) > 0.1


def test_target_critics_move_by_their_share_towards_the_new_critics():
    algorithm = _algorithm()
    state = _state(algorithm)
    following, _ = _update(algorithm, state, _batch())
    for old, new, target in zip(
        jax.tree.leaves(state.target_critics),
        jax.tree.leaves(following.critics),
        jax.tree.leaves(following.target_critics),
        strict=True,
    ):
        np.testing.assert_allclose(target, 0.75 * old + 0.25 * new, rtol=1e-5, atol=1e-6)


def _actor_gradient(algorithm: SAC, state, batch) -> np.ndarray:
    """Adam's first moment after its first step is 0.1 of the gradient."""
    following, _ = _update(algorithm, state, batch)
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(following.actor_optimiser.mu)]) / 0.1


@pytest.mark.parametrize("alpha", [0.1, 2.0])
def test_the_entropy_term_carries_gradient_with_alpha_as_its_scale(alpha):
    batch = _batch(terminated=1.0)  # Alpha is then in no critic's target, only in the actor's loss.
    one, two = (_algorithm(temperature=Fixed(a)) for a in (alpha, 2 * alpha))
    state = _state(one)
    difference = _actor_gradient(two, state, batch) - _actor_gradient(one, state, batch)

    def mean_log_prob(actor):
        return jnp.mean(jax.vmap(lambda o, e: actor(o).reparameterised(e)[1].sum())(batch.observation[:, 0], NOISE[1]))

    expected = alpha * np.concatenate(
        [np.ravel(leaf) for leaf in jax.tree.leaves(jax.grad(mean_log_prob)(state.actor))]
    )
    assert np.linalg.norm(expected) > 0.05
    np.testing.assert_allclose(difference, expected, atol=1e-4 * np.linalg.norm(expected) + 2e-6)


def test_a_delayed_policy_moves_every_other_update_and_is_measured_at_each():
    algorithm = _algorithm(policy_delay=2)
    state, update = _state(algorithm), jax.jit(lambda s: algorithm.update(SPEC, s, _batch(), PROGRESS, key=KEY))
    for number in range(4):
        following, metrics = update(state)
        moved = [
            not np.array_equal(a, b)
            for part in ("actor", "temperature", "actor_optimiser")
            for a, b in zip(jax.tree.leaves(vars(state)[part]), jax.tree.leaves(vars(following)[part]), strict=True)
        ]
        assert any(moved) == (number % 2 == 0)
        critics = zip(jax.tree.leaves(state.critics), jax.tree.leaves(following.critics), strict=True)
        assert any(not np.array_equal(a, b) for a, b in critics)
        assert float(metrics["train/actor_grad_norm"]) > 0
        state = following


def test_the_smallest_critic_counts():
    algorithm = _algorithm(num_critics=3)
    state = algorithm.init(SPEC, key=jax.random.key(0))
    q = values(state.critics, jnp.ones(3), jnp.zeros(2))
    assert q.shape == (3,)
    assert len(np.unique(q)) == 3
