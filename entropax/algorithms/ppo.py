"""Proximal policy optimisation with the clipped surrogate: Schulman et al. 2017, arXiv 1707.06347, algorithm 1."""

import abc
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Key

from entropax.algorithms.annealing import AbstractAnnealing, KeepRate
from entropax.algorithms.on_policy import (
    AbstractOnPolicy,
    Experience,
    OnPolicyState,
    actor_critic,
    experience,
    gradient,
    shuffled,
)
from entropax.algorithms.on_policy_parts import AbstractPolicy, TanhGaussian
from entropax.algorithms.values import AbstractValues, OneValue
from entropax.errors import EntropaxError
from entropax.networks import AbstractTorso, Orthogonal
from entropax.ops import clipped_surrogate
from entropax.optimiser import Rate, adam_init, adam_step, clip_by_norm
from entropax.temperature.checks import holds
from entropax.types import Metrics, Progress, Spec, Transition


class AbstractAdvantages(eqx.Module):
    """What becomes of a minibatch's advantages before the policy climbs them."""

    @abc.abstractmethod
    def __call__(self, advantage: Float[Array, " step"]) -> Float[Array, " step"]:
        """Maps a minibatch of advantages."""


class Standardised(AbstractAdvantages):
    """Mean 0 and standard deviation 1 within the minibatch: the policy's step forgets the rewards' scale.

    Raises:
        EntropaxError: a minibatch is a single step, whose advantage would always become 0.
    """

    def __call__(self, advantage: Float[Array, " step"]) -> Float[Array, " step"]:
        """(A - mean) / (std + 1e-8)."""
        if advantage.size < 2:
            raise EntropaxError(
                "PPO: a minibatch has one step, whose advantage less its own mean is 0, so the policy would never "
                "learn. Lower minibatches, raise num_steps or num_envs, or leave advantages AsEstimated()."
            )
        return (advantage - jnp.mean(advantage)) / (jnp.std(advantage) + 1e-8)


class AsEstimated(AbstractAdvantages):
    """Left as they are, in units of reward."""

    def __call__(self, advantage: Float[Array, " step"]) -> Float[Array, " step"]:
        """A."""
        return advantage


class PPO(AbstractOnPolicy):
    """Proximal policy optimisation: several epochs over each rollout, the policy kept near the one that acted.

    Actions may be continuous or a finite set.

    Raises:
        EntropaxError: a setting is out of its range.

    Example:
        >>> PPO(num_steps=512, discount=0.9).data()
        Rollout(num_steps=512)
    """

    discount: float = 0.99
    """Discount per environment step, gamma."""
    gae_lambda: float = 0.95
    """Lambda of the advantages: 0 trusts the critic alone, 1 the returns alone."""
    clip: float = 0.2
    """Epsilon: how far the ratio of new to old probability may leave 1 to its gain."""
    learning_rate: float = 3e-4
    """Adam's step size, for actor and critic."""
    entropy_coefficient: float = 0.0
    """Weight of the policy's entropy in the loss (reward per nat, or standardised advantage per nat)."""
    value_coefficient: float = 0.5
    """Weight of the critic's squared error in the loss."""
    max_grad_norm: float = 0.5
    """Norm to which the gradient of actor and critic together is cut."""
    advantages: AbstractAdvantages = Standardised()
    """What becomes of a minibatch's advantages."""
    policy: AbstractPolicy = TanhGaussian()
    """The kind of policy of continuous actions; of a finite set it is the softmax of this one's torso."""
    torso: AbstractTorso = Orthogonal()
    """Shape of the critic's hidden layers."""
    values: AbstractValues = OneValue()
    """Whether a bonus is a reward like any other, or has a value of its own."""
    annealing: AbstractAnnealing = KeepRate()
    """What becomes of the learning rate as the run goes on."""
    num_steps: int = eqx.field(default=2048, static=True)
    """Steps of a rollout, of each environment copy."""
    epochs: int = eqx.field(default=10, static=True)
    """Passes over each rollout."""
    minibatches: int = eqx.field(default=32, static=True)
    """Gradient steps of a pass, each on an equal share of the rollout."""

    def __check_init__(self) -> None:
        if min(self.epochs, self.minibatches) < 1:
            counts = (self.epochs, self.minibatches)
            raise EntropaxError(f"PPO: epochs and minibatches are {counts}; 1 is the least.")
        if self.minibatches > self.num_steps:
            raise EntropaxError(
                f"PPO: {self.minibatches} minibatches share {self.num_steps} steps, so one may be empty. Lower "
                "minibatches or raise num_steps."
            )
        if not holds(lambda clip: clip > 0, self.clip):
            raise EntropaxError(f"PPO: clip is {self.clip}, but no ratio may then leave 1. Try 0.2.")

    def init(self, spec: Spec, *, key: Key[Array, ""]) -> OnPolicyState:
        """Draws the networks and starts the optimiser."""
        networks = actor_critic(self.policy, self.values, self.torso, spec, key=key)
        return OnPolicyState(networks, adam_init(ravel_pytree(networks)[0]), jnp.zeros((), jnp.int32))

    def update(
        self, spec: Spec, state: OnPolicyState, batch: Transition, progress: Progress, *, key: Key[Array, ""]
    ) -> tuple[OnPolicyState, Metrics]:
        """Epochs of minibatch steps on a rollout `[envs, steps]`; metrics are means over all of these steps."""
        rollout = experience(state.networks, self.values, batch, self.discount, self.gae_lambda)
        rate, size = self.annealing.rate(self.learning_rate, progress), rollout.advantage.size // self.minibatches

        def epoch(state: OnPolicyState, key: Key[Array, ""]) -> tuple[OnPolicyState, Metrics]:
            order = shuffled(rollout.advantage.size, key=key)[: size * self.minibatches]
            dealt = jax.tree.map(lambda x: x[order].reshape(self.minibatches, size, *x.shape[1:]), rollout)
            # Not the bound method: scan hashes what it is given, and a module with traced leaves has no hash.
            return jax.lax.scan(lambda s, steps: self.minibatch_step(s, steps, rate), state, dealt)

        state, metrics = jax.lax.scan(epoch, state, jax.random.split(key, self.epochs))
        return replace(state, updates=state.updates + 1), jax.tree.map(jnp.mean, metrics)

    def minibatch_step(self, state: OnPolicyState, steps: Experience, rate: Rate) -> tuple[OnPolicyState, Metrics]:
        """One gradient step on some steps of the rollout, equation 9 with the surrogate of equation 7."""
        advantage = self.advantages(steps.advantage)

        def surrogate(log_probs: Float[Array, " step"], steps: Experience) -> Float[Array, " step"]:
            return clipped_surrogate(log_probs - steps.log_prob, advantage, self.clip)

        slope, metrics = gradient(state.networks, steps, surrogate, self.value_coefficient, self.entropy_coefficient)
        # As one vector, because a step on a leaf takes far longer to start than to make.
        (parameters, apart), (slope, _) = ravel_pytree(state.networks), ravel_pytree(slope)
        slope = clip_by_norm(slope, self.max_grad_norm)
        parameters, optimiser = adam_step(slope, state.optimiser, parameters, rate)
        return replace(state, networks=apart(parameters), optimiser=optimiser), metrics
