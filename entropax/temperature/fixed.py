"""A constant temperature."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from entropax.temperature.base import AbstractTemperature, Evidence
from entropax.temperature.checks import require_positive
from entropax.types import Metrics, Spec


class Fixed(AbstractTemperature[tuple[()]]):
    """alpha is a constant: reward units per nat (arXiv 1801.01290; there as the inverse of the reward scale).

    Attributes:
        alpha: the temperature, above 0.

    Raises:
        EntropaxError: alpha is not finite and positive.
    """

    alpha: float = 0.2

    def __check_init__(self) -> None:
        require_positive("Fixed", "alpha", self.alpha, "For almost no entropy, take a small one such as 1e-4.")

    def init(self, spec: Spec) -> tuple[()]:
        """Nothing: a constant needs no memory."""
        return ()

    def value(self, state: tuple[()]) -> Float[Array, ""]:
        """Alpha."""
        return jnp.asarray(self.alpha, jnp.float32)

    def target(self, spec: Spec, state: tuple[()]) -> Float[Array, ""]:
        """NaN: a constant steers to no entropy."""
        return jnp.full((), jnp.nan, jnp.float32)

    def update(self, spec: Spec, state: tuple[()], evidence: Evidence) -> tuple[tuple[()], Metrics]:
        """Alpha stays."""
        metrics = {"train/ent_coef": self.value(state), "train/ent_coef_step": jnp.zeros((), jnp.float32)}
        return (), metrics
