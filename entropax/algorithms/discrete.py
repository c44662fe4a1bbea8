"""What learners of a finite set of actions share: pure functions of their critic."""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from entropax.networks import ActionValues
from entropax.optimiser import Rate, adam_step
from entropax.types import Metrics, Transition


def action_values(
    critic: ActionValues, observations: Float[Array, "batch observation"]
) -> Float[Array, "batch actions"]:
    """Q(s, a) of every action."""
    return jax.vmap(critic)(observations)


def of_taken(q: Float[Array, "batch actions"], actions: Float[Array, "batch 1"]) -> Float[Array, " batch"]:
    """Q(s, a) of the actions that replay holds, each an index."""
    return jnp.take_along_axis(q, actions.astype(jnp.int32), axis=1)[:, 0]


def regression_step(
    critic: ActionValues,
    optimiser: optax.OptState,
    batch: Transition,
    targets: Float[Array, " batch"],
    learning_rate: Rate,
) -> tuple[ActionValues, optax.OptState, Metrics]:
    """One step of Adam down the mean of 1/2 (Q(s, a) - y)^2 over the batch's first steps."""

    def loss(critic: ActionValues) -> tuple[Float[Array, ""], Float[Array, ""]]:
        q = of_taken(action_values(critic, batch.observation[:, 0]), batch.action[:, 0])
        return 0.5 * jnp.mean((q - targets) ** 2), jnp.mean(q)

    (error, q), gradient = jax.value_and_grad(loss, has_aux=True)(critic)
    critic, optimiser = adam_step(gradient, optimiser, critic, learning_rate)
    norm = optax.tree.norm(gradient)
    return critic, optimiser, {"train/critic_loss": error, "train/q_mean": q, "train/critic_grad_norm": norm}
