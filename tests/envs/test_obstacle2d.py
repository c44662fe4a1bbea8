"""The obstacle: rewards, the wall as a set of points, and the quirks of its end."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rolls import roll

from entropax.envs.obstacle2d import Obstacle2D, ObstacleState, draw, meets_wall
from entropax.experiments.problems import PROBLEMS

KEY = jax.random.key(0)


def go(*actions):
    return roll(Obstacle2D(), Obstacle2D().initial(key=KEY), np.array(actions, np.float32))


@pytest.mark.parametrize(
    ("actions", "rewards", "ends"),
    [
        (((1.5, 0), (1.5, 0)), (1.5, -200), True),
        (((3, 0),), (-200,), True),
        (((1.9, 0), (0, 0)), (1.9, 0), False),
        (((2.5, 2.6), (0.5, -2.6)), (3 - np.hypot(0.5, 2.6), 500), True),
        (((-3, 3), (0, 0)), (3 - np.hypot(6, 3), 0), False),
        (((2.5, 2.6), (0.5, -2.52)), (3 - np.hypot(0.5, 2.6), 500), True),
        (((2.5, 2.6), (0.5, -2.48)), (3 - np.hypot(0.5, 2.6), np.hypot(0.5, 2.6) - 0.12), False),
        (((2.9, -9), (-2, 2.9)), (3 - np.hypot(0.1, 3), -200), True),
    ],
)
def test_rewards_by_hand(actions, rewards, ends):
    _, paid, terminated = go(*actions)
    np.testing.assert_allclose(paid, rewards, atol=1e-5)
    assert terminated.tolist() == [False] * (len(actions) - 1) + [ends]


def test_the_most_that_can_be_earned_is_the_whole_way_but_for_the_goals_radius():
    _, paid, terminated = go((2.06, 2.07), (0.94, -1.96), (0, -0.11))
    assert terminated.tolist() == [False, False, True]
    best = PROBLEMS["entropax/Obstacle2D-v0"].best
    assert best == 3 - 0.1 + 500
    assert paid.sum() == pytest.approx(best - 0.01, abs=1e-3)


def test_observations_are_centred_in_the_wall():
    seen, _, _ = go((2.025, 3.0))
    np.testing.assert_allclose(Obstacle2D().observe(Obstacle2D().initial(key=KEY)), [-1, 0])
    np.testing.assert_allclose(seen[0], [0, 1], atol=1e-6)


def test_the_wall_is_met_where_the_segment_has_a_point_in_it():
    rng = np.random.default_rng(0)
    start, end = rng.uniform((-1, -4), (5, 4), (2000, 2)), rng.uniform((-1, -4), (5, 4), (2000, 2))
    outside = ~((start[:, 0] > 2) & (start[:, 0] < 2.05) & (np.abs(start[:, 1]) < 2))
    got = jax.vmap(meets_wall)(jnp.asarray(start, jnp.float32), jnp.asarray(end, jnp.float32))
    share = np.linspace(0, 1, 4001)[:, None, None]
    x, y = np.moveaxis(start + share * (end - start), -1, 0)
    expected = ((x > 2) & (x < 2.05) & (np.abs(y) < 2)).any(0)
    differ = (np.asarray(got) != expected) & outside
    # Sampled points may step over a corner that the segment cuts; they never find what it does not meet.
    assert (np.asarray(got) | ~expected | ~outside).all()
    assert differ.sum() <= 5
    assert 300 < expected.sum() < 1700


def test_the_last_step_pays_nothing_whatever_it_meets():
    late = ObstacleState(jnp.asarray([1.9, 0.0]), jnp.asarray(50, jnp.int32))
    _, reward, terminated = Obstacle2D().step(late, jnp.asarray([1.0, 0.0]), key=KEY)
    assert (float(reward), bool(terminated)) == (0.0, False)
    early = ObstacleState(late.position, jnp.asarray(49, jnp.int32))
    _, reward, terminated = Obstacle2D().step(early, jnp.asarray([1.0, 0.0]), key=KEY)
    assert (float(reward), bool(terminated)) == (-200.0, True)


def test_every_float_field_is_a_leaf_and_gradients_are_finite_in_the_goal():
    assert len(jax.tree.leaves(Obstacle2D())) == 3
    state = ObstacleState(jnp.asarray([3.0, 0.0]), jnp.zeros((), jnp.int32))
    slope = jax.grad(lambda action: Obstacle2D(goal_radius=0.0).step(state, action, key=KEY)[1])(jnp.zeros(2))
    assert np.isfinite(slope).all()


def test_its_picture_shows_point_wall_and_goal():
    frame = draw(ObstacleState(jnp.ones(2), jnp.asarray(1, jnp.int32)))
    for colour in ((47, 111, 196), (204, 61, 52), (44, 150, 84)):
        assert (frame == colour).all(-1).sum() > 100
    wall = (frame == (204, 61, 52)).all(-1)
    assert wall.any(1).sum() == pytest.approx(4 * 480 / 9, abs=2)
