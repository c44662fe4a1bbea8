"""The thresholds of `Task.solved`: within reach of scripted policies, far from idle and from random ones."""

import functools
import math

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scripted

import entropax  # noqa: F401, registers our tasks
from entropax.envs.registry import TASKS

COUNT = 400
SCRIPTED = {
    "entropax/Pendulum-v0": lambda: scripted.pendulum,
    "entropax/PendulumSparse-v0": lambda: scripted.pendulum,
    "entropax/PendulumActionCost-v0": lambda: scripted.pendulum,
    "entropax/MountainCarContinuous-v0": lambda: scripted.mountain_car,
    "entropax/CartpoleSwingup-v0": lambda: functools.partial(scripted.cartpole, gains=scripted.cartpole_gains()),
    "entropax/CartpoleSwingupSparse-v0": lambda: functools.partial(scripted.cartpole, gains=scripted.cartpole_gains()),
    "entropax/DeceptiveMaze-v0": lambda: scripted.maze,
}


def mean_return(task, policy):
    """Mean over `COUNT` episodes of the undiscounted return."""
    dynamics = task.build()

    def one(key):
        def forward(carry, step_key):
            state, done, total = carry
            act_key, step_key = jax.random.split(step_key)
            after, reward, ends = dynamics.step(state, policy(dynamics.observe(state), act_key), key=step_key)
            return (after, done | ends, total + jnp.where(done, 0, reward)), None

        start = (dynamics.initial(key=key), jnp.zeros((), bool), jnp.zeros(()))
        return jax.lax.scan(forward, start, jax.random.split(key, task.time_limit))[0][2]

    return float(np.mean(jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), COUNT))))


@pytest.mark.parametrize("id", SCRIPTED)
def test_thresholds_lie_between_not_learning_and_a_scripted_policy(id):
    task = TASKS[id]
    bounds = task.build().spec.action
    policy = SCRIPTED[id]()

    def uniform(observation, key):
        return bounds.to_environment(jax.random.uniform(key, (bounds.size,), minval=-1.0))

    nothing = mean_return(task, lambda observation, key: jnp.zeros(bounds.size))
    worst = max(nothing, mean_return(task, uniform))
    best = mean_return(task, lambda observation, key: policy(observation))
    assert worst + 0.85 * (best - worst) < task.solved < worst + 0.96 * (best - worst)


def test_every_threshold_is_tested():
    assert {task.id for task in TASKS.values() if not math.isnan(task.solved)} == set(SCRIPTED)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_gymnasium_knows_the_threshold(task):
    threshold = gymnasium.spec(task.id).reward_threshold
    assert threshold == (None if math.isnan(task.solved) else task.solved)


def test_mountain_car_has_gymnasiums_threshold():
    assert (
        TASKS["entropax/MountainCarContinuous-v0"].solved == gymnasium.spec("MountainCarContinuous-v0").reward_threshold
    )
