"""One guarded update: the algorithm's own, undone where a number in it is not finite."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from entropax.algorithms.base import AbstractAlgorithm
from entropax.replay import unpack
from entropax.types import Metrics, Spec

CULPRITS = (
    "none",
    "observation in the batch",
    "action in the batch",
    "reward in the batch",
    "next observation in the batch",
    "train/critic_loss",
    "train/critic_grad_norm",
    "train/actor_loss",
    "train/actor_grad_norm",
    "train/ent_coef",
)
"""Where a number can stop being finite, in the order in which an update meets them."""


def _culprit(batch: tuple[Array, ...], metrics: Metrics) -> Float[Array, ""]:
    """Index into `CULPRITS` of the first term that is not finite; 0 where all are."""
    terms = [jnp.sum(part) for part in batch] + [metrics[name] for name in CULPRITS[5:] if name in metrics]
    broken = jnp.stack([jnp.zeros((), bool), *(~jnp.isfinite(term) for term in terms)])
    return jnp.argmax(broken).astype(jnp.float32)


def guarded_update(
    algorithm: AbstractAlgorithm[Any],
    spec: Spec,
    state: Any,
    rows: Float[Array, "batch window width"],
    *,
    key: Key[Array, ""],
) -> tuple[Any, Metrics]:
    """Updates on packed rows; a state with NaN or Inf is never kept.

    Adds `train/nonfinite_term` (index into `CULPRITS`) and `train/skipped_updates` (0 or 1) to the metrics, and
    takes the other metrics of a skipped update as 0.
    """
    batch = unpack(rows, spec)
    following, metrics = algorithm.update(spec, state, batch, key=key)
    culprit = _culprit((batch.observation, batch.action, batch.reward, batch.next_observation), metrics)
    finite = culprit == 0
    kept = jax.tree.map(lambda new, old: jnp.where(finite, new, old), following, state)
    metrics = {name: jnp.where(finite, value, 0) for name, value in metrics.items()}
    skipped = 1 - finite.astype(jnp.float32)
    return kept, {**metrics, "train/nonfinite_term": culprit, "train/skipped_updates": skipped}
