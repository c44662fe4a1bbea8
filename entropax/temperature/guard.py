"""Guard: a target that holds entropy until the return has moved, then lets it go at a bounded rate."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from entropax.temperature.base import AbstractTarget, Evidence
from entropax.temperature.checks import require_positive, require_share
from entropax.temperature.passages import PassageState, begin, between, onward
from entropax.temperature.targets import PerDimension
from entropax.types import Spec

_MEAN_TO_CHANGE = 2.25
"""Standard deviation of the recent mean return over that of its change in an episode, where returns are independent:
with weights of a tenth they are 1 / sqrt(19) and 0.1 sqrt(20 / 19) of a return's, a ratio of sqrt(5), rounded up."""
_LEAST_CHANGES = 5
"""Changes of the mean return before which there is no scatter to compare the next one with."""
_LEAST_SHARE = 0.05
"""Share of the run after which a mean return that has never changed is taken for a constant, whose first change counts
at once: the first reward of a sparse task."""
_ROUNDING = 1e-6
"""Share of its size by which rounding may move the mean of equal returns: a few units in the last place of float32."""


def _apart(value: Float[Array, ""], other: Float[Array, ""]) -> Float[Array, ""]:
    """The distance of two mean returns beyond rounding, 0 or more."""
    return jnp.maximum(jnp.abs(value - other) - _ROUNDING * jnp.abs(other), 0.0)


class Returns(eqx.Module):
    """The recent mean return so far: how often it changed, its last value, its mean, its changes' mean square."""

    changes: Int[Array, ""]
    latest: Float[Array, ""]
    reference: Float[Array, ""]
    square_change: Float[Array, ""]

    def seen(self, mean_return: Float[Array, ""]) -> "Returns":
        """With one more value of the recent mean return, NaN for none yet; it changes when an episode ends."""
        first = jnp.isnan(self.latest)
        changed = ~first & (_apart(mean_return, self.latest) > 0)
        changes = self.changes + changed
        change = jnp.where(changed, mean_return - self.latest, 0.0)
        # The first value counts as one of the mean's, but is no change.
        reference = jnp.where(first, mean_return, self.reference)
        reference = reference + jnp.where(changed, (mean_return - reference) / (changes + 1), 0.0)
        square_change = self.square_change + changed * (change**2 - self.square_change) / jnp.maximum(changes, 1)
        return Returns(changes, jnp.where(first | changed, mean_return, self.latest), reference, square_change)

    def moved(
        self, mean_return: Float[Array, ""], share: Float[Array, ""], significance: Float[Array, ""] | float
    ) -> Bool[Array, ""]:
        """Whether a new value is so many standard deviations of the earlier ones from their mean, up or down."""
        constant = (self.changes == 0) & (share >= _LEAST_SHARE)
        noise = significance * _MEAN_TO_CHANGE * jnp.sqrt(self.square_change)
        return ((self.changes >= _LEAST_CHANGES) | constant) & (_apart(mean_return, self.reference) > noise)


class GuardState(eqx.Module):
    """What the guard has seen of the return, whether it has let go, the run's share then, and the passage."""

    returns: Returns
    released: Bool[Array, ""]
    at: Float[Array, ""]
    passage: PassageState


class Guard(AbstractTarget[GuardState]):
    """Holds `start` until the return moves significantly, or patience ends; then falls to `end` at a bounded rate.

    With R the recent mean return of the exploring episodes, its mean R_0 and standard deviation s while holding, and x
    the share of the run that is done, the guard lets go at the first x_0 at which

        |R - R_0| > significance s    or    x >= patience,

    and the target is start + (end - start) min((x - x_0) / duration, 1). Two-sided: a return that rises says that
    something was found to narrow down on, one that falls says that the entropy held costs return.

    Why it is stable: it lets go once, so the target moves one way, at a rate of at most (start - end) / (duration
    updates) nats an update, whatever the returns do; a law that is stable for a constant target follows it, `PI` with
    a lag of twice that rate over its integral gain in each dimension.

    Follow it with `PI(initial_alpha=0.01)`: an alpha that starts high drowns what little reward there is in the value
    of the entropy to come, and one that starts low is raised within a few hundred updates as the guard asks.

    Attributes:
        start: the entropy held at first.
        end: where the target comes to rest.
        significance: standard deviations of the recent mean return that count as a change.
        patience: share of the run, in (0, 1], after which it lets go anyway.
        duration: share of the run, in (0, 1], that the way from start to end takes.

    Raises:
        EntropaxError: a field is out of its range, or (from `init`) an end cannot be reached.
    """

    start: AbstractTarget = PerDimension(0.0)
    end: AbstractTarget = PerDimension(-1.0)
    significance: float = 4.0
    patience: float = 0.5
    duration: float = 0.25

    def __check_init__(self) -> None:
        require_positive("Guard", "significance", self.significance, "4 standard deviations are the default.")
        require_share("Guard", "patience", self.patience, "With 1 it waits for the return alone.")
        require_share("Guard", "duration", self.duration, "A quarter of the run is the default.")

    def init(self, spec: Spec) -> GuardState:
        """Holding, with no return seen. Raises EntropaxError where either end cannot be reached."""
        zero = jnp.zeros((), jnp.float32)
        returns = Returns(jnp.zeros((), jnp.int32), zero * jnp.nan, zero * jnp.nan, zero)
        return GuardState(returns, jnp.zeros((), bool), zero, begin(self.start, self.end, spec))

    def value(self, spec: Spec, state: GuardState) -> Float[Array, ""]:
        """Target in nats now."""
        return between(self.start, self.end, spec, state.passage)

    def observe(self, spec: Spec, state: GuardState, evidence: Evidence) -> GuardState:
        """Looks at the return while it holds; moves on once it has let go."""
        mean_return, share = evidence.progress.mean_return, evidence.progress.share
        moved = state.returns.moved(mean_return, share, self.significance)
        released = state.released | moved | (share >= self.patience)
        at = jnp.where(state.released, state.at, share)
        gone = jnp.where(released, jnp.clip((share - at) / self.duration, 0.0, 1.0), 0.0)
        passage = onward(self.start, self.end, spec, state.passage, evidence, gone)
        return GuardState(state.returns.seen(mean_return), released, at, passage)
