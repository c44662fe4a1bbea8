"""A temperature law of the core that steers a coefficient of a language model's training."""

import functools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from entropax.errors import EntropaxError
from entropax.llm.actuators import AbstractActuator
from entropax.llm.method import State
from entropax.llm.saved import decoded, encoded, settings
from entropax.llm.side import AbstractSide, OneSided
from entropax.temperature import (
    PI,
    AbstractTemperature,
    Clamp,
    Cosine,
    Dual,
    Evidence,
    Exponential,
    Fixed,
    Linear,
    Scheduled,
    StepRule,
)
from entropax.types import Categories, Progress, Spec

_REWARD_WEIGHT = 0.1
"""Weight of the newest batch in the mean reward: that of an episode in the mean return for which `Guard` is made."""
_ROUNDING = 0.01
"""Share of log(vocabulary) by which an entropy in bfloat16 may be off, on both sides."""


class ControlState(NamedTuple):
    """What a controller remembers between optimiser steps: numbers on the host."""

    law: PyTree[np.ndarray]
    """What the law remembers."""
    acting: bool
    """Whether the actuator is away from its rest."""
    mean_reward: float
    """Exponential mean over about the last ten batches; NaN before the first."""


@dataclass(frozen=True)
class Controller:
    """Holds the entropy of a language model near a target by moving one number of its training.

    The law sees the mean entropy of a batch's tokens and sets alpha; the side says when that counts; the actuator says
    which number it moves. Making one computes nothing, so no accelerator is touched before `begin`.

    Attributes:
        law: `StepRule`, `PI` or `Dual` for a target, `Scheduled` or `Fixed` for none. Alpha is the effort, in the
            unit of the actuator's knob, so its band must be a `Clamp` within the actuator's range.
        actuator: the number that is moved.
        vocabulary: tokens that the policy chooses from; the entropy is at most its logarithm.
        side: `OneSided`, or `TwoSided` to pull entropy down as well.

    Raises:
        EntropaxError: the target cannot be reached with this vocabulary, or alpha could wind up beyond the actuator.

    Example:
        >>> from entropax.llm import BonusCoefficient, Controller
        >>> from entropax.temperature import Clamp, Nats, StepRule
        >>> law = StepRule(1e-4, dead_band=0.0, initial_alpha=1e-8, target_entropy=Nats(0.2), band=Clamp(1e-8, 5e-3))
        >>> controller = Controller(law, BonusCoefficient(), vocabulary=151_936)
        >>> state = controller.update(controller.begin(), entropy=0.15, share=0.01)
        >>> f"{controller.value(state):.6f}"
        '0.000100'
    """

    law: AbstractTemperature
    actuator: AbstractActuator
    vocabulary: int
    side: AbstractSide = OneSided()

    def __post_init__(self) -> None:
        if not (isinstance(self.vocabulary, int) and self.vocabulary >= 2):
            raise EntropaxError(
                f"Controller: vocabulary is a number of tokens, at least 2, got {self.vocabulary!r}. Take the size of "
                "the model's output layer."
            )
        _require_within(self.law, self.side, self.actuator)
        if any(leaf.shape for leaf in jax.tree.leaves(self._shapes())):
            raise EntropaxError(
                f"Controller: {type(self.law).__name__} keeps arrays, but a token's entropy is one number."
            )

    def begin(self) -> ControlState:
        """The state before the first optimiser step."""
        law = jax.device_get(_begin(self.law, self._spec))
        return ControlState(law, self.side.acts(math.nan, self._target(law)), math.nan)

    def update(self, state: ControlState, entropy: Any, share: float, mean_reward: float | None = None) -> ControlState:
        """The state after a batch; call it once an optimiser step, before the step takes `value`.

        Args:
            state: from `begin`, `update` or `from_json`.
            entropy: mean over the batch's tokens, nats a token; a number of any library.
            share: of the run that is done, in [0, 1].
            mean_reward: of the batch; the `Guard` rule sees its exponential mean.

        Raises:
            EntropaxError: one of them is NaN, infinite or out of its range, or the entropy is not one number.
        """
        # Rounded as the law will see it, so that the side draws its line at the very same entropy.
        entropy = np.float32(self._entropy(_scalar(entropy)))
        if not 0 <= share <= 1:
            raise EntropaxError(f"Controller: share is of the run that is done, in [0, 1], got {share}.")
        mean = _mean_reward(state.mean_reward, mean_reward)
        numbers = (entropy, np.float32(share), np.float32(mean))
        law = jax.device_get(_update(self.law, self._spec, state.law, *numbers))
        return ControlState(law, self.side.acts(float(entropy), self._target(law)), mean)

    def value(self, state: ControlState) -> float:
        """The actuator's number now, in its own unit."""
        alpha, _ = _read(self.law, self._spec, state.law)
        return self.actuator.place(self.side.effort(float(alpha)) if state.acting else 0.0)

    def target(self, state: ControlState) -> float:
        """The entropy that is steered to now, nats a token; NaN for a law that steers to none."""
        return self._target(state.law)

    def ends(self) -> tuple[float, float]:
        """The actuator's numbers at which it holds the entropy up least and most, of those that the law can set."""
        found = _alphas(self.law)
        efforts = self.actuator.room() if found is None else (self.side.effort(found[0]), self.side.effort(found[1]))
        rests = not self.side.acts(math.inf, 0.0)
        return self.actuator.place(min(efforts[0], 0.0) if rests else efforts[0]), self.actuator.place(efforts[1])

    def apply(self, state: ControlState, method_state: State) -> State:
        """A method's state with the actuator's number in it. Raises EntropaxError where the method has no such knob."""
        return self.actuator.apply(self.value(state), method_state)

    def to_json(self, state: ControlState) -> dict[str, Any]:
        """The state and this controller's settings as values of strict JSON, exact to the last bit."""
        return encoded(settings(self, "controller"), state)

    def from_json(self, saved: Any) -> ControlState:
        """The state that `to_json` wrote.

        Raises:
            EntropaxError: it was written under other settings, is incomplete, or was changed.
        """
        state = decoded(saved, settings(self, "controller"), ControlState(self._shapes(), False, math.nan))
        alpha, _ = _read(self.law, self._spec, state.law)
        if not (np.isfinite(alpha) and alpha > 0):
            raise EntropaxError(
                f"The controller's saved state has an alpha of {alpha}, which no law writes: it was changed. Restore "
                "the checkpoint from a backup, or start anew with Controller.begin()."
            )
        return state

    @property
    def _spec(self) -> Spec:
        return Spec(1, Categories(self.vocabulary))

    def _shapes(self) -> PyTree[jax.ShapeDtypeStruct]:
        """The law's state without its numbers. Raises EntropaxError where the target cannot be reached."""
        return jax.eval_shape(lambda: self.law.init(self._spec))

    def _target(self, law: PyTree[np.ndarray]) -> float:
        return float(_read(self.law, self._spec, law)[1])

    def _entropy(self, entropy: float) -> float:
        """The entropy within its bounds. Raises EntropaxError where it is no entropy of a token."""
        largest = math.log(self.vocabulary)
        if not -_ROUNDING * largest <= entropy <= (1 + _ROUNDING) * largest:
            raise EntropaxError(
                f"Controller: an entropy of {entropy} nats per token is none of {self.vocabulary} tokens, whose "
                f"entropy lies in [0, {largest:.4f}]. Give the mean over tokens, not a sum; skip a batch whose entropy "
                "is NaN."
            )
        return min(max(entropy, 0.0), largest)


