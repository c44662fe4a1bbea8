"""What noises that are drawn once and held share."""

import abc
from typing import Any

from jaxtyping import Array, Float, Key

from entropax.algorithms.base import AbstractAlgorithm
from entropax.exploration.base import AbstractNoise, around
from entropax.exploration.lengths import AbstractLengths
from entropax.exploration.processes import HeldState, hold, nothing_held
from entropax.types import Spec


class AbstractHeldNoise(AbstractNoise[HeldState]):
    """The mode with noise made of a standard normal draw, which is held for some steps; episodes begin without one."""

    @abc.abstractmethod
    def held_for(self) -> AbstractLengths:
        """For how many steps a draw is held."""

    @abc.abstractmethod
    def shape(self, algorithm: AbstractAlgorithm[Any], learner: Any, spec: Spec) -> tuple[int, ...]:
        """Of a draw. Raises EntropaxError where the noise does not fit the actions or the policy."""

    @abc.abstractmethod
    def noise(
        self,
        algorithm: AbstractAlgorithm[Any],
        learner: Any,
        drawn: Float[Array, "..."],
        observation: Float[Array, " observation"],
    ) -> Float[Array, " action"]:
        """What is added to the mode."""

    def init(
        self, algorithm: AbstractAlgorithm[Any], learner: Any, spec: Spec, horizon: int | None, *, key: Key[Array, ""]
    ) -> HeldState:
        """Nothing drawn. Raises EntropaxError where the noise does not fit the actions or the policy."""
        return nothing_held(*self.shape(algorithm, learner, spec))

    def act(
        self,
        algorithm: AbstractAlgorithm[Any],
        learner: Any,
        state: HeldState,
        observation: Float[Array, " observation"],
        *,
        key: Key[Array, ""],
    ) -> tuple[Float[Array, " action"], HeldState]:
        """The mode with what the draw makes of this state."""
        state = hold(state, self.held_for(), key=key)
        noise = self.noise(algorithm, learner, state.drawn, observation)
        return around(algorithm.mode(learner, observation), noise), state

    def ended(
        self, algorithm: AbstractAlgorithm[Any], learner: Any, state: HeldState, *, key: Key[Array, ""]
    ) -> HeldState:
        """Nothing drawn."""
        return nothing_held(*state.drawn.shape)
