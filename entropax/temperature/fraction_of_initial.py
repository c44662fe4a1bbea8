"""A target relative to the entropy that the policy began with."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from entropax.distributions import max_tanh_normal_entropy
from entropax.errors import EntropaxError
from entropax.temperature.base import AbstractTarget, Evidence
from entropax.temperature.checks import holds, require_positive
from entropax.types import Categories, Spec


class InitialState(eqx.Module):
    """The mean entropy of the first updates, in nats, and the number of updates."""

    initial: Float[Array, ""]
    updates: Int[Array, ""]


class FractionOfInitial(AbstractTarget[InitialState]):
    """A fraction of what the policy had at first, H_0: the reference of entropy control for language models.

    Continuous: the effective support exp(H / d) is this fraction of the first one, H = H_0 + d log f.
    Discrete: H = f H_0 (AER, arXiv 2510.10959, takes about 0.4).

    H_0 is the mean over the first `updates` updates. Before the first one, the widest policy stands for it. What the
    policy had it can have again, so the target is always reachable.

    Attributes:
        fraction: in (0, 1].
        updates: temperature updates over which H_0 is measured.

    Raises:
        EntropaxError: a field is out of its range.
    """

    fraction: float = 0.5
    updates: float = 100.0

    def __check_init__(self) -> None:
        if not holds(lambda fraction: (fraction > 0) & (fraction <= 1), self.fraction):
            raise EntropaxError(
                f"FractionOfInitial: fraction must lie in (0, 1], got {self.fraction}: more than at first may be out "
                "of reach. Use 0.5."
            )
        require_positive("FractionOfInitial", "updates", self.updates, "At least one is needed to measure.")

    def init(self, spec: Spec) -> InitialState:
        """Before the first measurement: the widest policy."""
        if isinstance(spec.action, Categories):
            widest = math.log(spec.action.count)
        else:
            widest = max_tanh_normal_entropy() * spec.action.size
        return InitialState(jnp.asarray(widest, jnp.float32), jnp.zeros((), jnp.int32))

    def value(self, spec: Spec, state: InitialState) -> Float[Array, ""]:
        """Target in nats now."""
        if isinstance(spec.action, Categories):
            return jnp.asarray(self.fraction * state.initial, jnp.float32)
        return state.initial + spec.action.size * jnp.log(jnp.asarray(self.fraction, jnp.float32))

    def observe(self, spec: Spec, state: InitialState, evidence: Evidence) -> InitialState:
        """Takes an early update into the mean; the first one replaces the widest policy."""
        weight = jnp.where(state.updates < self.updates, 1.0 / (state.updates + 1), 0.0)
        entropy = jax.lax.stop_gradient(evidence.entropy)
        return InitialState(state.initial + weight * (entropy - state.initial), state.updates + 1)
