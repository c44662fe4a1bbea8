"""What learners of a finite set of actions share: pure functions of their critic."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from entropax.networks import ActionValues, AnyCritic
from entropax.optimiser import Rate, adam_step
from entropax.types import Metrics


def action_values(
    critic: ActionValues, observations: Float[Array, "batch observation"]
) -> Float[Array, "batch actions"]:
    """Q(s, a) of every action."""
    return jax.vmap(critic)(observations)


def of_taken(q: Float[Array, "batch actions"], actions: Float[Array, "batch 1"]) -> Float[Array, " batch"]:
    """Q(s, a) of the actions that replay holds, each an index."""
    return jnp.take_along_axis(q, actions.astype(jnp.int32), axis=1)[:, 0]


def ensemble_values(
    critics: ActionValues, observations: Float[Array, "batch observation"]
) -> Float[Array, "critic batch actions"]:
    """Q_i(s, a) of every critic of an ensemble and every action."""
    return jax.vmap(lambda critic: action_values(critic, observations))(critics)


def descend(
    critic: AnyCritic,
    optimiser: optax.OptState,
    loss: Callable[[AnyCritic], tuple[Float[Array, ""], Float[Array, ""]]],
    learning_rate: Rate,
) -> tuple[AnyCritic, optax.OptState, Metrics]:
    """One step of Adam down a critic's loss, which comes with the mean of the values that it looked at."""
    (error, q), gradient = jax.value_and_grad(loss, has_aux=True)(critic)
    critic, optimiser = adam_step(gradient, optimiser, critic, learning_rate)
    norm = optax.tree.norm(gradient)
    return critic, optimiser, {"train/critic_loss": error, "train/q_mean": q, "train/critic_grad_norm": norm}
