"""One guarded update: the algorithm's own, undone where a number in it is not finite."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from entropax.algorithms.base import AbstractAlgorithm
from entropax.exploration import AbstractBonus
from entropax.replay import unpack
from entropax.types import Metrics, Progress, Spec, Transition

CULPRITS = (
    "none",
    "observation in the batch",
    "action in the batch",
    "reward in the batch",
    "next observation in the batch",
    "train/critic_loss",
    "train/critic_grad_norm",
    "train/plain_critic_loss",
    "train/plain_critic_grad_norm",
    "train/actor_loss",
    "train/actor_grad_norm",
    "train/ent_coef",
    "train/model_loss",
    "train/information_coef",
    "exploration/predictor_loss",
    "exploration/coefficient",
)
"""Where a number can stop being finite, in the order in which an update meets them; not every algorithm has all."""

BROKEN = "nonfinite/"
"""Prefix of the counts of updates that a culprit made non-finite first."""

STEP_CULPRITS = ("observation of the environment", "reward of the environment", "action of the policy")
"""Where a step can stop being finite; such a step is not stored."""

STARTS = 256
"""First observations of episodes that a learner is shown, as many as Meta-SAC (arXiv 2007.01932) stores."""

COUNTS = ("rollout/episodes", "rollout/terminations", "rollout/skipped_steps", "train/skipped_updates")
"""Metrics that add up."""


def broken_steps(observations: Any, rewards: Any, actions: Any) -> dict[str, Any]:
    """Counts the steps, `[envs]`, in which each of `STEP_CULPRITS` was not finite; NumPy or JAX."""
    xp = np if isinstance(rewards, np.ndarray) else jnp
    broken = (~xp.isfinite(observations).all(-1), ~xp.isfinite(rewards), ~xp.isfinite(actions).all(-1))
    return {
        f"{BROKEN}{name}": xp.sum(where, dtype=xp.float32) for name, where in zip(STEP_CULPRITS, broken, strict=True)
    }


def recent_return(mean: Any, total: Any, episodes: Any) -> Any:
    """The exponential mean of returns after `episodes` more with the sum `total`; NumPy or JAX.

    An episode weighs a tenth; the first ones, NaN before, stand for themselves.
    """
    xp: Any = jnp if isinstance(episodes, jax.Array) else np
    latest = total / xp.maximum(episodes, 1)
    kept = xp.where(xp.isnan(mean), 0.0, 0.9**episodes)
    return xp.where(episodes > 0, kept * xp.nan_to_num(mean) + (1 - kept) * latest, mean).astype(xp.float32)


def _culprit(batch: tuple[Array, ...], metrics: Metrics) -> Float[Array, ""]:
    """Index into `CULPRITS` of the first term that is not finite; 0 where all are."""
    sound = jnp.zeros((), jnp.float32)
    terms = [jnp.sum(part) for part in batch] + [metrics.get(name, sound) for name in CULPRITS[5:]]
    broken = jnp.stack([jnp.zeros((), bool), *(~jnp.isfinite(term) for term in terms)])
    return jnp.argmax(broken).astype(jnp.float32)


def guarded_update(
    algorithm: AbstractAlgorithm[Any],
    spec: Spec,
    state: Any,
    rows: Float[Array, "batch window width"],
    progress: Progress,
    *,
    key: Key[Array, ""],
) -> tuple[Any, Metrics]:
    """Updates on packed rows; a state with NaN or Inf is never kept.

    Returns metrics to be summed: 0 in a skipped update, and `train/kept_updates`, `train/skipped_updates` and one
    `nonfinite/…` a culprit beside the algorithm's own.
    """
    batch = unpack(rows, spec)
    following, metrics = algorithm.update(spec, state, batch, progress, key=key)
    return _guarded(state, following, batch, metrics)


def rewarded_update(
    algorithm: AbstractAlgorithm[Any],
    bonus: AbstractBonus[Any],
    spec: Spec,
    state: tuple[Any, Any],
    rows: Float[Array, "batch window width"],
    progress: Progress,
    *,
    key: Key[Array, ""],
) -> tuple[tuple[Any, Any], Metrics]:
    """The same of a learner with a reward of its own, which is paid on the batch and then learns from it as it was.

    Args:
        algorithm: who learns.
        bonus: its reward; with `NoBonus` the update is `guarded_update`.
        spec: of the environment.
        state: the learner's, and the bonus's.
        rows: as stored.
        progress: of the run.
        key: of what is drawn; the algorithm draws as it does without a bonus.
    """
    learner, memory = state
    batch = unpack(rows, spec)
    paid = bonus.rewarded(algorithm, spec, memory, batch)
    # Far from the numbers that an algorithm may split off: `split` and `fold_in` draw from one sequence.
    memory, more = bonus.learn(spec, memory, batch, progress, key=jax.random.fold_in(key, 2**31))
    learner, metrics = algorithm.update(spec, learner, paid, progress, key=key)
    return _guarded(state, (learner, memory), paid, {**metrics, **more})


def _guarded(state: Any, following: Any, batch: Transition, metrics: Metrics) -> tuple[Any, Metrics]:
    """The following state, or the one before where a number is not finite; the metrics, with the counts of culprits."""
    culprit = _culprit((batch.observation, batch.action, batch.reward, batch.next_observation), metrics)
    finite = culprit == 0
    kept = jax.tree.map(lambda new, old: jnp.where(finite, new, old), following, state)
    metrics = {name: jnp.where(finite, value, 0) for name, value in metrics.items()}
    counts = {f"{BROKEN}{name}": jnp.float32(culprit == i) for i, name in enumerate(CULPRITS) if i > 0}
    kept_updates = finite.astype(jnp.float32)
    return kept, {**metrics, **counts, "train/kept_updates": kept_updates, "train/skipped_updates": 1 - kept_updates}


def means(sums: dict[str, Any]) -> dict[str, Any]:
    """Turns sums over rounds into what a log shows: means over kept updates and over finished episodes.

    Counts stay counts; a mean over nothing is NaN. NumPy or JAX, any leading axes.
    """
    xp = np if isinstance(sums["rollout/episodes"], np.ndarray) else jnp
    kept, episodes = sums["train/kept_updates"], sums["rollout/episodes"]
    kept, finished = xp.where(kept > 0, kept, xp.nan), xp.where(episodes > 0, episodes, xp.nan)
    shown = {
        "rollout/ep_rew_mean": sums["rollout/return_sum"] / finished,
        "rollout/ep_len_mean": sums["rollout/length_sum"] / finished,
    }
    for name, value in sums.items():
        if name in COUNTS or name.startswith(BROKEN):
            shown[name] = value
        elif not name.endswith("_sum") and name != "train/kept_updates":
            shown[name] = value / kept
    return shown
