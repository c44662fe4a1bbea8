"""The maze: its trap, its way round, its walls."""

import jax
import jax.numpy as jnp
import numpy as np
from scripted import maze

from entropax.envs.deceptive_maze import GOAL, WALLS, DeceptiveMaze, MazeState, in_wall

KEY = jax.random.key(0)
MAZE = DeceptiveMaze()
STEPS = 200


def straight(position):
    """Follows the reward: right at the goal, as fast as it can."""
    return jnp.clip((jnp.asarray(GOAL) - position) / MAZE.speed, -1, 1)


def episodes(policy, count):
    """Positions `[episode, step, 2]`, and for each episode its return and whether it reached the goal."""

    def one(key):
        def forward(carry, step_key):
            state, done = carry
            after, reward, terminated = MAZE.step(state, policy(state.position, step_key), key=step_key)
            return (after, done | terminated), (after.position, jnp.where(done, 0, reward))

        start = (MAZE.initial(key=key), jnp.zeros((), bool))
        (_, reached), (positions, rewards) = jax.lax.scan(forward, start, jax.random.split(key, STEPS))
        return positions, rewards.sum(), reached

    return map(np.asarray, jax.jit(jax.vmap(one))(jax.random.split(KEY, count)))


def test_the_straight_way_ends_in_the_trap():
    positions, returns, reached = episodes(lambda position, key: straight(position), 200)
    assert not reached.any()
    last = positions[:, -1]
    assert ((last[:, 0] > 0) & (last[:, 0] <= 0.2) & (np.abs(last[:, 1]) < 0.35)).all()
    assert (np.abs(returns - 0.65) < 0.1).all(), "from 1.3 to between 0.6 and 0.7 off the goal"


def test_the_way_round_reaches_the_goal():
    positions, returns, reached = episodes(lambda position, key: maze(position), 200)
    assert reached.all()
    assert ((returns > 10 + 1.25 - 0.2) & (returns < 10 + 1.36 - 0.1)).all()
    assert (np.linalg.norm(positions[:, 29] - np.asarray(GOAL), axis=1) <= 0.2).any(), "in 30 steps or fewer"


def test_the_way_round_first_loses():
    state, gained = MAZE.initial(key=KEY), []
    for _ in range(8):
        state, reward, _ = MAZE.step(state, maze(state.position), key=KEY)
        gained.append(float(reward))
    assert sum(gained[:4]) < -0.1


def test_random_actions_seldom_reach_the_goal():
    count = 20_000
    positions, returns, reached = episodes(lambda position, key: jax.random.uniform(key, (2,), minval=-1.0), count)
    assert 0.04 < reached.mean() < 0.07
    assert returns[~reached].mean() < 0.1
    x, y = positions[:, -1].T
    assert ((np.abs(y) < 0.35) & (x > -0.3) & (x <= 0.2)).mean() > 0.15, "many end in the trap"


def test_walls_and_the_box_hold_at_full_speed():
    """The path of every step, finely sampled, from all over the box; actions beyond their box too."""
    rng = np.random.default_rng(0)
    places = rng.uniform(-1, 1, (40_000, 2)).astype(np.float32)
    places = places[~np.asarray(jax.vmap(in_wall)(jnp.asarray(places)))]
    places[:5_000] = np.stack([rng.uniform(0.1, 0.2, 5_000), rng.uniform(-0.3, 0.3, 5_000)], 1)  # at the back wall
    actions = rng.choice([-3.0, -1.0, 0.0, 0.9, 1.0, 3.0], places.shape).astype(np.float32)
    step = jax.vmap(lambda place, action: MAZE.step(MazeState(place), action, key=KEY)[0].position)
    after = np.asarray(jax.jit(step)(jnp.asarray(places), jnp.asarray(actions)))
    assert np.abs(after).max() <= 1
    corner = np.stack([after[:, 0], places[:, 1]], 1)
    share = np.linspace(0, 1, 41)[:, None, None]
    for start, end in ((places, corner), (corner, after)):
        path = start + share * (end - start)
        for low, high in WALLS:
            inside = (path > np.asarray(low) + 1e-6) & (path < np.asarray(high) - 1e-6)
            assert not inside.all(-1).any()
    moved = np.abs(after - places) > 0
    assert moved.mean() > 0.5
    assert not moved[(actions != 0)].all(), "some moves must have been stopped"


def test_reward_is_the_distance_gained_and_its_gradient_is_finite():
    state = MazeState(jnp.asarray((-0.5, 0.3)))
    action = jnp.asarray((1.0, -0.5))
    before, after = np.hypot(1.3, 0.3), np.hypot(1.3 - MAZE.speed, 0.3 - MAZE.speed / 2)
    np.testing.assert_allclose(MAZE.step(state, action, key=KEY)[1], before - after, atol=1e-6)
    gradient = jax.grad(lambda a: MAZE.step(state, a, key=KEY)[1])(action * 0.5)
    assert np.isfinite(gradient).all()
    assert gradient[0] > 0 > gradient[1]
