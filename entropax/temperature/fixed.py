"""A constant temperature."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from entropax.temperature.base import AbstractTemperature
from entropax.temperature.checks import require_positive
from entropax.types import Metrics, Spec


class FixedState(eqx.Module):
    """Number of updates so far: the law itself needs no memory."""

    updates: Int[Array, ""]


class Fixed(AbstractTemperature[FixedState]):
    """alpha is a constant: reward units per nat (arXiv 1801.01290; there as the inverse of the reward scale).

    Attributes:
        alpha: the temperature, above 0.

    Raises:
        EntropaxError: alpha is not finite and positive.
    """

    alpha: float = 0.2

    def __check_init__(self) -> None:
        require_positive("Fixed", "alpha", self.alpha, "For almost no entropy, take a small one such as 1e-4.")

    def init(self, spec: Spec) -> FixedState:
        """The state before the first update."""
        return FixedState(jnp.zeros((), jnp.int32))

    def value(self, state: FixedState) -> Float[Array, ""]:
        """Alpha."""
        return jnp.asarray(self.alpha, jnp.float32)

    def target(self, spec: Spec, state: FixedState) -> Float[Array, ""]:
        """NaN: a constant steers to no entropy."""
        return jnp.full((), jnp.nan, jnp.float32)

    def update(self, spec: Spec, state: FixedState, entropy: Float[Array, " batch"]) -> tuple[FixedState, Metrics]:
        """Counts; alpha stays."""
        metrics = {"train/ent_coef": self.value(state), "train/ent_coef_step": jnp.zeros((), jnp.float32)}
        return FixedState(state.updates + 1), metrics
