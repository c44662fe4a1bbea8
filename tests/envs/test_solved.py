"""The thresholds of `Task.solved`: within reach of scripted policies, far from idle and from random ones."""

import functools
import math

import gymnasium
import pytest
import scripted
from rolls import mean_return, nothing, uniform

import entropax  # noqa: F401, registers our tasks
from entropax.envs.registry import TASKS

SCRIPTED = {
    "entropax/Pendulum-v0": lambda: scripted.pendulum,
    "entropax/PendulumSparse-v0": lambda: scripted.pendulum,
    "entropax/PendulumActionCost-v0": lambda: scripted.pendulum,
    "entropax/MountainCarContinuous-v0": lambda: scripted.mountain_car,
    "entropax/CartpoleSwingup-v0": lambda: functools.partial(scripted.cartpole, gains=scripted.cartpole_gains()),
    "entropax/CartpoleSwingupSparse-v0": lambda: functools.partial(scripted.cartpole, gains=scripted.cartpole_gains()),
    "entropax/CartPole-v0": lambda: scripted.balance,
    "entropax/DeceptiveMaze-v0": lambda: scripted.maze,
    "entropax/DeepSea10-v0": lambda: scripted.deep_sea,
    "entropax/DeepSea20-v0": lambda: scripted.deep_sea,
    "entropax/Gridworld-v0": lambda: scripted.gridworld,
    "entropax/Obstacle2D-v0": lambda: scripted.obstacle2d,
}


@pytest.mark.parametrize("id", SCRIPTED)
def test_thresholds_lie_between_not_learning_and_a_scripted_policy(id):
    task = TASKS[id]
    policy = SCRIPTED[id]()
    worst = max(mean_return(task, nothing(task)), mean_return(task, uniform(task)))
    best = mean_return(task, lambda observation, key: policy(observation))
    assert worst + 0.85 * (best - worst) < task.solved < worst + 0.96 * (best - worst)


def test_every_threshold_is_tested():
    assert {task.id for task in TASKS.values() if not math.isnan(task.solved)} == set(SCRIPTED)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_gymnasium_knows_the_threshold(task):
    threshold = gymnasium.spec(task.id).reward_threshold
    assert threshold == (None if math.isnan(task.solved) else task.solved)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("entropax/MountainCarContinuous-v0", "MountainCarContinuous-v0"), ("entropax/CartPole-v0", "CartPole-v1")],
)
def test_tasks_of_gymnasium_have_its_threshold_and_time_limit(ours, theirs):
    spec = gymnasium.spec(theirs)
    assert (TASKS[ours].solved, TASKS[ours].time_limit) == (spec.reward_threshold, spec.max_episode_steps)
