"""For how many steps a draw of noise is held before the next one."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from entropax.errors import EntropaxError
from entropax.temperature.checks import require_positive

_FOREVER = np.iinfo(np.int32).max


class AbstractLengths(eqx.Module):
    """The rule by which the length of the next stretch is found; every episode begins another one."""

    @abc.abstractmethod
    def draw(self, *, key: Key[Array, ""]) -> Int[Array, ""]:
        """Steps until the next draw, 1 or more."""


class WholeEpisode(AbstractLengths):
    """Until the episode ends."""

    def draw(self, *, key: Key[Array, ""]) -> Int[Array, ""]:
        """More steps than an episode has."""
        return jnp.asarray(_FOREVER, jnp.int32)


class Every(AbstractLengths):
    """Always as many steps.

    Raises:
        EntropaxError: there is not one step.
    """

    steps: int = eqx.field(default=4, static=True)
    """Environment steps for which a draw is held, 1 or more."""

    def __check_init__(self) -> None:
        if self.steps < 1:
            raise EntropaxError(f"Every: steps is {self.steps}, but a draw is held for 1 or more. Try 4.")

    def draw(self, *, key: Key[Array, ""]) -> Int[Array, ""]:
        """The number of them."""
        return jnp.asarray(self.steps, jnp.int32)


class Zeta(AbstractLengths):
    """P(n) proportional to n^-exponent for n = 1 ... longest, as FlashSAC repeats its noise.

    Most stretches are short and a few long: at the defaults 63 % are 1 step, and the mean is 2.1 steps.

    Raises:
        EntropaxError: the exponent is not above 0, or there is not one step.

    Example:
        >>> round(Zeta().mean(), 1)
        2.1
    """

    exponent: float = 2.0
    """How soon long stretches become rare, without unit."""
    longest: int = eqx.field(default=16, static=True)
    """Environment steps of the longest stretch, 1 or more."""

    def __check_init__(self) -> None:
        require_positive("Zeta", "exponent", self.exponent, "Lengths have to become rarer as they grow: try 2.")
        if self.longest < 1:
            raise EntropaxError(f"Zeta: longest is {self.longest}, but a draw is held for 1 step or more. Try 16.")

    def draw(self, *, key: Key[Array, ""]) -> Int[Array, ""]:
        """A length."""
        return 1 + jax.random.categorical(key, self._log_weights()).astype(jnp.int32)

    def mean(self) -> float:
        """Mean length in steps."""
        probabilities = jax.nn.softmax(self._log_weights())
        return float(probabilities @ jnp.arange(1.0, self.longest + 1))

    def _log_weights(self) -> Float[Array, " lengths"]:
        return -self.exponent * jnp.log(jnp.arange(1.0, self.longest + 1))
