"""Pink noise on actions: Eberhard et al. 2023, Pink Noise Is All You Need, ICLR; drawn as by Timmer and König 1995."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from entropax.algorithms.base import AbstractAlgorithm
from entropax.errors import EntropaxError
from entropax.exploration.base import AbstractNoise, around
from entropax.optimiser import Rate
from entropax.temperature.checks import holds, require_positive
from entropax.types import Spec, continuous


def coloured(beta: Rate, steps: int, size: int, *, key: Key[Array, ""]) -> Float[Array, "steps size"]:
    """Gaussian noise whose power falls as 1 / f^beta over a whole sequence, of variance 1 at every step.

    White noise is Fourier-transformed along time, weighted by f^(-beta/2), and transformed back: the draw of Timmer and
    König (1995, Astron. Astrophys. 300, 707). Frequency 0 weighs as much as 1 / steps.

    Args:
        beta: 0 is white, 1 pink, 2 red.
        steps: length of the sequence.
        size: sequences, independent.
        key: of the draw.
    """
    cycles = np.maximum(np.abs(np.fft.fftfreq(steps, 1 / steps)), 1).astype(np.float32)
    power = jnp.asarray(cycles) ** (-jnp.asarray(beta, jnp.float32))
    weights = jnp.sqrt(power / jnp.mean(power))[: steps // 2 + 1]
    spectrum = jnp.fft.rfft(jax.random.normal(key, (size, steps)))
    return jax.vmap(lambda one: jnp.fft.irfft(one * weights, steps))(spectrum).T


class PinkState(eqx.Module):
    """An episode's noise, and how much of it is used."""

    sequence: Float[Array, "horizon action"]
    position: Int[Array, ""]


class Pink(AbstractNoise[PinkState]):
    """clip(mode(s) + sigma eps_t, -1, 1), with eps drawn for a whole episode at once and coloured.

    Raises:
        EntropaxError: sigma is not above 0, or beta is negative.
    """

    sigma: float = 0.3
    """Standard deviation, in units of [-1, 1]."""
    beta: float = 1.0
    """Exponent of the spectrum 1 / f^beta: 0 is white, 1 pink, 2 red."""

    def __check_init__(self) -> None:
        require_positive("Pink", "sigma", self.sigma, "Without noise nothing is explored: try 0.3.")
        if not holds(lambda beta: np.isfinite(beta) & (beta >= 0), self.beta):
            raise EntropaxError(f"Pink: beta is {self.beta}, but is 0 (white) or more. Pink noise has 1.")

    def init(
        self, algorithm: AbstractAlgorithm[Any], learner: Any, spec: Spec, horizon: int, *, key: Key[Array, ""]
    ) -> PinkState:
        """An episode's noise, unused."""
        return self._fresh(horizon, continuous(spec).size, key)

    def act(
        self,
        algorithm: AbstractAlgorithm[Any],
        learner: Any,
        state: PinkState,
        observation: Float[Array, " observation"],
        *,
        key: Key[Array, ""],
    ) -> tuple[Float[Array, " action"], PinkState]:
        """The mode with the next of the episode's noise."""
        noise = self.sigma * state.sequence[state.position]
        return around(algorithm.mode(learner, observation), noise), PinkState(state.sequence, state.position + 1)

    def ended(
        self, algorithm: AbstractAlgorithm[Any], learner: Any, state: PinkState, *, key: Key[Array, ""]
    ) -> PinkState:
        """Another episode's noise."""
        horizon, size = state.sequence.shape
        return self._fresh(horizon, size, key)

    def _fresh(self, horizon: int, size: int, key: Key[Array, ""]) -> PinkState:
        return PinkState(coloured(self.beta, horizon, size, key=key), jnp.zeros((), jnp.int32))
