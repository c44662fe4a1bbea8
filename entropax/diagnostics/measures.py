"""What the policy is like at some states: pure functions, evaluated once a logging interval."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from entropax.algorithms.base import AbstractAlgorithm
from entropax.policies import AbstractActor, AbstractContinuousActor
from entropax.types import Bounds, Metrics, Spec, continuous

SATURATED = 0.97
"""An action beyond this share of its bound counts as saturated."""


def policy_measures(
    algorithm: AbstractAlgorithm[Any],
    spec: Spec,
    state: Any,
    previous: AbstractActor,
    observations: Float[Array, "batch observation"],
) -> Metrics:
    """Entropy and its readings at a batch of states, averaged over the states.

    Args:
        algorithm: whose policy is looked at.
        spec: of the environment; bounds give the environment's units.
        state: the algorithm's.
        previous: the policy at the last look, for the KL divergence.
        observations: where to look.

    Returns:
        The `entropy/…` metrics of `docs/metrics.md`, alpha, and the norms of the parameters. What is a reading of the
        action's units is not there where actions are categories.
    """
    actor = algorithm.actor(state)
    target, alpha = algorithm.target_entropy(spec, state), algorithm.alpha(state)
    if isinstance(actor, AbstractContinuousActor):
        readings = _in_a_box(continuous(spec), actor, previous, observations, target)
    else:
        readings = _among_categories(actor, previous, observations, target)
    norms = algorithm.parameters(state).items()
    return {
        **readings,
        "train/ent_coef": jnp.mean(alpha),
        "train/ent_coef_per_dimension": jnp.broadcast_to(alpha, readings["entropy/per_dimension"].shape),
        **{f"train/{name}_param_norm": optax.tree.norm(part) for name, part in norms},
    }


def _in_a_box(
    bounds: Bounds,
    actor: AbstractContinuousActor,
    previous: AbstractActor,
    observations: Float[Array, "batch observation"],
    target: Float[Array, ""],
) -> Metrics:
    def at(observation: Float[Array, " observation"]) -> tuple[Array, Array, Array, Array]:
        policy, before = actor(observation), previous(observation)
        return policy.entropy_per_dimension(), policy.action_std(), policy.saturation(SATURATED), policy.kl(before)

    nats, std, saturation, kl = jax.tree.map(lambda x: jnp.mean(x, axis=0), jax.vmap(at)(observations))
    readings = entropy_readings(
        bounds, nats, std, saturation, target, widest=actor.max_entropy(), sigma_of=actor.sigma_of
    )
    return {**readings, "entropy/policy_kl": kl}


def _among_categories(
    actor: AbstractActor,
    previous: AbstractActor,
    observations: Float[Array, "batch observation"],
    target: Float[Array, ""],
) -> Metrics:
    def at(observation: Float[Array, " observation"]) -> tuple[Array, Array]:
        policy, before = actor(observation), previous(observation)
        return policy.entropy_per_dimension(), policy.kl(before)

    nats, kl = jax.tree.map(lambda x: jnp.mean(x, axis=0), jax.vmap(at)(observations))
    return {**_in_nats(nats, target, actor.max_entropy()), "entropy/policy_kl": kl}


def _in_nats(nats: Float[Array, " action"], target: Float[Array, ""], widest: float) -> Metrics:
    """What an entropy tells in any action space."""
    total = jnp.sum(nats)
    return {
        "entropy/nats": total,
        "entropy/per_dimension": nats,
        "entropy/fraction_of_feasible": jnp.exp(jnp.mean(nats) - widest),
        "entropy/target": target,
        "entropy/slack": total - target,
    }


def entropy_readings(
    bounds: Bounds,
    nats: Float[Array, " action"],
    std: Float[Array, " action"],
    saturation: Float[Array, " action"],
    target: Float[Array, ""],
    *,
    widest: float,
    sigma_of: Callable[[Array], Array],
) -> Metrics:
    """The entropy of a policy in a box in all its units, from means over states.

    Args:
        bounds: of the actions, in the environment's units.
        nats: entropy of every dimension, in the units of [-1, 1].
        std: of every dimension's action, in [-1, 1].
        saturation: share of every dimension's actions beyond `SATURATED`.
        target: entropy steered to, in nats summed over dimensions; NaN for none.
        widest: the largest entropy of the policy class, in nats per dimension; NaN where there is none.
        sigma_of: the class's sigma, in [-1, 1], for an entropy in nats per dimension.
    """
    return {
        **_in_nats(nats, target, widest),
        "entropy/environment_nats": jnp.sum(nats) + bounds.log_half_range,
        "entropy/sigma": sigma_of(jnp.mean(nats)),
        "entropy/sigma_per_dimension": sigma_of(nats),
        "entropy/action_std": std * jnp.asarray(bounds.half_range),
        "entropy/saturation": jnp.mean(saturation),
    }


def share_of_soft_value(bonus: Any, q: Any) -> Any:
    """|alpha H| / (|Q| + |alpha H|): how much of the soft value V = Q + alpha H is this step's entropy, in [0, 1].

    Args:
        bonus: alpha H, reward; sum_j alpha_j H_j where every action dimension has an alpha.
        q: Q, reward.
    """
    return abs(bonus) / (abs(q) + abs(bonus))
