"""Bands: where a law may move alpha."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from entropax.errors import EntropaxError
from entropax.temperature.checks import holds, require_positive


class AbstractBand(eqx.Module):
    """Where alpha may go."""

    @abc.abstractmethod
    def clip(self, log_alpha: Float[Array, ""]) -> Float[Array, ""]:
        """The nearest allowed log alpha."""


class Unclamped(AbstractBand):
    """Any positive alpha."""

    def clip(self, log_alpha: Float[Array, ""]) -> Float[Array, ""]:
        """Log alpha as it is."""
        return log_alpha


class Clamp(AbstractBand):
    """alpha stays in [minimum, maximum].

    Attributes:
        minimum: smallest alpha, above 0.
        maximum: largest alpha.

    Raises:
        EntropaxError: a bound is not positive, or minimum exceeds maximum.
    """

    minimum: float = 1e-4
    maximum: float = 1.0

    def __check_init__(self) -> None:
        require_positive("Clamp", "minimum", self.minimum, "Use Unclamped() for no band.")
        require_positive("Clamp", "maximum", self.maximum, "Use Unclamped() for no band.")
        if not holds(lambda minimum, maximum: minimum <= maximum, self.minimum, self.maximum):
            raise EntropaxError(f"Clamp: minimum {self.minimum} exceeds maximum {self.maximum}. Swap them.")

    def clip(self, log_alpha: Float[Array, ""]) -> Float[Array, ""]:
        """The nearest log alpha in the band."""
        return jnp.clip(log_alpha, jnp.log(self.minimum), jnp.log(self.maximum))
