"""The pure loop on a JAX environment: `warm_up` and `chunk` map a carry to a carry; jit, vmap and scan them."""

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from entropax import replay as replays
from entropax.algorithms.base import AbstractAlgorithm
from entropax.envs.base import Episodes
from entropax.exploration import PLAIN, Exploration, ExplorationState
from entropax.loops.training import Training
from entropax.loops.update import STARTS, broken_steps, recent_return, rewarded_update
from entropax.replay import Replay
from entropax.types import Metrics, Progress, transition


class Carry(eqx.Module):
    """Everything a training run is, between two chunks: save it and the run can go on."""

    learner: PyTree[Array]
    replay: Replay
    exploration: ExplorationState
    # What the environments are doing now.
    environments: PyTree[Array]
    observation: Float[Array, "envs observation"]
    episode_return: Float[Array, " envs"]
    episode_length: Int[Array, " envs"]
    # What the learner is told of the run.
    mean_return: Float[Array, ""]
    starts: Float[Array, "starts observation"]
    # Randomness: round r draws from fold_in(key, r), so that a run cut in two is the same run.
    key: Key[Array, ""]
    rounds: Int[Array, ""]


def begin(
    algorithm: AbstractAlgorithm[Any],
    environment: Episodes[Any],
    training: Training,
    exploration: Exploration = PLAIN,
    *,
    key: Key[Array, ""],
) -> Carry:
    """The carry before the first step; no array is two of its leaves, so that it can be donated.

    Raises:
        EntropaxError: the exploration does not fit the algorithm.
    """
    exploration.check(algorithm)
    training = training.fed_by(algorithm.data())
    learner_key, reset_key, key = jax.random.split(key, 3)
    spec, n = environment.spec, training.num_envs
    environments, observation = jax.vmap(lambda k: environment.reset(key=k))(jax.random.split(reset_key, n))
    learner = algorithm.init(spec, key=learner_key)
    # Far from the numbers that are split off: `split` and `fold_in` draw from one sequence.
    exploring_key = jax.random.fold_in(learner_key, 2**31)
    carry = Carry(
        learner=learner,
        replay=replays.empty(spec, n, training.rows),
        exploration=exploration.init(algorithm, learner, spec, environment.time_limit, n, key=exploring_key),
        environments=environments,
        observation=observation,
        episode_return=jnp.zeros(n, jnp.float32),
        episode_length=jnp.zeros(n, jnp.int32),
        mean_return=jnp.full((), jnp.nan, jnp.float32),
        starts=_starts(environment, key=jax.random.fold_in(reset_key, 2**31)),
        key=key,
        rounds=jnp.zeros((), jnp.int32),
    )
    return jax.tree.map(jnp.copy, carry)


def _starts(environment: Episodes[Any], *, key: Key[Array, ""]) -> Float[Array, "starts observation"]:
    """What episodes begin with, drawn once."""
    return jax.vmap(lambda k: environment.reset(key=k)[1])(jax.random.split(key, STARTS))


def _step(
    carry: Carry,
    environment: Episodes[Any],
    exploration: Exploration,
    action: Float[Array, "envs action"],
    keys: Key[Array, " envs"],
) -> tuple[Carry, Metrics]:
    """Steps all copies once, stores what is finite, and sums up the episodes that ended."""
    taken = environment.spec.action.to_environment
    environments, step = jax.vmap(lambda s, a, k: environment.step(s, taken(a), key=k))(
        carry.environments, action, keys
    )
    steps = transition(carry.observation, action, step)
    rows = replays.pack(steps)
    finite = jnp.all(jnp.isfinite(rows), axis=-1)
    stored = step.valid & finite
    bonus = exploration.bonus.observe(environment.spec, carry.exploration.bonus, steps, stored)
    ended = step.terminated | step.truncated
    returns, lengths = carry.episode_return + jnp.where(finite, step.reward, 0), carry.episode_length + 1
    total, episodes = jnp.sum(jnp.where(ended, returns, 0)), jnp.sum(ended).astype(jnp.float32)
    metrics = {
        "rollout/return_sum": total,
        "rollout/length_sum": jnp.sum(jnp.where(ended, lengths, 0)).astype(jnp.float32),
        "rollout/episodes": episodes,
        "rollout/terminations": jnp.sum(step.terminated).astype(jnp.float32),
        "rollout/skipped_steps": jnp.sum(~finite).astype(jnp.float32),
        **broken_steps(step.final_observation, step.reward, action),
    }
    carry = eqx.tree_at(
        lambda c: (c.replay, c.environments, c.observation, c.episode_return, c.episode_length, c.mean_return),
        carry,
        (
            # What follows a step that is missing is no successor of the one before it.
            replays.add(replays.cut(carry.replay, step.valid & ~finite), rows, stored),
            environments,
            step.observation,
            jnp.where(ended, 0, returns),
            jnp.where(ended, 0, lengths),
            recent_return(carry.mean_return, total, episodes),
        ),
    )
    return replace(carry, exploration=ExplorationState(carry.exploration.noise, bonus)), metrics


