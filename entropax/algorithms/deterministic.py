"""What deterministic policy gradients share: their state, and pure functions of it."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key

from entropax.algorithms.soft import critic_step
from entropax.networks import AbstractTorso, Critic, ensemble
from entropax.ops import polyak
from entropax.optimiser import Rate, adam_init, adam_step
from entropax.policies import GaussianActor, Squashed, WithLogStd
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


def with_noise(actor: Squashed, sigma: Rate) -> GaussianActor:
    """The policy that explores: mu(s) + N(0, sigma^2) in every dimension, which the environment clips to [-1, 1]."""
    return GaussianActor(WithLogStd(actor, jnp.log(jnp.asarray(sigma, jnp.float32))))


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
