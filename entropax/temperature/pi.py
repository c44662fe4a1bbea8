"""A proportional-integral controller of log alpha."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from entropax.errors import EntropaxError
from entropax.temperature.band import AbstractBand, Unclamped
from entropax.temperature.base import AbstractTarget, AbstractTemperature, Evidence
from entropax.temperature.checks import holds, require_positive
from entropax.temperature.targets import PerDimension
from entropax.types import Metrics, Spec


class PIState(eqx.Module):
    """Log alpha, the smoothed error of the update before, whether there was one, and what the target remembers."""

    log_alpha: Float[Array, ""]
    error: Float[Array, ""]
    begun: Bool[Array, ""]
    target: PyTree[Array]


class PI(AbstractTemperature[PIState]):
    """log alpha follows the error and its sum: a proportional-integral law in velocity form, with a bounded step.

    With e = (target - H) / d in nats per dimension, smoothed, and what of it exceeds the dead band,
    f(e) = sign(e) max(|e| - dead_band, 0), an update moves

        log alpha by clip(proportional (f(e) - f(e_before)) + integral f(e), ± max_step), then into the band.

    Why it settles: log alpha moves a Gaussian policy's entropy by 1/2 nat per dimension and e-fold, after a lag of T
    updates. The loop is then T s² + (1 + proportional / 2) s + integral / 2: stable for all positive gains, and without
    overshoot for integral <= (1 + proportional / 2)² / (2 T), which for T = 1,000 and the defaults is 1.1e-3.
    Why it does not wind up: in velocity form the sum *is* log alpha, so a bound of the step or the band leaves nothing
    behind to be undone. Unlike Adam's, its steps shrink with the error.

    Attributes:
        proportional: e-folds of alpha per nat and dimension of error; damps, and answers at once.
        integral: e-folds of alpha per nat and dimension of error, in an update; removes what is left.
        max_step: largest change of log alpha in an update.
        smoothing: weight of the newest batch in the smoothed error, in (0, 1]; 1 for none.
        dead_band: smoothed error that is left alone, nats per dimension; 0 for none.
        initial_alpha: alpha before the first update, brought into the band.
        target_entropy: the entropy to hold.
        band: `Unclamped` or `Clamp`.

    Raises:
        EntropaxError: a field is out of its range, or (from `init`) the target cannot be reached.
    """

    proportional: float = 1.0
    integral: float = 1e-3
    max_step: float = 3e-3
    smoothing: float = 0.01
    dead_band: float = 0.0
    initial_alpha: float = 1.0
    target_entropy: AbstractTarget = PerDimension(-1.0)
    band: AbstractBand = Unclamped()

    def __check_init__(self) -> None:
        require_positive("PI", "integral", self.integral, "Without it an error would stay; 1e-3 is the default.")
        require_positive("PI", "max_step", self.max_step, "For a constant alpha use Fixed.")
        require_positive("PI", "initial_alpha", self.initial_alpha, "It is an alpha, not a log alpha.")
        if not holds(lambda gain: gain >= 0, self.proportional):
            raise EntropaxError(
                f"PI: proportional is {self.proportional}, which would push the wrong way. Use 0 or more."
            )
        if not holds(lambda weight: (weight > 0) & (weight <= 1), self.smoothing):
            raise EntropaxError(f"PI: smoothing is a weight in (0, 1], got {self.smoothing}. Use 1 for none.")
        if not holds(lambda width: width >= 0, self.dead_band):
            raise EntropaxError(f"PI: dead_band is a width, got {self.dead_band}. Use 0 for none.")

    def init(self, spec: Spec) -> PIState:
        """The state before the first update. Raises EntropaxError where the target cannot be reached."""
        log_alpha = self.band.clip(jnp.log(jnp.asarray(self.initial_alpha, jnp.float32)))
        return PIState(log_alpha, jnp.zeros((), jnp.float32), jnp.zeros((), bool), self.target_entropy.init(spec))

    def value(self, state: PIState) -> Float[Array, ""]:
        """Alpha now."""
        return jnp.exp(state.log_alpha)

    def target(self, spec: Spec, state: PIState) -> Float[Array, ""]:
        """The target entropy in nats now."""
        return self.target_entropy.value(spec, state.target)

    def update(self, spec: Spec, state: PIState, evidence: Evidence) -> tuple[PIState, Metrics]:
        """One bounded step on log alpha."""
        evidence = jax.lax.stop_gradient(evidence)
        newest = (self.target(spec, state) - evidence.entropy) / evidence.per_dimension.shape[1]
        before = jnp.where(state.begun, state.error, newest)
        error = before + self.smoothing * (newest - before)
        felt = self._felt(error)
        step = self.proportional * (felt - self._felt(before)) + self.integral * felt
        log_alpha = self.band.clip(state.log_alpha + jnp.clip(step, -self.max_step, self.max_step))
        metrics = {"train/ent_coef": jnp.exp(log_alpha), "train/ent_coef_step": log_alpha - state.log_alpha}
        target = self.target_entropy.observe(spec, state.target, evidence)
        return PIState(log_alpha, error, jnp.ones((), bool), target), metrics

    def _felt(self, error: Float[Array, ""]) -> Float[Array, ""]:
        """What of an error exceeds the dead band: continuous, so that its edge gives no kick."""
        return jnp.sign(error) * jnp.maximum(jnp.abs(error) - self.dead_band, 0.0)
