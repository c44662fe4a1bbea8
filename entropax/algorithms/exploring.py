"""How a learner of action values explores: epsilon-greedy, Boltzmann, or noise in its network.

A rule makes the actor that acts, on device or on host, and decides what network the critic has. The mode of every
actor is the action of highest value, so evaluation is greedy.
"""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from entropax.algorithms.noisy import NoisyActor, NoisyNetwork, noisy
from entropax.errors import EntropaxError
from entropax.networks import AbstractNetwork, ActionValues, HostFunction
from entropax.policies import AbstractActor, CategoricalActor, Divided
from entropax.temperature.checks import holds, require_positive, require_share
from entropax.types import Metrics

_TINY = 1e-30
"""In place of a chance of 0, whose logarithm is not finite; such an action is never drawn."""
_LARGEST_EPSILON = 1 - 1e-4
"""Above it the best action would not stand out from the others, and the mode would be lost."""


class AbstractExploration(eqx.Module):
    """What becomes of action values while their learner explores."""

    @abc.abstractmethod
    def network(self, network: AbstractNetwork) -> AbstractNetwork:
        """What the critic learns in place of a freshly drawn network."""

    @abc.abstractmethod
    def drawn(self, critic: ActionValues, *, key: Key[Array, ""]) -> ActionValues:
        """The critic as an update sees it."""

    @abc.abstractmethod
    def actor(self, critic: ActionValues, share: Float[Array, ""]) -> AbstractActor:
        """The policy that acts after a share of the run, in [0, 1]."""

    @abc.abstractmethod
    def readings(self, critic: ActionValues, share: Float[Array, ""]) -> Metrics:
        """What an update reports of it."""


class EpsilonGreedy(AbstractExploration):
    """A uniformly random action with probability epsilon, else the best one; epsilon falls linearly, then stays.

    Raises:
        EntropaxError: an epsilon is outside [0, 1], or the fraction outside (0, 1].

    Example:
        >>> float(EpsilonGreedy(1.0, 0.05, 0.1).epsilon(jnp.float32(0.05)))
        0.525
    """

    initial: float = 1.0
    """Epsilon when the run begins."""
    final: float = 0.05
    """Epsilon in the end."""
    fraction: float = 0.1
    """Share of the run, its random steps included, over which epsilon falls."""

    def __check_init__(self) -> None:
        for name in ("initial", "final"):
            if not holds(lambda epsilon: (epsilon >= 0) & (epsilon <= 1), vars(self)[name]):
                raise EntropaxError(
                    f"EpsilonGreedy: {name} is {vars(self)[name]}, but a probability lies in [0, 1]. Usual are 1 at "
                    "first and 0.05 in the end."
                )
        require_share("EpsilonGreedy", "fraction", self.fraction, "0.1 is usual.")

    def epsilon(self, share: Float[Array, ""]) -> Float[Array, ""]:
        """Epsilon after a share of the run."""
        passed = jnp.clip(share / self.fraction, 0, 1)
        return jnp.asarray(self.initial + (self.final - self.initial) * passed, jnp.float32)

    def network(self, network: AbstractNetwork) -> AbstractNetwork:
        """The network as it is."""
        return network

    def drawn(self, critic: ActionValues, *, key: Key[Array, ""]) -> ActionValues:
        """The critic as it is."""
        return critic

    def actor(self, critic: ActionValues, share: Float[Array, ""]) -> CategoricalActor:
        """The policy by epsilon."""
        return CategoricalActor(NearlyGreedy(critic, self.epsilon(share)), critic.count)

    def readings(self, critic: ActionValues, share: Float[Array, ""]) -> Metrics:
        """Epsilon."""
        return {"rollout/exploration_rate": self.epsilon(share)}


class Boltzmann(AbstractExploration):
    """Actions with probabilities in proportion to exp(Q(s, a) / T); targets stay as they are, without entropy.

    Raises:
        EntropaxError: T is not above 0.
    """

    sampling_temperature: float = 1.0
    """T, in units of the action values: reward."""

    def __check_init__(self) -> None:
        remedy = "It is of the order of the gaps between action values: try 1."
        require_positive("Boltzmann", "sampling_temperature", self.sampling_temperature, remedy)

    def network(self, network: AbstractNetwork) -> AbstractNetwork:
        """The network as it is."""
        return network

    def drawn(self, critic: ActionValues, *, key: Key[Array, ""]) -> ActionValues:
        """The critic as it is."""
        return critic

    def actor(self, critic: ActionValues, share: Float[Array, ""]) -> CategoricalActor:
        """The Boltzmann policy of Q."""
        return CategoricalActor(Divided(critic, jnp.asarray(self.sampling_temperature, jnp.float32)), critic.count)

    def readings(self, critic: ActionValues, share: Float[Array, ""]) -> Metrics:
        """Nothing: the entropy says it."""
        return {}


class NoisyNet(AbstractExploration):
    """The best action by a network with learned noise on its weights, drawn anew for every step and every update.

    Raises:
        EntropaxError: the noise is not above 0.
    """

    initial_sigma: float = 0.5
    """Size of the noise at first, in units of 1 / sqrt(inputs of the layer)."""

    def __check_init__(self) -> None:
        require_positive("NoisyNet", "initial_sigma", self.initial_sigma, "The published one is 0.5.")

    def network(self, network: AbstractNetwork) -> NoisyNetwork:
        """The network with noise on its affine maps."""
        return noisy(network, self.initial_sigma)

    def drawn(self, critic: ActionValues, *, key: Key[Array, ""]) -> ActionValues:
        """The critic under one draw of noise, the same for a whole batch."""
        return ActionValues(_noisy_of(critic).perturbed(key=key), critic.count)

    def actor(self, critic: ActionValues, share: Float[Array, ""]) -> NoisyActor:
        """The greedy policy under noise."""
        return NoisyActor(_noisy_of(critic), critic.count)

    def readings(self, critic: ActionValues, share: Float[Array, ""]) -> Metrics:
        """The noise's size."""
        return {"train/noise_scale": _noisy_of(critic).sigmas()}


def _noisy_of(critic: ActionValues) -> NoisyNetwork:
    network = critic.network
    assert isinstance(network, NoisyNetwork), "the critic was not drawn by this rule"
    return network


class NearlyGreedy(AbstractNetwork):
    """Logits of the epsilon-greedy policy of another network's values: log(epsilon / n), the best one's higher."""

    values: AbstractNetwork
    epsilon: Float[Array, ""]

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        """Maps one example."""
        q = self.values(x)
        return jnp.log(_chances(jax.nn.one_hot(jnp.argmax(q), q.shape[0]), self.epsilon))

    def on_host(self) -> HostFunction:
        """The same map in NumPy."""
        values, epsilon = self.values.on_host(), np.asarray(self.epsilon)

        def apply(x: np.ndarray) -> np.ndarray:
            q = values(x)
            return np.log(_chances(np.eye(q.shape[-1], dtype=np.float32)[q.argmax(-1)], epsilon))

        return apply


def _chances(best: Any, epsilon: Any) -> Any:
    """Probabilities of the epsilon-greedy policy, `[..., actions]`, of the best action as a one-hot; NumPy or JAX."""
    epsilon = epsilon.clip(0, _LARGEST_EPSILON)
    return (epsilon / best.shape[-1] + (1 - epsilon) * best).clip(_TINY)
