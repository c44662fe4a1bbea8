"""What all bonuses share: how new a step is, times a coefficient that a temperature law sets, over a running scale."""

import abc
from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key, PyTree

from entropax.algorithms.base import AbstractAlgorithm
from entropax.exploration.base import AbstractBonus
from entropax.exploration.scale import AbstractScale
from entropax.intrinsic.coefficient import check_law, coefficient_init, coefficient_step
from entropax.temperature import AbstractTemperature
from entropax.types import Metrics, Progress, Spec, Transition

Memory = TypeVar("Memory")


class BonusState(eqx.Module):
    """What a bonus remembers: the measure of novelty's own memory, the scale's and the law's."""

    novelty: PyTree[Array]
    scale: PyTree[Array]
    coefficient: PyTree[Array]


class AbstractNovelty(AbstractBonus[BonusState]):
    """coefficient * novelty(s, a, s') / scale, paid with the reward.

    A class says how new a step is and what it learns; coefficient and scale are parts.

    Raises:
        EntropaxError: the coefficient's law steers to an entropy.
    """

    coefficient: eqx.AbstractVar[AbstractTemperature[Any]]
    """The law of the bonus's weight; one with a target measures the mean scaled bonus of a batch."""
    scale: eqx.AbstractVar[AbstractScale[Any]]
    """What the bonus is divided by."""

    def __check_init__(self) -> None:
        check_law(type(self).__name__, self.coefficient)

    @abc.abstractmethod
    def begin(self, spec: Spec, *, key: Key[Array, ""]) -> Any:
        """The memory before the first step."""

    @abc.abstractmethod
    def see(self, spec: Spec, memory: Any, steps: Transition, stored: Bool[Array, " n"]) -> Any:
        """The memory after steps `[n]` were taken, of which those `stored` count."""

    @abc.abstractmethod
    def novelty(self, spec: Spec, memory: Any, steps: Transition) -> Float[Array, " n"]:
        """How new each of the steps `[n]` is."""

    @abc.abstractmethod
    def train(self, spec: Spec, memory: Any, steps: Transition, *, key: Key[Array, ""]) -> tuple[Any, Metrics]:
        """The memory after learning from steps `[n]`."""

    def init(self, spec: Spec, copies: int, *, key: Key[Array, ""]) -> BonusState:
        """What is remembered before the first step."""
        coefficient = coefficient_init(type(self).__name__, self.coefficient, spec)
        return BonusState(self.begin(spec, key=key), self.scale.init(copies), coefficient)

    def observe(self, spec: Spec, state: BonusState, steps: Transition, stored: Bool[Array, " envs"]) -> BonusState:
        """Remembers one step of all copies."""
        memory = self.see(spec, state.novelty, steps, stored)
        scale = self.scale.observe(state.scale, self.novelty(spec, memory, steps), stored)
        return BonusState(memory, scale, state.coefficient)

    def rewarded(
        self, algorithm: AbstractAlgorithm[Any], spec: Spec, state: BonusState, batch: Transition
    ) -> Transition:
        """The batch with the bonus paid; what lies beyond an episode's end in a window is paid too, and not used."""
        weight = self.coefficient.value(state.coefficient)
        scaled = self._scaled(spec, state, batch).reshape(batch.reward.shape)
        return algorithm.paid(batch, weight * scaled)

    def learn(
        self, spec: Spec, state: BonusState, batch: Transition, progress: Progress, *, key: Key[Array, ""]
    ) -> tuple[BonusState, Metrics]:
        """Trains the measure of novelty, and steps the coefficient's law on the mean of what it multiplies."""
        scaled = self._scaled(spec, state, batch)
        paid = self.coefficient.value(state.coefficient) * jnp.mean(scaled)
        memory, metrics = self.train(spec, state.novelty, _flat(batch), key=key)
        coefficient, value, change = coefficient_step(self.coefficient, spec, state.coefficient, scaled, progress)
        more = {"exploration/coefficient": value, "exploration/coefficient_step": change}
        return BonusState(memory, state.scale, coefficient), {"exploration/bonus": paid, **metrics, **more}

    def _scaled(self, spec: Spec, state: BonusState, batch: Transition) -> Float[Array, " n"]:
        return self.novelty(spec, state.novelty, _flat(batch)) / self.scale.divisor(state.scale)


def _flat(batch: Transition) -> Transition:
    """All steps of a batch `[batch, window]`, in one row `[n]`."""
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), batch)


def in_minibatches(
    step: Callable[[Memory, Transition], tuple[Memory, Float[Array, ""]]],
    memory: Memory,
    steps: Transition,
    size: int,
    *,
    key: Key[Array, ""],
) -> tuple[Memory, Metrics]:
    """Gradient steps on all of the steps `[n]`, shuffled, about `size` at a time; the metric is their mean loss.

    A batch of a replay is one minibatch, a rollout many: their predictors then learn from about as much.
    """
    count = len(steps.reward)
    rounds = max(count // size, 1)
    if rounds == 1:
        memory, loss = step(memory, steps)
        return memory, {"exploration/predictor_loss": loss}
    order = jax.random.permutation(key, count)[: count // rounds * rounds]
    dealt = jax.tree.map(lambda x: x[order].reshape(rounds, -1, *x.shape[1:]), steps)
    memory, losses = jax.lax.scan(step, memory, dealt)
    return memory, {"exploration/predictor_loss": jnp.mean(losses)}
