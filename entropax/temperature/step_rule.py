"""Bang-bang with a dead band: the rule by which language models' entropy bonuses are adapted."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from entropax.errors import EntropaxError
from entropax.temperature.band import Clamp
from entropax.temperature.base import AbstractTarget, AbstractTemperature, Evidence
from entropax.temperature.checks import holds, require_positive
from entropax.temperature.targets import PerDimension
from entropax.types import Metrics, Spec


class StepRuleState(eqx.Module):
    """Alpha, and what the target remembers."""

    alpha: Float[Array, ""]
    target: PyTree[Array]


class StepRule(AbstractTemperature[StepRuleState]):
    """alpha moves by a constant step while the entropy is off its target, and rests inside the dead band.

    alpha <- clip(alpha + step sign(target - H), band), or alpha where |target - H| <= dead_band per dimension:
    Skywork-OR1's adaptive coefficient (arXiv 2505.22312), TRL's `use_adaptive_entropy`; both have no dead band.

    A constant step does not shrink near the target: a policy that follows with a lag runs past it, the further the
    larger the step; and the entropy comes to rest anywhere in the dead band.

    Attributes:
        step: change of alpha in an update, reward per nat.
        dead_band: distance from the target that is left alone, nats per dimension; 0 for none.
        initial_alpha: alpha before the first update, brought into the band.
        target_entropy: the entropy to hold.
        band: where alpha stays; a step on alpha itself would otherwise cross 0.

    Raises:
        EntropaxError: a field is out of its range, or (from `init`) the target cannot be reached.
    """

    step: float = 1e-4
    dead_band: float = 0.05
    initial_alpha: float = 0.1
    target_entropy: AbstractTarget = PerDimension(-1.0)
    band: Clamp = Clamp()

    def __check_init__(self) -> None:
        require_positive("StepRule", "step", self.step, "For a constant alpha use Fixed.")
        require_positive("StepRule", "initial_alpha", self.initial_alpha, "It is an alpha, not a log alpha.")
        if not holds(lambda width: width >= 0, self.dead_band):
            raise EntropaxError(f"StepRule: dead_band is a width, got {self.dead_band}. Use 0 for none.")

    def init(self, spec: Spec) -> StepRuleState:
        """The state before the first update. Raises EntropaxError where the target cannot be reached."""
        log_alpha = self.band.clip(jnp.log(jnp.asarray(self.initial_alpha, jnp.float32)))
        return StepRuleState(jnp.exp(log_alpha), self.target_entropy.init(spec))

    def value(self, state: StepRuleState) -> Float[Array, ""]:
        """Alpha now."""
        return state.alpha

    def target(self, spec: Spec, state: StepRuleState) -> Float[Array, ""]:
        """The target entropy in nats now."""
        return self.target_entropy.value(spec, state.target)

    def update(self, spec: Spec, state: StepRuleState, evidence: Evidence) -> tuple[StepRuleState, Metrics]:
        """One step up, down, or none."""
        evidence = jax.lax.stop_gradient(evidence)
        error = self.target(spec, state) - evidence.entropy
        outside = jnp.abs(error) > self.dead_band * evidence.per_dimension.shape[1]
        stepped = state.alpha + jnp.where(outside, self.step * jnp.sign(error), 0.0)
        alpha = jnp.clip(stepped, self.band.minimum, self.band.maximum)
        metrics = {"train/ent_coef": alpha, "train/ent_coef_step": jnp.log(alpha) - jnp.log(state.alpha)}
        return StepRuleState(alpha, self.target_entropy.observe(spec, state.target, evidence)), metrics
