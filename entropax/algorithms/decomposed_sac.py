"""DecomposedSAC: critics that know reward and entropy apart, and an actor that trusts entropy where it does no harm."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, PyTree

from entropax.algorithms.base import AbstractTwoValued, SoftAndPlain
from entropax.algorithms.decomposed_critics import (
    Parts,
    decomposed_critic_step,
    decomposed_targets,
    parts,
    soft_critics,
)
from entropax.algorithms.sac import SAC, SACState
from entropax.algorithms.soft import Value, sample, successors
from entropax.errors import EntropaxError
from entropax.networks import Critic, DecomposedCritic, ensemble
from entropax.ops import ranking_agreement
from entropax.optimiser import adam_init
from entropax.policies import Actor
from entropax.replay import Windows
from entropax.temperature.checks import holds
from entropax.types import Metrics, Progress, Spec, Transition, continuous


class DecomposedSAC(AbstractTwoValued[SACState[DecomposedCritic]]):
    """SAC whose critics predict the return and the entropy to come apart, each by a Bellman equation of its own.

    With i the critic of the least soft value at (s', a'), and g(s) the share of pairs among a few actions of the policy
    that Q_r and Q_r + alpha Q_H rank alike (`entropax.ops.ranking_agreement`),

        y_r  = r + gamma (1 - d)   Q_r,i(s', a'),
        y_H  =     gamma (1 - d) [ Q_H,i(s', a') - log pi(a'|s') ],
        J_pi = E[ alpha log pi(a|s) - min_i ( Q_r,i + g(s)^sharpness alpha Q_H,i )(s, a) ].

    y_r + alpha y_H is SAC's target. The entropy of the action itself stays in J_pi at every state.

    Raises:
        EntropaxError: a setting is out of its range, or the environment's actions are not continuous.

    Example:
        >>> DecomposedSAC(SAC(discount=0.98), sharpness=0.0).pairs
        2
    """

    sac: SAC = SAC()
    """SAC's settings; its temperature law must have one alpha."""
    sharpness: float = 1.0
    """Power of the share that weighs the entropy to come; 0 is SAC, a large one leaves entropy only where all agree."""
    pairs: int = eqx.field(default=2, static=True)
    """Antithetic pairs of actions, mean plus and minus noise, that are compared at each state."""

    def __check_init__(self) -> None:
        if self.pairs < 1:
            raise EntropaxError(
                f"DecomposedSAC: pairs is {self.pairs}, but without actions there is no ranking. Take 2."
            )
        if not holds(lambda power: (power >= 0) & np.isfinite(power), self.sharpness):
            raise EntropaxError(
                f"DecomposedSAC: sharpness is {self.sharpness}, but is a power of a share: at least 0, and finite. "
                "Take 1; 0 never weakens the entropy."
            )

    def data(self) -> Windows:
        """Windows of replayed steps: SAC's."""
        return self.sac.data()

    def init(self, spec: Spec, *, key: Key[Array, ""]) -> SACState[DecomposedCritic]:
        """Draws the networks and starts the optimisers and the temperature law."""
        sac_key, critic_key = jax.random.split(key)
        state = self.sac.init(spec, key=sac_key)
        if self.sac.alpha(state).ndim:
            raise EntropaxError(
                "DecomposedSAC: the temperature law has an alpha for each dimension, but a critic's entropy part is "
                "one number, to be multiplied with one alpha. Take a law with one, such as Dual()."
            )
        inputs = spec.observation_size + continuous(spec).size
        critics = ensemble(
            lambda k: DecomposedCritic(self.sac.torso.init(inputs, 2, key=k)), self.sac.num_critics, key=critic_key
        )
        target_critics, optimiser = jax.tree.map(jnp.copy, critics), adam_init(critics)
        return replace(state, critics=critics, target_critics=target_critics, critic_optimiser=optimiser)

    def actor(self, state: SACState[DecomposedCritic]) -> Actor:
        """The policy."""
        return state.actor

    def alpha(self, state: SACState[DecomposedCritic]) -> Float[Array, "*dimensions"]:
        """The weight of the entropy now."""
        return self.sac.alpha(state)

    def target_entropy(self, spec: Spec, state: SACState[DecomposedCritic]) -> Float[Array, ""]:
        """The entropy steered to, in nats; NaN where none is."""
        return self.sac.target_entropy(spec, state)

    def parameters(self, state: SACState[DecomposedCritic]) -> dict[str, PyTree[Array]]:
        """The trained parameters by name."""
        return self.sac.parameters(state)

    def climbed(self, state: SACState[DecomposedCritic]) -> Critic:
        """The soft values at the alpha of now; the gate is not in them."""
        return soft_critics(state.critics, self.alpha(state))

    def soft_and_plain(
        self,
        state: SACState[DecomposedCritic],
        observation: Float[Array, " observation"],
        action: Float[Array, " action"],
    ) -> SoftAndPlain:
        """The least Q_r + alpha Q_H and the least Q_r."""
        q = Parts(*jax.vmap(lambda critic: critic(observation, action))(state.critics))
        return SoftAndPlain(jnp.min(q.reward + self.alpha(state) * q.entropy), jnp.min(q.reward))

    def update(
        self,
        spec: Spec,
        state: SACState[DecomposedCritic],
        batch: Transition,
        progress: Progress,
        *,
        key: Key[Array, ""],
    ) -> tuple[SACState[DecomposedCritic], Metrics]:
        """One step of the critics' two parts, the actor against the new ones, the temperature, the target critics."""
        sac_key, gate_key = jax.random.split(key)
        target_noise, actor_noise = jax.random.normal(sac_key, (2, *batch.action[:, 0].shape))
        alpha = self.alpha(state)
        following = successors(state.actor, batch, self.sac.discount, target_noise)
        targets = decomposed_targets(state.target_critics, following, alpha)
        critics, optimiser, metrics = decomposed_critic_step(
            state.critics, state.critic_optimiser, batch, targets, alpha, self.sac.critic_learning_rate
        )
        state = replace(state, critics=critics, critic_optimiser=optimiser)

        noise = jax.random.normal(gate_key, (self.pairs, *batch.action[:, 0].shape))
        agreement = agreements(state.actor, critics, alpha, batch.observation[:, 0], noise)
        value = gated_value(critics, alpha, agreement**self.sharpness)
        state, policy_metrics = self.sac.improvement_step(spec, state, value, batch, progress, actor_noise)
        gate_metrics = {"train/ranking_agreement": jnp.mean(agreement)}
        return self.sac.target_step(state), {**metrics, **policy_metrics, **gate_metrics}


