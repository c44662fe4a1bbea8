"""Adam with a traced learning rate: a float field of an algorithm can be swept without recompiling."""

from typing import TypeVar

import jax
import optax
from jaxtyping import Array, Float, PyTree

Params = TypeVar("Params")
Rate = float | Float[Array, ""]


def adam_init(params: PyTree[Array]) -> optax.OptState:
    """Zero moments for `params` (Kingma and Ba 2015, algorithm 1, at Optax's beta and epsilon)."""
    return optax.scale_by_adam().init(params)  # pyright: ignore[reportArgumentType]


def adam_step(
    gradient: Params, state: optax.OptState, params: Params, learning_rate: Rate
) -> tuple[Params, optax.OptState]:
    """One descent step; `learning_rate` may be a tracer."""
    direction, state = optax.scale_by_adam().update(gradient, state)  # pyright: ignore[reportArgumentType]
    return jax.tree.map(lambda p, d: p - learning_rate * d, params, direction), state


def adam_look_ahead(gradient: Params, state: optax.OptState, params: Params, learning_rate: Rate) -> Params:
    """Where `adam_step` would go, differentiable by the gradient also where that is 0.

    A small term inside the root keeps the root's derivative finite, as in the simulated step of Meta-SAC.
    """
    direction, _ = optax.scale_by_adam(eps_root=1e-12).update(gradient, state)  # pyright: ignore[reportArgumentType]
    return jax.tree.map(lambda p, d: p - learning_rate * d, params, direction)
