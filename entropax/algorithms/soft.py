"""What soft actor-critics share: pure functions over ensembles of critics, a policy, and batches of windows."""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from entropax.networks import Actor, Critic
from entropax.ops import actor_loss, alpha_log_prob, critic_loss, n_step_return
from entropax.optimiser import Rate, adam_step
from entropax.types import Metrics, Transition


def values(
    critics: Critic, observations: Float[Array, "batch observation"], actions: Float[Array, "batch action"]
) -> Float[Array, "critic batch"]:
    """Q_i(s, a) of every critic of an ensemble; critics outermost, so that no product needs a transposition."""
    return jax.vmap(lambda critic: jax.vmap(critic)(observations, actions))(critics)


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


def policy_loss(
    actor: Actor,
    critics: Critic,
    alpha: Float[Array, "*dimensions"],
    observations: Float[Array, "batch observation"],
    noise: Float[Array, "batch action"],
) -> tuple[Float[Array, ""], Float[Array, "batch action"]]:
    """Equation 9 of arXiv 1812.05905 on one action a state, with those actions' log-probabilities by dimension."""
    actions, log_probs = sample(actor, observations, noise)
    q = jnp.min(values(critics, observations, actions), axis=0)
    return jnp.mean(actor_loss(alpha_log_prob(alpha, log_probs), q)), log_probs
