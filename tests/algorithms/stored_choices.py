"""Stored steps of a finite set of actions, which the tests of its algorithms learn from."""

import jax.numpy as jnp
import numpy as np

from entropax.types import Categories, Spec, Transition

SPEC = Spec(3, Categories(4))


def choices(size: int) -> Transition:
    """Single steps `[size, 1]`, a third of which ended their episodes; always the same."""
    rng = np.random.default_rng(1)

    def draw(*more):
        return jnp.asarray(rng.normal(size=(size, 1, *more)), jnp.float32)

    actions = jnp.asarray(rng.integers(SPEC.action.count, size=(size, 1, 1)), jnp.float32)
    ended = jnp.asarray(rng.random((size, 1)) < 1 / 3, jnp.float32)
    return Transition(draw(SPEC.observation_size), actions, draw(), draw(SPEC.observation_size), ended, ended)
