"""White noise on actions, as TD3 explores: Fujimoto et al. 2018, arXiv 1802.09477."""

from typing import Any

import jax
from jaxtyping import Array, Float, Key

from entropax.algorithms.base import AbstractAlgorithm
from entropax.exploration.base import AbstractNoise, around, dimensions
from entropax.temperature.checks import require_positive
from entropax.types import Spec


class White(AbstractNoise[tuple[()]]):
    """clip(mode(s) + sigma eps, -1, 1) with eps ~ N(0, 1), independent in every dimension and step.

    Raises:
        EntropaxError: sigma is not above 0.
    """

    sigma: float = 0.1
    """Standard deviation, in units of [-1, 1]."""

    def __check_init__(self) -> None:
        require_positive("White", "sigma", self.sigma, "Without noise nothing is explored: try 0.1.")

    def init(
        self, algorithm: AbstractAlgorithm[Any], learner: Any, spec: Spec, horizon: int | None, *, key: Key[Array, ""]
    ) -> tuple[()]:
        """Nothing: this noise has no memory. Raises EntropaxError where actions are not continuous."""
        dimensions(self, spec)
        return ()

    def act(
        self,
        algorithm: AbstractAlgorithm[Any],
        learner: Any,
        state: tuple[()],
        observation: Float[Array, " observation"],
        *,
        key: Key[Array, ""],
    ) -> tuple[Float[Array, " action"], tuple[()]]:
        """The mode with noise."""
        mode = algorithm.mode(learner, observation)
        return around(mode, self.sigma * jax.random.normal(key, mode.shape)), ()

    def ended(
        self, algorithm: AbstractAlgorithm[Any], learner: Any, state: tuple[()], *, key: Key[Array, ""]
    ) -> tuple[()]:
        """Nothing."""
        return ()
