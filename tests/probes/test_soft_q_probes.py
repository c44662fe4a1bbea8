"""Soft Q-learning finds the Boltzmann policy of probes, with two modes too, and soft values in closed form."""

import math
from dataclasses import replace
from typing import final

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import SAC, AbstractDynamics, Dense, Episodes, Fixed, SoftQ, Training, train
from entropax.envs.probes import DelayedReward, ProbeState
from entropax.types import Bounds, Spec

pytestmark = pytest.mark.slow

TRAINING = Training(steps=1_900, warmup=400, num_envs=4, updates=4, capacity=1_900, log_every=1_500)
ALPHA, SEEDS = 0.1, 2
SMALL = {
    "torso": Dense((32, 32)),
    "batch_size": 64,
    "actor_learning_rate": 3e-3,
    "critic_learning_rate": 3e-3,
    "polyak": 0.05,
    "discount": 0.9,
}
SOFT_Q = SoftQ(**SMALL, entropy_weight=ALPHA)


@final
class TwoWells(AbstractDynamics[ProbeState]):
    """One step that pays -8 (a^2 - 1/4)^2: the best actions are -1/2 and 1/2, and 0 between them loses a half."""

    @property
    def spec(self) -> Spec:
        return Spec(1, Bounds((-1.0,), (1.0,)))

    def initial(self, *, key):
        return ProbeState(jnp.zeros((), jnp.int32), jnp.ones((), jnp.float32))

    def observe(self, state):
        return state.shown[None]

    def step(self, state, action, *, key):
        return state, -8 * (action[0] ** 2 - 0.25) ** 2, jnp.ones((), bool)


def learners(algorithm, environment):
    keys = jax.random.split(jax.random.key(0), SEEDS)
    return jax.jit(jax.vmap(lambda key: train(algorithm, environment, TRAINING, key=key)[0].learner))(keys)


def actions_of(algorithm, found):
    """`[seeds, 4000]` actions in the only state."""
    keys = jax.random.split(jax.random.key(1), 4_000)
    draw = jax.vmap(lambda learner, key: algorithm.act(learner, jnp.ones(1), key=key), in_axes=(None, 0))
    return np.asarray(jax.vmap(draw, in_axes=(0, None))(found, keys))[..., 0]


GRID = np.linspace(-1, 1, 2_001)


def boltzmann(q, alpha):
    """The density exp(q / alpha) on the grid, as weights."""
    weights = np.exp((q - q.max(axis=-1, keepdims=True)) / alpha)
    return weights / weights.sum(axis=-1, keepdims=True)


def shares(actions):
    """Of the actions, those near the right mode, and those that are nearer to 0 than to a mode."""
    return np.stack([(actions > 0.25).mean(axis=-1), (np.abs(actions) < 0.25).mean(axis=-1)])


def q_on_grid(found):
    """`[seeds, grid]` what the critics say."""
    ask = jax.vmap(lambda critic, a: critic(jnp.ones(1), a[None]), in_axes=(None, 0))
    return np.asarray(jax.vmap(jax.vmap(lambda critic: ask(critic, jnp.float32(GRID))))(found.critics))[:, 0]


@pytest.fixture(scope="module")
def two_wells():
    return learners(SOFT_Q, Episodes(TwoWells(), 1))


def test_the_sampler_draws_from_the_boltzmann_distribution_of_its_critic_on_both_modes(two_wells):
    right, middle = shares(actions_of(SOFT_Q, two_wells))
    density = boltzmann(q_on_grid(two_wells), ALPHA)
    np.testing.assert_allclose(right, density @ (GRID > 0.25), atol=0.15)
    np.testing.assert_allclose(middle, density @ (np.abs(GRID) < 0.25), atol=0.1)
    assert (np.minimum(right, 1 - right - middle) > 0.2).all()


def test_a_gaussian_keeps_one_mode_or_fills_the_gap():
    sac = SAC(**SMALL, temperature=Fixed(ALPHA))
    right, middle = shares(actions_of(sac, learners(sac, Episodes(TwoWells(), 1))))
    exact = boltzmann(-8 * (GRID**2 - 0.25) ** 2, ALPHA) @ (np.abs(GRID) < 0.25)
    assert exact < 0.06
    assert ((np.minimum(right, 1 - right - middle) < 0.1) | (middle > exact + 0.1)).all()


def test_the_mode_is_a_best_action(two_wells):
    modes = jax.vmap(lambda learner: SOFT_Q.mode(learner, jnp.ones(1)))(two_wells)
    np.testing.assert_allclose(np.abs(modes), np.full((SEEDS, 1), 0.5), atol=0.1)


def test_values_have_the_entropy_to_come_in_them_and_a_flat_q_makes_the_policy_uniform():
    """Whatever is done pays 1 in the second state: Q(second) = 1, Q(first) = gamma (1 + alpha log 2)."""
    algorithm = replace(SOFT_Q, entropy_weight=1.0)
    found = learners(algorithm, Episodes(DelayedReward(), 2))
    actions = jnp.linspace(-0.9, 0.9, 19)[:, None]
    ask = jax.vmap(lambda critic, o: jnp.mean(jax.vmap(lambda a: critic(o, a))(actions)), in_axes=(None, 0))
    q = jax.vmap(jax.vmap(lambda critic: ask(critic, jnp.array([[0.0], [1.0]]))))(found.critics)
    np.testing.assert_allclose(jnp.mean(q, axis=(0, 1)), [0.9 * (1 + math.log(2)), 1.0], atol=0.08)
    actions = actions_of(algorithm, found)
    np.testing.assert_allclose(actions.mean(axis=-1), np.zeros(SEEDS), atol=0.15)
    np.testing.assert_allclose(actions.std(axis=-1), np.full(SEEDS, 1 / math.sqrt(3)), rtol=0.15)
