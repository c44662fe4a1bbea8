"""Pink noise on actions: Eberhard et al. 2023, Pink Noise Is All You Need, ICLR."""

from typing import Any

from jaxtyping import Array, Float, Key

from entropax.algorithms.base import AbstractAlgorithm
from entropax.exploration.base import AbstractNoise, around, dimensions
from entropax.exploration.processes import Coloured, ColouredState
from entropax.temperature.checks import require_positive
from entropax.types import Spec


class Pink(AbstractNoise[ColouredState]):
    """clip(mode(s) + sigma eps_t, -1, 1), with eps drawn for a whole episode at once and of any colour.

    Raises:
        EntropaxError: sigma is not above 0, or beta is negative.
    """

    sigma: float = 0.3
    """Standard deviation, in units of [-1, 1]."""
    beta: float = 1.0
    """Exponent of the spectrum 1 / f^beta: 0 is white, 1 pink, 2 red."""

    def __check_init__(self) -> None:
        require_positive("Pink", "sigma", self.sigma, "Without noise nothing is explored: try 0.3.")
        self._process()

    def _process(self) -> Coloured:
        return Coloured(self.beta)

    def init(
        self, algorithm: AbstractAlgorithm[Any], learner: Any, spec: Spec, horizon: int | None, *, key: Key[Array, ""]
    ) -> ColouredState:
        """An episode's noise, unused. Raises EntropaxError where episodes have no limit or actions are an index."""
        return self._process().init(dimensions(self, spec), horizon, key=key)

    def act(
        self,
        algorithm: AbstractAlgorithm[Any],
        learner: Any,
        state: ColouredState,
        observation: Float[Array, " observation"],
        *,
        key: Key[Array, ""],
    ) -> tuple[Float[Array, " action"], ColouredState]:
        """The mode with the next of the episode's noise."""
        noise, state = self._process().next(state, key=key)
        return around(algorithm.mode(learner, observation), self.sigma * noise), state

    def ended(
        self, algorithm: AbstractAlgorithm[Any], learner: Any, state: ColouredState, *, key: Key[Array, ""]
    ) -> ColouredState:
        """Another episode's noise."""
        return self._process().anew(state, key=key)
