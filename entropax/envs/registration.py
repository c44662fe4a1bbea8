"""Tells Gymnasium of our environments, so that `gymnasium.make("entropax/Pendulum-v0")` works."""

import math

import gymnasium

from entropax.envs.registry import HOST_TASKS, TASKS


def register_all() -> None:
    """Registers every task of ours under its id, with its time limit and threshold; calling it again changes nothing.

    The entry point is a string, so nothing is built or compiled before `gymnasium.make`.
    """
    for task in TASKS.values():
        if task.id not in gymnasium.registry:
            gymnasium.register(
                id=task.id,
                entry_point="entropax.envs.jax_env:from_task",
                max_episode_steps=task.time_limit,
                reward_threshold=None if math.isnan(task.solved) else task.solved,
                kwargs={"task": task.id},
            )
    for id, host_task in HOST_TASKS.items():
        if id not in gymnasium.registry:
            gymnasium.register(id=id, entry_point=host_task.entry_point)
