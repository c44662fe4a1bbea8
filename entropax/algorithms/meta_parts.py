"""What the ablation of Meta-SAC exchanges: the states and critics of its objective, and the batch of its step."""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from entropax.algorithms.sac import SACState
from entropax.algorithms.soft import PlainState, plain_init, plain_step, plain_target_step, successors
from entropax.networks import Critic
from entropax.optimiser import Rate
from entropax.types import Metrics, Progress, Transition

Step = Callable[[Any], tuple[Any, Metrics]]


class AbstractMetaStates(eqx.Module):
    """Where the policy one step ahead is valued."""

    @abc.abstractmethod
    def observations(self, batch: Transition, progress: Progress) -> Float[Array, "states observation"]:
        """The states of the meta-objective."""


class StartStates(AbstractMetaStates):
    """States that episodes begin with, as published: their value is the return."""

    def observations(self, batch: Transition, progress: Progress) -> Float[Array, "states observation"]:
        """The run's stored starts."""
        return jnp.asarray(progress.starts)


class ReplayedStates(AbstractMetaStates):
    """Arbitrary states, the batch's (ablation)."""

    def observations(self, batch: Transition, progress: Progress) -> Float[Array, "states observation"]:
        """The batch's first observations."""
        return batch.observation[:, 0]


class AbstractMetaBatch(eqx.Module):
    """Which batch the metagradient sees, against the one that the policy then takes its real step on."""

    @abc.abstractmethod
    def both(self, meta_step: Step, step: Step, state: Any) -> tuple[Any, Metrics]:
        """Takes both steps in the right order."""


class Resampled(AbstractMetaBatch):
    """Another batch than the real step's, as published: alpha is set after a step, for the next batch."""

    def both(self, meta_step: Step, step: Step, state: Any) -> tuple[Any, Metrics]:
        """The real step, then the metagradient."""
        state, metrics = step(state)
        state, more = meta_step(state)
        return state, {**metrics, **more}


class SameBatch(AbstractMetaBatch):
    """The real step's own batch (ablation)."""

    def both(self, meta_step: Step, step: Step, state: Any) -> tuple[Any, Metrics]:
        """The metagradient, then the real step."""
        state, more = meta_step(state)
        state, metrics = step(state)
        return state, {**metrics, **more}


class AbstractMetaCritics(eqx.Module):
    """Which critics value the policy one step ahead."""

    @abc.abstractmethod
    def init(self, sac: SACState) -> PyTree[Array]:
        """What it carries beside SAC."""

    @abc.abstractmethod
    def ensemble(self, state: PyTree[Array], sac: SACState) -> Critic:
        """The ensemble to ask."""

    @abc.abstractmethod
    def update(
        self,
        state: PyTree[Array],
        sac: SACState,
        batch: Transition,
        noise: Float[Array, "batch action"],
        settings: tuple[Rate, Rate, Rate],
    ) -> PyTree[Array]:
        """Learns from a batch, with the settings (discount, polyak, learning rate) of SAC's critics."""


class SoftCritics(AbstractMetaCritics):
    """SAC's own critics, as published: their values contain the entropy to come."""

    def init(self, sac: SACState) -> tuple[()]:
        """Nothing."""
        return ()

    def ensemble(self, state: PyTree[Array], sac: SACState) -> Critic:
        """SAC's."""
        return sac.critics

    def update(
        self,
        state: PyTree[Array],
        sac: SACState,
        batch: Transition,
        noise: Float[Array, "batch action"],
        settings: tuple[Rate, Rate, Rate],
    ) -> tuple[()]:
        """Nothing: SAC trains them."""
        return ()


class PlainCritics(AbstractMetaCritics):
    """Critics of the return alone, without entropy, trained beside SAC's (ablation)."""

    def init(self, sac: SACState) -> PlainState:
        """Copies of SAC's first critics."""
        return plain_init(sac.critics)

    def ensemble(self, state: PlainState, sac: SACState) -> Critic:
        """The plain ones."""
        return state.critics

    def update(
        self,
        state: PlainState,
        sac: SACState,
        batch: Transition,
        noise: Float[Array, "batch action"],
        settings: tuple[Rate, Rate, Rate],
    ) -> PlainState:
        """Equation 5 of arXiv 1812.05905 with alpha = 0 in its targets."""
        discount, share, learning_rate = settings
        following = successors(sac.actor, batch, discount, noise)
        state, _ = plain_step(state, batch, following, learning_rate)
        return plain_target_step(state, share)
