"""The bifurcation wrapper: what policies that continue or leave get, how much continues, and what it bends."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scripted import pendulum as balance

from entropax.envs.base import Episodes
from entropax.envs.bifurcation import Bifurcation
from entropax.envs.deceptive_maze import DeceptiveMaze
from entropax.envs.pendulum import Pendulum
from entropax.envs.probes import ConstantReward
from entropax.errors import EntropaxError
from entropax.tabular import MDP, soft_policy_iteration
from entropax.types import Spec

KEY = jax.random.key(0)
LAYERS = 3


def pendulum(**options):
    """Bifurcates where the pendulum is nearly upright."""
    defaults = {"centre": jnp.array([1.0, 0.0, 0.0]), "target": jnp.array([0.8]), "radius": 2.0, "end_reward": -500.0}
    return Bifurcation(Pendulum(), layers=LAYERS, **(defaults | options))


def rollout(dynamics, policy, steps, key=KEY):
    """States, rewards and terminations of `steps` steps, terminations ignored; before the step, each."""

    def forward(state, step_key):
        after, reward, terminated = dynamics.step(state, policy(dynamics.observe(state)), key=step_key)
        return after, (state, reward, terminated)

    _, recorded = jax.lax.scan(forward, dynamics.initial(key=key), jax.random.split(key, steps))
    return recorded


@pytest.mark.optimised
@pytest.mark.parametrize("pay", [0.0, 0.25])
def test_a_policy_that_continues_gets_what_the_task_pays(pay):
    """Step for step: without the chains the run is the task's own, and each chain step pays `continue_reward`."""
    wrapped = pendulum(continue_reward=pay)
    steps = 150
    _, task_rewards, _ = rollout(Pendulum(), balance, steps)

    def continues(observation):
        return jnp.where(observation[3] > 0, jnp.zeros(1), balance(observation[:3]))

    states, rewards, terminated = rollout(wrapped, continues, (LAYERS + 1) * steps)
    outside = np.asarray(states.layer) == 0
    assert not terminated.any()
    assert 10 < (~outside).sum() < 3 * outside.sum(), "it has been in chains, and outside the region"
    np.testing.assert_array_equal(np.asarray(rewards)[outside][:steps], np.asarray(task_rewards))
    np.testing.assert_array_equal(np.asarray(rewards)[~outside], np.float32(pay))


def test_a_policy_in_the_complement_ends_with_the_end_reward():
    wrapped = pendulum(radius=20.0)

    def leaves(observation):
        inside = observation[3] > 0
        return jnp.where(inside, jnp.full(1, 1.99), jnp.full(1, -2.0))

    states, rewards, terminated = rollout(wrapped, leaves, 200)
    inside = np.asarray(states.layer) > 0
    assert inside.any()
    np.testing.assert_array_equal(np.asarray(terminated), inside)
    np.testing.assert_array_equal(np.asarray(rewards)[inside], -500)


def test_a_chain_counts_its_layers_and_keeps_task_and_action():
    wrapped = pendulum()
    start = wrapped.initial(key=KEY)
    upright = jax.tree.map(jnp.zeros_like, start)
    assert bool(wrapped.in_region(upright.task))
    state, reward, _ = wrapped.step(upright, jnp.array([1.0]), key=KEY)
    task, task_reward, _ = Pendulum().step(upright.task, jnp.array([1.0]), key=KEY)
    assert float(reward) == float(task_reward)
    flags = []
    for _ in range(LAYERS):
        observation = wrapped.observe(state)
        np.testing.assert_array_equal(observation[:3], Pendulum().observe(task))
        assert float(observation[4]) == 0.5, "1 N·m is half of the way to the bound"
        flags.append(float(observation[3]))
        state, _, terminated = wrapped.step(state, jnp.array([-0.01]), key=KEY)
        assert not bool(terminated)
    np.testing.assert_allclose(flags, np.arange(1, LAYERS + 1) / LAYERS, rtol=1e-6)
    np.testing.assert_array_equal(wrapped.observe(state)[3:], [0, 0])
    after, _, _ = wrapped.step(state, jnp.zeros(1), key=KEY)
    assert float(after.task.velocity) != float(state.task.velocity), "and the task goes on"


def test_outside_the_region_it_is_the_task():
    wrapped = pendulum(radius=0.0)
    states, rewards, _ = rollout(wrapped, lambda observation: jnp.ones(1), 50)
    tasks, task_rewards, _ = rollout(Pendulum(), lambda observation: jnp.ones(1), 50)
    assert not np.asarray(states.layer).any()
    np.testing.assert_array_equal(rewards, task_rewards)
    np.testing.assert_array_equal(states.task.angle, tasks.angle)


