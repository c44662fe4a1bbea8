"""The learned temperature of SAC v2: dual descent on the constraint that the entropy is at least a target."""

import abc
from typing import cast

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree

from entropax.ops import temperature_loss_alpha, temperature_loss_log_alpha
from entropax.temperature.band import AbstractBand, Unclamped
from entropax.temperature.base import AbstractTarget, AbstractTemperature, Evidence
from entropax.temperature.checks import require_positive
from entropax.temperature.targets import PerDimension
from entropax.types import Metrics, Spec


class AbstractObjective(eqx.Module):
    """The loss whose gradient by log alpha a dual law descends."""

    @abc.abstractmethod
    def loss(
        self, log_alpha: Float[Array, ""], entropy: Float[Array, ""], target: Float[Array, ""]
    ) -> Float[Array, ""]:
        """The loss of the batch's mean entropy."""


class InLogAlpha(AbstractObjective):
    """log alpha (H - H_target): the gradient is the slack, whatever alpha is (Stable-Baselines3's form)."""

    def loss(
        self, log_alpha: Float[Array, ""], entropy: Float[Array, ""], target: Float[Array, ""]
    ) -> Float[Array, ""]:
        """The loss of the batch's mean entropy."""
        return temperature_loss_log_alpha(log_alpha, entropy, target)


class InAlpha(AbstractObjective):
    """alpha (H - H_target), equation 18 of arXiv 1812.05905: the gradient carries a factor alpha."""

    def loss(
        self, log_alpha: Float[Array, ""], entropy: Float[Array, ""], target: Float[Array, ""]
    ) -> Float[Array, ""]:
        """The loss of the batch's mean entropy."""
        return temperature_loss_alpha(log_alpha, entropy, target)


class DualState(eqx.Module):
    """What the law remembers between updates."""

    log_alpha: Float[Array, ""]
    adam: optax.ScaleByAdamState
    target: PyTree[Array]


class Dual(AbstractTemperature[DualState]):
    """Dual descent on log alpha with Adam (arXiv 1812.05905, section 5).

    Alpha rises while the entropy is below its target, and falls while it is above.
    Adam moves log alpha by about `learning_rate` an update at most, so alpha takes about 1 / learning_rate updates
    for a factor e, whatever the objective: choose `initial_alpha` near where it should end.

    Attributes:
        learning_rate: of Adam, on log alpha.
        initial_alpha: alpha before the first update, brought into the band.
        target_entropy: the entropy to hold.
        objective: `InLogAlpha` or `InAlpha`.
        band: `Unclamped` or `Clamp`; a bound also stops the momentum, so alpha leaves it at once when it should.

    Raises:
        EntropaxError: a rate or alpha is not positive, or (from `init`) the target cannot be reached.
    """

    learning_rate: float = 3e-4
    initial_alpha: float = 1.0
    target_entropy: AbstractTarget = PerDimension(-1.0)
    objective: AbstractObjective = InLogAlpha()
    band: AbstractBand = Unclamped()

    def __check_init__(self) -> None:
        require_positive("Dual", "learning_rate", self.learning_rate, "For a constant alpha use Fixed.")
        require_positive("Dual", "initial_alpha", self.initial_alpha, "It is an alpha, not a log alpha.")

    def init(self, spec: Spec) -> DualState:
        """The state before the first update. Raises EntropaxError where the target cannot be reached."""
        log_alpha = self.band.clip(jnp.log(jnp.asarray(self.initial_alpha, jnp.float32)))
        adam = cast("optax.ScaleByAdamState", optax.scale_by_adam().init(log_alpha))
        return DualState(log_alpha, adam, self.target_entropy.init(spec))

    def value(self, state: DualState) -> Float[Array, ""]:
        """Alpha now."""
        return jnp.exp(state.log_alpha)

    def target(self, spec: Spec, state: DualState) -> Float[Array, ""]:
        """The target entropy in nats now."""
        return self.target_entropy.value(spec, state.target)

    def update(self, spec: Spec, state: DualState, evidence: Evidence) -> tuple[DualState, Metrics]:
        """One Adam step on the objective."""
        evidence = jax.lax.stop_gradient(evidence)
        loss, gradient = jax.value_and_grad(self.objective.loss)(
            state.log_alpha, evidence.entropy, self.target(spec, state)
        )
        stepped = optax.scale_by_adam().update(gradient, state.adam)
        direction, adam = cast("tuple[Array, optax.ScaleByAdamState]", stepped)
        proposed = state.log_alpha - self.learning_rate * direction
        log_alpha = self.band.clip(proposed)
        momentum = jnp.where(log_alpha == proposed, cast("Array", adam.mu), 0.0)
        metrics = {
            "train/ent_coef": jnp.exp(log_alpha),
            "train/ent_coef_loss": loss,
            "train/ent_coef_step": log_alpha - state.log_alpha,
        }
        target = self.target_entropy.observe(spec, state.target, evidence)
        return DualState(log_alpha, adam._replace(mu=momentum), target), metrics
