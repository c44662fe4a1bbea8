"""Values of a rollout's states: one for all rewards, or one for the environment's and one for a bonus."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from entropax.networks import AbstractTorso, StateValue, StateValues
from entropax.ops import generalised_advantages, temporal_difference
from entropax.optimiser import Rate
from entropax.temperature.checks import require_fading
from entropax.types import Spec, Transition

AnyStateValue = StateValue | StateValues


class AbstractValues(eqx.Module):
    """What the critic of a learner from rollouts predicts."""

    @abc.abstractmethod
    def critic(self, torso: AbstractTorso, spec: Spec, *, key: Key[Array, ""]) -> AnyStateValue:
        """Draws the critic."""

    @abc.abstractmethod
    def paid(self, batch: Transition, bonus: Float[Array, "envs steps"]) -> Transition:
        """The rollout with a bonus in its rewards, as `advantages` takes it."""

    @abc.abstractmethod
    def advantages(
        self, critic: AnyStateValue, batch: Transition, discount: Rate, gae_lambda: Rate
    ) -> tuple[Float[Array, "envs steps"], Float[Array, "envs steps *values"]]:
        """Advantages of a rollout, and what the critic is to be regressed on, both in reward."""


class OneValue(AbstractValues):
    """One value of all rewards: a bonus is a reward like any other."""

    def critic(self, torso: AbstractTorso, spec: Spec, *, key: Key[Array, ""]) -> StateValue:
        """One output of the torso."""
        return StateValue(torso.init(spec.observation_size, 1, key=key))

    def paid(self, batch: Transition, bonus: Float[Array, "envs steps"]) -> Transition:
        """Their sum."""
        return batch._replace(reward=batch.reward + bonus)

    def advantages(
        self, critic: AnyStateValue, batch: Transition, discount: Rate, gae_lambda: Rate
    ) -> tuple[Float[Array, "envs steps"], Float[Array, "envs steps"]]:
        """Equations 11 and 12 of arXiv 1707.06347."""
        value = jax.vmap(jax.vmap(critic))
        values = value(batch.observation)
        advantages = _advantages(batch, values, value(batch.next_observation), discount, gae_lambda)
        return advantages, advantages + values


class TwoValues(AbstractValues):
    """A second value for a bonus, whose returns no episode's end cuts; advantages are summed.

    Two heads of one network and two discounts: Burda et al. 2018, arXiv 1810.12894, section 2.3. Without a bonus the
    second value is that of zero rewards.

    Raises:
        EntropaxError: the discount is outside [0, 1).
    """

    discount: float = 0.99
    """Discount of the bonus per environment step."""

    def __check_init__(self) -> None:
        require_fading("TwoValues", self.discount, "a bonus's returns")

    def critic(self, torso: AbstractTorso, spec: Spec, *, key: Key[Array, ""]) -> StateValues:
        """Two outputs of the torso: the value of the environment's rewards, and the bonus's."""
        return StateValues(torso.init(spec.observation_size, 2, key=key))

    def paid(self, batch: Transition, bonus: Float[Array, "envs steps"]) -> Transition:
        """Both apart, `[envs, steps, 2]`."""
        return batch._replace(reward=jnp.stack([batch.reward, bonus], axis=-1))

    def advantages(
        self, critic: AnyStateValue, batch: Transition, discount: Rate, gae_lambda: Rate
    ) -> tuple[Float[Array, "envs steps"], Float[Array, "envs steps 2"]]:
        """A_E + A_I; where an episode ends, what follows for A_I is the first state of the next one.

        That state is the next row's. After a rollout's last row it is not known, and the state that the episode ended
        in stands for it.
        """
        paid = batch if batch.reward.ndim > batch.last.ndim else self.paid(batch, jnp.zeros_like(batch.reward))
        extrinsic, intrinsic = (batch._replace(reward=paid.reward[..., i]) for i in range(2))
        never = jnp.zeros_like(batch.last)
        intrinsic = intrinsic._replace(terminated=never, last=never)
        value = jax.vmap(jax.vmap(critic))
        values, following = value(batch.observation), value(batch.next_observation)
        begun = jnp.concatenate([values[:, 1:, 1], following[:, -1:, 1]], axis=1)
        onward = jnp.where(batch.last > 0, begun, following[..., 1])
        of_reward = _advantages(extrinsic, values[..., 0], following[..., 0], discount, gae_lambda)
        of_bonus = _advantages(intrinsic, values[..., 1], onward, self.discount, gae_lambda)
        return of_reward + of_bonus, jnp.stack([of_reward, of_bonus], axis=-1) + values


def _advantages(
    batch: Transition,
    values: Float[Array, "envs steps"],
    following: Float[Array, "envs steps"],
    discount: Rate,
    gae_lambda: Rate,
) -> Float[Array, "envs steps"]:
    """Generalised advantages; the last step of each copy bootstraps from what follows it, as a truncated one does."""
    errors = temporal_difference(batch.reward, values, following, batch.terminated, discount)
    return jax.vmap(lambda error, last: generalised_advantages(error, last, discount, gae_lambda))(errors, batch.last)
