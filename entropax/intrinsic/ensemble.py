"""An ensemble of models of the environment, whose disagreement tells what is not known yet.

It predicts s' - s and r from (s, a), both sides standardised by their running moments (Sukhija et al. 2025, MaxInfoRL,
arXiv 2412.12098; Pathak et al. 2019, arXiv 1906.04161). All heads see the same batches: they differ by how they were
drawn, and agree where data has forced them to.
"""

import abc
import math
from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Key, PyTree

from entropax.errors import EntropaxError
from entropax.intrinsic.moments import Moments, including, no_moments
from entropax.networks import AbstractNetwork, AbstractTorso, Dense, ensemble
from entropax.optimiser import adam_init, adam_step
from entropax.temperature.checks import require_positive
from entropax.types import Categories, Spec, Transition

NOISE = 1e-3
"""Standard deviation that a deterministic model leaves unexplained, in standardised outputs (the authors' minimum)."""


def input_size(spec: Spec) -> int:
    """Numbers in which a model sees an action."""
    return spec.action.count if isinstance(spec.action, Categories) else spec.action.size


def as_input(spec: Spec, action: Float[Array, " action"]) -> Float[Array, " input"]:
    """An action as a model sees it: as the environment takes it, in [-1, 1], or one-hot."""
    if isinstance(spec.action, Categories):
        return jax.nn.one_hot(action[0].astype(jnp.int32), spec.action.count, dtype=jnp.float32)
    return jnp.clip(action, -1, 1)


class OneTrunk(eqx.Module):
    """Heads on the same hidden layers: one network, whose outputs are those of all heads."""

    network: AbstractNetwork
    heads: int = eqx.field(static=True)

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, "heads outputs"]:
        """Every head's prediction."""
        return self.network(x).reshape(self.heads, -1)


class OwnTrunks(eqx.Module):
    """Heads with hidden layers of their own, leaves `[heads, ...]`."""

    networks: AbstractNetwork

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, "heads outputs"]:
        """Every head's prediction."""
        return jax.vmap(lambda network: network(x))(self.networks)


class AbstractHeads(eqx.Module):
    """What the heads of an ensemble share."""

    torso: eqx.AbstractVar[AbstractTorso]

    @abc.abstractmethod
    def init(self, inputs: int, outputs: int, heads: int, *, key: Key[Array, ""]) -> Any:
        """Draws the heads."""


class SharedTrunk(AbstractHeads):
    """All hidden layers: `MultiHeadGaussianEnsemble` of the authors' PyTorch release, at half its width."""

    torso: AbstractTorso = Dense((128, 128))
    """Shape of the hidden layers."""

    def init(self, inputs: int, outputs: int, heads: int, *, key: Key[Array, ""]) -> OneTrunk:
        """Draws one network."""
        return OneTrunk(self.torso.init(inputs, heads * outputs, key=key), heads)


class SeparateTrunks(AbstractHeads):
    """Nothing: networks of their own, as in the authors' JAX release."""

    torso: AbstractTorso = Dense((256, 256))
    """Shape of each head's hidden layers."""

    def init(self, inputs: int, outputs: int, heads: int, *, key: Key[Array, ""]) -> OwnTrunks:
        """Draws a network a head."""
        return OwnTrunks(ensemble(lambda k: self.torso.init(inputs, outputs, key=k), heads, key=key))


class EnsembleState(eqx.Module):
    """The heads, their optimiser, and the moments of what they see and predict."""

    heads: PyTree[Array]
    optimiser: optax.OptState
    inputs: Moments
    outputs: Moments


class Ensemble(eqx.Module):
    """Deterministic models of s' - s and r, trained on squared errors.

    Raises:
        EntropaxError: a setting is out of its range.
    """

    learning_rate: float = 3e-4
    """Adam's step size."""
    trunks: AbstractHeads = SharedTrunk()
    """What the heads share, and their shape."""
    heads: int = eqx.field(default=5, static=True)
    """Models that may disagree."""

    def __check_init__(self) -> None:
        require_positive("Ensemble", "learning_rate", self.learning_rate, "Adam needs a step; 3e-4 is published.")
        if self.heads < 2:
            raise EntropaxError(f"Ensemble: heads is {self.heads}, but one alone cannot disagree. Take 5.")

    def init(self, spec: Spec, *, key: Key[Array, ""]) -> EnsembleState:
        """Draws the heads."""
        inputs, outputs = spec.observation_size + input_size(spec), spec.observation_size + 1
        heads = self.trunks.init(inputs, outputs, self.heads, key=key)
        return EnsembleState(heads, adam_init(heads), no_moments(inputs), no_moments(outputs))

    def see(self, spec: Spec, state: EnsembleState, steps: Transition, counted: Bool[Array, " batch"]) -> EnsembleState:
        """Takes in the moments of the `counted` ones of steps `[batch]`."""
        x, y = _inputs(spec, steps.observation, steps.action), _outputs(steps)
        return replace(state, inputs=including(state.inputs, x, counted), outputs=including(state.outputs, y, counted))

    def learn(
        self, spec: Spec, state: EnsembleState, steps: Transition, most: float = math.inf
    ) -> tuple[EnsembleState, Float[Array, ""]]:
        """One gradient step of all heads on steps `[batch]`; returns the mean squared error too, standardised.

        Standardised numbers are clipped to [-most, most].
        """
        x = state.inputs.clipped(_inputs(spec, steps.observation, steps.action), most)
        y = state.outputs.clipped(_outputs(steps), most)

        def loss(heads: Any) -> Float[Array, ""]:
            return jnp.mean((jax.vmap(heads)(x) - y[:, None]) ** 2)

        error, gradient = jax.value_and_grad(loss)(state.heads)
        heads, optimiser = adam_step(gradient, state.optimiser, state.heads, self.learning_rate)
        return replace(state, heads=heads, optimiser=optimiser), error


def disagreement(
    spec: Spec,
    state: EnsembleState,
    observations: Float[Array, "batch observation"],
    actions: Float[Array, "batch action"],
    most: float = math.inf,
) -> Float[Array, "batch outputs"]:
    """The variance over heads of each standardised output; actions have their gradient through it.

    Standardised inputs are clipped to [-most, most].
    """
    x = state.inputs.clipped(_inputs(spec, observations, actions), most)
    return jnp.var(jax.vmap(state.heads)(x), axis=1)


def information_gain(variance: Float[Array, "batch outputs"]) -> Float[Array, " batch"]:
    """mean_k log(1 + (sigma_k / 1e-3)^2), nats: what a step tells of the environment (arXiv 2412.12098, as released).

    A mean over outputs, where the published bound is half of their sum.

    Example:
        >>> float(information_gain(jnp.zeros((1, 3)))[0])  # heads that agree have nothing to learn
        0.0
    """
    return jnp.mean(jnp.log1p(variance / NOISE**2), axis=1)


def _inputs(
    spec: Spec, observations: Float[Array, "batch observation"], actions: Float[Array, "batch action"]
) -> Float[Array, "batch inputs"]:
    return jnp.concatenate([observations, jax.vmap(lambda a: as_input(spec, a))(actions)], axis=1)


def _outputs(steps: Transition) -> Float[Array, "batch outputs"]:
    return jnp.concatenate([steps.next_observation - steps.observation, steps.reward[:, None]], axis=1)
