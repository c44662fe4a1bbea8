"""Ornstein-Uhlenbeck noise on actions, as DDPG explores: Lillicrap et al. 2016, arXiv 1509.02971, section 7."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from entropax.algorithms.base import AbstractAlgorithm
from entropax.errors import EntropaxError
from entropax.exploration.base import AbstractNoise, around, dimensions
from entropax.temperature.checks import holds, require_positive
from entropax.types import Spec


class OU(AbstractNoise[Float[Array, " action"]]):
    """clip(mode(s) + x, -1, 1) with x <- x - theta dt x + sigma sqrt(dt) eps, from x = 0 in every episode.

    Raises:
        EntropaxError: a field is not above 0, or the process would not settle.

    Example:
        >>> round(OU(sigma=0.2).size(10_000), 2), round(OU(sigma=0.2).size(40), 2)
        (0.35, 0.09)
    """

    sigma: float = 0.2
    """Strength, in units of [-1, 1] and of the process's time; x settles at a deviation of sigma / sqrt(2 theta)."""
    theta: float = 0.15
    """Pull to 0, per unit of the process's time."""
    dt: float = 0.01
    """The process's time of one environment step."""

    def __check_init__(self) -> None:
        require_positive("OU", "sigma", self.sigma, "Without noise nothing is explored: try 0.2.")
        require_positive("OU", "theta", self.theta, "Without a pull the noise has no bounds: try 0.15.")
        require_positive("OU", "dt", self.dt, "The process's time has to pass: try 0.01.")
        if not holds(lambda theta, dt: theta * dt < 2, self.theta, self.dt):
            raise EntropaxError(
                f"OU: theta is {self.theta} and dt {self.dt}, but the noise settles only where theta dt < 2. Lower dt."
            )

    def size(self, horizon: int) -> float:
        """Root of the mean square of x over an episode of so many steps, before any clipping."""
        kept = (1 - float(self.theta) * float(self.dt)) ** 2
        # E[x_t^2] = sigma^2 dt (1 + kept + ... + kept^(t - 1)).
        squares = float(self.sigma) ** 2 * float(self.dt) * np.cumsum(kept ** np.arange(horizon))
        return float(np.sqrt(squares.mean()))

    def init(
        self, algorithm: AbstractAlgorithm[Any], learner: Any, spec: Spec, horizon: int | None, *, key: Key[Array, ""]
    ) -> Float[Array, " action"]:
        """Begins with x = 0."""
        return jnp.zeros(dimensions(self, spec), jnp.float32)

    def act(
        self,
        algorithm: AbstractAlgorithm[Any],
        learner: Any,
        state: Float[Array, " action"],
        observation: Float[Array, " observation"],
        *,
        key: Key[Array, ""],
    ) -> tuple[Float[Array, " action"], Float[Array, " action"]]:
        """The mode with the next x."""
        drawn = jax.random.normal(key, state.shape)
        state = state - self.theta * self.dt * state + self.sigma * jnp.sqrt(jnp.asarray(self.dt, jnp.float32)) * drawn
        return around(algorithm.mode(learner, observation), state), state

    def ended(
        self,
        algorithm: AbstractAlgorithm[Any],
        learner: Any,
        state: Float[Array, " action"],
        *,
        key: Key[Array, ""],
    ) -> Float[Array, " action"]:
        """Begins anew with x = 0, as in the libraries that have this noise."""
        return jnp.zeros_like(state)
