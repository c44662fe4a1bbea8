"""Generalised state-dependent exploration: Raffin et al. 2021, arXiv 2005.05719, section 3."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from entropax.algorithms.base import AbstractAlgorithm
from entropax.errors import EntropaxError
from entropax.exploration.base import dimensions
from entropax.exploration.held_noise import AbstractHeldNoise
from entropax.exploration.lengths import AbstractLengths, WholeEpisode
from entropax.networks import AbstractNetwork, DenseNetwork, LayerNormNetwork, TanhNetwork
from entropax.policies import Squashed, WithLogStd
from entropax.temperature.checks import holds
from entropax.types import Spec


class GSDE(AbstractHeldNoise):
    """clip(mode(s) + z(s) W, -1, 1): z are the features of the policy's last hidden layer, W ~ N(0, sigma^2) is held.

    While W is held, the noise is a function of the state. In dimension j its variance is sum_i z_i(s)^2 sigma^2.

    Raises:
        EntropaxError: log_std is not finite.
    """

    log_std: float = -3.0
    """log sigma, the same for all weights: action units of [-1, 1] per unit of a feature."""
    lengths: AbstractLengths = WholeEpisode()
    """For how many steps W is held."""

    def __check_init__(self) -> None:
        if not holds(np.isfinite, self.log_std):
            raise EntropaxError(f"GSDE: log_std is {self.log_std}, but has to be finite. The published one is -3.")

    def held_for(self) -> AbstractLengths:
        """As set."""
        return self.lengths

    def shape(self, algorithm: AbstractAlgorithm[Any], learner: Any, spec: Spec) -> tuple[int, int]:
        """W's. Raises EntropaxError where actions are not continuous, or the policy has no such features."""
        size = dimensions(self, spec)
        features = last_hidden(algorithm.actor(learner).network, jnp.zeros(spec.observation_size, jnp.float32))
        return features.shape[0], size

    def noise(
        self,
        algorithm: AbstractAlgorithm[Any],
        learner: Any,
        drawn: Float[Array, "features action"],
        observation: Float[Array, " observation"],
    ) -> Float[Array, " action"]:
        """z(s) W."""
        features = last_hidden(algorithm.actor(learner).network, observation)
        return features @ drawn * jnp.exp(jnp.asarray(self.log_std, jnp.float32))


def last_hidden(network: AbstractNetwork, observation: Float[Array, " observation"]) -> Float[Array, " features"]:
    """What the last layer of a policy's network is given.

    Raises:
        EntropaxError: the network is not one of layers that take a state alone.
    """
    if isinstance(network, DenseNetwork | TanhNetwork | LayerNormNetwork):
        return network.hidden(observation)
    if isinstance(network, Squashed):
        return last_hidden(network.network, observation)
    if isinstance(network, WithLogStd):
        return last_hidden(network.mean, observation)
    raise EntropaxError(
        f"GSDE: this policy is a {type(network).__name__}, without a last hidden layer over states alone to make noise "
        "of. Take another noise, such as Pink, or an algorithm with a policy of plain layers, such as SAC or TD3."
    )
