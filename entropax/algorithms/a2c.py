"""Advantage actor-critic: Mnih et al. 2016, arXiv 1602.01783, algorithm S3, all copies of the environment in step."""

import equinox as eqx
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from entropax.algorithms.annealing import AbstractAnnealing, KeepRate
from entropax.algorithms.base import AbstractAlgorithm
from entropax.algorithms.on_policy import (
    AbstractPolicy,
    ActorCritic,
    Experience,
    TanhGaussian,
    actor_critic,
    check,
    experience,
    gradient,
)
from entropax.algorithms.values import AbstractValues, OneValue
from entropax.networks import AbstractTorso, Orthogonal
from entropax.ops import policy_gradient_surrogate
from entropax.optimiser import clip_by_norm, rms_init, rms_step
from entropax.policies import AbstractActor
from entropax.replay import Rollout
from entropax.types import Metrics, Progress, Spec, Transition


class A2CState(eqx.Module):
    """All that A2C carries from one rollout to the next."""

    networks: ActorCritic
    optimiser: optax.OptState
    updates: Int[Array, ""]
    """Rollouts learned from."""


class A2C(AbstractAlgorithm[A2CState]):
    """Advantage actor-critic: one gradient step on each short rollout.

    Actions may be continuous or a finite set.

    Raises:
        EntropaxError: a setting is out of its range.

    Example:
        >>> A2C(num_steps=8).data()
        Rollout(num_steps=8)
    """

    discount: float = 0.99
    """Discount per environment step, gamma."""
    gae_lambda: float = 1.0
    """Lambda of the advantages: 1, as published, is the return of all the steps that follow in the rollout."""
    learning_rate: float = 7e-4
    """RMSprop's step size, for actor and critic."""
    entropy_coefficient: float = 0.0
    """Weight of the policy's entropy in the loss (reward per nat)."""
    value_coefficient: float = 0.5
    """Weight of the critic's squared error in the loss."""
    max_grad_norm: float = 0.5
    """Norm to which the gradient of actor and critic together is cut."""
    policy: AbstractPolicy = TanhGaussian()
    """The kind of policy of continuous actions; of a finite set it is the softmax of this one's torso."""
    torso: AbstractTorso = Orthogonal()
    """Shape of the critic's hidden layers."""
    values: AbstractValues = OneValue()
    """Whether a bonus is a reward like any other, or has a value of its own."""
    annealing: AbstractAnnealing = KeepRate()
    """What becomes of the learning rate as the run goes on."""
    num_steps: int = eqx.field(default=5, static=True)
    """Steps of a rollout, of each environment copy."""

    def __check_init__(self) -> None:
        check("A2C", self.discount, self.gae_lambda, self.learning_rate, self.max_grad_norm, self.num_steps)

    def data(self) -> Rollout:
        """The newest steps of every copy."""
        return Rollout(self.num_steps)

    def init(self, spec: Spec, *, key: Key[Array, ""]) -> A2CState:
        """Draws the networks and starts the optimiser."""
        networks = actor_critic(self.policy, self.values, self.torso, spec, key=key)
        return A2CState(networks, rms_init(networks), jnp.zeros((), jnp.int32))

    def actor(self, state: A2CState) -> AbstractActor:
        """The policy."""
        return state.networks.actor

    def alpha(self, state: A2CState) -> Float[Array, ""]:
        """The entropy's weight in the loss, which nothing moves."""
        return jnp.asarray(self.entropy_coefficient, jnp.float32)

    def target_entropy(self, spec: Spec, state: A2CState) -> Float[Array, ""]:
        """NaN: none is steered to."""
        return jnp.full((), jnp.nan, jnp.float32)

    def parameters(self, state: A2CState) -> dict[str, PyTree[Array]]:
        """The trained parameters by name."""
        return {"actor": state.networks.actor, "critic": state.networks.critic}

    def paid(self, batch: Transition, bonus: Float[Array, "envs steps"]) -> Transition:
        """In its rewards, or apart where the bonus has a value of its own."""
        return self.values.paid(batch, bonus)

    def update(
        self, spec: Spec, state: A2CState, batch: Transition, progress: Progress, *, key: Key[Array, ""]
    ) -> tuple[A2CState, Metrics]:
        """One step of actor and critic on a rollout `[envs, steps]`: A grad log pi, and the returns for the critic."""

        def surrogate(log_probs: Float[Array, " step"], steps: Experience) -> Float[Array, " step"]:
            return policy_gradient_surrogate(log_probs, steps.advantage)

        rollout = experience(state.networks, self.values, batch, self.discount, self.gae_lambda)
        slope, metrics = gradient(state.networks, rollout, surrogate, self.value_coefficient, self.entropy_coefficient)
        slope = clip_by_norm(slope, self.max_grad_norm)
        rate = self.annealing.rate(self.learning_rate, progress)
        networks, optimiser = rms_step(slope, state.optimiser, state.networks, rate)
        return A2CState(networks, optimiser, state.updates + 1), metrics
