"""A value apart for a bonus: both streams of advantages by hand, the loop keeps them apart, a critic of two heads."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import A2C, PPO, SAC, Counts, Dense, Fixed, OneValue, TanhGaussian, TwoValues
from entropax.algorithms.on_policy import ActorCritic, Experience, gradient
from entropax.errors import EntropaxError
from entropax.loops.update import rewarded_update
from entropax.networks import Affine, DenseNetwork, StateValue, StateValues
from entropax.replay import pack
from entropax.types import Bounds, Spec, Transition, unknown_progress

SPEC = Spec(3, Bounds((-2.0, -1.0), (2.0, 1.0)))
PROGRESS = unknown_progress(SPEC)
SMALL = {"torso": Dense((8,)), "policy": TanhGaussian(Dense((8,)))}
LEARNERS = {"ppo": PPO(num_steps=4, epochs=1, minibatches=2, **SMALL), "a2c": A2C(num_steps=4, **SMALL)}
READ = DenseNetwork((Affine(jnp.eye(3, 2), jnp.zeros(2)),))
"""The first numbers of an observation are its values."""


def by_hand(terminated, last):
    """One copy's three steps; both values of every state as they are to be."""
    observation = jnp.array([[1.0, 10.0, 0.0], [2.0, 20.0, 0.0], [3.0, 30.0, 0.0]])
    # The second step's state before the reset is not the third row's.
    following = jnp.array([[2.0, 20.0, 0.0], [5.0, 50.0, 0.0], [4.0, 40.0, 0.0]])
    action, reward = jnp.zeros((3, 2)), jnp.array([1.0, 2.0, 3.0])
    steps = Transition(observation, action, reward, following, jnp.array(terminated), jnp.array(last))
    return jax.tree.map(lambda x: x[None], steps)


def advantages(batch, values=TwoValues(0.5)):  # noqa: B008, modules are immutable
    return values.advantages(StateValues(READ), batch, 0.5, 0.5)


def test_a_termination_cuts_the_returns_of_reward_and_not_those_of_the_bonus():
    batch = TwoValues(0.5).paid(by_hand([0.0, 1.0, 0.0], [0.0, 1.0, 0.0]), jnp.array([[4.0, 6.0, 8.0]]))
    found, targets = advantages(batch)
    # Reward: errors 1 + 0.5 2 - 1 = 1, 2 - 2 = 0, 3 + 0.5 4 - 3 = 2; the second is the last of its episode.
    reward = np.array([1.0 + 0.25 * 0.0, 0.0, 2.0])
    # Bonus: 4 + 0.5 20 - 10 = 4; 6 + 0.5 30 - 20 = 1, to the next episode's first state; 8 + 0.5 40 - 30 = -2.
    bonus = np.array([4 + 0.25 * (1 - 0.25 * 2), 1 - 0.25 * 2, -2.0])
    np.testing.assert_allclose(found[0], reward + bonus, rtol=1e-6)
    np.testing.assert_allclose(targets[0, :, 0], reward + np.array([1, 2, 3]), rtol=1e-6)
    np.testing.assert_allclose(targets[0, :, 1], bonus + np.array([10, 20, 30]), rtol=1e-6)


def test_a_truncation_bootstraps_the_reward_and_carries_the_bonus_on():
    batch = TwoValues(0.5).paid(by_hand([0.0, 0.0, 0.0], [0.0, 1.0, 0.0]), jnp.array([[4.0, 6.0, 8.0]]))
    _, targets = advantages(batch)
    np.testing.assert_allclose(targets[0, :, 0], [1 + 1 + 0.25 * 2.5, 2 + 2.5, 3 + 2.0], rtol=1e-6)
    np.testing.assert_allclose(targets[0, :, 1], [10 + 4.125, 20 + 0.5, 30 - 2.0], rtol=1e-6)


def test_after_a_rollout_s_last_step_the_state_that_its_episode_ended_in_stands_for_the_next_one():
    batch = TwoValues(0.5).paid(by_hand([0.0, 0.0, 1.0], [0.0, 0.0, 1.0]), jnp.array([[4.0, 6.0, 8.0]]))
    _, targets = advantages(batch)
    np.testing.assert_allclose(targets[0, 2], [3.0, 8 + 0.5 * 40], rtol=1e-6)


def test_each_stream_has_its_discount_and_without_a_bonus_the_second_is_of_zeros():
    plain = by_hand([0.0, 1.0, 0.0], [0.0, 1.0, 0.0])
    found, targets = advantages(plain)
    silent, _ = advantages(TwoValues(0.5).paid(plain, jnp.zeros((1, 3))))
    np.testing.assert_array_equal(found, silent)
    _, others = advantages(plain, TwoValues(0.9))
    np.testing.assert_array_equal(others[..., 0], targets[..., 0])
    assert (np.abs(others[..., 1] - targets[..., 1]) > 1).all()


