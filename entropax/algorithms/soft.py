"""What soft actor-critics share: pure functions over ensembles of critics, a policy, and batches of windows."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from entropax.networks import Critic
from entropax.ops import (
    actor_loss,
    alpha_log_prob,
    critic_loss,
    n_step_return,
    plain_target,
    polyak,
    soft_target,
)
from entropax.optimiser import Rate, adam_init, adam_step
from entropax.policies import Actor
from entropax.types import Metrics, Transition

Value = Callable[[Float[Array, "batch observation"], Float[Array, "batch action"]], Float[Array, " batch"]]
"""What an actor climbs: a batch of states and one action in each to those actions' values, reward."""


def values(
    critics: Critic, observations: Float[Array, "batch observation"], actions: Float[Array, "batch action"]
) -> Float[Array, "critic batch"]:
    """Q_i(s, a) of every critic of an ensemble; critics outermost, so that no product needs a transposition."""
    return jax.vmap(lambda critic: jax.vmap(critic)(observations, actions))(critics)


def least_value(
    critics: Critic, observations: Float[Array, "batch observation"], actions: Float[Array, "batch action"]
) -> Float[Array, " batch"]:
    """min_i Q_i(s, a)."""
    return jnp.min(values(critics, observations, actions), axis=0)


def sample(
    actor: Actor, observations: Float[Array, "batch observation"], noise: Float[Array, "batch action"]
) -> tuple[Float[Array, "batch action"], Float[Array, "batch action"]]:
    """One reparameterised action for each observation, with each dimension's log-probability in nats."""
    return jax.vmap(lambda observation, e: actor(observation).reparameterised(e))(observations, noise)


def returns_and_bootstraps(
    batch: Transition, discount: Rate
) -> tuple[Float[Array, " batch"], Float[Array, " batch"], Float[Array, "batch observation"]]:
    """Each window's n-step return, the discount of what follows it, and the observation that follows."""

    def one(window: Transition) -> tuple[Array, Array, Array]:
        reward, weight, last = n_step_return(window.reward, window.terminated, window.last, discount)
        return reward, weight, window.next_observation[last]

    return jax.vmap(one)(batch)


class Successors(NamedTuple):
    """What each window earned, where it led, and what the policy would do there."""

    reward: Float[Array, " batch"]
    """The n-step return."""
    discount: Float[Array, " batch"]
    """Of what follows; 0 after a termination."""
    observations: Float[Array, "batch observation"]
    actions: Float[Array, "batch action"]
    """a' ~ pi(.|s'), one for all the targets of an update."""
    log_probs: Float[Array, "batch action"]
    """Its log-probability by dimension, nats."""


def successors(actor: Actor, batch: Transition, discount: Rate, noise: Float[Array, "batch action"]) -> Successors:
    """Follows each window to its end and draws one action there."""
    reward, weight, observations = returns_and_bootstraps(batch, discount)
    actions, log_probs = sample(actor, observations, noise)
    return Successors(reward, weight, observations, actions, log_probs)


def soft_targets(
    target_critics: Critic, following: Successors, alpha: Float[Array, "*dimensions"]
) -> Float[Array, " batch"]:
    """Equation 3 of arXiv 1812.05905 over windows of n steps: the next value has the entropy in it."""
    next_q = least_value(target_critics, following.observations, following.actions)
    return soft_target(following.reward, following.discount, next_q, alpha_log_prob(alpha, following.log_probs))


def plain_targets(target_critics: Critic, following: Successors) -> Float[Array, " batch"]:
    """The same without entropy: the return alone."""
    next_q = least_value(target_critics, following.observations, following.actions)
    return plain_target(following.reward, following.discount, next_q)


def critic_step(
    critics: Critic, optimiser: optax.OptState, batch: Transition, targets: Float[Array, " batch"], learning_rate: Rate
) -> tuple[Critic, optax.OptState, Metrics]:
    """Equation 5 of arXiv 1812.05905: regression of every critic on the same targets."""

    def loss(critics: Critic) -> tuple[Float[Array, ""], Float[Array, ""]]:
        q = values(critics, batch.observation[:, 0], batch.action[:, 0])
        return jnp.mean(jax.vmap(critic_loss, in_axes=(1, 0))(q, targets)), jnp.mean(q)

    (error, q), gradient = jax.value_and_grad(loss, has_aux=True)(critics)
    critics, optimiser = adam_step(gradient, optimiser, critics, learning_rate)
    norm = optax.tree.norm(gradient)
    return critics, optimiser, {"train/critic_loss": error, "train/q_mean": q, "train/critic_grad_norm": norm}


class PlainState(eqx.Module):
    """Critics of the return alone, beside those that a soft actor-critic already has."""

    critics: Critic
    target_critics: Critic
    optimiser: optax.OptState


def plain_init(critics: Critic) -> PlainState:
    """Starts from copies of some critics."""
    first, target = (jax.tree.map(jnp.copy, critics) for _ in range(2))
    return PlainState(first, target, adam_init(first))


def plain_step(
    state: PlainState, batch: Transition, following: Successors, learning_rate: Rate
) -> tuple[PlainState, Metrics]:
    """Equation 5 of arXiv 1812.05905 on targets without entropy; the target critics stay."""
    targets = plain_targets(state.target_critics, following)
    critics, optimiser, found = critic_step(state.critics, state.optimiser, batch, targets, learning_rate)
    metrics = {
        "train/plain_critic_loss": found["train/critic_loss"],
        "train/plain_q_mean": found["train/q_mean"],
        "train/plain_critic_grad_norm": found["train/critic_grad_norm"],
    }
    return replace(state, critics=critics, optimiser=optimiser), metrics


def plain_target_step(state: PlainState, share: Rate) -> PlainState:
    """The plain target critics take in their share."""
    return replace(state, target_critics=polyak(state.target_critics, state.critics, share))


def policy_loss(
    actor: Actor,
    value: Value,
    alpha: Float[Array, "*dimensions"],
    observations: Float[Array, "batch observation"],
    noise: Float[Array, "batch action"],
) -> tuple[Float[Array, ""], Float[Array, "batch action"]]:
    """Equation 9 of arXiv 1812.05905 on one action a state, with those actions' log-probabilities by dimension."""
    actions, log_probs = sample(actor, observations, noise)
    q = value(observations, actions)
    return jnp.mean(actor_loss(alpha_log_prob(alpha, log_probs), q)), log_probs
