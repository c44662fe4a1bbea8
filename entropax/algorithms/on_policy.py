"""What learners from rollouts share: kinds of policy, advantages of a rollout, and the loss of actor and critic."""

import abc
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Key, UInt

from entropax.algorithms.values import AbstractValues, AnyStateValue
from entropax.errors import EntropaxError
from entropax.networks import AbstractTorso, Orthogonal
from entropax.ops import regularised_loss
from entropax.optimiser import Rate
from entropax.policies import AbstractActor, Actor, CategoricalActor, GaussianActor, WithLogStd
from entropax.temperature.checks import holds, require_positive
from entropax.types import Bounds, Metrics, Spec, Transition, continuous


class AbstractPolicy(eqx.Module):
    """Which distribution over continuous actions an actor is; of a finite set of actions there is one kind."""

    torso: eqx.AbstractVar[AbstractTorso]

    @abc.abstractmethod
    def init(self, spec: Spec, *, key: Key[Array, ""]) -> AbstractActor:
        """Draws an actor of continuous actions."""


class TanhGaussian(AbstractPolicy):
    """A Gaussian squashed by tanh into [-1, 1], its spread learned and the same at every observation."""

    torso: AbstractTorso = Orthogonal(output_gain=0.01)
    """Shape of the actor's hidden layers."""
    initial_log_std: float = 0.0
    """Log standard deviation before the tanh to begin with."""

    def init(self, spec: Spec, *, key: Key[Array, ""]) -> Actor:
        """Draws an actor."""
        return Actor(_gaussian(self.torso, self.initial_log_std, spec, key=key))


class ClippedGaussian(AbstractPolicy):
    """The published Gaussian: not squashed, the environment clips its actions to [-1, 1].

    Densities, ratios and entropies are of the actions as they were drawn, so all that lies beyond a bound counts as
    distinct actions there; its entropy has no upper bound, and a bonus on it can grow the spread for ever.
    """

    torso: AbstractTorso = Orthogonal(output_gain=0.01)
    """Shape of the actor's hidden layers."""
    initial_log_std: float = 0.0
    """Log standard deviation, in units of [-1, 1], to begin with."""

    def init(self, spec: Spec, *, key: Key[Array, ""]) -> GaussianActor:
        """Draws an actor."""
        return GaussianActor(_gaussian(self.torso, self.initial_log_std, spec, key=key))


def _gaussian(torso: AbstractTorso, log_std: Rate, spec: Spec, *, key: Key[Array, ""]) -> WithLogStd:
    size = continuous(spec).size
    return WithLogStd(torso.init(spec.observation_size, size, key=key), jnp.full(size, log_std, jnp.float32))


class ActorCritic(eqx.Module):
    """A policy and the value of its states, trained by one optimiser."""

    actor: AbstractActor
    critic: AnyStateValue


def actor_critic(
    policy: AbstractPolicy, values: AbstractValues, torso: AbstractTorso, spec: Spec, *, key: Key[Array, ""]
) -> ActorCritic:
    """Draws a policy, and a critic of its own torso.

    Where actions are a finite set, the policy is the softmax of as many outputs of its torso, whatever it is of
    continuous ones.
    """
    actor_key, critic_key = jax.random.split(key)
    critic = values.critic(torso, spec, key=critic_key)
    if isinstance(spec.action, Bounds):
        return ActorCritic(policy.init(spec, key=actor_key), critic)
    count = spec.action.count
    logits = policy.torso.init(spec.observation_size, count, key=actor_key)
    return ActorCritic(CategoricalActor(logits, count), critic)


class Experience(NamedTuple):
    """A rollout as a gradient sees it: steps of all environment copies, in any order."""

    observation: Float[Array, "step observation"]
    action: Float[Array, "step action"]
    log_prob: Float[Array, " step"]
    """Of the action, nats, by the policy that took it."""
    advantage: Float[Array, " step"]
    """How much better than its state's value the action turned out, reward."""
    value_target: Float[Array, "step *values"]
    """Advantage plus value: the lambda-return that the critic is regressed on, reward."""


def log_prob(
    actor: AbstractActor, observations: Float[Array, "step observation"], actions: Float[Array, "step action"]
) -> Float[Array, " step"]:
    """Log pi(a|s) of each step, nats."""
    return jax.vmap(lambda observation, action: actor(observation).log_prob(action))(observations, actions)