def test_one_value_takes_the_sum_as_the_reward():
    batch = by_hand([0.0, 1.0, 0.0], [0.0, 1.0, 0.0])
    paid = OneValue().paid(batch, jnp.array([[4.0, 6.0, 8.0]]))
    np.testing.assert_array_equal(paid.reward, [[5.0, 8.0, 11.0]])
    np.testing.assert_array_equal(SAC().paid(batch, jnp.ones((1, 3))).reward, [[2.0, 3.0, 4.0]])
    found, targets = OneValue().advantages(StateValue(READ), paid, 0.5, 0.5)
    np.testing.assert_allclose(found, [[5 + 1 - 1 + 0.25 * 6, 8 - 2, 11 + 2 - 3]], rtol=1e-6)
    np.testing.assert_allclose(targets, found + jnp.array([[1.0, 2.0, 3.0]]), rtol=1e-6)


def _two(name):
    return dataclasses.replace(LEARNERS[name], values=TwoValues())


def test_the_heads_share_their_hidden_layer_and_their_errors_are_summed():
    ppo = _two("ppo")
    networks: ActorCritic = ppo.init(SPEC, key=jax.random.key(0)).networks
    observation, target = jnp.ones((2, 3)), jnp.array([[1.0, 2.0], [3.0, 5.0]])
    values = jax.vmap(networks.critic)(observation)
    assert values.shape == (2, 2)
    steps = Experience(observation, jnp.zeros((2, 2)), jnp.zeros(2), jnp.zeros(2), target)
    _, metrics = jax.jit(lambda n: gradient(n, steps, lambda log_probs, steps: 0 * log_probs, 0.5, 0.0))(networks)
    expected = float(np.mean((values - target)[:, 0] ** 2) + np.mean((values - target)[:, 1] ** 2))
    assert float(metrics["train/critic_loss"]) == pytest.approx(expected, rel=1e-5)
    assert float(metrics["train/value_mean"]) == pytest.approx(float(values[0].sum()), rel=1e-5)
    one = LEARNERS["ppo"].init(SPEC, key=jax.random.key(0)).networks
    sizes = [sum(leaf.size for leaf in jax.tree.leaves(critic)) for critic in (networks.critic, one.critic)]
    assert sizes[0] - sizes[1] == 8 + 1, "one more row of the last layer and its bias"


@pytest.mark.parametrize("name", LEARNERS)
def test_the_loop_pays_apart_keeps_the_state_s_type_and_undoes_what_is_not_finite(name):
    learner, bonus, rng = _two(name), Counts(Fixed(1.0), bits=4), np.random.default_rng(0)
    shape = learner.data().shape(2)
    observation, following = (jnp.asarray(rng.normal(size=(*shape, 3)), jnp.float32) for _ in range(2))
    action, nothing = jnp.asarray(rng.uniform(-0.9, 0.9, (*shape, 2)), jnp.float32), jnp.zeros(shape)
    batch = Transition(observation, action, nothing + 1, following, nothing, nothing)
    state = (learner.init(SPEC, key=jax.random.key(0)), bonus.init(SPEC, 2, key=jax.random.key(1)))
    paid = bonus.rewarded(learner, SPEC, state[1], batch).reward
    assert paid.shape == (*shape, 2)
    np.testing.assert_array_equal(paid[..., 0], 1.0)
    assert (paid[..., 1] > 0).all()
    update = jax.jit(
        lambda bonus, state: rewarded_update(learner, bonus, SPEC, state, pack(batch), PROGRESS, key=jax.random.key(2))
    )
    after, metrics = update(bonus, state)
    assert jax.tree.structure(after) == jax.tree.structure(state)
    for one, two in zip(jax.tree.leaves(state), jax.tree.leaves(after), strict=True):
        assert (one.shape, one.dtype) == (two.shape, two.dtype)
    assert int(after[0].updates) == 1
    assert all(np.isfinite(value) for value in metrics.values())
    broken = eqx.tree_at(lambda b: b.coefficient.alpha, bonus, jnp.full((), jnp.inf))
    after, metrics = update(broken, state)
    for one, two in zip(jax.tree.leaves(state), jax.tree.leaves(after), strict=True):
        np.testing.assert_array_equal(one, two)
    assert float(metrics["nonfinite/reward in the batch"]) == 1.0


@pytest.mark.parametrize("discount", [1.0, -0.1, float("nan")])
def test_a_discount_under_which_endless_returns_diverge_is_refused(discount):
    with pytest.raises(EntropaxError, match=r"TwoValues: discount is .* Published is 0\.99"):
        TwoValues(discount)
