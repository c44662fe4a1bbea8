"""Steps of a task in a row, and the return of policies: what several tests of tasks need."""

import jax
import jax.numpy as jnp
import numpy as np

from entropax.tabular.mdp import MDP
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


def to_mdp(dynamics, states, discount):
    """A deterministic task that shows its state one-hot, as a finite problem, and the state that it starts in.

    Found by stepping through it from the start; one more state stands for an end that shows nothing.
    """
    actions, over = dynamics.spec.action.count, states
    rewards, transitions = np.zeros((states + 1, actions)), np.zeros((states + 1, actions, states + 1))
    measure = np.zeros((states + 1, actions))
    step = jax.jit(lambda state, action: dynamics.step(state, action, key=jax.random.key(0)))

    def seen(state):
        observation = np.asarray(dynamics.observe(state))
        return int(observation.argmax()) if observation.any() else over

    state = dynamics.initial(key=jax.random.key(0))
    start, ahead, known = seen(state), [state], {seen(state)}
    while ahead:
        state = ahead.pop()
        for action in range(actions):
            after, reward, terminated = step(state, action)
            rewards[seen(state), action], transitions[seen(state), action, seen(after)] = reward, 1
            measure[seen(state), action] = 1
            if not terminated and seen(after) not in known:
                known.add(seen(after))
                ahead.append(after)
    names = tuple(map(str, range(states + 1)))
    return MDP(rewards, transitions, measure, discount, names), start
