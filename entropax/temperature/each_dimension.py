"""An entropy budget, and an alpha, for every action dimension."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from entropax.errors import EntropaxError
from entropax.temperature.base import AbstractTemperature, Evidence
from entropax.temperature.dual import Dual
from entropax.types import Bounds, Metrics, Spec


class EachDimensionState(eqx.Module):
    """Alpha of every dimension, and what the law in each remembers, leaves `[action, ...]`."""

    alpha: Float[Array, " action"]
    laws: PyTree[Array]


class EachDimension(AbstractTemperature[EachDimensionState]):
    """One law a dimension: each sees the entropy of its own action dimension and sets its own alpha.

    SAC constrains the sum, which a policy can meet with one dimension wide open and another collapsed. Here every
    dimension has a budget, a d-th of the sum, and the price of improbability is sum_j alpha_j log pi_j(a_j|s).

    Attributes:
        law: what runs in every dimension, with the environment cut down to that dimension.

    Raises:
        EntropaxError: (from `init`) the actions are discrete, or the law refuses.
    """

    law: AbstractTemperature = Dual()

    def init(self, spec: Spec) -> EachDimensionState:
        """The states before the first update. Raises EntropaxError for discrete actions."""
        law = self.law.init(_one_dimension(spec))
        laws, alpha = jax.tree.map(
            lambda leaf: jnp.broadcast_to(leaf, (spec.action.size, *leaf.shape)), (law, self.law.value(law))
        )
        return EachDimensionState(alpha, laws)

    def value(self, state: EachDimensionState) -> Float[Array, " action"]:
        """Alpha of every dimension now."""
        return state.alpha

    def target(self, spec: Spec, state: EachDimensionState) -> Float[Array, ""]:
        """The sum of the dimensions' targets in nats now; NaN for a law without one."""
        one = _one_dimension(spec)
        targets = jax.vmap(lambda law, _: self.law.target(one, law))(state.laws, state.alpha)
        return jnp.sum(targets)

    def update(self, spec: Spec, state: EachDimensionState, evidence: Evidence) -> tuple[EachDimensionState, Metrics]:
        """One update of every dimension's law; metrics are means over dimensions."""
        one = _one_dimension(spec)

        def each(law: PyTree[Array], nats: Float[Array, " batch"]) -> tuple[Array, PyTree[Array], Metrics]:
            law, metrics = self.law.update(one, law, Evidence(nats[:, None], evidence.progress))
            return self.law.value(law), law, metrics

        alpha, laws, metrics = jax.vmap(each, in_axes=(0, 1))(state.laws, evidence.per_dimension)
        return EachDimensionState(alpha, laws), jax.tree.map(jnp.mean, metrics)


def _one_dimension(spec: Spec) -> Spec:
    """The environment with a single action dimension; laws live in [-1, 1], so all dimensions look alike."""
    if not isinstance(spec.action, Bounds):
        raise EntropaxError(
            "EachDimension sets an alpha for every dimension of a continuous action, but the action is one of "
            f"{spec.action.count} categories, which is a single dimension. Use its law alone."
        )
    return Spec(spec.observation_size, Bounds((-1.0,), (1.0,)))
