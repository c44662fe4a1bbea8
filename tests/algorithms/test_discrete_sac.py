"""SAC of discrete actions: targets, losses and remedies against loops in double precision."""

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from stored_choices import SPEC, choices

from entropax import ClippedQ, Dense, DiscreteSAC, Dual, EntropyPenalty, Fixed, FractionOfUniform, MeanCritic, ops
from entropax.algorithms.discrete_parts import LeastCritic, SquaredError
from entropax.errors import EntropaxError
from entropax.networks import ActionValues
from entropax.policies import CategoricalActor
from entropax.types import unknown_progress

BATCH, ALPHA = 6, 0.3
PLAIN = DiscreteSAC(torso=Dense((8,)), batch_size=BATCH, discount=0.9, temperature=Fixed(ALPHA))


def drawn(algorithm=PLAIN):
    """A state whose target critics differ from the critics, and what is remembered of the policy from the policy."""
    state, other = (algorithm.init(SPEC, key=jax.random.key(seed)) for seed in (0, 1))
    return replace(state, target_critics=other.critics, drift=other.drift)


def updated(algorithm, state):
    data = choices(BATCH)
    update = jax.jit(lambda s: algorithm.update(SPEC, s, data, unknown_progress(SPEC), key=jax.random.key(5)))
    return update(state)


def q_of(critics: ActionValues, observation) -> np.ndarray:
    """`[critic, action]` in double precision."""
    each = [jax.tree.map(lambda leaf, i=i: leaf[i], critics)(observation) for i in range(2)]
    return np.asarray(each, np.float64)


def policy_of(actor: CategoricalActor, observation) -> np.ndarray:
    logits = np.asarray(actor.network(observation), np.float64)
    chances = np.exp(logits - logits.max())
    return chances / chances.sum()


def nats(chances) -> float:
    return float(-np.sum(chances * np.log(chances)))


def targets_of(state, reduce) -> np.ndarray:
    data, found = choices(BATCH), []
    for i in range(BATCH):
        ahead = data.next_observation[i, 0]
        pi = policy_of(state.actor, ahead)
        value = np.sum(pi * reduce(q_of(state.target_critics, ahead), axis=0)) + ALPHA * nats(pi)
        found.append(float(data.reward[i, 0]) + 0.9 * (1 - float(data.terminated[i, 0])) * value)
    return np.array(found)


def taken_by(critics) -> np.ndarray:
    """`[critic, batch]`"""
    data = choices(BATCH)
    rows = [q_of(critics, data.observation[i, 0])[:, int(data.action[i, 0, 0])] for i in range(BATCH)]
    return np.array(rows).T


@pytest.mark.parametrize(("reduction", "reduce"), [(LeastCritic(), np.min), (MeanCritic(), np.mean)])
def test_the_critics_regress_on_the_expected_soft_value_of_the_next_state(reduction, reduce):
    algorithm = replace(PLAIN, reduction=reduction)
    state = drawn(algorithm)
    _, metrics = updated(algorithm, state)
    q, y = taken_by(state.critics), targets_of(state, reduce)
    np.testing.assert_allclose(metrics["train/critic_loss"], np.sum(0.5 * np.mean((q - y) ** 2, axis=1)), rtol=1e-5)
    np.testing.assert_allclose(metrics["train/q_mean"], q.mean(), rtol=1e-5)


@pytest.mark.parametrize("width", [0.05, 0.5])
def test_clipped_q_takes_the_greater_mean_critic_by_critic(width):
    algorithm = replace(PLAIN, regression=ClippedQ(width))
    state = drawn(algorithm)
    q, lagged, y = taken_by(state.critics), taken_by(state.target_critics), targets_of(state, np.min)
    near = lagged + np.clip(q - lagged, -width, width)
    assert np.any(near != q)
    each = [max(np.mean((q[i] - y) ** 2), np.mean((near[i] - y) ** 2)) / 2 for i in range(2)]
    np.testing.assert_allclose(updated(algorithm, state)[1]["train/critic_loss"], sum(each), rtol=1e-5)


def test_clipped_q_by_hand():
    """Q 2, its target network's 0, clipped to 0.5: at y 1, 1/2 is above 1/8; at y 3, 25/8 is above 1/2."""
    q, lagged = jnp.array([[2.0]]), jnp.array([[0.0]])
    loss = ClippedQ(0.5).loss
    assert float(loss(q, lagged, jnp.array([1.0]))) == 0.5
    assert float(loss(q, lagged, jnp.array([3.0]))) == 0.5 * 2.5**2
    slope = jax.grad(lambda q, y: loss(q, lagged, y))
    assert float(slope(q, jnp.array([1.0]))[0, 0]) == 1.0
    assert float(slope(q, jnp.array([3.0]))[0, 0]) == 0.0, "beyond the width it may not go on"
    wide, plain = ClippedQ(10.0), SquaredError()
    assert float(wide.loss(q, lagged, jnp.array([3.0]))) == float(plain.loss(q, lagged, jnp.array([3.0])))


def actor_loss(actor, critics, beta=0.0, old=None):
    total = 0.0
    for observation in choices(BATCH).observation[:, 0]:
        pi = policy_of(actor, observation)
        total += np.sum(pi * (ALPHA * np.log(pi) - q_of(critics, observation).min(axis=0)))
        if old is not None:
            total += beta * (nats(policy_of(old, observation)) - nats(pi)) ** 2
    return total / BATCH


