"""Adaptive parameter noise for a finite set of actions: Plappert et al. 2018, arXiv 1706.01905, appendix C.1."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from entropax.algorithms.base import AbstractAlgorithm
from entropax.algorithms.exploring import NearlyGreedy
from entropax.algorithms.noisy import NoisyActor
from entropax.errors import EntropaxError
from entropax.exploration.parameter_noise import AbstractParameterNoise
from entropax.optimiser import Rate
from entropax.policies import AbstractActor, CategoricalActor
from entropax.temperature.checks import holds
from entropax.types import Categories, Spec


class AbstractEpsilon(eqx.Module):
    """Whose epsilon the noise is to be worth."""

    @abc.abstractmethod
    def of(self, actor: AbstractActor) -> Float[Array, ""]:
        """Epsilon now, of an algorithm's policy."""


class EpsilonSet(AbstractEpsilon):
    """The same all along.

    Raises:
        EntropaxError: epsilon is outside (0, 1].
    """

    epsilon: float = 0.1
    """Probability of a random action in the epsilon-greedy policy that the noise is worth."""

    def __check_init__(self) -> None:
        if not holds(lambda epsilon: (epsilon > 0) & (epsilon <= 1), self.epsilon):
            raise EntropaxError(
                f"EpsilonSet: epsilon is {self.epsilon}, but the noise is worth one in (0, 1]: without any nothing is "
                "explored. Try 0.1."
            )

    def of(self, actor: AbstractActor) -> Float[Array, ""]:
        """Epsilon as it is set."""
        return jnp.asarray(self.epsilon, jnp.float32)


class EpsilonOfRule(AbstractEpsilon):
    """That of DQN's rule `EpsilonGreedy`, which falls as the run goes on, as published."""

    def of(self, actor: AbstractActor) -> Float[Array, ""]:
        """The rule's.

        Raises:
            EntropaxError: the policy is not epsilon-greedy.
        """
        if isinstance(actor.network, NearlyGreedy):
            return actor.network.epsilon
        raise EntropaxError(
            "EpsilonOfRule: this policy has no epsilon that falls, which only DQN with the rule EpsilonGreedy has. Set "
            "one by EpsilonSet: `exploration.noise.epsilon:epsilon-set` on the command line."
        )


class DiscreteParameterNoise(AbstractParameterNoise):
    """Parameter noise on the network of a Categorical policy; of DQN's, on Q.

    What acts is the perturbed network's best action. The gap of two policies is KL(pi || pi~) of the softmax of their
    logits, which of epsilon-greedy DQN are Q, and its mean over an episode is steered to delta = -log(1 - epsilon +
    epsilon / n): the KL of a greedy policy from the epsilon-greedy one over n actions.

    Raises:
        EntropaxError: a field is not above 0.

    Example:
        >>> from entropax import DQN, Exploration
        >>> Exploration(DiscreteParameterNoise(EpsilonOfRule())).check(DQN())
    """

    epsilon: AbstractEpsilon = EpsilonSet()
    """The epsilon-greedy policy that the noise is worth; at 0.1 and two actions delta is 0.051 nats."""
    initial_sigma: float = 0.01
    """Standard deviation of the noise on each parameter in the first episode."""

    def first_sigma(self) -> Rate:
        """As set."""
        return self.initial_sigma

    def check(self, algorithm: AbstractAlgorithm[Any], learner: Any, spec: Spec) -> None:
        """Raises EntropaxError where actions are not categories, or the policy has other noise or no such epsilon."""
        if not isinstance(spec.action, Categories):
            raise EntropaxError(
                f"DiscreteParameterNoise takes the best of a finite set of actions, but these are {spec.action.size} "
                "numbers. Take ParameterNoise, which steers their distance."
            )
        if isinstance(algorithm.actor(learner), NoisyActor):
            raise EntropaxError(
                "DiscreteParameterNoise: NoisyNet has noise on its parameters already, which it learns. Leave one of "
                "them out: `algorithm.exploration:epsilon-greedy` on the command line, or no `exploration.noise`."
            )
        self.wanted(algorithm, learner)

    def origin(self, algorithm: AbstractAlgorithm[Any], learner: Any) -> CategoricalActor:
        """The softmax policy, of Q where epsilon decides."""
        actor = algorithm.actor(learner)
        assert isinstance(actor, CategoricalActor)
        network = actor.network
        return CategoricalActor(network.values if isinstance(network, NearlyGreedy) else network, actor.count)

    def gap(
        self, actor: AbstractActor, perturbed: AbstractActor, observation: Float[Array, " observation"]
    ) -> Float[Array, ""]:
        """KL(pi || pi~), nats."""
        return actor(observation).kl(perturbed(observation))

    def wanted(self, algorithm: AbstractAlgorithm[Any], learner: Any) -> Float[Array, ""]:
        """Delta, nats."""
        actor = algorithm.actor(learner)
        assert isinstance(actor, CategoricalActor)
        epsilon = self.epsilon.of(actor)
        return -jnp.log(1 - epsilon + epsilon / actor.count)