def _require_within(law: AbstractTemperature, side: AbstractSide, actuator: AbstractActuator) -> None:
    """Raises EntropaxError where alpha could go where it has no effect; a law of the user's own is not judged."""
    name, found = type(law).__name__, _alphas(law)
    if isinstance(law, PI | Dual | StepRule):
        if found is None:
            raise EntropaxError(
                f"Controller: {name} has no band, so alpha would wind up beyond what {type(actuator).__name__} can do. "
                f"Use band=Clamp({law.initial_alpha:g}, {actuator.room()[1]:g})."
            )
        side.check_band(name, law.initial_alpha, *found)
    if found is None:
        return
    (least, most), (bottom, top) = found, actuator.room()
    slack = 1e-6 * (top - bottom)
    if side.effort(least) < bottom - slack or side.effort(most) > top + slack:
        raise EntropaxError(
            f"Controller: {name} takes alpha from {least:g} to {most:g}, efforts from {side.effort(least):g} to "
            f"{side.effort(most):g}, but {type(actuator).__name__} has room for {bottom:g} to {top:g}, between "
            f"{actuator.low:g} and {actuator.high:g}. Alpha is in the knob's unit: narrow the law, or widen the "
            "actuator."
        )


def _alphas(law: AbstractTemperature) -> tuple[float, float] | None:
    """The least and the largest alpha that a law can set; None where that is not known, or not bounded."""
    match law:
        case PI(band=Clamp() as band) | Dual(band=Clamp() as band) | StepRule(band=band):
            return float(band.minimum), float(band.maximum)
        case Fixed():
            return law.alpha, law.alpha
        case Scheduled(schedule=Linear() | Cosine() | Exponential() as schedule):
            return min(schedule.initial, schedule.final), max(schedule.initial, schedule.final)
        case _:
            return None


