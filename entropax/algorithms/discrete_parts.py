"""Parts of SAC of discrete actions: what of several critics counts, what they are regressed by, how fast H may move.

Published are all three remedies in Zhou et al. 2024, "Revisiting Discrete Soft Actor-Critic", arXiv 2209.10081.
"""

import abc
from typing import Generic, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from entropax.algorithms.checks import check_share
from entropax.ops import polyak
from entropax.policies import CategoricalActor
from entropax.temperature.checks import require_positive

State = TypeVar("State")


def log_policy(
    actor: CategoricalActor, observations: Float[Array, "batch observation"]
) -> Float[Array, "batch actions"]:
    """Log-probabilities of every action, nats."""
    return jax.vmap(lambda observation: actor(observation).log_probs())(observations)


def entropies(log_probs: Float[Array, "batch actions"]) -> Float[Array, " batch"]:
    """H(pi(.|s)) in nats, exact."""
    return -jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1)


class AbstractReduction(eqx.Module):
    """What of an ensemble's values counts."""

    @abc.abstractmethod
    def __call__(self, q: Float[Array, "critic *axes"]) -> Float[Array, "*axes"]:
        """One value of several critics'."""


class LeastCritic(AbstractReduction):
    """min_i Q_i, as in SAC: against overestimation."""

    def __call__(self, q: Float[Array, "critic *axes"]) -> Float[Array, "*axes"]:
        """The least."""
        return jnp.min(q, axis=0)


class MeanCritic(AbstractReduction):
    """mean_i Q_i, against underestimation: the paper's double average Q."""

    def __call__(self, q: Float[Array, "critic *axes"]) -> Float[Array, "*axes"]:
        """The mean."""
        return jnp.mean(q, axis=0)


class AbstractRegression(eqx.Module):
    """What the critics descend."""

    @abc.abstractmethod
    def loss(
        self, q: Float[Array, "critic batch"], lagged: Float[Array, "critic batch"], targets: Float[Array, " batch"]
    ) -> Float[Array, ""]:
        """The sum over critics of their losses.

        Args:
            q: Q_i(s, a) of what was taken.
            lagged: the target critics' values of the same.
            targets: y.
        """


class SquaredError(AbstractRegression):
    """mean_batch 1/2 (Q - y)^2 of every critic."""

    def loss(
        self, q: Float[Array, "critic batch"], lagged: Float[Array, "critic batch"], targets: Float[Array, " batch"]
    ) -> Float[Array, ""]:
        """The sum over critics."""
        return jnp.sum(_half_square(q, targets))


class ClippedQ(AbstractRegression):
    """The greater of that loss and the loss of Q_target + clip(Q - Q_target, -width, width), critic by critic.

    Where the clipped one is the greater, no gradient flows beyond the width: Q stays near its target network. Compared
    are means over the batch, as in the authors' code.

    Raises:
        EntropaxError: the width is not above 0.
    """

    width: float = 0.5
    """How far Q may move from the target critic, reward."""

    def __check_init__(self) -> None:
        require_positive("ClippedQ", "width", self.width, "The authors' is 0.5; without a clip take SquaredError.")

    def loss(
        self, q: Float[Array, "critic batch"], lagged: Float[Array, "critic batch"], targets: Float[Array, " batch"]
    ) -> Float[Array, ""]:
        """The sum over critics."""
        near = lagged + jnp.clip(q - lagged, -self.width, self.width)
        return jnp.sum(jnp.maximum(_half_square(q, targets), _half_square(near, targets)))


def _half_square(q: Float[Array, "critic batch"], targets: Float[Array, " batch"]) -> Float[Array, " critic"]:
    return 0.5 * jnp.mean((q - targets[None]) ** 2, axis=1)


class AbstractDrift(eqx.Module, Generic[State]):
    """What the policy's entropy costs for having moved at a state."""

    @abc.abstractmethod
    def init(self, actor: CategoricalActor) -> State:
        """What is remembered before the first update."""

    @abc.abstractmethod
    def cost(
        self, state: State, observations: Float[Array, "batch observation"], entropy: Float[Array, " batch"]
    ) -> Float[Array, ""]:
        """What the actor's loss has beside the soft one, reward; `entropy` is the policy's, in nats."""

    @abc.abstractmethod
    def observe(self, state: State, actor: CategoricalActor) -> State:
        """What is remembered after an update of the actor."""


class FreeDrift(AbstractDrift[tuple[()]]):
    """The entropy may move as it does."""

    def init(self, actor: CategoricalActor) -> tuple[()]:
        """Nothing."""
        return ()

    def cost(
        self, state: tuple[()], observations: Float[Array, "batch observation"], entropy: Float[Array, " batch"]
    ) -> Float[Array, ""]:
        """0."""
        return jnp.zeros((), jnp.float32)

    def observe(self, state: tuple[()], actor: CategoricalActor) -> tuple[()]:
        """Nothing."""
        return ()


class EntropyPenalty(AbstractDrift[CategoricalActor]):
    """weight mean_batch (H_old(s) - H(pi(.|s)))^2, with H_old the entropy of a lagging policy.

    Published is the H_old of the policy that acted when the step was stored. Replay has no room for it, so a Polyak
    average of the policy stands for that one, about 1 / polyak updates old, the same for all stored steps.

    Raises:
        EntropaxError: the weight is not above 0, or polyak not in (0, 1].
    """

    weight: float = 0.5
    """Beta, reward per nat^2."""
    polyak: float = 0.005
    """Share of the policy that the lagging one takes in per update."""

    def __check_init__(self) -> None:
        require_positive("EntropyPenalty", "weight", self.weight, "The authors' is 0.5; for none take FreeDrift.")
        check_share("EntropyPenalty", self.polyak)

    def init(self, actor: CategoricalActor) -> CategoricalActor:
        """A copy."""
        return jax.tree.map(jnp.copy, actor)

    def cost(
        self, state: CategoricalActor, observations: Float[Array, "batch observation"], entropy: Float[Array, " batch"]
    ) -> Float[Array, ""]:
        """The penalty."""
        old = entropies(log_policy(state, observations))
        return self.weight * jnp.mean((jax.lax.stop_gradient(old) - entropy) ** 2)

    def observe(self, state: CategoricalActor, actor: CategoricalActor) -> CategoricalActor:
        """The lagging policy takes in its share."""
        return polyak(state, actor, self.polyak)
