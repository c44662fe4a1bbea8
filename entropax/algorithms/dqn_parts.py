"""Parts of DQN: what a target bootstraps from, the loss, how the network ends, how the target network follows."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key

from entropax.algorithms.checks import check_share
from entropax.errors import EntropaxError
from entropax.networks import AbstractNetwork, AbstractTorso, ActionValues, DuelingNetwork
from entropax.ops import polyak


class AbstractBootstrap(eqx.Module):
    """What the next state is worth to a target."""

    @abc.abstractmethod
    def value(
        self, target: Float[Array, "batch actions"], online: Float[Array, "batch actions"]
    ) -> Float[Array, " batch"]:
        """The value of each next state, from what target network and online network say of its actions."""


class Greatest(AbstractBootstrap):
    """max_a Q_target(s', a), as in Mnih et al. 2015; it overestimates where Q is noisy."""

    def value(
        self, target: Float[Array, "batch actions"], online: Float[Array, "batch actions"]
    ) -> Float[Array, " batch"]:
        """The maximum."""
        return jnp.max(target, axis=1)


class Double(AbstractBootstrap):
    """Q_target(s', argmax_a Q(s', a)): double Q-learning, van Hasselt et al. 2016, arXiv 1509.06461."""

    def value(
        self, target: Float[Array, "batch actions"], online: Float[Array, "batch actions"]
    ) -> Float[Array, " batch"]:
        """The target network's value of the online network's choice."""
        return jnp.take_along_axis(target, jnp.argmax(online, axis=1, keepdims=True), axis=1)[:, 0]


class AbstractLoss(eqx.Module):
    """What a distance from the target costs."""

    @abc.abstractmethod
    def __call__(self, q: Float[Array, " batch"], targets: Float[Array, " batch"]) -> Float[Array, ""]:
        """The mean over the batch."""


class HalfSquare(AbstractLoss):
    """1/2 (Q - y)^2."""

    def __call__(self, q: Float[Array, " batch"], targets: Float[Array, " batch"]) -> Float[Array, ""]:
        """The mean over the batch."""
        return 0.5 * jnp.mean((q - targets) ** 2)


class Huber(AbstractLoss):
    """1/2 e^2 up to |e| = 1 and |e| - 1/2 beyond, e = Q - y: the published clip of the error to [-1, 1].

    Large errors of rare transitions, such as the last step of an episode, then weigh little: see the page on DQN.
    """

    def __call__(self, q: Float[Array, " batch"], targets: Float[Array, " batch"]) -> Float[Array, ""]:
        """The mean over the batch."""
        return jnp.mean(optax.losses.huber_loss(q, targets))


class AbstractHead(eqx.Module):
    """How a network ends in action values."""

    @abc.abstractmethod
    def init(self, torso: AbstractTorso, inputs: int, count: int, *, key: Key[Array, ""]) -> AbstractNetwork:
        """Draws a network `[inputs] -> [count]`."""


class SingleStream(AbstractHead):
    """One output an action."""

    def init(self, torso: AbstractTorso, inputs: int, count: int, *, key: Key[Array, ""]) -> AbstractNetwork:
        """Draws the network."""
        return torso.init(inputs, count, key=key)


class Dueling(AbstractHead):
    """A value of the state and advantages of the actions, added up: Wang et al. 2016, arXiv 1511.06581, equation 9."""

    def init(self, torso: AbstractTorso, inputs: int, count: int, *, key: Key[Array, ""]) -> DuelingNetwork:
        """Draws the network."""
        return DuelingNetwork(torso.init(inputs, 1 + count, key=key))


class AbstractFollowing(eqx.Module):
    """When and how the target network follows the critic."""

    @abc.abstractmethod
    def __call__(self, target: ActionValues, critic: ActionValues, updates: Int[Array, ""]) -> ActionValues:
        """The target network after so many updates of the critic."""


class HardCopy(AbstractFollowing):
    """A copy of the critic every so many updates, as published (Mnih et al. 2015).

    Raises:
        EntropaxError: `every` is below 1.
    """

    every: int = eqx.field(default=50, static=True)
    """Updates between two copies."""

    def __check_init__(self) -> None:
        if self.every < 1:
            raise EntropaxError(f"HardCopy: every is {self.every}, but counts updates: 1 is the least. Try 50.")

    def __call__(self, target: ActionValues, critic: ActionValues, updates: Int[Array, ""]) -> ActionValues:
        """The critic where due, else what it was."""
        due = updates % self.every == 0
        return jax.tree.map(lambda old, new: jnp.where(due, new, old), target, critic)


class SoftCopy(AbstractFollowing):
    """A Polyak average of the critic, as SAC has it.

    Raises:
        EntropaxError: the share is outside (0, 1].
    """

    polyak: float = 0.005
    """Share of the critic that the target network takes in per update, tau."""

    def __check_init__(self) -> None:
        check_share("SoftCopy", self.polyak)

    def __call__(self, target: ActionValues, critic: ActionValues, updates: Int[Array, ""]) -> ActionValues:
        """The average."""
        return polyak(target, critic, self.polyak)