def experience(
    networks: ActorCritic, values: AbstractValues, batch: Transition, discount: Rate, gae_lambda: Rate
) -> Experience:
    """Advantages and values of a rollout `[envs, steps]` by the networks that acted in it."""
    advantages, targets = values.advantages(networks.critic, batch, discount, gae_lambda)
    observations, actions = (x.reshape(-1, x.shape[-1]) for x in (batch.observation, batch.action))
    log_probs = log_prob(networks.actor, observations, actions)
    return Experience(observations, actions, log_probs, advantages.ravel(), targets.reshape(-1, *targets.shape[2:]))


def shuffled(count: int, *, key: Key[Array, ""]) -> UInt[Array, " count"]:
    """The numbers 0 … count - 1 in a random order, by one sort of one word each.

    High bits are random and low bits the number, which breaks ties: of 4,096 numbers about eight pairs of neighbours
    come in their old order. `jax.random.permutation` sorts numbers by keys of their own, twice, which takes several
    times as long: a share of PPO's update that shows.
    """
    low = jnp.uint32((1 << (count - 1).bit_length()) - 1)
    words = (jax.random.bits(key, (count,)) & ~low) | jnp.arange(count, dtype=jnp.uint32)
    return jnp.sort(words) & low


Surrogate = Callable[[Float[Array, " step"], Experience], Float[Array, " step"]]
"""What the policy climbs: log pi(a|s) of each step, nats, and the steps, to an objective of each, reward."""


def gradient(
    networks: ActorCritic,
    steps: Experience,
    surrogate: Surrogate,
    value_coefficient: Rate,
    entropy_coefficient: Rate,
) -> tuple[ActorCritic, Metrics]:
    """Gradient of -E[surrogate] - c_H E[H(pi(.|s))] + c_V E[(V(s) - target)^2], equation 9 of arXiv 1707.06347 negated.

    The squared errors of several values are summed. H is the policy's own entropy in nats, a differentiable function of
    its parameters. Minus the mean log-probability of the stored actions, in use where H has no closed form, estimates
    its value and not its gradient: on policy E[grad log pi(a|s)] = 0, so that bonus would steer nothing.
    """

    def loss(networks: ActorCritic) -> tuple[Float[Array, ""], Metrics]:
        log_probs = log_prob(networks.actor, steps.observation, steps.action)
        entropy = _mean_entropy(networks.actor, steps.observation, entropy_coefficient != 0)
        actor_loss = regularised_loss(jnp.mean(surrogate(log_probs, steps)), entropy, entropy_coefficient)
        values = jax.vmap(networks.critic)(steps.observation)
        critic_loss = jnp.sum(jnp.mean((values - steps.value_target) ** 2, axis=0))
        value = jnp.sum(jnp.mean(values, axis=0))
        metrics = {"train/actor_loss": actor_loss, "train/critic_loss": critic_loss, "train/value_mean": value}
        return actor_loss + value_coefficient * critic_loss, metrics

    slope, metrics = jax.grad(loss, has_aux=True)(networks)
    norms = {
        "train/actor_grad_norm": jnp.linalg.norm(ravel_pytree(slope.actor)[0]),
        "train/critic_grad_norm": jnp.linalg.norm(ravel_pytree(slope.critic)[0]),
    }
    return slope, {**metrics, **norms}


def _mean_entropy(
    actor: AbstractActor, observations: Float[Array, "step observation"], wanted: bool | Bool[Array, ""]
) -> Float[Array, ""]:
    """E[H(pi(.|s))], nats; 0 where it is not wanted, to save a quadrature a step."""

    def mean(actor: AbstractActor) -> Float[Array, ""]:
        return jnp.mean(jax.vmap(lambda observation: actor(observation).entropy())(observations))

    return jax.lax.cond(wanted, mean, lambda _: jnp.zeros((), jnp.float32), actor)


def check(owner: str, discount: Rate, gae_lambda: Rate, learning_rate: Rate, max_grad_norm: Rate, steps: int) -> None:
    """Checks the settings that on-policy learners have in common.

    Raises:
        EntropaxError: one is out of its range.
    """
    if steps < 2:
        raise EntropaxError(f"{owner}: num_steps is {steps}, but a rollout has 2 steps or more. Try 2048.")
    for name, value in (("discount", discount), ("gae_lambda", gae_lambda)):
        if not holds(lambda share: (share >= 0) & (share <= 1), value):
            raise EntropaxError(f"{owner}: {name} is {value}, but advantages diverge outside [0, 1]. Try 0.95.")
    require_positive(owner, "learning_rate", learning_rate, "The optimiser needs a step; try 3e-4.")
    if not holds(lambda norm: norm > 0, max_grad_norm):
        raise EntropaxError(f"{owner}: max_grad_norm is {max_grad_norm}, which leaves no gradient; inf clips nothing.")
