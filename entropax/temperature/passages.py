"""Target rules that move from one rule to another: with updates, with the run, or when the entropy has settled."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from entropax.errors import EntropaxError
from entropax.temperature.base import AbstractTarget, Evidence
from entropax.temperature.checks import holds, require_positive, require_share
from entropax.temperature.targets import PerDimension
from entropax.types import Spec


class PassageState(eqx.Module):
    """How much of a passage is done, in [0, 1], and what its two ends remember."""

    share: Float[Array, ""]
    start: PyTree[Array]
    end: PyTree[Array]


def begin(start: AbstractTarget, end: AbstractTarget, spec: Spec) -> PassageState:
    """Nothing done. Raises EntropaxError where either end cannot be reached."""
    return PassageState(jnp.zeros((), jnp.float32), start.init(spec), end.init(spec))


def between(start: AbstractTarget, end: AbstractTarget, spec: Spec, state: PassageState) -> Float[Array, ""]:
    """Linear between the ends, in nats."""
    first, last = start.value(spec, state.start), end.value(spec, state.end)
    return first + state.share * (last - first)


def onward(
    start: AbstractTarget, end: AbstractTarget, spec: Spec, state: PassageState, evidence: Evidence, share: Array
) -> PassageState:
    """The passage at a new share; both ends see the evidence too."""
    return PassageState(share, start.observe(spec, state.start, evidence), end.observe(spec, state.end, evidence))


class AnnealState(eqx.Module):
    """Updates so far, and the passage."""

    updates: Int[Array, ""]
    passage: PassageState


class Anneal(AbstractTarget[AnnealState]):
    """From one rule to another, linearly in updates, then constant.

    Attributes:
        start: the rule at update 0.
        end: the rule from `updates` on.
        updates: length of the passage, in temperature updates.

    Raises:
        EntropaxError: updates is not positive.
    """

    start: AbstractTarget = PerDimension(0.0)
    end: AbstractTarget = PerDimension(-1.0)
    updates: float = 100_000.0

    def __check_init__(self) -> None:
        require_positive("Anneal", "updates", self.updates, "For a constant target use the end rule alone.")

    def init(self, spec: Spec) -> AnnealState:
        """The beginning. Raises EntropaxError where either end cannot be reached."""
        return AnnealState(jnp.zeros((), jnp.int32), begin(self.start, self.end, spec))

    def value(self, spec: Spec, state: AnnealState) -> Float[Array, ""]:
        """Target in nats now."""
        return between(self.start, self.end, spec, state.passage)

    def observe(self, spec: Spec, state: AnnealState, evidence: Evidence) -> AnnealState:
        """One update further."""
        updates = state.updates + 1
        share = jnp.clip(updates.astype(jnp.float32) / self.updates, 0.0, 1.0)
        return AnnealState(updates, onward(self.start, self.end, spec, state.passage, evidence, share))


class AnnealOverRun(AbstractTarget[PassageState]):
    """From one rule to another, linearly in the share of the run that is done, then constant.

    Unlike `Anneal` it needs no change when the budget, the update-to-data ratio or the policy's delay does.

    Attributes:
        start: the rule at the run's beginning.
        end: the rule from `until` on.
        until: share of the run, in (0, 1], at which the passage ends.

    Raises:
        EntropaxError: until lies outside (0, 1].
    """

    start: AbstractTarget = PerDimension(0.0)
    end: AbstractTarget = PerDimension(-1.0)
    until: float = 1.0

    def __check_init__(self) -> None:
        require_share("AnnealOverRun", "until", self.until, "For a number of updates use Anneal.")

    def init(self, spec: Spec) -> PassageState:
        """The beginning. Raises EntropaxError where either end cannot be reached."""
        return begin(self.start, self.end, spec)

    def value(self, spec: Spec, state: PassageState) -> Float[Array, ""]:
        """Target in nats now."""
        return between(self.start, self.end, spec, state)

    def observe(self, spec: Spec, state: PassageState, evidence: Evidence) -> PassageState:
        """As far as the run is."""
        share = jnp.clip(evidence.progress.share / self.until, 0.0, 1.0)
        return onward(self.start, self.end, spec, state, evidence, share)


class PlateauState(eqx.Module):
    """What the rule has seen of the entropy, and the passage."""

    updates: Int[Array, ""]
    mean: Float[Array, ""]
    variance: Float[Array, ""]
    settled: Int[Array, ""]
    since_drop: Int[Array, ""]
    passage: PassageState


class Plateau(AbstractTarget[PlateauState]):
    """The target falls a step when the entropy has settled on it: TES-SAC (arXiv 2112.02852) and its released schedule.

    The observed entropy H has the exponential mean mu <- mu + (1 - l)(H - mu) and variance
    v <- l (v + (1 - l)(H - mu)²). An update counts as settled while |mu - target| and sqrt(v) are small; after
    `patience` such updates, or `timeout` of any, what is left of the way from `start` to `end` shrinks by `factor`.

    The authors take discrete actions, whose target falls towards 0; towards `end` is the same for entropies that may be
    negative. They see exact entropies and ask for a deviation of at most 0.03; one-sample estimates on batches of 256
    scatter by about 0.05 nats per dimension, hence the larger default here.

    Attributes:
        start: the first target.
        end: what the target approaches.
        factor: what a drop leaves of the way to `end`, in (0, 1).
        memory: l, in (0, 1): 1 / (1 - l) updates are remembered.
        tolerance: of the mean, nats per dimension.
        deviation: largest standard deviation that counts as settled, nats per dimension.
        patience: settled updates before a drop.
        timeout: updates after which the target drops anyway.

    Raises:
        EntropaxError: a field is out of its range, or (from `init`) an end cannot be reached.
    """

    start: AbstractTarget = PerDimension(0.0)
    end: AbstractTarget = PerDimension(-1.0)
    factor: float = 0.9
    memory: float = 0.999
    tolerance: float = 0.05
    deviation: float = 0.1
    patience: float = 2_000.0
    timeout: float = 180_000.0

    def __check_init__(self) -> None:
        for name in ("factor", "memory"):
            if not holds(lambda share: (share > 0) & (share < 1), vars(self)[name]):
                raise EntropaxError(
                    f"Plateau: {name} must lie in (0, 1), got {vars(self)[name]}. The authors take a factor of 0.9 and "
                    "a memory of 0.999."
                )
        for name in ("tolerance", "deviation", "patience", "timeout"):
            require_positive("Plateau", name, vars(self)[name], "docs/temperature/targets.md has the usual ones.")

    def init(self, spec: Spec) -> PlateauState:
        """The beginning. Raises EntropaxError where either end cannot be reached."""
        zero, none = jnp.zeros((), jnp.float32), jnp.zeros((), jnp.int32)
        return PlateauState(none, zero, zero, none, none, begin(self.start, self.end, spec))

    def value(self, spec: Spec, state: PlateauState) -> Float[Array, ""]:
        """Target in nats now."""
        return between(self.start, self.end, spec, state.passage)

    def observe(self, spec: Spec, state: PlateauState, evidence: Evidence) -> PlateauState:
        """Updates mean and variance, counts, and drops the target where it is time."""
        d = evidence.per_dimension.shape[1]
        entropy = jax.lax.stop_gradient(evidence.entropy)
        gap = entropy - jnp.where(state.updates == 0, entropy, state.mean)
        mean = entropy - self.memory * gap
        variance = self.memory * (state.variance + (1 - self.memory) * gap**2)
        off = jnp.abs(mean - self.value(spec, state))
        calm = (off < self.tolerance * d) & (jnp.sqrt(variance) < self.deviation * d)
        settled, since_drop = state.settled + calm, state.since_drop + 1
        drop = (settled >= self.patience) | (since_drop >= self.timeout)
        left = (1 - state.passage.share) * jnp.where(drop, self.factor, 1.0)
        return PlateauState(
            state.updates + 1,
            mean,
            variance,
            jnp.where(drop, 0, settled),
            jnp.where(drop, 0, since_drop),
            onward(self.start, self.end, spec, state.passage, evidence, 1 - left),
        )
