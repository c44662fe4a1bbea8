"""Parts of learners from rollouts: which distribution over continuous actions the policy is."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Key

from entropax.networks import AbstractTorso, Orthogonal
from entropax.optimiser import Rate
from entropax.policies import AbstractActor, Actor, GaussianActor, WithLogStd
from entropax.temperature.checks import require_finite
from entropax.types import Spec, continuous


class AbstractPolicy(eqx.Module):
    """Which distribution over continuous actions an actor is; of a finite set of actions there is one kind."""

    torso: eqx.AbstractVar[AbstractTorso]

    @abc.abstractmethod
    def init(self, spec: Spec, *, key: Key[Array, ""]) -> AbstractActor:
        """Draws an actor of continuous actions."""


class TanhGaussian(AbstractPolicy):
    """A Gaussian squashed by tanh into [-1, 1], its spread learned and the same at every observation."""

    torso: AbstractTorso = Orthogonal(output_gain=0.01)
    """Shape of the actor's hidden layers."""
    initial_log_std: float = 0.0
    """Log standard deviation before the tanh to begin with."""

    def __check_init__(self) -> None:
        require_finite("TanhGaussian", "initial_log_std", self.initial_log_std, "0 is a deviation of 1.")

    def init(self, spec: Spec, *, key: Key[Array, ""]) -> Actor:
        """Draws an actor."""
        return Actor(_gaussian(self.torso, self.initial_log_std, spec, key=key))


class ClippedGaussian(AbstractPolicy):
    """The published Gaussian: not squashed, the environment clips its actions to [-1, 1].

    Densities, ratios and entropies are of the actions as they were drawn, so all that lies beyond a bound counts as
    distinct actions there; its entropy has no upper bound, and a bonus on it can grow the spread for ever.
    """

    torso: AbstractTorso = Orthogonal(output_gain=0.01)
    """Shape of the actor's hidden layers."""
    initial_log_std: float = 0.0
    """Log standard deviation, in units of [-1, 1], to begin with."""

    def __check_init__(self) -> None:
        require_finite("ClippedGaussian", "initial_log_std", self.initial_log_std, "0 is a deviation of 1.")

    def init(self, spec: Spec, *, key: Key[Array, ""]) -> GaussianActor:
        """Draws an actor."""
        return GaussianActor(_gaussian(self.torso, self.initial_log_std, spec, key=key))


def _gaussian(torso: AbstractTorso, log_std: Rate, spec: Spec, *, key: Key[Array, ""]) -> WithLogStd:
    size = continuous(spec).size
    return WithLogStd(torso.init(spec.observation_size, size, key=key), jnp.full(size, log_std, jnp.float32))
