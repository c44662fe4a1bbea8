"""Noise with a memory in place of the policy's own, as pink noise and noise repetition are published for SAC."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from entropax.algorithms.base import AbstractAlgorithm
from entropax.distributions import AbstractContinuous
from entropax.exploration.base import AbstractNoise, dimensions
from entropax.exploration.processes import AbstractProcess, Coloured
from entropax.types import Spec


class ThroughPolicy(AbstractNoise[Any]):
    """The policy's own draw from noise with a memory: clip(tanh(mu(s) + sigma(s) eps_t), -1, 1) of a tanh-Gaussian.

    At each state an action is distributed as the policy has it, and only successive ones are correlated; so the size of
    the noise is the policy's, and learning knows nothing of it.
    """

    process: AbstractProcess[Any] = Coloured()
    """What eps_t is."""

    def init(
        self, algorithm: AbstractAlgorithm[Any], learner: Any, spec: Spec, horizon: int | None, *, key: Key[Array, ""]
    ) -> Any:
        """The process before its first step. Raises EntropaxError where it does not fit the environment."""
        return self.process.init(dimensions(self, spec), horizon, key=key)

    def act(
        self,
        algorithm: AbstractAlgorithm[Any],
        learner: Any,
        state: Any,
        observation: Float[Array, " observation"],
        *,
        key: Key[Array, ""],
    ) -> tuple[Float[Array, " action"], Any]:
        """What the policy makes of the next noise."""
        policy = algorithm.actor(learner)(observation)
        assert isinstance(policy, AbstractContinuous)
        noise, state = self.process.next(state, key=key)
        return jnp.clip(policy.from_noise(noise), -1, 1), state

    def ended(self, algorithm: AbstractAlgorithm[Any], learner: Any, state: Any, *, key: Key[Array, ""]) -> Any:
        """The process begins anew."""
        return self.process.anew(state, key=key)