def _scalar(entropy: Any) -> float:
    """A number of any library as a float. Raises EntropaxError where it is not one number."""
    try:
        return float(entropy)
    except (TypeError, ValueError) as error:
        raise EntropaxError(
            f"Controller: entropy is the mean over the batch's tokens, one number, got {entropy!r}. Take the mean."
        ) from error


def _mean_reward(mean: float, newest: float | None) -> float:
    """The exponential mean with one batch more. Raises EntropaxError for a reward that is not finite."""
    if newest is None:
        return mean
    if not math.isfinite(newest):
        raise EntropaxError(f"Controller: mean_reward must be finite, got {newest}. Leave it out where there is none.")
    return float(newest) if math.isnan(mean) else mean + _REWARD_WEIGHT * (float(newest) - mean)


@functools.partial(jax.jit, static_argnums=1)
def _begin(law: AbstractTemperature, spec: Spec) -> PyTree[Array]:
    return law.init(spec)


@functools.partial(jax.jit, static_argnums=1)
def _read(law: AbstractTemperature, spec: Spec, state: PyTree[Array]) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Alpha and target."""
    return law.value(state), law.target(spec, state)


@functools.partial(jax.jit, static_argnums=1)
def _update(
    law: AbstractTemperature, spec: Spec, state: PyTree[Array], entropy: Array, share: Array, mean_reward: Array
) -> PyTree[Array]:
    """The law's state after a batch, its target rule having seen the batch first.

    Before the first batch `FractionOfInitial` takes the uniform policy for the initial one. A language model is far
    from uniform, and the law would start with an error of many nats that was never there.
    """
    progress = Progress(share, mean_reward, jnp.zeros((1, spec.observation_size), jnp.float32))
    evidence = Evidence(jnp.reshape(entropy, (1, 1)), progress)
    seen = law.update(spec, state, evidence)[0]
    after = law.update(spec, _with_memory(state, seen), evidence)[0]
    return _with_memory(after, seen)


def _with_memory(state: PyTree[Array], other: PyTree[Array]) -> PyTree[Array]:
    """The state with the target rule's memory of another: the laws keep it in a field named `target`."""
    memory = jax.tree_util.GetAttrKey("target")
    return jax.tree_util.tree_map_with_path(
        lambda path, own, others: others if path[:1] == (memory,) else own, state, other
    )
