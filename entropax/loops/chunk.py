"""The pure loop on a JAX environment: `warm_up` and `chunk` map a carry to a carry; jit, vmap and scan them."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

from entropax import replay as replays
from entropax.algorithms.base import AbstractAlgorithm
from entropax.envs.base import Episodes
from entropax.loops.training import Training
from entropax.loops.update import broken_steps, guarded_update
from entropax.replay import Replay
from entropax.types import Metrics, continuous, transition


class Carry(eqx.Module):
    """Everything a training run is, between two chunks: save it and the run can go on."""

    learner: PyTree[Array]
    replay: Replay
    # What the environments are doing now.
    environments: PyTree[Array]
    observation: Float[Array, "envs observation"]
    episode_return: Float[Array, " envs"]
    episode_length: Int[Array, " envs"]
    # Randomness: round r draws from fold_in(key, r), so that a run cut in two is the same run.
    key: Key[Array, ""]
    rounds: Int[Array, ""]


def begin(
    algorithm: AbstractAlgorithm[Any], environment: Episodes[Any], training: Training, *, key: Key[Array, ""]
) -> Carry:
    """The carry before the first step."""
    training.check_window(algorithm.n_step)
    learner_key, reset_key, key = jax.random.split(key, 3)
    spec, n = environment.spec, training.num_envs
    environments, observation = jax.vmap(lambda k: environment.reset(key=k))(jax.random.split(reset_key, n))
    return Carry(
        learner=algorithm.init(spec, key=learner_key),
        replay=replays.empty(spec, n, training.rows),
        environments=environments,
        observation=observation,
        episode_return=jnp.zeros(n, jnp.float32),
        episode_length=jnp.zeros(n, jnp.int32),
        key=key,
        rounds=jnp.zeros((), jnp.int32),
    )


def _step(
    carry: Carry, environment: Episodes[Any], action: Float[Array, "envs action"], *, key: Key[Array, ""]
) -> tuple[Carry, Metrics]:
    """Steps all copies once, stores what is finite, and sums up the episodes that ended."""
    bounds = continuous(environment.spec)
    keys = jax.random.split(key, action.shape[0])
    environments, step = jax.vmap(lambda s, a, k: environment.step(s, bounds.to_environment(a), key=k))(
        carry.environments, action, keys
    )
    rows = replays.pack(transition(carry.observation, action, step))
    finite = jnp.all(jnp.isfinite(rows), axis=-1)
    ended = step.terminated | step.truncated
    returns, lengths = carry.episode_return + jnp.where(finite, step.reward, 0), carry.episode_length + 1
    metrics = {
        "rollout/return_sum": jnp.sum(jnp.where(ended, returns, 0)),
        "rollout/length_sum": jnp.sum(jnp.where(ended, lengths, 0)).astype(jnp.float32),
        "rollout/episodes": jnp.sum(ended).astype(jnp.float32),
        **broken_steps(step.final_observation, step.reward, action),
    }
    carry = eqx.tree_at(
        lambda c: (c.replay, c.environments, c.observation, c.episode_return, c.episode_length),
        carry,
        (
            replays.add(carry.replay, rows, step.valid & finite),
            environments,
            step.observation,
            jnp.where(ended, 0, returns),
            jnp.where(ended, 0, lengths),
        ),
    )
    return carry, metrics


def _explore(
    algorithm: AbstractAlgorithm[Any], carry: Carry, environment: Episodes[Any], *, key: Key[Array, ""]
) -> tuple[Carry, Metrics]:
    """One step with actions of the policy."""
    act_key, step_key = jax.random.split(key)
    keys = jax.random.split(act_key, carry.observation.shape[0])
    actions = jax.vmap(lambda o, k: algorithm.act(carry.learner, o, key=k))(carry.observation, keys)
    return _step(carry, environment, actions, key=step_key)


def warm_up(carry: Carry, environment: Episodes[Any], training: Training, rounds: int) -> tuple[Carry, Metrics]:
    """Rounds of uniformly random actions without updates; metrics are sums over the rounds."""
    size = environment.spec.action.size

    def one(carry: Carry, _: None) -> tuple[Carry, Metrics]:
        def step(carry: Carry, key: Key[Array, ""]) -> tuple[Carry, Metrics]:
            act_key, step_key = jax.random.split(key)
            action = jax.random.uniform(act_key, (training.num_envs, size), jnp.float32, -1, 1)
            return _step(carry, environment, action, key=step_key)

        key = jax.random.fold_in(carry.key, carry.rounds)
        carry, metrics = jax.lax.scan(step, carry, jax.random.split(key, training.train_every))
        return eqx.tree_at(lambda c: c.rounds, carry, carry.rounds + 1), metrics

    carry, metrics = jax.lax.scan(one, carry, length=rounds)
    return carry, jax.tree.map(jnp.sum, metrics)


def chunk(
    algorithm: AbstractAlgorithm[Any], carry: Carry, environment: Episodes[Any], training: Training, rounds: int
) -> tuple[Carry, Metrics]:
    """Rounds of `train_every` steps and `updates` updates; one long chunk equals two short ones.

    Returns:
        The carry, and metrics as sums over the rounds, which `means` turns into what a log shows.
    """
    spec = environment.spec

    def one(carry: Carry, _: None) -> tuple[Carry, tuple[Metrics, Metrics]]:
        step_key, update_key = jax.random.split(jax.random.fold_in(carry.key, carry.rounds))
        carry, rollout = jax.lax.scan(
            lambda c, k: _explore(algorithm, c, environment, key=k),
            carry,
            jax.random.split(step_key, training.train_every),
        )

        def update(learner: PyTree[Array], key: Key[Array, ""]) -> tuple[PyTree[Array], Metrics]:
            sample_key, key = jax.random.split(key)
            rows = replays.sample(carry.replay, algorithm.batch_size, algorithm.n_step, key=sample_key)
            return guarded_update(algorithm, spec, learner, rows, key=key)

        learner, metrics = jax.lax.scan(update, carry.learner, jax.random.split(update_key, training.updates))
        carry = eqx.tree_at(lambda c: (c.learner, c.rounds), carry, (learner, carry.rounds + 1))
        return carry, (rollout, metrics)

    carry, (rollout, metrics) = jax.lax.scan(one, carry, length=rounds)
    return carry, jax.tree.map(jnp.sum, {**rollout, **metrics})
