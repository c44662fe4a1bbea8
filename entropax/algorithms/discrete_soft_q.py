"""Soft Q-learning of a finite set of actions: Haarnoja, Tang, Abbeel and Levine 2017, arXiv 1702.08165, theorem 2.

The integral over actions is a sum, so the soft value is exact and the Boltzmann policy is drawn from as it is: neither
proposals nor a sampling network are needed.
"""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from entropax.algorithms.base import AbstractAlgorithm
from entropax.algorithms.checks import check_settings
from entropax.algorithms.discrete import action_values, descend, of_taken
from entropax.algorithms.soft import returns_and_bootstraps
from entropax.networks import AbstractTorso, ActionValues, Dense
from entropax.ops import plain_target, polyak, soft_value
from entropax.optimiser import adam_init
from entropax.policies import CategoricalActor, Divided
from entropax.replay import Windows
from entropax.temperature.checks import require_positive
from entropax.types import Metrics, Progress, Spec, Transition, categories


class DiscreteSoftQState(eqx.Module):
    """All that soft Q-learning of a finite set of actions carries from one update to the next."""

    critic: ActionValues
    target_critic: ActionValues
    optimiser: optax.OptState
    updates: Int[Array, ""]


class DiscreteSoftQ(AbstractAlgorithm[DiscreteSoftQState]):
    """The soft Bellman equation for Q, whose Boltzmann policy, exp(Q / alpha) normalised, acts and explores.

    Raises:
        EntropaxError: a setting is out of its range, or the environment's actions are not a finite set.

    Example:
        >>> DiscreteSoftQ(entropy_weight=0.05).data()
        Windows(batch=256, n_step=1)
    """

    discount: float = 0.99
    """Discount per environment step, gamma."""
    polyak: float = 0.005
    """Share of the critic that the target critic takes in per update, tau."""
    entropy_weight: float = 0.1
    """Alpha, the weight of the entropy, reward per nat."""
    critic_learning_rate: float = 3e-4
    """Adam's step size for the critic."""
    torso: AbstractTorso = Dense()
    """Shape of the critic's hidden layers."""
    batch_size: int = eqx.field(default=256, static=True)
    """Transitions per update."""

    def __check_init__(self) -> None:
        rates = {"critic_learning_rate": self.critic_learning_rate}
        check_settings("DiscreteSoftQ", {"batch_size": self.batch_size}, rates, self.discount, self.polyak)
        require_positive(
            "DiscreteSoftQ", "entropy_weight", self.entropy_weight, "Without it the policy never explores: try 0.1."
        )

    def data(self) -> Windows:
        """Single replayed steps."""
        return Windows(self.batch_size, 1)

    def init(self, spec: Spec, *, key: Key[Array, ""]) -> DiscreteSoftQState:
        """Draws the critic and starts its optimiser."""
        count = categories(spec).count
        critic = ActionValues(self.torso.init(spec.observation_size, count, key=key), count)
        target = jax.tree.map(jnp.copy, critic)
        return DiscreteSoftQState(critic, target, adam_init(critic), jnp.zeros((), jnp.int32))

    def actor(self, state: DiscreteSoftQState) -> CategoricalActor:
        """The Boltzmann policy of the critic, equation 6; its mode is the action of highest Q."""
        alpha = jnp.asarray(self.entropy_weight, jnp.float32)
        return CategoricalActor(Divided(state.critic, alpha), state.critic.count)

    def alpha(self, state: DiscreteSoftQState) -> Float[Array, ""]:
        """The entropy's weight, as set."""
        return jnp.asarray(self.entropy_weight, jnp.float32)

    def target_entropy(self, spec: Spec, state: DiscreteSoftQState) -> Float[Array, ""]:
        """NaN: the weight is set, not steered."""
        return jnp.full((), jnp.nan, jnp.float32)

    def parameters(self, state: DiscreteSoftQState) -> dict[str, PyTree[Array]]:
        """The trained parameters by name; the policy has none of its own."""
        return {"critic": state.critic}

    def update(
        self, spec: Spec, state: DiscreteSoftQState, batch: Transition, progress: Progress, *, key: Key[Array, ""]
    ) -> tuple[DiscreteSoftQState, Metrics]:
        """The critic's step and the target critic's; nothing is drawn."""
        reward, weight, following = returns_and_bootstraps(batch, self.discount)
        values = soft_value(action_values(state.target_critic, following), self.entropy_weight)
        targets = plain_target(reward, weight, values)

        def loss(critic: ActionValues) -> tuple[Float[Array, ""], Float[Array, ""]]:
            q = of_taken(action_values(critic, batch.observation[:, 0]), batch.action[:, 0])
            return 0.5 * jnp.mean((q - targets) ** 2), jnp.mean(q)

        critic, optimiser, metrics = descend(state.critic, state.optimiser, loss, self.critic_learning_rate)
        target = polyak(state.target_critic, critic, self.polyak)
        return replace(
            state, critic=critic, target_critic=target, optimiser=optimiser, updates=state.updates + 1
        ), metrics
