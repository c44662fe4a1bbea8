"""Adam and RMSprop with a traced learning rate: a float field of an algorithm can be swept without recompiling."""

from typing import TypeVar

import jax
import jax.numpy as jnp
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


def rms_init(params: PyTree[Array]) -> optax.OptState:
    """Zero mean square for `params`."""
    return _RMS.init(params)  # pyright: ignore[reportArgumentType]


def rms_step(
    gradient: Params, state: optax.OptState, params: Params, learning_rate: Rate
) -> tuple[Params, optax.OptState]:
    """One descent step by g / sqrt(mean g^2 + 1e-5), the mean square decaying by 0.99 (arXiv 1602.01783, section 4)."""
    direction, state = _RMS.update(gradient, state)  # pyright: ignore[reportArgumentType]
    return jax.tree.map(lambda p, d: p - learning_rate * d, params, direction), state


_RMS = optax.scale_by_rms(decay=0.99, eps=1e-5)


def clip_by_norm(gradient: Params, most: Rate) -> Params:
    """The gradient, cut to a norm of at most `most` over all its leaves together; its direction stays."""
    norm = optax.tree.norm(gradient)
    share = jnp.minimum(1.0, most / jnp.maximum(norm, jnp.finfo(jnp.float32).tiny))
    return jax.tree.map(lambda leaf: share * leaf, gradient)
