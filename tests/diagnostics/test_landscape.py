"""Landscapes whose shapes are known: what is flat, where they are opposed, and what following the soft one costs."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import SAC, Dense, Fixed, SACAdaEnt
from entropax.algorithms.base import SoftAndPlain
from entropax.algorithms.landscapes import Correlation
from entropax.diagnostics.landscape import cells, draw_cells, judge, misled, most_misled_pair, plane
from entropax.types import Bounds, Spec

KEY = jax.random.key(0)
SPEC = Spec(2, Bounds((-1.0,) * 3, (1.0,) * 3))


def linear(soft, plain, alpha=1.0):
    """An algorithm of three actions and its state, where Q_soft = soft . a and Q_plain = plain . a, at every state."""
    algorithm = SACAdaEnt(SAC(torso=Dense(()), temperature=Fixed(alpha)), samples=50)
    state = algorithm.init(SPEC, key=KEY)

    def weights(state):
        return tuple(critics.network.layers[0].weight for critics in (state.sac.critics, state.plain.critics))

    def sloped(weight, slopes):
        return jnp.zeros_like(weight).at[:, 2:, 0].set(jnp.asarray(slopes))

    both = tuple(sloped(weight, slopes) for weight, slopes in zip(weights(state), (soft, plain), strict=True))
    return algorithm, eqx.tree_at(weights, state, both)


@pytest.mark.parametrize(
    ("soft", "plain", "similarity", "flat"),
    [
        ((1.0, 0, 0), (3.0, 0, 0), 1.0, False),
        ((0.01, 0, 0), (3.0, 0, 0), 1.0, True),
        ((1.0, 0, 0), (0.0, 0, 0), 0.0, True),
    ],
    ids=["alike", "soft within a tenth of alpha", "plain is constant"],
)
def test_states_are_judged_on_the_policys_actions(soft, plain, similarity, flat):
    judged = judge(*linear(soft, plain), jnp.zeros((3, 2)), key=KEY)
    np.testing.assert_allclose(judged.similarity, similarity, atol=1e-5)
    assert judged.flat.tolist() == [flat] * 3
    np.testing.assert_allclose(judged.spread.plain * soft[0], judged.spread.soft * plain[0], atol=1e-5)


def test_what_is_flat_is_a_matter_of_alpha():
    assert not judge(*linear((0.01, 0, 0), (3.0, 0, 0), alpha=0.01), jnp.zeros((1, 2)), key=KEY).flat.any()


def test_opposed_landscapes_are_less_alike_than_unrelated_ones():
    found = [
        float(judge(*linear((1.0, 0, 0), plain), jnp.zeros((1, 2)), key=KEY).similarity[0])
        for plain in ((-1.0, 0, 0), (0, 1.0, 0), (1.0, 0, 0))
    ]
    assert found == sorted(found)
    assert found[0] < found[1] - 0.05 < found[2] - 0.1


def test_landscapes_are_compared_by_the_similarity_asked_for():
    opposed = linear((1.0, 0, 0), (-2.0, 0, 0))
    assert float(judge(*opposed, jnp.zeros((1, 2)), key=KEY).similarity[0]) > 0.1
    found = judge(*opposed, jnp.zeros((1, 2)), key=KEY, similarity=Correlation())
    np.testing.assert_allclose(found.similarity, -1.0, atol=1e-5)


def test_a_state_that_is_not_finite_is_flat():
    algorithm, state = linear((1.0, 0, 0), (np.nan, 0, 0))
    assert judge(algorithm, state, jnp.zeros((1, 2)), key=KEY).flat.all()


def test_a_plane_has_the_values_at_its_cells_and_the_mode_elsewhere():
    algorithm, state = linear((1.0, 10.0, 100.0), (2.0, -1.0, 0.5))
    observation = jnp.asarray([0.3, -2.0])
    mode = algorithm.mode(state, observation)
    q = plane(algorithm, state, observation, jnp.asarray([2, 0]), 4)
    np.testing.assert_allclose(cells(4), [-0.75, -0.25, 0.25, 0.75])
    expected = 100 * cells(4)[:, None] + cells(4)[None] + 10 * mode[1]
    np.testing.assert_allclose(q.soft, expected, rtol=1e-5)
    np.testing.assert_allclose(q.plain, 0.5 * cells(4)[:, None] + 2 * cells(4)[None] - mode[1], atol=1e-5)


def test_the_cost_is_what_the_soft_choice_loses_of_the_plain_value():
    assert float(misled(SoftAndPlain(jnp.asarray([0.0, 5.0, 1.0]), jnp.asarray([2.0, -1.0, 3.0])))) == 4.0
    assert float(misled(SoftAndPlain(jnp.asarray([0.0, 1.0, 5.0]), jnp.asarray([2.0, -1.0, 3.0])))) == 0.0


@pytest.mark.parametrize(("plain", "pair"), [((1, -1, -5), [1, 2]), ((-5, -1, 1), [0, 1]), ((-3, 1, -5), [0, 2])])
def test_the_plane_shown_is_where_following_the_soft_value_costs_most(plain, pair):
    """With slopes 1 of the soft value, a dimension is lost where the plain slope is negative, in proportion to it."""
    found = most_misled_pair(*linear((1.0, 1.0, 1.0), tuple(map(float, plain))), jnp.zeros(2))
    assert found.tolist() == pair


@pytest.mark.parametrize("alpha", [0.5, 0.05])
def test_draws_follow_the_boltzmann_policy(alpha):
    """Over Q = a the density falls from 1 down by e every alpha: its mean is 1 / tanh(1 / alpha) - alpha."""
    drawn = draw_cells(jnp.asarray(cells(200)), jnp.asarray(alpha), 20_000, key=KEY)
    assert drawn.shape == (20_000, 1)
    assert float(jnp.max(jnp.abs(drawn))) <= 1
    mean = 1 / np.tanh(1 / alpha) - alpha
    assert float(jnp.mean(drawn)) == pytest.approx(mean, abs=4 * alpha / np.sqrt(20_000) + 0.001)


def test_without_alpha_draws_are_of_the_best_cell():
    values = jnp.zeros((4, 4)).at[1, 3].set(1.0)
    drawn = draw_cells(values, jnp.asarray(0.0), 50, key=KEY)
    assert (drawn[:, 0] >= -0.5).all() and (drawn[:, 0] <= 0).all()
    assert (drawn[:, 1] >= 0.5).all()
