"""Steps of a task in a row, and the return of policies: what several tests of tasks need."""

import jax
import jax.numpy as jnp
import numpy as np

from entropax.types import Categories

COUNT = 400


def roll(dynamics, state, actions):
    """Observations `[step, observation]`, rewards and terminations `[step]` of given actions, in NumPy."""

    def one(state, action):
        state, reward, terminated = dynamics.step(state, action, key=jax.random.key(0))
        return state, (dynamics.observe(state), reward, terminated)

    outcome = jax.jit(lambda state, actions: jax.lax.scan(one, state, actions)[1])(state, jnp.asarray(actions))
    return jax.tree.map(np.asarray, outcome)


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


def nothing(task):
    """The action of zero in the environment's units, or the first category."""
    action = zero(task.build().spec.action)
    return lambda observation, key: action


def zero(actions):
    """Zeros as the environment takes them."""
    return jnp.zeros((), jnp.int32) if isinstance(actions, Categories) else jnp.zeros(actions.size)


def uniform(task):
    """Uniform actions."""
    actions = task.build().spec.action
    return lambda observation, key: actions.to_environment(actions.uniform(key=key))