@pytest.mark.parametrize("beta", [0.0, 0.5, 3.0])
def test_the_actor_descends_the_exact_expectation_and_the_penalty(beta):
    algorithm = replace(PLAIN, drift=EntropyPenalty(beta)) if beta else PLAIN
    state = drawn(algorithm)
    following, metrics = updated(algorithm, state)
    old = state.drift if beta else None
    expected = actor_loss(state.actor, following.critics, beta, old)
    np.testing.assert_allclose(metrics["train/actor_loss"], expected, rtol=1e-5, atol=1e-6)
    # Adam's first step is the sign of the gradient: against finite differences of the loop's loss.
    bias = np.asarray(state.actor.network.layers[-1].bias)
    for index in range(4):
        shifted = [_with_bias(state.actor, bias + sign * 1e-3 * np.eye(4, dtype=np.float32)[index]) for sign in (1, -1)]
        slope = np.diff([actor_loss(one, following.critics, beta, old) for one in shifted[::-1]])[0]
        moved = following.actor.network.layers[-1].bias[index] - bias[index]
        np.testing.assert_allclose(moved, -3e-4 * np.sign(slope), rtol=1e-3)


def _with_bias(actor, bias):
    layers = actor.network.layers
    last = replace(layers[-1], bias=jnp.asarray(bias, jnp.float32))
    return replace(actor, network=replace(actor.network, layers=(*layers[:-1], last)))


def test_the_penalty_pulls_the_entropy_back_with_the_promised_gradient():
    """d/dH of beta (H_old - H)^2 is 2 beta (H - H_old), and nothing flows into the lagging policy."""
    state = drawn(replace(PLAIN, drift=EntropyPenalty(0.5)))
    observations = choices(BATCH).observation[:, 0]
    penalty = EntropyPenalty(0.5)
    entropy = jnp.linspace(0.2, 1.3, BATCH)
    slope = jax.grad(lambda h: penalty.cost(state.drift, observations, h))(entropy)
    old = np.array([nats(policy_of(state.drift, observation)) for observation in observations])
    np.testing.assert_allclose(slope, 2 * 0.5 * (np.asarray(entropy) - old) / BATCH, rtol=1e-4)
    into = jax.grad(lambda lagging: penalty.cost(lagging, observations, entropy))(state.drift)
    assert all(np.all(np.asarray(leaf) == 0) for leaf in jax.tree.leaves(into))
    following, _ = updated(replace(PLAIN, drift=EntropyPenalty(0.5)), state)
    trees = (state.drift, following.actor, following.drift)
    for old_leaf, new, found in zip(*map(jax.tree.leaves, trees), strict=True):
        np.testing.assert_allclose(found, 0.995 * old_leaf + 0.005 * new, rtol=1e-5, atol=1e-7)


def test_alpha_descends_the_slack_of_the_exact_entropy():
    law = Dual(target_entropy=FractionOfUniform(0.5), initial_alpha=ALPHA)
    algorithm = replace(PLAIN, temperature=law)
    state = drawn(algorithm)
    following, metrics = updated(algorithm, state)
    mean = np.mean([nats(policy_of(state.actor, o)) for o in choices(BATCH).observation[:, 0]])
    slack = mean - 0.5 * math.log(4)
    np.testing.assert_allclose(metrics["train/ent_coef_loss"], math.log(ALPHA) * slack, rtol=1e-4)
    assert slack > 0
    assert float(algorithm.alpha(following)) < ALPHA
    np.testing.assert_allclose(algorithm.target_entropy(SPEC, following), 0.5 * math.log(4), rtol=1e-6)


def test_the_expected_soft_value_is_largest_for_the_boltzmann_policy():
    q = jnp.array([1.0, -2.0, 0.5])
    best = jax.nn.log_softmax(q / ALPHA)
    value = ops.expected_soft_value(best, q, ALPHA)
    np.testing.assert_allclose(value, ops.soft_value(q, ALPHA), rtol=1e-6)
    slope = jax.grad(lambda logits: ops.expected_soft_value(jax.nn.log_softmax(logits), q, ALPHA))(best)
    np.testing.assert_allclose(slope, np.zeros(3), atol=1e-6)
    other = jax.nn.log_softmax(best + jnp.array([0.5, 0.0, 0.0]))
    assert ops.expected_soft_value(other, q, ALPHA) < value


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: DiscreteSAC(num_critics=0), "num_critics"),
        (lambda: DiscreteSAC(discount=1.5), "DiscreteSAC: discount"),
        (lambda: DiscreteSAC(polyak=0.0), "polyak"),
        (lambda: DiscreteSAC(actor_learning_rate=0.0), "actor_learning_rate"),
        (lambda: ClippedQ(0.0), "width"),
        (lambda: EntropyPenalty(weight=0.0), "weight"),
        (lambda: EntropyPenalty(polyak=2.0), "EntropyPenalty: polyak"),
        (lambda: DiscreteSAC(temperature=Dual()).init(SPEC, key=jax.random.key(0)), "FractionOfUniform"),
    ],
)
def test_settings_out_of_range_are_refused(make, word):
    with pytest.raises(EntropaxError, match=word):
        make()
