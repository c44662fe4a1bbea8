"""Noise on actions that is held for some steps, as FlashSAC does with its policy's: noise repetition."""

from typing import Any

from jaxtyping import Array, Float, Key

from entropax.algorithms.base import AbstractAlgorithm
from entropax.exploration.base import AbstractNoise, around, dimensions
from entropax.exploration.lengths import AbstractLengths, Zeta
from entropax.exploration.processes import HeldState, hold, nothing_held
from entropax.temperature.checks import require_positive
from entropax.types import Spec


class Repeated(AbstractNoise[HeldState]):
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

    def init(
        self, algorithm: AbstractAlgorithm[Any], learner: Any, spec: Spec, horizon: int | None, *, key: Key[Array, ""]
    ) -> HeldState:
        """Nothing drawn. Raises EntropaxError where actions are not continuous."""
        return nothing_held(dimensions(self, spec))

    def act(
        self,
        algorithm: AbstractAlgorithm[Any],
        learner: Any,
        state: HeldState,
        observation: Float[Array, " observation"],
        *,
        key: Key[Array, ""],
    ) -> tuple[Float[Array, " action"], HeldState]:
        """The mode with the noise that is held."""
        state = hold(state, self.lengths, key=key)
        return around(algorithm.mode(learner, observation), self.sigma * state.drawn), state

    def ended(
        self, algorithm: AbstractAlgorithm[Any], learner: Any, state: HeldState, *, key: Key[Array, ""]
    ) -> HeldState:
        """Nothing drawn."""
        return nothing_held(*state.drawn.shape)
