"""Meta-SAC: Wang and Ni 2020, arXiv 2007.01932; alpha descends a metagradient, and no target entropy is set."""

from dataclasses import replace
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Key, PyTree

from entropax.algorithms.base import AbstractSoftActorCritic
from entropax.algorithms.meta_parts import (
    AbstractMetaBatch,
    AbstractMetaCritics,
    AbstractMetaStates,
    Resampled,
    SoftCritics,
    StartStates,
)
from entropax.algorithms.sac import SAC, SACState
from entropax.algorithms.soft import least_value, policy_loss
from entropax.errors import EntropaxError
from entropax.networks import Critic
from entropax.optimiser import adam_init, adam_look_ahead, adam_step
from entropax.policies import Actor
from entropax.replay import Windows
from entropax.temperature import AbstractBand, Clamp, Fixed
from entropax.temperature.checks import require_positive
from entropax.types import Metrics, Progress, Spec, Transition


class MetaSACState(eqx.Module):
    """All that Meta-SAC carries: SAC's state, alpha with its optimiser, and what the meta-objective's critics learn."""

    sac: SACState
    log_alpha: Float[Array, ""]
    alpha_optimiser: optax.OptState
    critics: PyTree[Array]


class MetaSAC(AbstractSoftActorCritic[MetaSACState]):
    """SAC whose alpha is moved to where the policy, one gradient step ahead, has the highest value.

    Each update takes SAC's step with alpha held, and descends in log alpha the meta-objective

        L(alpha) = -E[ min_i Q_i(s0, tanh mu_theta'(s0)) ],   theta'(alpha) one step of the actor on J_pi(theta; alpha),

    through the differentiable step theta' (arXiv 2007.01932, algorithm 1).

    Raises:
        EntropaxError: a setting is out of its range, or the environment's actions are not continuous.
    """

    sac: SAC = SAC(temperature=Fixed(1.0))
    """SAC's settings; its law is `Fixed`, whose alpha is the one before the first update, brought into the band."""
    learning_rate: float = 3e-4
    """Adam's step size for log alpha."""
    gradient_clip: float = 0.05
    """Largest metagradient by log alpha, reward."""
    band: AbstractBand = Clamp(1e-6, 1.0)
    """Where alpha stays; published is at most 1."""
    states: AbstractMetaStates = StartStates()
    """States of the meta-objective."""
    batch: AbstractMetaBatch = Resampled()
    """Batch of the metagradient."""
    critics: AbstractMetaCritics = SoftCritics()
    """Critics of the meta-objective."""

    def __check_init__(self) -> None:
        for name in ("learning_rate", "gradient_clip"):
            require_positive("MetaSAC", name, vars(self)[name], "For a constant alpha use SAC with Fixed.")
        if not isinstance(self.sac.temperature, Fixed):
            raise EntropaxError(
                "MetaSAC sets alpha itself: sac.temperature must be Fixed(initial alpha), not "
                f"{type(self.sac.temperature).__name__}."
            )
        if self.sac.policy_delay != 1:
            raise EntropaxError(
                "MetaSAC sets alpha at every step of the actor, one step ahead: sac.policy_delay must be 1, not "
                f"{self.sac.policy_delay}."
            )

    def data(self) -> Windows:
        """Windows of replayed steps: SAC's."""
        return self.sac.data()

    def _at(self, alpha: Float[Array, ""]) -> SAC:
        """SAC with its alpha held."""
        return eqx.tree_at(lambda sac: sac.temperature.alpha, self.sac, alpha)

    def init(self, spec: Spec, *, key: Key[Array, ""]) -> MetaSACState:
        """Draws the networks and starts the optimisers."""
        sac = self.sac.init(spec, key=key)
        log_alpha = self.band.clip(jnp.log(self.sac.alpha(sac)))
        return MetaSACState(sac, log_alpha, adam_init(log_alpha), self.critics.init(sac))

    def actor(self, state: MetaSACState) -> Actor:
        """The policy."""
        return state.sac.actor

    def alpha(self, state: MetaSACState) -> Float[Array, ""]:
        """The weight of the entropy now."""
        return jnp.exp(state.log_alpha)

    def target_entropy(self, spec: Spec, state: MetaSACState) -> Float[Array, ""]:
        """NaN: the metagradient steers to no entropy."""
        return jnp.full((), jnp.nan, jnp.float32)

    def parameters(self, state: MetaSACState) -> dict[str, PyTree[Array]]:
        """The trained parameters by name."""
        return self.sac.parameters(state.sac)

    def climbed(self, state: MetaSACState) -> Critic:
        """SAC's critics."""
        return state.sac.critics

    def update(
        self, spec: Spec, state: MetaSACState, batch: Transition, progress: Progress, *, key: Key[Array, ""]
    ) -> tuple[MetaSACState, Metrics]:
        """SAC's step and the metagradient's, in the order that `batch` says."""
        sac_key, noise_key = jax.random.split(key)
        meta_noise, plain_noise = jax.random.normal(noise_key, (2, *batch.action[:, 0].shape))
        settings = (self.sac.discount, self.sac.polyak, self.sac.critic_learning_rate)

        def step(state: MetaSACState) -> tuple[MetaSACState, Metrics]:
            own = self.critics.update(state.critics, state.sac, batch, plain_noise, settings)
            sac, metrics = self._at(self.alpha(state)).update(spec, state.sac, batch, progress, key=sac_key)
            return replace(state, sac=sac, critics=own), metrics

        def meta_step(state: MetaSACState) -> tuple[MetaSACState, Metrics]:
            return self._meta_step(state, batch, progress, meta_noise)

        return self.batch.both(meta_step, step, state)

    def meta_objective(
        self,
        log_alpha: Float[Array, ""],
        state: MetaSACState,
        batch: Transition,
        progress: Progress,
        noise: Float[Array, "batch action"],
    ) -> Float[Array, ""]:
        """-E[min_i Q_i(s0, mode)] of the policy that a step with this alpha would lead to, in reward."""
        sac, observations = state.sac, batch.observation[:, 0]
        value = partial(least_value, sac.critics)
        gradient, _ = jax.grad(policy_loss, has_aux=True)(sac.actor, value, jnp.exp(log_alpha), observations, noise)
        ahead = adam_look_ahead(gradient, sac.actor_optimiser, sac.actor, self.sac.actor_learning_rate)
        starts = self.states.observations(batch, progress)
        actions = jax.vmap(lambda observation: ahead(observation).mode())(starts)
        critics = self.critics.ensemble(state.critics, sac)
        return -jnp.mean(least_value(critics, starts, actions))

    def _meta_step(
        self, state: MetaSACState, batch: Transition, progress: Progress, noise: Float[Array, "batch action"]
    ) -> tuple[MetaSACState, Metrics]:
        """Adam on log alpha along the clipped metagradient."""
        objective, gradient = jax.value_and_grad(self.meta_objective)(state.log_alpha, state, batch, progress, noise)
        clipped = jnp.clip(gradient, -self.gradient_clip, self.gradient_clip)
        stepped, optimiser = adam_step(clipped, state.alpha_optimiser, state.log_alpha, self.learning_rate)
        log_alpha = self.band.clip(stepped)
        metrics = {
            "train/ent_coef": jnp.exp(log_alpha),
            "train/ent_coef_step": log_alpha - state.log_alpha,
            "train/meta_objective": objective,
            "train/meta_gradient": gradient,
        }
        return replace(state, log_alpha=log_alpha, alpha_optimiser=optimiser), metrics
