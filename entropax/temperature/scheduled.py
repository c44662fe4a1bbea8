"""A temperature that follows a schedule in the number of updates, whatever the entropy does."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from entropax.temperature.base import AbstractTemperature, Evidence
from entropax.temperature.checks import require_positive
from entropax.types import Metrics, Spec


def _check(owner: str, initial: float, final: float, updates: float) -> None:
    require_positive(owner, "initial", initial, "It is an alpha; for almost none take 1e-4.")
    require_positive(owner, "final", final, "It is an alpha; for almost none take 1e-4.")
    require_positive(owner, "updates", updates, "For a constant alpha use Fixed.")


class AbstractSchedule(eqx.Module):
    """Alpha as a function of the number of updates so far."""

    @abc.abstractmethod
    def alpha(self, updates: Int[Array, ""]) -> Float[Array, ""]:
        """Alpha after so many updates."""


class Linear(AbstractSchedule):
    """alpha(n) = initial + (final - initial) min(n / updates, 1).

    Attributes:
        initial: alpha at update 0.
        final: alpha from `updates` on.
        updates: length of the passage, in temperature updates.

    Raises:
        EntropaxError: any of the three is not finite and positive.
    """

    initial: float = 1.0
    final: float = 0.01
    updates: float = 100_000.0

    def __check_init__(self) -> None:
        _check("Linear", self.initial, self.final, self.updates)

    def alpha(self, updates: Int[Array, ""]) -> Float[Array, ""]:
        """Alpha after so many updates."""
        return self.initial + (self.final - self.initial) * _share(updates, self.updates)


class Cosine(AbstractSchedule):
    """alpha(n) = final + (initial - final) (1 + cos(pi min(n / updates, 1))) / 2 (arXiv 1608.03983, equation 5).

    Attributes:
        initial: alpha at update 0.
        final: alpha from `updates` on.
        updates: length of the passage, in temperature updates.

    Raises:
        EntropaxError: any of the three is not finite and positive.
    """

    initial: float = 1.0
    final: float = 0.01
    updates: float = 100_000.0

    def __check_init__(self) -> None:
        _check("Cosine", self.initial, self.final, self.updates)

    def alpha(self, updates: Int[Array, ""]) -> Float[Array, ""]:
        """Alpha after so many updates."""
        wave = 0.5 * (1.0 + jnp.cos(jnp.pi * _share(updates, self.updates)))
        return self.final + (self.initial - self.final) * wave


class Exponential(AbstractSchedule):
    """alpha(n) = initial (final / initial)^min(n / updates, 1): a straight line in log alpha.

    Attributes:
        initial: alpha at update 0.
        final: alpha from `updates` on.
        updates: length of the passage, in temperature updates.

    Raises:
        EntropaxError: any of the three is not finite and positive.
    """

    initial: float = 1.0
    final: float = 0.01
    updates: float = 100_000.0

    def __check_init__(self) -> None:
        _check("Exponential", self.initial, self.final, self.updates)

    def alpha(self, updates: Int[Array, ""]) -> Float[Array, ""]:
        """Alpha after so many updates."""
        start, end = jnp.log(self.initial), jnp.log(self.final)
        return jnp.exp(start + (end - start) * _share(updates, self.updates))


def _share(updates: Int[Array, ""], length: float | Float[Array, ""]) -> Float[Array, ""]:
    """How much of the passage is done, in [0, 1]."""
    return jnp.clip(updates.astype(jnp.float32) / length, 0.0, 1.0)


class ScheduledState(eqx.Module):
    """Number of updates so far."""

    updates: Int[Array, ""]


class Scheduled(AbstractTemperature[ScheduledState]):
    """alpha follows a schedule: an open loop, which neither sees nor holds the entropy.

    Attributes:
        schedule: `Linear`, `Cosine` or `Exponential`.
    """

    schedule: AbstractSchedule = Linear()

    def init(self, spec: Spec) -> ScheduledState:
        """The state before the first update."""
        return ScheduledState(jnp.zeros((), jnp.int32))

    def value(self, state: ScheduledState) -> Float[Array, ""]:
        """Alpha now."""
        return self.schedule.alpha(state.updates)

    def target(self, spec: Spec, state: ScheduledState) -> Float[Array, ""]:
        """NaN: a schedule steers to no entropy."""
        return jnp.full((), jnp.nan, jnp.float32)

    def update(self, spec: Spec, state: ScheduledState, evidence: Evidence) -> tuple[ScheduledState, Metrics]:
        """One step along the schedule."""
        after = ScheduledState(state.updates + 1)
        alpha = self.value(after)
        step = jnp.log(alpha) - jnp.log(self.value(state))
        return after, {"train/ent_coef": alpha, "train/ent_coef_step": step}
