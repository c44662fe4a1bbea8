"""Action values in two parts, the return and the entropies to come: their targets and their regression."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from entropax.algorithms.soft import Successors
from entropax.networks import Critic, DecomposedCritic, WeightedSum
from entropax.ops import plain_target
from entropax.optimiser import Rate, adam_step
from entropax.types import Metrics, Transition


class Parts(NamedTuple):
    """The two parts of action values; Q_soft = reward + alpha entropy, for any alpha."""

    reward: Float[Array, "*axes"]
    """Q_r(s, a), of the return."""
    entropy: Float[Array, "*axes"]
    """Q_H(s, a), of the entropies to come, nats."""


def parts(
    critics: DecomposedCritic, observations: Float[Array, "batch observation"], actions: Float[Array, "batch action"]
) -> Parts:
    """Both parts of every critic of an ensemble, `[critic, batch]` each."""
    return Parts(*jax.vmap(lambda critic: jax.vmap(critic)(observations, actions))(critics))


def soft_critics(critics: DecomposedCritic, alpha: Float[Array, ""]) -> Critic:
    """The ensemble with both parts added up: Q_r + alpha Q_H, with the weights as further leaves."""

    def one(critic: DecomposedCritic) -> Critic:
        return Critic(WeightedSum(critic.network, jnp.stack([jnp.ones_like(alpha), alpha])))

    return jax.vmap(one)(critics)


def decomposed_targets(target_critics: DecomposedCritic, following: Successors, alpha: Float[Array, ""]) -> Parts:
    """What the two parts are regressed on, `[batch]` each: both from the critic of the least soft value."""
    ahead = parts(target_critics, following.observations, following.actions)
    least = jnp.argmin(ahead.reward + alpha * ahead.entropy, axis=0)[None]
    q_reward, q_entropy = (jnp.take_along_axis(part, least, axis=0)[0] for part in ahead)
    surprise = -jnp.sum(following.log_probs, axis=-1)
    return Parts(
        plain_target(following.reward, following.discount, q_reward), following.discount * (q_entropy + surprise)
    )


def decomposed_critic_step(
    critics: DecomposedCritic,
    optimiser: optax.OptState,
    batch: Transition,
    targets: Parts,
    alpha: Float[Array, ""],
    learning_rate: Rate,
) -> tuple[DecomposedCritic, optax.OptState, Metrics]:
    """Regression of both parts, the errors of the entropy in reward: 1/2 (Q_r - y_r)^2 + 1/2 alpha^2 (Q_H - y_H)^2."""

    def loss(critics: DecomposedCritic) -> tuple[Float[Array, ""], Parts]:
        q = parts(critics, batch.observation[:, 0], batch.action[:, 0])
        errors = (q.reward - targets.reward[None]) ** 2 + (alpha * (q.entropy - targets.entropy[None])) ** 2
        return 0.5 * jnp.mean(jnp.sum(errors, axis=0)), Parts(jnp.mean(q.reward), jnp.mean(q.entropy))

    (error, q), gradient = jax.value_and_grad(loss, has_aux=True)(critics)
    critics, optimiser = adam_step(gradient, optimiser, critics, learning_rate)
    metrics = {
        "train/critic_loss": error,
        "train/q_mean": q.reward + alpha * q.entropy,
        "train/q_reward_mean": q.reward,
        "train/q_entropy_mean": q.entropy,
        "train/critic_grad_norm": optax.tree.norm(gradient),
    }
    return critics, optimiser, metrics
