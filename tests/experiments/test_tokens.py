"""The sums, the policy that writes them, and a rollout's parts, against what hand and enumeration give."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.errors import EntropaxError
from entropax.experiments import tokens_task as task
from entropax.experiments.tokens_control import CONTROLLED, Held, quality, steering
from entropax.experiments.tokens_learning import (
    GROUP,
    MINIBATCHES,
    UPDATES,
    Batch,
    centred,
    dealt,
    number_of,
    standardised,
)
from entropax.experiments.tokens_measures import fits, predictions
from entropax.experiments.tokens_model import log_probabilities, score, transformer, write
from entropax.experiments.tokens_run import kept
from entropax.llm import AEPO, BonusCoefficient, Controller, EntropyBonus
from entropax.temperature import Clamp, Nats, StepRule


def place(*digits):
    return int("".join(map(str, digits)))


@pytest.fixture(scope="module")
def policy():
    return transformer(3, key=jax.random.key(0))


# The task.


def test_right_answers_have_the_sum_and_harder_ones_fall():
    right, falling = task.right(), task.falling()
    ten = task.SUMS.index(10)
    assert right[ten, [place(1, 2, 3, 4), place(4, 3, 2, 1), place(9, 1, 0, 0), place(5, 5, 5, 5)]].tolist() == [
        True,
        True,
        True,
        False,
    ]
    assert falling[ten, [place(1, 2, 3, 4), place(4, 3, 2, 1), place(9, 1, 0, 0), place(5, 4, 1, 1)]].tolist() == [
        False,
        True,
        False,
        False,
    ]
    # A falling answer is a set of four digits: so many have each sum.
    sets = [sum(digits) for digits in itertools.combinations(range(10), 4)]
    assert falling.sum(axis=1).tolist() == [sets.count(asked) for asked in task.SUMS]


def test_expected_passes_and_different_answers_by_hand():
    np.testing.assert_allclose(task.pass_at(np.array([0.5, 0.0, 1.0]), 2), [0.75, 0.0, 1.0])
    # Of two draws from two equally likely answers half are the same one.
    even, counted = np.array([[0.5, 0.5, 0.0]] * 2), np.array([[True, True, True], [True, False, True]])
    np.testing.assert_allclose(task.distinct(even, counted, 2), [1.5, 0.75])


# The policy.


@pytest.mark.slow
def test_probabilities_are_those_of_scoring_and_sum_to_one(policy):
    logs = log_probabilities(policy)
    np.testing.assert_allclose(jnp.exp(logs).sum(axis=1), 1, rtol=1e-5)
    prompts, written = jnp.array([0, 2, 2]), jnp.array([[1, 2, 3, 4], [9, 9, 0, 1], [0, 0, 0, 7]])
    scores = score(policy, prompts, written)
    np.testing.assert_allclose(scores.log_prob.sum(axis=1), logs[prompts, number_of(written)], rtol=1e-5)
    assert np.all(scores.entropy > 0) and np.all(scores.entropy < np.log(10))


def test_no_place_sees_a_later_digit(policy):
    read = jnp.array([1, 2, 3])
    np.testing.assert_array_equal(policy(jnp.array(1), read)[:2], policy(jnp.array(1), read.at[1:].set(9))[:2])


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_answers_are_drawn_as_often_as_their_scores_say(policy, temperature):
    draws, prompt = 20_000, 1
    written = write(policy, jnp.full(draws, prompt), jnp.array(temperature), key=jax.random.key(1))
    logits = policy(jnp.array(prompt), jnp.array([], jnp.int32))[0]
    first = jax.nn.softmax(logits / temperature)
    error = np.sqrt(first * (1 - first) / draws)
    np.testing.assert_array_less(np.abs(np.bincount(written[:, 0], minlength=10) / draws - first), 5 * error)
    if temperature == 1:
        last = np.exp(log_probabilities(policy)[prompt].reshape(1000, 10)).sum(axis=0)
        error = np.sqrt(last * (1 - last) / draws)
        np.testing.assert_array_less(np.abs(np.bincount(written[:, 3], minlength=10) / draws - last), 5 * error)


# A rollout's parts.


def test_advantages_by_hand():
    rewards = jnp.array([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    root = np.sqrt(3)
    np.testing.assert_allclose(standardised(rewards), [[root, -1 / root, -1 / root, -1 / root], [0] * 4], rtol=1e-4)
    np.testing.assert_allclose(centred(rewards), [[0.75, -0.25, -0.25, -0.25], [0] * 4])


def test_every_answer_is_learned_from_once_an_epoch_and_prompts_are_even():
    prompts = jnp.repeat(jnp.arange(3), GROUP)
    marks = jnp.arange(prompts.shape[0])
    parts = dealt(Batch(prompts, marks[:, None], marks[:, None] * 1.0, marks * 1.0), GROUP)
    assert parts.written.shape == (UPDATES, prompts.shape[0] // MINIBATCHES, 1)
    for epoch in (parts.written[:MINIBATCHES], parts.written[MINIBATCHES:]):
        assert sorted(epoch.reshape(-1).tolist()) == marks.tolist()
    assert not np.array_equal(parts.written[0], parts.written[MINIBATCHES])
    for part in parts.prompts:
        assert np.bincount(part).tolist() == [GROUP // MINIBATCHES] * 3


# Steering.


def test_controllers_move_their_own_knob_and_no_other():
    law = StepRule(0.01, 0.0, 0.001, Nats(1.0), Clamp(0.001, 0.2))
    held = Held("law", 1.0, Controller(law, BonusCoefficient(high=1.0), vocabulary=10), 0.2)
    steer = steering([EntropyBonus(coefficient=0.5)], [held], seeds=2, rollouts=10)
    first = steer(0, np.full(4, np.nan), np.full(4, np.nan))
    assert first["bonus"].tolist() == [0.5, 0.5, 0.0, 0.0]
    after = steer(1, np.array([0.1, 0.1, 0.9, 1.5]), np.zeros(4))
    assert after["bonus"][:2].tolist() == [0.5, 0.5]
    assert after["bonus"][2] > 0 == after["bonus"][3]
    assert after["clip_upper"].tolist() == [0.2] * 4


def test_aepo_draws_hotter_below_its_target():
    steer = steering([AEPO(target=1.0)], [], seeds=2, rollouts=10)
    assert "sampling_temperature" not in steer(0, np.full(2, np.nan), np.zeros(2))
    temperatures = steer(1, np.array([0.9, 1.1]), np.zeros(2))["sampling_temperature"]
    np.testing.assert_allclose(temperatures, [1.1, 0.9])


def test_every_target_is_one_that_right_answers_can_have():
    most = float(np.log(task.right().sum(axis=1)).mean()) / task.LENGTH
    assert all(one.target < most for group in CONTROLLED.values() for one in group.values())


def test_how_well_an_entropy_is_held_by_hand():
    entropy = np.array([[2.0, 2.0], [0.8, 1.5], [1.05, 1.3], [0.95, 1.0]])
    found = quality(entropy, 1.0)
    np.testing.assert_array_equal(found.settled, [2, 3])
    np.testing.assert_allclose(found.overshoot, [0.2, 0.0])
    np.testing.assert_allclose(found.within, [1.0, 0.5])
    away = quality(np.array([[2.0], [1.0], [1.5]]), 1.0)
    assert np.isnan(away.settled[0])
    assert np.isnan(quality(np.array([[2.0], [1.5]]), 1.0).overshoot[0])


# What curves say.


def test_law_and_predictions_of_curves_that_follow_them():
    entropy = np.linspace(2.0, 0.5, 90)[:, None]
    reward = 1.0 - 0.1 * np.exp(entropy)
    law = fits({"entropy": entropy, "reward": reward})
    np.testing.assert_allclose([law.a[0], law.b[0], law.residual[0]], [0.1, 1.0, 0.0], atol=1e-9)
    # The mean of exp(H) over the last rows is a little more than that of the mean H.
    assert law.missed[0] == pytest.approx(0.0, abs=1e-3)
    change = -np.abs(np.sin(np.arange(90.0)))[:, None] / 50
    entropy = 2.0 + np.cumsum(np.vstack([[[0.0]], change[:-1]]), axis=0)
    found = predictions({"lemma": change, "here": 2 * change, "entropy": entropy, "entropax/predicted_change": change})
    np.testing.assert_allclose([found.exact[0], found.scale[0], found.weights[0]], [1.0, 2.0, 1.0])


def test_short_runs_have_no_law():
    entropy = np.linspace(2.0, 1.0, 9)[:, None]
    assert np.isnan(fits({"entropy": entropy, "reward": -entropy})).all()


def test_what_is_kept_is_not_mixed_with_other_settings(tmp_path):
    path = tmp_path / "sub" / "one.json"
    assert kept(path, {"seeds": 1}, lambda: {"x": 1}) == {"x": 1}
    assert kept(path, {"seeds": 1}, lambda: {"x": 2}) == {"x": 1}
    with pytest.raises(EntropaxError, match="other settings"):
        kept(path, {"seeds": 2}, lambda: {"x": 2})
