"""The intrinsic curiosity module: Pathak, Agrawal, Efros and Darrell 2017, arXiv 1705.05363."""

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Key

from entropax.errors import EntropaxError
from entropax.exploration.bonus import AbstractNovelty, in_minibatches
from entropax.exploration.checks import check_predictor
from entropax.exploration.scale import AbstractScale, AsMeasured
from entropax.intrinsic.ensemble import as_input, input_size
from entropax.intrinsic.moments import Moments, including, no_moments
from entropax.networks import AbstractNetwork, AbstractTorso, Dense
from entropax.optimiser import adam_init, adam_step
from entropax.temperature import AbstractTemperature, Fixed
from entropax.temperature.checks import holds
from entropax.types import Categories, Metrics, Spec, Transition


class ICMNetworks(eqx.Module):
    """Features phi(s), the action from (phi(s), phi(s')), and phi(s') from (phi(s), a)."""

    features: AbstractNetwork
    inverse: AbstractNetwork
    forward: AbstractNetwork


class ICMState(eqx.Module):
    """The networks, their optimiser, and the moments of the observations they see."""

    networks: ICMNetworks
    optimiser: optax.OptState
    observations: Moments


class ICM(AbstractNovelty):
    """1/2 |phi_predicted(s') - phi(s')|^2 in features that tell which action was taken, equation 6.

    Trained on (1 - share) L_inverse + share L_forward, equation 7: L_forward is the mean of the bonus itself, and
    L_inverse is the cross-entropy of categories, or half the squared error of continuous actions. Observations are
    standardised by their running moments and clipped to 5.

    Raises:
        EntropaxError: a setting is out of its range.

    Example:
        >>> ICM().forward_share
        0.2
    """

    coefficient: AbstractTemperature[Any] = Fixed(0.01)
    """Law of the bonus's weight, eta; 0.01 is that of the released code."""
    scale: AbstractScale[Any] = AsMeasured()
    """What it is divided by."""
    forward_share: float = 0.2
    """Weight of the forward model's loss, beta; the rest is the inverse model's."""
    learning_rate: float = 1e-4
    """Adam's step size."""
    torso: AbstractTorso = Dense((64,))
    """Shape of the hidden layers of each of the three networks."""
    features: int = eqx.field(default=32, static=True)
    """Size of phi."""
    minibatch: int = eqx.field(default=256, static=True)
    """Steps of one gradient step: a rollout is learned from in so many at a time."""

    def __check_init__(self) -> None:
        check_predictor("ICM", self.learning_rate, self.features, self.minibatch)
        if not holds(lambda share: (share > 0) & (share < 1), self.forward_share):
            raise EntropaxError(
                f"ICM: forward_share is {self.forward_share}, but both models have to learn: take a share inside "
                "(0, 1). Published is 0.2."
            )

    def begin(self, spec: Spec, *, key: Key[Array, ""]) -> ICMState:
        """Draws the networks."""
        keys, size, action = jax.random.split(key, 3), self.features, input_size(spec)
        networks = ICMNetworks(
            features=self.torso.init(spec.observation_size, size, key=keys[0]),
            inverse=self.torso.init(2 * size, action, key=keys[1]),
            forward=self.torso.init(size + action, size, key=keys[2]),
        )
        return ICMState(networks, adam_init(networks), no_moments(spec.observation_size))

    def see(self, spec: Spec, memory: ICMState, steps: Transition, stored: Bool[Array, " n"]) -> ICMState:
        """Takes in the moments of the states arrived at."""
        return replace(memory, observations=including(memory.observations, steps.next_observation, stored))

    def novelty(self, spec: Spec, memory: ICMState, steps: Transition) -> Float[Array, " n"]:
        """The forward model's error."""
        return losses(spec, memory.networks, memory.observations, steps)[0]

    def train(
        self, spec: Spec, memory: ICMState, steps: Transition, *, key: Key[Array, ""]
    ) -> tuple[ICMState, Metrics]:
        """Steps of all three networks."""

        def step(memory: ICMState, steps: Transition) -> tuple[ICMState, Float[Array, ""]]:
            def loss(networks: ICMNetworks) -> Float[Array, ""]:
                forward, inverse = losses(spec, networks, memory.observations, steps)
                return jnp.mean((1 - self.forward_share) * inverse + self.forward_share * forward)

            error, gradient = jax.value_and_grad(loss)(memory.networks)
            networks, optimiser = adam_step(gradient, memory.optimiser, memory.networks, self.learning_rate)
            return replace(memory, networks=networks, optimiser=optimiser), error

        return in_minibatches(step, memory, steps, self.minibatch, key=key)


def losses(
    spec: Spec, networks: ICMNetworks, observations: Moments, steps: Transition
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """The forward and the inverse model's loss of each step."""

    def one(step: Transition) -> tuple[Float[Array, ""], Float[Array, ""]]:
        before, after = (networks.features(observations.clipped(x)) for x in (step.observation, step.next_observation))
        action = as_input(spec, step.action)
        forward = 0.5 * jnp.sum((networks.forward(jnp.concatenate([before, action])) - after) ** 2)
        told = networks.inverse(jnp.concatenate([before, after]))
        if isinstance(spec.action, Categories):
            return forward, -jnp.sum(action * jax.nn.log_softmax(told))
        return forward, 0.5 * jnp.sum((told - action) ** 2)

    return jax.vmap(one)(steps)
