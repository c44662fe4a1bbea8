"""A finite problem laid out on [-1, 1]."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.envs.toy import Toy, ToyState
from entropax.errors import EntropaxError
from entropax.tabular import MDP, Choices, Finite, random_mdp, toy
from entropax.tabular.environment import FiniteState
from entropax.types import Categories, Spec

KEYS = jax.random.split(jax.random.key(0), 20_000)


def counted(mdp):
    """The same problem with the counting measure."""
    return dataclasses.replace(mdp, measure=mdp.available.astype(float))


def test_the_tabular_toy_is_the_toy():
    """But for which side of 0 is which: the tabular one has two actions there, the first in the middle."""
    finite, published = Finite.of(toy(), start=0), Toy()
    for place in (1, 2):
        for action in np.linspace(-1, 1, 41) + 0.01:
            given = jnp.asarray([min(action, 1.0)])
            state, reward, done = finite.step(FiniteState(jnp.asarray(place, jnp.int32)), given, key=KEYS[0])
            theirs, paid, ended = published.step(ToyState(jnp.asarray(place, jnp.int32)), given, key=KEYS[0])
            assert (float(reward), bool(done)) == (float(paid), bool(ended)) == (float(paid), True)
            assert int(state.place) == int(theirs.place)


def test_an_action_is_chosen_as_often_as_its_measure():
    mdp = random_mdp(np.random.default_rng(3), states=4, actions=5)
    finite = Finite.of(mdp, start=0)
    actions = jax.vmap(lambda key: jax.random.uniform(key, (1,), minval=-1, maxval=1))(KEYS)
    for place in range(4):
        chosen = jax.vmap(lambda a, place=place: finite.chosen(jnp.asarray(place), a))(actions)
        shares = np.bincount(np.asarray(chosen), minlength=5) / len(KEYS)
        np.testing.assert_allclose(shares, mdp.measure[place] / 2, atol=4 * 0.5 / np.sqrt(len(KEYS)))
    edges = [int(finite.chosen(jnp.asarray(0), jnp.asarray([edge]))) for edge in (-1.0, 1.0)]
    assert edges == [0, 4]


def test_the_edges_belong_to_actions_that_are_there():
    """-1 and 1 themselves are drawn: clipped actions are, and so are those of a saturated tanh."""
    rewards, transitions = np.tile([9.0, 1.0, 2.0, 9.0], (2, 1)), np.zeros((2, 4, 2))
    transitions[0, 1:3, 1] = 1
    mdp = MDP(rewards, transitions, np.array([[0, 0.5, 1.5, 0], [0, 0, 0, 0]]), 0.9, ("start", "over"))
    finite = Finite.of(mdp, start=0)
    for action, expected in ((-1.0, 1.0), (-0.9, 1.0), (-0.4, 2.0), (1.0, 2.0)):
        _, reward, done = finite.step(FiniteState(jnp.asarray(0, jnp.int32)), jnp.asarray([action]), key=KEYS[0])
        assert (float(reward), bool(done)) == (expected, True)


def test_states_follow_with_their_probabilities_and_rewards_are_the_actions():
    mdp = random_mdp(np.random.default_rng(4), states=5, actions=3, branches=3, terminals=1)
    finite = Finite.of(mdp, start=1)
    place, action = jnp.asarray(1, jnp.int32), jnp.asarray([0.99])
    state, reward, done = jax.vmap(lambda key: finite.step(FiniteState(place), action, key=key))(KEYS)
    shares = np.bincount(np.asarray(state.place), minlength=5) / len(KEYS)
    np.testing.assert_allclose(shares, mdp.transitions[1, 2], atol=4 * 0.5 / np.sqrt(len(KEYS)))
    np.testing.assert_allclose(reward, mdp.rewards[1, 2], rtol=1e-6)
    np.testing.assert_array_equal(done, mdp.terminal[state.place])
    assert int(finite.initial(key=KEYS[0]).place) == 1


@pytest.mark.parametrize(
    ("mass", "start", "words"), [(1.0, 0, "mass=2"), (2.0, 3, "terminal"), (2.0, 4, "does not exist")]
)
def test_what_cannot_be_laid_out_is_refused(mass, start, words):
    mdp = random_mdp(np.random.default_rng(0), states=4, terminals=1, mass=mass)
    with pytest.raises(EntropaxError, match=words):
        Finite.of(mdp, start=start)


def test_the_actions_of_choices_are_the_problems():
    mdp = counted(random_mdp(np.random.default_rng(4), states=5, actions=3, branches=3, terminals=1))
    task = Choices.of(mdp, start=1)
    assert task.spec == Spec(5, Categories(3), one_hot=True)
    np.testing.assert_array_equal(task.observe(task.initial(key=KEYS[0])), np.eye(5)[1])
    for action in range(3):
        place = FiniteState(jnp.asarray(1, jnp.int32))
        state, reward, done = jax.vmap(lambda k, p=place, a=action: task.step(p, jnp.int32(a), key=k))(KEYS)
        shares = np.bincount(np.asarray(state.place), minlength=5) / len(KEYS)
        np.testing.assert_allclose(shares, mdp.transitions[1, action], atol=4 * 0.5 / np.sqrt(len(KEYS)))
        np.testing.assert_allclose(reward, mdp.rewards[1, action], rtol=1e-6)
        np.testing.assert_array_equal(done, mdp.terminal[state.place])


def test_choices_count_each_action_as_one():
    mdp = random_mdp(np.random.default_rng(0), states=4, terminals=1)
    with pytest.raises(EntropaxError, match="state 's0' have not the measure 1 each"):
        Choices.of(mdp, start=0)
    with pytest.raises(EntropaxError, match="terminal"):
        Choices.of(counted(mdp), start=3)
