"""Noise on actions that is held for some steps, as FlashSAC does with its policy's: noise repetition."""

from typing import Any

from jaxtyping import Array, Float

from entropax.algorithms.base import AbstractAlgorithm
from entropax.exploration.base import dimensions
from entropax.exploration.held_noise import AbstractHeldNoise
from entropax.exploration.lengths import AbstractLengths, Zeta
from entropax.temperature.checks import require_positive
from entropax.types import Spec


class Repeated(AbstractHeldNoise):
    """clip(mode(s) + sigma eps, -1, 1) with eps ~ N(0, 1) held for some steps, then drawn anew.

    Raises:
        EntropaxError: sigma is not above 0.
    """

    sigma: float = 0.1
    """Standard deviation, in units of [-1, 1]."""
    lengths: AbstractLengths = Zeta()
    """For how many steps eps is held."""

    def __check_init__(self) -> None:
        require_positive("Repeated", "sigma", self.sigma, "Without noise nothing is explored: try 0.1.")

    def held_for(self) -> AbstractLengths:
        """As set."""
        return self.lengths

    def shape(self, algorithm: AbstractAlgorithm[Any], learner: Any, spec: Spec) -> tuple[int]:
        """One number a dimension. Raises EntropaxError where actions are not continuous."""
        return (dimensions(self, spec),)

    def noise(
        self,
        algorithm: AbstractAlgorithm[Any],
        learner: Any,
        drawn: Float[Array, " action"],
        observation: Float[Array, " observation"],
    ) -> Float[Array, " action"]:
        """The draw at its size."""
        return self.sigma * drawn
