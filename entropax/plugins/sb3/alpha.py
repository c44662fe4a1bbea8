"""Who sets alpha during a run: Stable-Baselines3 itself, or one of our laws."""

import abc
import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, PyTree

from entropax.errors import EntropaxError
from entropax.plugins.sb3.models import AbstractModel
from entropax.runs import to_config
from entropax.temperature import AbstractTemperature, Evidence
from entropax.types import Progress, Spec


class AbstractAlpha(abc.ABC):
    """Who sets alpha."""

    @abc.abstractmethod
    def begin(self, model: AbstractModel, progress: Callable[[], Progress]) -> None:
        """Before training; `progress` says how far the run is. Raises EntropaxError where it cannot work."""

    @abc.abstractmethod
    def target(self, model: AbstractModel) -> float:
        """The entropy in nats that is steered to now; NaN for none."""

    @abc.abstractmethod
    def updates(self, model: AbstractModel) -> int:
        """How often alpha has been updated."""

    @abc.abstractmethod
    def configuration(self, model: AbstractModel) -> dict[str, Any]:
        """The law as a manifest holds it."""

    @abc.abstractmethod
    def end(self, model: AbstractModel) -> None:
        """After training: alpha is the model's own business again."""


class TheirAlpha(AbstractAlpha):
    """Stable-Baselines3 sets alpha as the model was told; we only measure."""

    def begin(self, model: AbstractModel, progress: Callable[[], Progress]) -> None:
        """Nothing to do."""

    def target(self, model: AbstractModel) -> float:
        """Its own target."""
        return model.target

    def updates(self, model: AbstractModel) -> int:
        """Its own count."""
        return model.updates

    def configuration(self, model: AbstractModel) -> dict[str, Any]:
        """Its own settings."""
        return model.settings

    def end(self, model: AbstractModel) -> None:
        """Nothing to do."""


class LawAlpha(AbstractAlpha):
    """One of our laws sets alpha: after every gradient step of SAC, before every training phase of PPO.

    Attributes:
        law: any law with one alpha; it starts anew with every `learn`.

    Raises:
        EntropaxError: (from `begin`) the law has an alpha a dimension, its target cannot be reached, or the model
            never updates alpha.
    """

    def __init__(self, law: AbstractTemperature):
        self.law = law
        self._updates = 0

    def begin(self, model: AbstractModel, progress: Callable[[], Progress]) -> None:
        """Starts the law and takes alpha over."""
        self._state, self._updates = self.law.init(model.spec), 0
        alpha = np.asarray(self.law.value(self._state))
        if alpha.ndim:
            raise EntropaxError(
                f"{type(self.law).__name__} sets {alpha.size} alphas, one an action dimension, but Stable-Baselines3 "
                "multiplies the summed log-probability with a single one. Use its inner law alone, such as Dual()."
            )

        def step(nats: Any) -> float:
            self._state, alpha = _update(model.spec, self.law, self._state, nats, progress())
            self._updates += 1
            return float(alpha)

        model.hold(float(alpha), step)

    def target(self, model: AbstractModel) -> float:
        """The law's target now."""
        return float(self.law.target(model.spec, self._state))

    def updates(self, model: AbstractModel) -> int:
        """Steps of the law."""
        return self._updates

    def configuration(self, model: AbstractModel) -> dict[str, Any]:
        """The law's fields."""
        return to_config(self.law)

    def end(self, model: AbstractModel) -> None:
        """Lets go of alpha, which keeps its last value."""
        model.release()


@functools.partial(jax.jit, static_argnums=0)
def _update(
    spec: Spec,
    law: AbstractTemperature,
    state: PyTree[Array],
    nats: Float[Array, "states action"],
    progress: Progress,
) -> tuple[PyTree[Array], Float[Array, ""]]:
    """One step of a law: its new state and alpha."""
    state, _ = law.update(spec, state, Evidence(nats, progress))
    return state, law.value(state)
