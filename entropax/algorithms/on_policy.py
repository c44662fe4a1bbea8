"""What learners from rollouts share: their state, advantages of a rollout, and the loss of actor and critic."""

import math
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, Key, PyTree, UInt

from entropax.algorithms.base import AbstractAlgorithm
from entropax.algorithms.on_policy_parts import AbstractPolicy
from entropax.algorithms.values import AbstractValues, AnyStateValue
from entropax.errors import EntropaxError
from entropax.networks import AbstractTorso
from entropax.ops import regularised_loss
from entropax.optimiser import Rate
from entropax.policies import AbstractActor, CategoricalActor
from entropax.replay import Rollout
from entropax.temperature.checks import holds, require_finite, require_positive
from entropax.types import Bounds, Metrics, Spec, Transition


class ActorCritic(eqx.Module):
    """A policy and the value of its states, trained by one optimiser."""

    actor: AbstractActor
    critic: AnyStateValue


class OnPolicyState(eqx.Module):
    """All that is carried from one rollout to the next."""

    networks: ActorCritic
    optimiser: optax.OptState
    updates: Int[Array, ""]
    """Rollouts learned from."""


class AbstractOnPolicy(AbstractAlgorithm[OnPolicyState]):
    """A learner from rollouts whose actor and critic share one optimiser."""

    discount: eqx.AbstractVar[float]
    gae_lambda: eqx.AbstractVar[float]
    learning_rate: eqx.AbstractVar[float]
    entropy_coefficient: eqx.AbstractVar[float]
    value_coefficient: eqx.AbstractVar[float]
    max_grad_norm: eqx.AbstractVar[float]
    values: eqx.AbstractVar[AbstractValues]
    num_steps: eqx.AbstractVar[int]

    def __check_init__(self) -> None:
        owner, weight = type(self).__name__, self.value_coefficient
        if self.num_steps < 2:
            raise EntropaxError(f"{owner}: num_steps is {self.num_steps}, but a rollout has 2 steps or more. Try 2048.")
        for name, value in (("discount", self.discount), ("gae_lambda", self.gae_lambda)):
            if not holds(lambda share: (share >= 0) & (share <= 1), value):
                raise EntropaxError(f"{owner}: {name} is {value}, but advantages diverge outside [0, 1]. Try 0.95.")
        require_positive(owner, "learning_rate", self.learning_rate, "The optimiser needs a step; try 3e-4.")
        require_finite(owner, "entropy_coefficient", self.entropy_coefficient, "0 leaves the entropy out.")
        if not holds(lambda number: (number >= 0) & (number < math.inf), weight):
            raise EntropaxError(f"{owner}: value_coefficient is {weight}, but is 0 or more and finite. Try 0.5.")
        if not holds(lambda norm: norm > 0, self.max_grad_norm):
            raise EntropaxError(
                f"{owner}: max_grad_norm is {self.max_grad_norm}: no gradient is left. inf clips nothing."
            )

    def data(self) -> Rollout:
        """The newest steps of every copy."""
        return Rollout(self.num_steps)

    def actor(self, state: OnPolicyState) -> AbstractActor:
        """The policy."""
        return state.networks.actor

    def alpha(self, state: OnPolicyState) -> Float[Array, ""]:
        """The entropy's weight in the loss, which nothing moves."""
        return jnp.asarray(self.entropy_coefficient, jnp.float32)

    def target_entropy(self, spec: Spec, state: OnPolicyState) -> Float[Array, ""]:
        """NaN: none is steered to."""
        return jnp.full((), jnp.nan, jnp.float32)

    def parameters(self, state: OnPolicyState) -> dict[str, PyTree[Array]]:
        """The trained parameters by name."""
        return {"actor": state.networks.actor, "critic": state.networks.critic}

    def paid(self, batch: Transition, bonus: Float[Array, "envs steps"]) -> Transition:
        """In its rewards, or apart where the bonus has a value of its own."""
        return self.values.paid(batch, bonus)


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