def _explore(
    algorithm: AbstractAlgorithm[Any],
    carry: Carry,
    environment: Episodes[Any],
    exploration: Exploration,
    keys: Key[Array, "2 envs"],
) -> tuple[Carry, Metrics]:
    """One step with exploring actions; where it ended an episode, the noise begins a new one."""
    act_keys, step_keys = keys
    noise, learner = exploration.noise, carry.learner

    def act(state: Any, observation: Float[Array, " observation"], key: Key[Array, ""]) -> tuple[Array, Any]:
        return noise.act(algorithm, learner, state, observation, key=key)

    def after(state: Any, ended: Bool[Array, ""], key: Key[Array, ""]) -> Any:
        fresh = noise.ended(algorithm, learner, state, key=jax.random.fold_in(key, 2**31))
        return jax.tree.map(lambda new, old: jnp.where(ended, new, old), fresh, state)

    actions, states = jax.vmap(act)(carry.exploration.noise, carry.observation, act_keys)
    carry, metrics = _step(carry, environment, exploration, actions, step_keys)
    # An episode has no steps just after the last one's end, and only then.
    states = jax.vmap(after)(states, carry.episode_length == 0, act_keys)
    return replace(carry, exploration=ExplorationState(states, carry.exploration.bonus)), metrics


def _keys(
    carry: Carry, training: Training, rounds: int
) -> tuple[Key[Array, "rounds train_every 2 envs"], Key[Array, "rounds updates 2"]]:
    """All keys of the next rounds, derived at once: a call to the generator costs far more than its length."""

    def one(number: Int[Array, ""]) -> tuple[Array, Array]:
        step_key, update_key = jax.random.split(jax.random.fold_in(carry.key, number))
        steps = jax.random.split(step_key, (training.train_every, 2, training.num_envs))
        return steps, jax.random.split(update_key, (training.updates, 2))

    return jax.vmap(one)(carry.rounds + jnp.arange(rounds))


def warm_up(
    carry: Carry,
    environment: Episodes[Any],
    training: Training,
    rounds: int,
    exploration: Exploration = PLAIN,
) -> tuple[Carry, Metrics]:
    """Rounds of uniformly random actions without updates, or no round; metrics are sums over the rounds."""
    actions = environment.spec.action

    def step(carry: Carry, keys: Key[Array, "2 envs"]) -> tuple[Carry, Metrics]:
        act_keys, step_keys = keys
        action = jax.vmap(lambda key: actions.uniform(key=key))(act_keys)
        return _step(carry, environment, exploration, action, step_keys)

    keys, _ = _keys(carry, training, rounds)
    carry, metrics = jax.lax.scan(step, carry, keys.reshape(-1, *keys.shape[2:]))
    return eqx.tree_at(lambda c: c.rounds, carry, carry.rounds + rounds), jax.tree.map(jnp.sum, metrics)


def chunk(
    algorithm: AbstractAlgorithm[Any],
    carry: Carry,
    environment: Episodes[Any],
    training: Training,
    rounds: int,
    exploration: Exploration = PLAIN,
) -> tuple[Carry, Metrics]:
    """Rounds of `train_every` steps and `updates` updates; one long chunk equals two short ones.

    Returns:
        The carry, and metrics as sums over the rounds, which `means` turns into what a log shows.
    """
    spec, data = environment.spec, algorithm.data()
    training = training.fed_by(data)

    def one(carry: Carry, keys: tuple[Array, Array]) -> tuple[Carry, tuple[Metrics, Metrics]]:
        step_keys, update_keys = keys
        # `train` ends with a whole chunk, beyond the run's own end.
        share = jnp.minimum(carry.rounds / training.rounds, 1).astype(jnp.float32)
        progress = Progress(share, carry.mean_return, carry.starts)
        carry, rollout = jax.lax.scan(
            lambda c, k: _explore(algorithm, c, environment, exploration, k), carry, step_keys
        )

        def update(state: tuple[PyTree, PyTree], keys: Key[Array, "2"]) -> tuple[tuple[PyTree, PyTree], Metrics]:
            sample_key, key = keys
            rows = data.sample(carry.replay, key=sample_key)
            return rewarded_update(algorithm, exploration.bonus, spec, state, rows, progress, key=key)

        (learner, bonus), metrics = jax.lax.scan(update, (carry.learner, carry.exploration.bonus), update_keys)
        memory = ExplorationState(carry.exploration.noise, bonus)
        return replace(carry, learner=learner, exploration=memory, rounds=carry.rounds + 1), (rollout, metrics)

    carry, (rollout, metrics) = jax.lax.scan(one, carry, _keys(carry, training, rounds))
    return carry, jax.tree.map(jnp.sum, {**rollout, **metrics})
