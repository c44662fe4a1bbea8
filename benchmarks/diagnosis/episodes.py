"""Whole episodes of a policy, for outcomes and for what needs no training."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from entropax.envs.base import Episodes
from entropax.policies import AbstractActor
from entropax.types import continuous

Policy = Callable[[Array, Array], Array]
"""An observation and a key to an action in [-1, 1]."""


def episode_return(environment: Episodes[Any], policy: Policy, key: Key[Array, ""]) -> Float[Array, ""]:
    """The undiscounted return of one episode; rewards that are not finite count nothing."""
    bounds = continuous(environment.spec)

    def step(carry: Any, key: Key[Array, ""]) -> tuple[Any, Float[Array, ""]]:
        state, observation, alive = carry
        act_key, step_key = jax.random.split(key)
        action = bounds.to_environment(policy(observation, act_key))
        state, step = environment.step(state, action, key=step_key)
        paid = jnp.where(alive & jnp.isfinite(step.reward), step.reward, 0)
        return (state, step.observation, alive & ~(step.terminated | step.truncated)), paid

    reset_key, key = jax.random.split(key)
    first = (*environment.reset(key=reset_key), jnp.ones((), bool))
    _, rewards = jax.lax.scan(step, first, jax.random.split(key, environment.time_limit))
    return jnp.sum(rewards)


@eqx.filter_jit
def deterministic(
    environment: Episodes[Any], actors: AbstractActor, keys: Key[Array, " episodes"]
) -> Float[Array, " seeds"]:
    """Mean return of each actor's mode; the environment is an argument, so that its numbers do not compile anew."""

    def mean(actor: AbstractActor) -> Float[Array, ""]:
        def act(seen: Array, _: Array) -> Array:
            return actor(seen).mode()

        return jnp.mean(jax.vmap(lambda key: episode_return(environment, act, key))(keys))

    return jax.vmap(mean)(actors)


@eqx.filter_jit
def baselines(environment: Episodes[Any], keys: Key[Array, " episodes"]) -> tuple[Array, Array]:
    """Mean returns of the zero action and of uniform actions."""
    bounds = continuous(environment.spec)
    still = jnp.asarray(-1 - np.asarray(bounds.low, np.float32) / bounds.half_range)

    def mean(policy: Policy) -> Float[Array, ""]:
        return jnp.mean(jax.vmap(lambda key: episode_return(environment, policy, key))(keys))

    return mean(lambda seen, key: still), mean(lambda seen, key: jax.random.uniform(key, still.shape, minval=-1.0))
