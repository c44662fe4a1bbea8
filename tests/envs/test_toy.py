"""The toy: its tree, and the soft values that make its first decision wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rolls import roll

from entropax.envs.toy import BAD_STATE, GOOD_STATE, HIT, MISSED, SETTLED, START, Toy, ToyState, draw

KEY = jax.random.key(0)
F = np.float32


@pytest.mark.parametrize(
    ("actions", "states", "reward"),
    [
        ((0.0, 0.0), (GOOD_STATE, HIT), 1),
        ((-1.0, 0.0999), (GOOD_STATE, HIT), 1),
        ((-1.0, -0.0999), (GOOD_STATE, HIT), 1),
        ((-0.3, 0.1), (GOOD_STATE, MISSED), -20),
        ((-0.3, -0.1), (GOOD_STATE, MISSED), -20),
        ((0.0, -1.0), (GOOD_STATE, MISSED), -20),
        ((1e-6, 0.0), (BAD_STATE, SETTLED), -1),
        ((1.0, 0.7), (BAD_STATE, SETTLED), -1),
    ],
)
def test_every_way_through_the_tree(actions, states, reward):
    observations, rewards, terminated = roll(Toy(), Toy().initial(key=KEY), np.array(actions, F)[:, None])
    np.testing.assert_array_equal(observations, np.eye(6)[list(states)])
    np.testing.assert_array_equal(rewards, [0, reward])
    np.testing.assert_array_equal(terminated, [False, True])
    np.testing.assert_array_equal(Toy().observe(Toy().initial(key=KEY)), np.eye(6)[START])


def test_soft_values_are_the_published_ones():
    """At alpha 1 and discount 0.99, over all densities on [-1, 1]: by the midpoint rule on our rewards."""
    actions = (np.arange(20_000) + 0.5) / 10_000 - 1

    def soft_value(place):
        state = ToyState(jnp.asarray(place, jnp.int32))
        step = jax.vmap(lambda action: Toy().step(state, action[None], key=KEY)[1])
        return np.log(np.mean(2 * np.exp(np.asarray(step(jnp.asarray(actions, jnp.float32)), np.float64))))

    good, bad = soft_value(GOOD_STATE), soft_value(BAD_STATE)
    np.testing.assert_allclose([good, bad], [-0.6094, -0.3069], atol=5e-5)
    np.testing.assert_allclose([0.99 * good, 0.99 * bad], [-0.6033, -0.3038], atol=5e-5)


def test_its_picture_marks_the_state():
    frames = [draw(ToyState(jnp.asarray(place, jnp.int32))) for place in range(6)]
    for one in range(6):
        for other in range(one):
            changed = (frames[one] != frames[other]).any(-1).mean()
            assert 0.01 < changed < 0.06, "two discs of six"
