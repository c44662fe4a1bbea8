"""TD3, twin delayed deep deterministic policy gradient: Fujimoto et al. 2018, arXiv 1802.09477, algorithm 1."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from entropax.algorithms.checks import check_settings
from entropax.algorithms.deterministic import (
    AbstractDeterministic,
    DeterministicState,
    actions_of,
    as_taken,
    draw_state,
    evaluation_step,
    improvement_step,
    target_step,
)
from entropax.algorithms.soft import least_value, returns_and_bootstraps
from entropax.errors import EntropaxError
from entropax.networks import AbstractTorso, Dense
from entropax.ops import plain_target
from entropax.optimiser import Rate
from entropax.temperature.checks import holds, require_positive
from entropax.types import Metrics, Progress, Spec, Transition


def smoothed(
    actions: Float[Array, "batch action"], noise: Float[Array, "batch action"], sigma: Rate, limit: Rate
) -> Float[Array, "batch action"]:
    """clip(a + clip(sigma eps, -limit, limit), -1, 1): target policy smoothing, section 5.3.

    Args:
        actions: of the target policy, in [-1, 1].
        noise: standard normal eps.
        sigma: size of the noise, in units of [-1, 1].
        limit: what it is clipped to, in the same units.
    """
    return jnp.clip(actions + jnp.clip(sigma * noise, -limit, limit), -1, 1)


class TD3(AbstractDeterministic):
    """A deterministic policy that explores with Gaussian noise; the least of two critics, smoothed and delayed.

    Raises:
        EntropaxError: a setting is out of its range, or the environment's actions are not continuous.

    Example:
        >>> TD3(exploration_noise=0.2).data()
        Windows(batch=256, n_step=1)
    """

    discount: float = 0.99
    """Discount per environment step, gamma."""
    polyak: float = 0.005
    """Share of critics and actor that their targets take in, tau, each time the actor moves."""
    actor_learning_rate: float = 3e-4
    """Adam's step size for the actor."""
    critic_learning_rate: float = 3e-4
    """Adam's step size for the critics."""
    exploration_noise: float = 0.1
    """Standard deviation of the noise on actions that are taken, in units of [-1, 1]."""
    target_noise: float = 0.2
    """Standard deviation of the noise on the target policy's actions, in units of [-1, 1]."""
    target_noise_clip: float = 0.5
    """Largest size of that noise, in units of [-1, 1]."""
    torso: AbstractTorso = Dense()
    """Shape of the actor's and the critics' hidden layers."""
    batch_size: int = eqx.field(default=256, static=True)
    """Transitions per update."""
    num_critics: int = eqx.field(default=2, static=True)
    """Critics of which the smallest counts in targets; the actor climbs the first."""
    n_step: int = eqx.field(default=1, static=True)
    """Steps of reward before a target bootstraps."""
    policy_delay: int = eqx.field(default=2, static=True)
    """Critic updates per update of actor and targets."""

    def __check_init__(self) -> None:
        counts = {name: vars(self)[name] for name in ("batch_size", "num_critics", "n_step", "policy_delay")}
        rates = {name: vars(self)[name] for name in ("actor_learning_rate", "critic_learning_rate")}
        check_settings("TD3", counts, rates, self.discount, self.polyak)
        require_positive(
            "TD3", "exploration_noise", self.exploration_noise, "Without noise it never explores: try 0.1."
        )
        for name in ("target_noise", "target_noise_clip"):
            if not holds(lambda size: size >= 0, vars(self)[name]):
                raise EntropaxError(f"TD3: {name} is {vars(self)[name]}, but is a size, 0 or more. Try 0.2 and 0.5.")

    def init(self, spec: Spec, *, key: Key[Array, ""]) -> DeterministicState:
        """Draws the networks and starts the optimisers."""
        return draw_state(spec, self.torso, self.num_critics, key=key)

    def update(
        self, spec: Spec, state: DeterministicState, batch: Transition, progress: Progress, *, key: Key[Array, ""]
    ) -> tuple[DeterministicState, Metrics]:
        """A step of the critics, and every `policy_delay` updates one of the actor and of all targets."""
        batch = as_taken(batch)
        reward, weight, following = returns_and_bootstraps(batch, self.discount)
        noise = jax.random.normal(key, batch.action[:, 0].shape)
        actions = smoothed(actions_of(state.target_actor, following), noise, self.target_noise, self.target_noise_clip)
        targets = plain_target(reward, weight, least_value(state.target_critics, following, actions))
        state, metrics = evaluation_step(state, batch, targets, self.critic_learning_rate)
        # The actor's step is taken at every update and kept when due: its metrics have one meaning at all of them.
        improved, more = improvement_step(state, batch.observation[:, 0], self.actor_learning_rate)
        improved = target_step(improved, self.polyak)
        due = state.updates % self.policy_delay == 0
        state = jax.tree.map(lambda new, old: jnp.where(due, new, old), improved, state)
        return state, {**metrics, **more}
