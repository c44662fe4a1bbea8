"""The quiz's rewards, and the optima that theory gives, against enumeration."""

import numpy as np
import pytest

from entropax.experiments import tokens_quiz as quiz
from entropax.experiments.tokens_quiz import IN_REWARD, PER_TOKEN, Setting


def test_what_answers_earn_by_hand():
    key = int(quiz.keys()[0])
    wrong = (key + 1) % 1000
    for room, idle in (("wide", 0.0), ("narrow", -1.0)):
        rewards = quiz.rewards(room)[0]
        assert rewards[[key, 4000 + key, wrong, 5000, 9000 + wrong]].tolist() == [1.0, 1.0, -1.0, 0.0, idle]
        assert rewards.max() == 1, "the plain optimum is the same in both rooms"
        assert (rewards[5000:].max(), rewards[:5000].min()) == (0.0, -1.0)


@pytest.mark.parametrize("room", quiz.ROOMS)
def test_examples_commit_rightly_every_other_time(room):
    examples, rewards = quiz.examples(room), quiz.rewards(room)
    earned = np.take_along_axis(rewards, examples, axis=1)
    committed = quiz.commits()[examples]
    assert committed.mean() == 0.5
    assert set(earned[committed]) == {1.0}
    assert set(earned[~committed]) == {0.0}


@pytest.mark.parametrize("room", quiz.ROOMS)
@pytest.mark.parametrize("coefficient", [0.1, 0.2, 0.6])
def test_the_optimum_with_entropy_in_the_reward_is_that_of_enumeration(room, coefficient):
    rewards, commits = quiz.rewards(room)[3], quiz.commits()
    chances = np.exp((rewards - 1) / coefficient)
    chances /= chances.sum()
    found = quiz.best(Setting(room, IN_REWARD, coefficient))
    assert found.commits == pytest.approx(chances[commits].sum())
    assert found.after_commit == pytest.approx((chances * rewards)[commits].sum() / chances[commits].sum())


@pytest.mark.parametrize("room", quiz.ROOMS)
@pytest.mark.parametrize("coefficient", [0.1, 0.3, 0.6])
def test_the_rest_of_a_bonus_per_token_is_that_of_the_whole_tree(room, coefficient):
    values = quiz.rewards(room)[3].reshape(10, 10, 10, 10)
    for _ in range(3):
        chances = np.exp(values / coefficient)
        chances /= chances.sum(axis=-1, keepdims=True)
        values = (chances * values).sum(axis=-1)
    chances = np.exp(values / coefficient)
    found = quiz.best(Setting(room, PER_TOKEN, coefficient))
    assert found.after_commit == pytest.approx(values[0])
    assert found.commits == pytest.approx(chances[:5].sum() / chances.sum())


def test_sides_change_where_both_are_worth_the_same():
    # e^(1/alpha) + 999 e^(-1/alpha) = 1000 at e^(1/alpha) = 999.
    assert quiz.change_over("wide", IN_REWARD) == pytest.approx(1 / np.log(999))
    later = quiz.change_over("wide", PER_TOKEN)
    assert quiz.best(Setting("wide", PER_TOKEN, later)).after_commit == pytest.approx(0, abs=1e-6)
    assert later > 3 * quiz.change_over("wide", IN_REWARD)
    assert quiz.change_over("narrow", IN_REWARD) > 1


def test_measures_of_a_policy_by_hand():
    chances = np.zeros((1, quiz.PROMPTS, 10_000))
    chances[:, :, 5000] = 0.5
    for prompt, tail in enumerate(quiz.keys()):
        chances[0, prompt, [tail, (tail + 1) % 1000]] = 0.375, 0.125
    found = {name: float(values[0]) for name, values in quiz.measured(chances, "wide").items()}
    nats = -sum(chance * np.log(chance) for chance in (0.5, 0.375, 0.125)) / 4
    assert found == pytest.approx({"commits": 0.5, "reward": 0.25, "after_commit": 0.5, "nats": nats})