@pytest.mark.parametrize("action", [(0.3, -0.4), (0.9, 0.2), (-1.0, 1.0), (0.3, 0.1)])
def test_the_measure_is_what_uniform_actions_find(action):
    maze = Bifurcation(
        DeceptiveMaze(),
        centre=jnp.zeros(2),
        target=jnp.array([0.3, -0.4]),
        radius=10.0,
        end_reward=-10.0,
        width=0.6,
    )
    state, _, _ = maze.step(maze.initial(key=KEY), jnp.array(action), key=KEY)
    assert int(state.layer) == 1
    count = 40_000
    draws = jax.random.uniform(KEY, (count, 2), jnp.float32, -1.0, 1.0)
    _, _, left = jax.vmap(lambda one: maze.step(state, one, key=KEY))(draws)
    share = float(maze.continuing_measure(jnp.array(action))) / 4
    assert abs(1 - float(left.mean()) - share) <= 4 * np.sqrt(share * (1 - share) / count)
    squared = np.sum((np.array(action) - [0.3, -0.4]) ** 2)
    np.testing.assert_allclose(share, max(0.02, np.exp(-squared / (2 * 0.6**2))), rtol=1e-5)


def test_the_soft_value_behind_an_action_is_what_its_measure_says():
    """docs/theory.md: the density is tilted by exp(-(number of layers, discounted) |a - target|² / (2 width²)).

    The task is one decision, discretised in 41 actions, whose chains are built from the wrapper's own measures.
    """
    count, discount, alpha = 41, 0.9, 0.5
    wrapped = Bifurcation(
        Pendulum(), jnp.zeros(3), jnp.array([0.6]), 1.0, end_reward=-60.0, width=1.0, floor=0.0, layers=LAYERS
    )
    actions = np.linspace(-1, 1, count)
    measures = np.asarray(jax.vmap(wrapped.continuing_measure)(jnp.asarray(actions)[:, None]), np.float64)
    gain = -2 * (actions + 0.5) ** 2
    size = 2 + count * LAYERS
    rewards, transitions, measure = np.zeros((size, count)), np.zeros((size, count, size)), np.zeros((size, count))
    chain = 2 + np.arange(count * LAYERS).reshape(count, LAYERS)
    rewards[0], measure[0] = gain, 2 / count
    transitions[0, np.arange(count), chain[:, 0]] = 1
    following = np.concatenate([chain[:, 1:], np.ones((count, 1), int)], axis=1)
    transitions[chain, 0, following] = transitions[chain, 1, 1] = 1
    rewards[chain, 1] = -60
    measure[chain, 0], measure[chain, 1] = measures[:, None], 2 - measures[:, None]
    mdp = MDP(rewards, transitions, measure, discount, tuple(map(str, range(size))))
    density = soft_policy_iteration(mdp, alpha).density[0]

    layers = discount * (1 - discount**LAYERS) / (1 - discount)
    expected = np.exp(gain / alpha - layers * (actions - 0.6) ** 2 / 2)
    np.testing.assert_allclose(density, expected / (expected.sum() * 2 / count), rtol=1e-5)
    assert abs(actions[density.argmax()] - 0.6) < abs(actions[gain.argmax()] - 0.6), "bent towards the target"


def test_a_task_step_that_terminates_leads_into_no_chain():
    wrapped = Bifurcation(ConstantReward(), jnp.zeros(1), jnp.zeros(1), 10.0, end_reward=-1.0)
    state, reward, terminated = wrapped.step(wrapped.initial(key=KEY), jnp.zeros(1), key=KEY)
    assert (bool(terminated), float(reward), int(state.layer)) == (True, 1.0, 0)


def test_it_is_a_task_like_any_other():
    """In episodes, compiled, mapped over copies and over its own floats, without a change of type."""
    assert pendulum().spec == Spec(5, Pendulum().spec.action)
    widths = jnp.array([0.2, 2.0])

    def shares(width):
        swept = eqx.tree_at(lambda one: one.width, pendulum(radius=3.0), width)
        environment = Episodes(swept, 20)

        def forward(state, key):
            state, step = environment.step(state, jax.random.uniform(key, (1,), jnp.float32, -2, 2), key=key)
            return state, step

        state, first = environment.reset(key=KEY)
        _, steps = jax.lax.scan(forward, state, jax.random.split(KEY, 400))
        assert steps.observation.shape == (400, *first.shape)
        return steps.terminated.mean()

    narrow, wide = jax.jit(jax.vmap(shares))(widths)
    assert narrow > wide > 0


def test_what_is_refused():
    with pytest.raises(EntropaxError, match=r"shapes \(2,\) and \(1,\)"):
        pendulum(centre=jnp.zeros(2))
    with pytest.raises(EntropaxError, match=r"shapes \(3,\) and \(2,\)"):
        pendulum(target=jnp.zeros(2))
    with pytest.raises(EntropaxError, match="layers = 0"):
        Bifurcation(Pendulum(), jnp.zeros(3), jnp.zeros(1), 1.0, end_reward=-1.0, layers=0)
