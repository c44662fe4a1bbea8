"""Noise and bonus together, for all copies of a learner's environment."""

from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, Key, PyTree

from entropax.algorithms.base import AbstractAlgorithm
from entropax.errors import EntropaxError
from entropax.exploration.base import AbstractBonus, AbstractNoise, NoBonus, Policy
from entropax.replay import Rollout
from entropax.types import Spec


class ExplorationState(eqx.Module):
    """What exploring remembers; nothing where the policy acts and is paid as it is."""

    noise: PyTree[Array]
    """Leaves `[envs, ...]`."""
    bonus: PyTree[Array]


class Exploration(eqx.Module):
    """How a learner explores.

    Example:
        >>> from entropax.exploration import Counts, White
        >>> from entropax.temperature import Fixed
        >>> Exploration(White(0.2), Counts(Fixed(1.0))).noise.sigma
        0.2
    """

    noise: AbstractNoise[Any] = Policy()
    """Who acts, and with what noise."""
    bonus: AbstractBonus[Any] = NoBonus()
    """What is added to the rewards that are learned from."""

    def plain(self) -> bool:
        """Whether the policy acts as it is, for the environment's rewards."""
        return isinstance(self.noise, Policy) and isinstance(self.bonus, NoBonus)

    def check(self, algorithm: AbstractAlgorithm[Any]) -> None:
        """Refuses noise on a learner that needs its own policy's actions.

        Raises:
            EntropaxError: the algorithm learns on policy.
        """
        if isinstance(algorithm.data(), Rollout) and not isinstance(self.noise, Policy):
            raise EntropaxError(
                f"{type(algorithm).__name__} learns from actions that its own policy has drawn, so {self.noise} cannot "
                "act for it. Leave the noise out, or take an algorithm that learns off policy, such as SAC or TD3."
            )

    def init(
        self,
        algorithm: AbstractAlgorithm[Any],
        learner: Any,
        spec: Spec,
        horizon: int | None,
        copies: int,
        *,
        key: Key[Array, ""],
    ) -> ExplorationState:
        """What is remembered before the first step.

        Args:
            algorithm: who learns.
            learner: its state.
            spec: of the environment.
            horizon: most steps that an episode has; None where the environment sets no limit.
            copies: of the environment.
            key: of what is drawn.
        """
        noise_key, bonus_key = jax.random.split(key)
        keys = jax.random.split(noise_key, copies)
        noise = jax.vmap(lambda k: self.noise.init(algorithm, learner, spec, horizon, key=k))(keys)
        return ExplorationState(noise, self.bonus.init(spec, copies, key=bonus_key))


PLAIN = Exploration()
"""The policy as it is, for the environment's rewards."""
