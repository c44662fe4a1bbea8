"""Soft Q-learning with a sampling network: Haarnoja, Tang, Abbeel and Levine 2017, arXiv 1702.08165, algorithm 1."""

import math
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from entropax.algorithms.base import AbstractAlgorithm
from entropax.algorithms.checks import check_settings
from entropax.algorithms.soft import critic_step, least_value, returns_and_bootstraps
from entropax.distributions import log_tanh_derivative
from entropax.errors import EntropaxError
from entropax.networks import AbstractTorso, Critic, Dense, Sampler, ensemble
from entropax.ops import polyak, soft_value_by_sampling, stein_direction
from entropax.optimiser import adam_init, adam_step
from entropax.policies import ImplicitActor
from entropax.replay import Windows
from entropax.temperature.checks import require_positive
from entropax.types import Metrics, Progress, Spec, Transition, continuous


class SoftQState(eqx.Module):
    """All that soft Q-learning carries from one update to the next."""

    critics: Critic
    """An ensemble of one."""
    target_critics: Critic
    critic_optimiser: optax.OptState
    sampler: Sampler
    sampler_optimiser: optax.OptState
    updates: Int[Array, ""]


class SoftQ(AbstractAlgorithm[SoftQState]):
    """The soft Bellman equation for Q, and a network that learns to draw from exp(Q / alpha), whatever its shape.

    Raises:
        EntropaxError: a setting is out of its range, or the environment's actions are not continuous.

    Example:
        >>> SoftQ(entropy_weight=0.05).data()
        Windows(batch=256, n_step=1)
    """

    discount: float = 0.99
    """Discount per environment step, gamma."""
    polyak: float = 0.005
    """Share of the critic that the target critic takes in per update, tau."""
    entropy_weight: float = 0.1
    """Alpha, the weight of the entropy, reward per nat: one over the published reward scale."""
    actor_learning_rate: float = 3e-4
    """Adam's step size for the sampling network."""
    critic_learning_rate: float = 3e-4
    """Adam's step size for the critic."""
    torso: AbstractTorso = Dense()
    """Shape of the sampling network's and the critic's hidden layers."""
    batch_size: int = eqx.field(default=256, static=True)
    """Transitions per update."""
    value_samples: int = eqx.field(default=16, static=True)
    """Uniform actions by which the soft value of a next state is estimated."""
    fixed_particles: int = eqx.field(default=8, static=True)
    """Actions a state over which the Stein gradient is averaged, at least 2."""
    moved_particles: int = eqx.field(default=8, static=True)
    """Actions a state that it moves."""

    def __check_init__(self) -> None:
        names = ("batch_size", "value_samples", "fixed_particles", "moved_particles")
        counts = {name: vars(self)[name] for name in names}
        rates = {name: vars(self)[name] for name in ("actor_learning_rate", "critic_learning_rate")}
        check_settings("SoftQ", counts, rates, self.discount, self.polyak)
        require_positive("SoftQ", "entropy_weight", self.entropy_weight, "Without it no density is wanted: try 0.1.")
        if self.fixed_particles < 2:
            raise EntropaxError("SoftQ: fixed_particles is 1, but particles have no distance then. Take 2 or more.")

    def data(self) -> Windows:
        """Single replayed steps."""
        return Windows(self.batch_size, 1)

    def init(self, spec: Spec, *, key: Key[Array, ""]) -> SoftQState:
        """Draws the networks and starts the optimisers."""
        sampler_key, critic_key = jax.random.split(key)
        size = continuous(spec).size
        inputs = spec.observation_size + size
        sampler = Sampler(self.torso.init(inputs, size, key=sampler_key), noise_size=size)
        critics = ensemble(lambda k: Critic(self.torso.init(inputs, 1, key=k)), 1, key=critic_key)
        return SoftQState(
            critics=critics,
            target_critics=jax.tree.map(jnp.copy, critics),
            critic_optimiser=adam_init(critics),
            sampler=sampler,
            sampler_optimiser=adam_init(sampler),
            updates=jnp.zeros((), jnp.int32),
        )

    def actor(self, state: SoftQState) -> ImplicitActor:
        """The sampling network, with the critic that tells the mode among its draws."""
        return ImplicitActor(state.sampler, jax.tree.map(lambda leaf: leaf[0], state.critics))

    def alpha(self, state: SoftQState) -> Float[Array, ""]:
        """The weight of the entropy, a setting."""
        return jnp.asarray(self.entropy_weight, jnp.float32)

    def target_entropy(self, spec: Spec, state: SoftQState) -> Float[Array, ""]:
        """NaN: alpha is set, and the entropy becomes what it makes it."""
        return jnp.full((), jnp.nan, jnp.float32)

    def parameters(self, state: SoftQState) -> dict[str, PyTree[Array]]:
        """The trained parameters by name."""
        return {"actor": state.sampler, "critic": state.critics}

    def update(
        self, spec: Spec, state: SoftQState, batch: Transition, progress: Progress, *, key: Key[Array, ""]
    ) -> tuple[SoftQState, Metrics]:
        """A step of the critic, then one of the sampling network, then the target critic's share."""
        value_key, noise_key = jax.random.split(key)
        reward, weight, following = returns_and_bootstraps(batch, self.discount)
        targets = reward + weight * self.soft_value(state.target_critics, following, spec, key=value_key)
        critics, optimiser, metrics = critic_step(
            state.critics, state.critic_optimiser, batch, targets, self.critic_learning_rate
        )
        state = replace(state, critics=critics, critic_optimiser=optimiser)
        state, more = self._sampler_step(state, batch.observation[:, 0], key=noise_key)
        target_critics = polyak(state.target_critics, state.critics, self.polyak)
        return replace(state, target_critics=target_critics, updates=state.updates + 1), {**metrics, **more}

    def soft_value(
        self, critics: Critic, observations: Float[Array, "batch observation"], spec: Spec, *, key: Key[Array, ""]
    ) -> Float[Array, " batch"]:
        """V(s) with the entropy in it, by importance sampling from uniform actions: equation 10."""
        size, shape = continuous(spec).size, (len(observations), self.value_samples)
        actions = jax.random.uniform(key, (*shape, size), minval=-1.0, maxval=1.0)
        q = jax.vmap(lambda a: least_value(critics, observations, a), in_axes=1, out_axes=1)(actions)
        return soft_value_by_sampling(q, jnp.full(shape, -size * math.log(2.0)), self.entropy_weight)

    def _sampler_step(
        self, state: SoftQState, observations: Float[Array, "batch observation"], *, key: Key[Array, ""]
    ) -> tuple[SoftQState, Metrics]:
        """Equations 13 and 14: some draws show where to go, and the network takes the others there."""
        count = self.fixed_particles + self.moved_particles
        noise = jax.random.normal(key, (count, len(observations), state.sampler.noise_size))

        def loss(sampler: Sampler) -> tuple[Float[Array, ""], Float[Array, ""]]:
            draw = jax.vmap(lambda o, e: sampler(jnp.concatenate([o, e])))
            latents = jax.vmap(lambda e: draw(observations, e))(noise)
            held = jax.lax.stop_gradient(latents)
            fixed, moved = held[: self.fixed_particles], held[self.fixed_particles :]
            slopes, q = jax.grad(self._log_density, has_aux=True)(fixed, state.critics, observations)
            directions = jax.vmap(stein_direction, in_axes=(1, 1, 1, None), out_axes=1)(
                fixed, slopes, moved, self.entropy_weight
            )
            along = jnp.sum(directions * latents[self.fixed_particles :], axis=-1)
            return -jnp.mean(along), -jnp.mean(q)

        (_, error), gradient = jax.value_and_grad(loss, has_aux=True)(state.sampler)
        sampler, optimiser = adam_step(gradient, state.sampler_optimiser, state.sampler, self.actor_learning_rate)
        metrics = {"train/actor_loss": error, "train/actor_grad_norm": optax.tree.norm(gradient)}
        return replace(state, sampler=sampler, sampler_optimiser=optimiser), metrics

    def _log_density(
        self,
        latents: Float[Array, "particle batch action"],
        critics: Critic,
        observations: Float[Array, "batch observation"],
    ) -> tuple[Float[Array, ""], Float[Array, "particle batch"]]:
        """The sum of alpha log p(u), of latents u whose tanh is distributed as exp(Q / alpha); and those actions' Q."""
        q = jax.vmap(lambda u: least_value(critics, observations, jnp.tanh(u)))(latents)
        return jnp.sum(q) + self.entropy_weight * jnp.sum(log_tanh_derivative(latents)), q
