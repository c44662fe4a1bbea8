"""PPO and A2C among a finite set of actions: gradients by hand, the exact entropy, one kind of policy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import A2C, PPO, ClippedGaussian, Dense, EntropaxError, TanhGaussian
from entropax.algorithms.on_policy import Experience, gradient
from entropax.ops import clipped_surrogate
from entropax.policies import CategoricalActor
from entropax.types import Categories, Spec

SPEC = Spec(2, Categories(3))
LINEAR = Dense(())
STEPS = 6


def nothing(log_probs, steps):
    """No surrogate."""
    return 0 * log_probs


@pytest.fixture(scope="module")
def tiny():
    """Logits o W + b of three actions: networks, steps, and probabilities `[step, action]` in NumPy."""
    rng = np.random.default_rng(0)
    networks = A2C(policy=TanhGaussian(LINEAR), torso=LINEAR).init(SPEC, key=jax.random.key(0)).networks
    observation = rng.normal(size=(STEPS, 2))
    action = np.array([0, 1, 2, 2, 1, 0])
    layer = networks.actor.network.layers[0]
    logits = observation @ np.asarray(layer.weight, float) + np.asarray(layer.bias, float)
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    log_prob = np.log(probs[np.arange(STEPS), action])
    # Ratios of 1 / 1.5, 1 and 1.5 with advantages of either sign: clipped where it would gain by leaving.
    ratio = np.array([1.5, 1.5, 1.0, 1 / 1.5, 1 / 1.5, 1.0])
    steps = Experience(
        jnp.asarray(observation, jnp.float32),
        jnp.asarray(action[:, None], jnp.float32),
        jnp.asarray(log_prob - np.log(ratio), jnp.float32),
        jnp.array([1.0, -2.0, 0.5, 1.0, -2.0, -0.5]),
        jnp.zeros(STEPS),
    )
    return networks, steps, probs


def assert_actor_climbs(slope, observation, of_logits):
    """The gradient, negated, is the mean over steps of dJ/dlogits `[step, action]` through o W + b."""
    layer = slope.actor.network.layers[0]
    np.testing.assert_allclose(layer.weight, -np.asarray(observation).T @ of_logits / STEPS, atol=1e-6)
    np.testing.assert_allclose(layer.bias, -of_logits.mean(axis=0), atol=1e-6)


def test_the_gradient_of_a2c_s_surrogate_is_the_one_by_hand(tiny):
    """d log pi(a) / d logit k = 1[k = a] - pi(k)."""
    networks, steps, probs = tiny
    score = np.eye(3)[np.asarray(steps.action[:, 0], int)] - probs
    slope, _ = gradient(networks, steps, lambda p, s: p * s.advantage, 0.0, 0.0)
    assert_actor_climbs(slope, steps.observation, np.asarray(steps.advantage)[:, None] * score)


def test_the_gradient_of_ppo_s_surrogate_is_the_one_by_hand_and_0_where_it_is_clipped(tiny):
    networks, steps, probs = tiny
    score = np.eye(3)[np.asarray(steps.action[:, 0], int)] - probs
    kept = np.array([0, 1, 1, 1, 0, 1])
    ratio = np.array([1.5, 1.5, 1.0, 1 / 1.5, 1 / 1.5, 1.0])
    slope, _ = gradient(networks, steps, lambda p, s: clipped_surrogate(p - s.log_prob, s.advantage, 0.2), 0.0, 0.0)
    weight = kept * ratio * np.asarray(steps.advantage)
    assert_actor_climbs(slope, steps.observation, weight[:, None] * score)


def test_the_bonus_climbs_the_exact_entropy(tiny):
    """dH / d logit k = -pi(k) (log pi(k) + H)."""
    networks, steps, probs = tiny
    entropy = -np.sum(probs * np.log(probs), axis=1, keepdims=True)
    slope, metrics = gradient(networks, steps, nothing, 0.0, 0.3)
    assert_actor_climbs(slope, steps.observation, -0.3 * probs * (np.log(probs) + entropy))
    assert float(metrics["train/actor_loss"]) == pytest.approx(-0.3 * entropy.mean(), abs=1e-6)


@pytest.mark.parametrize("kind", [PPO, A2C])
def test_whatever_the_policy_of_continuous_actions_a_finite_set_has_the_softmax_of_its_torso(kind):
    actors = [
        kind(policy=policy).actor(kind(policy=policy).init(SPEC, key=jax.random.key(0)))
        for policy in (TanhGaussian(), ClippedGaussian(initial_log_std=-1.0))
    ]
    for actor in actors:
        assert isinstance(actor, CategoricalActor)
        assert actor.max_entropy() == np.log(3)
        np.testing.assert_array_equal(actor(jnp.ones(2)).logits, actors[0](jnp.ones(2)).logits)
        assert float(actor(jnp.ones(2)).entropy()) == pytest.approx(np.log(3), abs=1e-3), "almost uniform at first"
        assert len(jax.tree.leaves(actor)) == 6, "three layers and no spread"


def test_a_gaussian_policy_by_itself_is_of_continuous_actions():
    with pytest.raises(EntropaxError, match="continuous"):
        TanhGaussian().init(SPEC, key=jax.random.key(0))
