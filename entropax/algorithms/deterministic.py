"""What deterministic policy gradients share: their state, what is read off it, and the steps that move it."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from entropax.algorithms.base import AbstractAlgorithm
from entropax.algorithms.soft import critic_step
from entropax.networks import AbstractTorso, Critic, ensemble
from entropax.ops import polyak
from entropax.optimiser import Rate, adam_init, adam_step
from entropax.policies import GaussianActor, Squashed, WithLogStd
from entropax.replay import Windows
from entropax.types import Metrics, Spec, Transition, continuous


class DeterministicState(eqx.Module):
    """All that a deterministic policy gradient carries from one update to the next."""

    critics: Critic
    target_critics: Critic
    critic_optimiser: optax.OptState
    actor: Squashed
    target_actor: Squashed
    actor_optimiser: optax.OptState
    updates: Int[Array, ""]


class AbstractDeterministic(AbstractAlgorithm[DeterministicState]):
    """A learner of a deterministic policy, which explores by noise of a size that is a setting."""

    exploration_noise: eqx.AbstractVar[float]
    batch_size: eqx.AbstractVar[int]
    n_step: eqx.AbstractVar[int]

    def data(self) -> Windows:
        """Windows of replayed steps."""
        return Windows(self.batch_size, self.n_step)

    def actor(self, state: DeterministicState) -> GaussianActor:
        """The policy with its noise: mu(s) + N(0, sigma^2) a dimension, which the environment clips to [-1, 1]."""
        log_std = jnp.log(jnp.asarray(self.exploration_noise, jnp.float32))
        return GaussianActor(WithLogStd(state.actor, log_std))

    def alpha(self, state: DeterministicState) -> Float[Array, ""]:
        """0: entropy has no weight."""
        return jnp.zeros((), jnp.float32)

    def target_entropy(self, spec: Spec, state: DeterministicState) -> Float[Array, ""]:
        """NaN: the noise is set, not steered."""
        return jnp.full((), jnp.nan, jnp.float32)

    def parameters(self, state: DeterministicState) -> dict[str, PyTree[Array]]:
        """The trained parameters by name."""
        return {"actor": state.actor, "critic": state.critics}


def draw_state(spec: Spec, torso: AbstractTorso, num_critics: int, *, key: Key[Array, ""]) -> DeterministicState:
    """Draws a policy and critics, copies them to the targets, and starts the optimisers."""
    actor_key, critic_key = jax.random.split(key)
    size = continuous(spec).size
    actor = Squashed(torso.init(spec.observation_size, size, key=actor_key))
    inputs = spec.observation_size + size
    critics = ensemble(lambda k: Critic(torso.init(inputs, 1, key=k)), num_critics, key=critic_key)
    return DeterministicState(
        critics=critics,
        target_critics=jax.tree.map(jnp.copy, critics),
        critic_optimiser=adam_init(critics),
        actor=actor,
        target_actor=jax.tree.map(jnp.copy, actor),
        actor_optimiser=adam_init(actor),
        updates=jnp.zeros((), jnp.int32),
    )


def as_taken(batch: Transition) -> Transition:
    """The batch with the actions that the environment took, where the policy drew beyond [-1, 1]."""
    return batch._replace(action=jnp.clip(batch.action, -1, 1))


def actions_of(actor: Squashed, observations: Float[Array, "batch observation"]) -> Float[Array, "batch action"]:
    """mu(s) of every observation."""
    return jax.vmap(actor)(observations)


def evaluation_step(
    state: DeterministicState, batch: Transition, targets: Float[Array, " batch"], learning_rate: Rate
) -> tuple[DeterministicState, Metrics]:
    """Regression of every critic on the same targets; counts the update."""
    critics, optimiser, metrics = critic_step(state.critics, state.critic_optimiser, batch, targets, learning_rate)
    return replace(state, critics=critics, critic_optimiser=optimiser, updates=state.updates + 1), metrics


def policy_loss(actor: Squashed, critic: Critic, observations: Float[Array, "batch observation"]) -> Float[Array, ""]:
    """-E[Q(s, mu(s))]; its gradient is the deterministic policy gradient (Silver et al. 2014, theorem 1)."""
    return -jnp.mean(jax.vmap(critic)(observations, actions_of(actor, observations)))


def improvement_step(
    state: DeterministicState, observations: Float[Array, "batch observation"], learning_rate: Rate
) -> tuple[DeterministicState, Metrics]:
    """One step of the policy up the first critic."""
    first = jax.tree.map(lambda leaf: leaf[0], state.critics)
    error, gradient = jax.value_and_grad(policy_loss)(state.actor, first, observations)
    actor, optimiser = adam_step(gradient, state.actor_optimiser, state.actor, learning_rate)
    metrics = {"train/actor_loss": error, "train/actor_grad_norm": optax.tree.norm(gradient)}
    return replace(state, actor=actor, actor_optimiser=optimiser), metrics


def target_step(state: DeterministicState, share: Rate) -> DeterministicState:
    """Both targets take in their share."""
    return replace(
        state,
        target_critics=polyak(state.target_critics, state.critics, share),
        target_actor=polyak(state.target_actor, state.actor, share),
    )
