"""Soft actor-critic, second version: Haarnoja et al. 2018, arXiv 1812.05905, algorithm 1."""

from dataclasses import replace
from functools import partial
from typing import Generic, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from entropax.algorithms.base import AbstractSoftActorCritic
from entropax.algorithms.checks import check_settings
from entropax.algorithms.soft import Value, critic_step, least_value, policy_loss, soft_targets, successors
from entropax.networks import AbstractTorso, Critic, Dense, ensemble
from entropax.ops import polyak
from entropax.optimiser import adam_init, adam_step
from entropax.policies import Actor
from entropax.replay import Windows
from entropax.temperature import AbstractTemperature, Dual, Evidence
from entropax.types import Metrics, Progress, Spec, Transition, continuous

Ensemble = TypeVar("Ensemble")


class SACState(eqx.Module, Generic[Ensemble]):
    """All that SAC, or a method with other critics, carries from one update to the next."""

    # Updated every gradient step.
    critics: Ensemble
    target_critics: Ensemble
    critic_optimiser: optax.OptState
    updates: Int[Array, ""]
    # Updated every `policy_delay` gradient steps.
    actor: Actor
    actor_optimiser: optax.OptState
    temperature: PyTree[Array]


class SAC(AbstractSoftActorCritic[SACState]):
    """Soft actor-critic for continuous actions, with the entropy's weight set by a temperature law.

    Raises:
        EntropaxError: a setting is out of its range, or the environment's actions are not continuous.
    """

    discount: float = 0.99
    """Discount per environment step, gamma."""
    polyak: float = 0.005
    """Share of the critics that the target critics take in per update, tau."""
    actor_learning_rate: float = 3e-4
    """Adam's step size for the actor."""
    critic_learning_rate: float = 3e-4
    """Adam's step size for the critics."""
    temperature: AbstractTemperature = Dual()
    """The law that sets alpha, the weight of the entropy (reward per nat)."""
    torso: AbstractTorso = Dense()
    """Shape of the actor's and the critics' hidden layers."""
    batch_size: int = eqx.field(default=256, static=True)
    """Transitions per update."""
    num_critics: int = eqx.field(default=2, static=True)
    """Critics of which the smallest counts."""
    n_step: int = eqx.field(default=1, static=True)
    """Steps of reward before a target bootstraps."""
    policy_delay: int = eqx.field(default=1, static=True)
    """Critic updates per update of actor and temperature."""

    def __check_init__(self) -> None:
        counts = {name: vars(self)[name] for name in ("batch_size", "num_critics", "n_step", "policy_delay")}
        rates = {name: vars(self)[name] for name in ("actor_learning_rate", "critic_learning_rate")}
        check_settings("SAC", counts, rates, self.discount, self.polyak)

    def data(self) -> Windows:
        """Windows of replayed steps."""
        return Windows(self.batch_size, self.n_step)

    def init(self, spec: Spec, *, key: Key[Array, ""]) -> SACState:
        """Draws the networks and starts the optimisers and the temperature law."""
        actor_key, critic_key = jax.random.split(key)
        actor = Actor(self.torso.init(spec.observation_size, 2 * continuous(spec).size, key=actor_key))
        critics = self.draw_critics(spec, key=critic_key)
        return SACState(
            critics=critics,
            target_critics=jax.tree.map(jnp.copy, critics),
            critic_optimiser=adam_init(critics),
            updates=jnp.zeros((), jnp.int32),
            actor=actor,
            actor_optimiser=adam_init(actor),
            temperature=self.temperature.init(spec),
        )

    def draw_critics(self, spec: Spec, *, key: Key[Array, ""]) -> Critic:
        """Draws an ensemble of `num_critics` action values."""
        inputs = spec.observation_size + continuous(spec).size
        return ensemble(lambda k: Critic(self.torso.init(inputs, 1, key=k)), self.num_critics, key=key)

    def actor(self, state: SACState) -> Actor:
        """The policy."""
        return state.actor

    def alpha(self, state: SACState) -> Float[Array, "*dimensions"]:
        """The weight of the entropy now, one or one a dimension."""
        return self.temperature.value(state.temperature)

    def target_entropy(self, spec: Spec, state: SACState) -> Float[Array, ""]:
        """The entropy steered to, in nats; NaN where none is."""
        return self.temperature.target(spec, state.temperature)

    def parameters(self, state: SACState) -> dict[str, PyTree[Array]]:
        """The trained parameters by name."""
        return {"actor": state.actor, "critic": state.critics}

    def climbed(self, state: SACState) -> Critic:
        """The critics."""
        return state.critics

    def update(
        self, spec: Spec, state: SACState, batch: Transition, progress: Progress, *, key: Key[Array, ""]
    ) -> tuple[SACState, Metrics]:
        """One step of the critics, the actor, the temperature and the target critics, in the paper's order."""
        target_noise, actor_noise = jax.random.normal(key, (2, *batch.action[:, 0].shape))
        following = successors(state.actor, batch, self.discount, target_noise)
        targets = soft_targets(state.target_critics, following, self.alpha(state))
        state, metrics = self.evaluation_step(state, batch, targets)
        value = partial(least_value, state.critics)
        state, more = self.improvement_step(spec, state, value, batch, progress, actor_noise)
        return self.target_step(state), {**metrics, **more}

    def evaluation_step(
        self, state: SACState, batch: Transition, targets: Float[Array, " batch"]
    ) -> tuple[SACState, Metrics]:
        """Policy evaluation: a step of the critics towards targets, equation 5."""
        critics, optimiser, metrics = critic_step(
            state.critics, state.critic_optimiser, batch, targets, self.critic_learning_rate
        )
        return replace(state, critics=critics, critic_optimiser=optimiser), metrics

    def improvement_step(
        self,
        spec: Spec,
        state: SACState,
        value: Value,
        batch: Transition,
        progress: Progress,
        noise: Float[Array, "batch action"],
    ) -> tuple[SACState, Metrics]:
        """Policy improvement: a step of actor and temperature, where due, against what `value` says of actions."""

        def policy_step(state: SACState) -> tuple[SACState, Metrics]:
            return self._policy_step(spec, state, value, batch, progress, noise)

        if self.policy_delay == 1:
            return policy_step(state)
        # The skipped branch still measures: metrics keep one meaning at every update.
        due = state.updates % self.policy_delay == 0
        return jax.lax.cond(due, policy_step, lambda s: (s, policy_step(s)[1]), state)

    def target_step(self, state: SACState) -> SACState:
        """Ends an update: the target critics take in their share of the critics."""
        target_critics = polyak(state.target_critics, state.critics, self.polyak)
        return replace(state, target_critics=target_critics, updates=state.updates + 1)

    def _policy_step(
        self,
        spec: Spec,
        state: SACState,
        value: Value,
        batch: Transition,
        progress: Progress,
        noise: Float[Array, "batch action"],
    ) -> tuple[SACState, Metrics]:
        """Equation 9 for the actor, then equation 18 for alpha on the same samples."""
        gradients = jax.value_and_grad(policy_loss, has_aux=True)
        (error, log_probs), gradient = gradients(state.actor, value, self.alpha(state), batch.observation[:, 0], noise)
        actor, optimiser = adam_step(gradient, state.actor_optimiser, state.actor, self.actor_learning_rate)
        temperature, metrics = self.temperature.update(spec, state.temperature, Evidence(-log_probs, progress))
        metrics = {**metrics, "train/actor_loss": error, "train/actor_grad_norm": optax.tree.norm(gradient)}
        return replace(state, actor=actor, actor_optimiser=optimiser, temperature=temperature), metrics
