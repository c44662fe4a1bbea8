"""Advantage actor-critic: Mnih et al. 2016, arXiv 1602.01783, algorithm S3, all copies of the environment in step."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from entropax.algorithms.annealing import AbstractAnnealing, KeepRate
from entropax.algorithms.on_policy import (
    AbstractOnPolicy,
    Experience,
    OnPolicyState,
    actor_critic,
    experience,
    gradient,
)
from entropax.algorithms.on_policy_parts import AbstractPolicy, TanhGaussian
from entropax.algorithms.values import AbstractValues, OneValue
from entropax.networks import AbstractTorso, Orthogonal
from entropax.ops import policy_gradient_surrogate
from entropax.optimiser import clip_by_norm, rms_init, rms_step
from entropax.types import Metrics, Progress, Spec, Transition


class A2C(AbstractOnPolicy):
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

    def init(self, spec: Spec, *, key: Key[Array, ""]) -> OnPolicyState:
        """Draws the networks and starts the optimiser."""
        networks = actor_critic(self.policy, self.values, self.torso, spec, key=key)
        return OnPolicyState(networks, rms_init(networks), jnp.zeros((), jnp.int32))

    def update(
        self, spec: Spec, state: OnPolicyState, batch: Transition, progress: Progress, *, key: Key[Array, ""]
    ) -> tuple[OnPolicyState, Metrics]:
        """One step of actor and critic on a rollout `[envs, steps]`: A grad log pi, and the returns for the critic."""

        def surrogate(log_probs: Float[Array, " step"], steps: Experience) -> Float[Array, " step"]:
            return policy_gradient_surrogate(log_probs, steps.advantage)

        rollout = experience(state.networks, self.values, batch, self.discount, self.gae_lambda)
        slope, metrics = gradient(state.networks, rollout, surrogate, self.value_coefficient, self.entropy_coefficient)
        slope = clip_by_norm(slope, self.max_grad_norm)
        rate = self.annealing.rate(self.learning_rate, progress)
        networks, optimiser = rms_step(slope, state.optimiser, state.networks, rate)
        return OnPolicyState(networks, optimiser, state.updates + 1), metrics