def agreements(
    actor: Actor,
    critics: DecomposedCritic,
    alpha: Float[Array, ""],
    observations: Float[Array, "batch observation"],
    noise: Float[Array, "pair batch action"],
) -> Float[Array, " batch"]:
    """How alike the first critic's soft and plain values rank actions of the policy: g(s), a share of pairs.

    With its mirror image to every action, a few see both sides of the policy's mean.
    """
    actions = jax.vmap(lambda e: sample(actor, observations, e)[0])(jnp.concatenate([noise, -noise]))
    first = jax.tree.map(lambda leaf: leaf[0], critics)
    q_reward, q_entropy = jax.vmap(lambda a: jax.vmap(first)(observations, a))(actions)
    return jax.vmap(ranking_agreement, in_axes=1)(q_reward, q_reward + alpha * q_entropy)


def gated_value(critics: DecomposedCritic, alpha: Float[Array, ""], gate: Float[Array, " batch"]) -> Value:
    """The value of one action a state, with the entropy to come weighed by that state's gate."""

    def value(
        observations: Float[Array, "batch observation"], actions: Float[Array, "batch action"]
    ) -> Float[Array, " batch"]:
        q = parts(critics, observations, actions)
        return jnp.min(q.reward + (gate * alpha)[None] * q.entropy, axis=0)

    return value
