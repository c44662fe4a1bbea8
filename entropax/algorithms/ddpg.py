"""DDPG, deep deterministic policy gradient: Lillicrap et al. 2015, arXiv 1509.02971, algorithm 1."""

import equinox as eqx
from jaxtyping import Array, Key

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
from entropax.networks import AbstractTorso, Dense
from entropax.ops import plain_target
from entropax.temperature.checks import require_positive
from entropax.types import Metrics, Progress, Spec, Transition


class DDPG(AbstractDeterministic):
    """A deterministic policy that explores with Gaussian noise and climbs its one critic at every update.

    Raises:
        EntropaxError: a setting is out of its range, or the environment's actions are not continuous.

    Example:
        >>> DDPG(batch_size=64).data()
        Windows(batch=64, n_step=1)
    """

    discount: float = 0.99
    """Discount per environment step, gamma."""
    polyak: float = 0.005
    """Share of critic and actor that their targets take in per update, tau."""
    actor_learning_rate: float = 3e-4
    """Adam's step size for the actor."""
    critic_learning_rate: float = 3e-4
    """Adam's step size for the critic."""
    exploration_noise: float = 0.1
    """Standard deviation of the noise on actions that are taken, in units of [-1, 1]."""
    torso: AbstractTorso = Dense()
    """Shape of the actor's and the critic's hidden layers."""
    batch_size: int = eqx.field(default=256, static=True)
    """Transitions per update."""
    n_step: int = eqx.field(default=1, static=True)
    """Steps of reward before a target bootstraps."""

    def __check_init__(self) -> None:
        counts = {name: vars(self)[name] for name in ("batch_size", "n_step")}
        rates = {name: vars(self)[name] for name in ("actor_learning_rate", "critic_learning_rate")}
        check_settings("DDPG", counts, rates, self.discount, self.polyak)
        require_positive(
            "DDPG", "exploration_noise", self.exploration_noise, "Without noise it never explores: try 0.1."
        )

    def init(self, spec: Spec, *, key: Key[Array, ""]) -> DeterministicState:
        """Draws the networks, of critics an ensemble of one, and starts the optimisers."""
        return draw_state(spec, self.torso, 1, key=key)

    def update(
        self, spec: Spec, state: DeterministicState, batch: Transition, progress: Progress, *, key: Key[Array, ""]
    ) -> tuple[DeterministicState, Metrics]:
        """A step of the critic, of the actor, and of both targets; nothing in it is random."""
        batch = as_taken(batch)
        reward, weight, following = returns_and_bootstraps(batch, self.discount)
        actions = actions_of(state.target_actor, following)
        targets = plain_target(reward, weight, least_value(state.target_critics, following, actions))
        state, metrics = evaluation_step(state, batch, targets, self.critic_learning_rate)
        state, more = improvement_step(state, batch.observation[:, 0], self.actor_learning_rate)
        return target_step(state, self.polyak), {**metrics, **more}
