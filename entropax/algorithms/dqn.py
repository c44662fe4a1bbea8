"""DQN: Mnih et al. 2015, Human-level control through deep reinforcement learning, Nature 518, algorithm 1."""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from entropax.algorithms.base import AbstractAlgorithm
from entropax.algorithms.checks import check_counts_and_rates
from entropax.algorithms.discrete import action_values, descend, of_taken
from entropax.algorithms.dqn_parts import (
    AbstractBootstrap,
    AbstractFollowing,
    AbstractHead,
    AbstractLoss,
    Greatest,
    HalfSquare,
    HardCopy,
    SingleStream,
)
from entropax.algorithms.exploring import AbstractExploration, EpsilonGreedy
from entropax.algorithms.soft import returns_and_bootstraps
from entropax.networks import AbstractTorso, ActionValues, Dense
from entropax.ops import plain_target
from entropax.optimiser import adam_init
from entropax.policies import AbstractActor
from entropax.replay import Windows
from entropax.types import Metrics, Progress, Spec, Transition, categories


class DQNState(eqx.Module):
    """All that DQN carries from one update to the next."""

    critic: ActionValues
    target_critic: ActionValues
    optimiser: optax.OptState
    updates: Int[Array, ""]
    share: Float[Array, ""]
    """Of the run that was done at the last update, by which epsilon falls."""


class DQN(AbstractAlgorithm[DQNState]):
    """Deep Q-learning: action values without entropy, and a rule that explores.

    Raises:
        EntropaxError: a setting is out of its range, or the environment's actions are not a finite set.

    Example:
        >>> from entropax import Boltzmann, Double, Dueling
        >>> DQN(bootstrap=Double(), head=Dueling(), exploration=Boltzmann(0.5)).exploration.sampling_temperature
        0.5
    """

    discount: float = 0.99
    """Discount per environment step, gamma."""
    critic_learning_rate: float = 2.5e-4
    """Adam's step size."""
    exploration: AbstractExploration = EpsilonGreedy()
    """The rule that explores."""
    bootstrap: AbstractBootstrap = Greatest()
    """What the next state is worth to a target."""
    loss: AbstractLoss = HalfSquare()
    """What a distance from the target costs."""
    head: AbstractHead = SingleStream()
    """How the network ends."""
    following: AbstractFollowing = HardCopy()
    """When the target network follows the critic."""
    torso: AbstractTorso = Dense()
    """Shape of the critic's hidden layers."""
    batch_size: int = eqx.field(default=128, static=True)
    """Transitions per update."""
    n_step: int = eqx.field(default=1, static=True)
    """Steps of reward before a target bootstraps."""

    def __check_init__(self) -> None:
        counts = {name: vars(self)[name] for name in ("batch_size", "n_step")}
        rates = {"critic_learning_rate": self.critic_learning_rate}
        check_counts_and_rates("DQN", counts, rates, self.discount)

    def data(self) -> Windows:
        """Windows of replayed steps."""
        return Windows(self.batch_size, self.n_step)

    def init(self, spec: Spec, *, key: Key[Array, ""]) -> DQNState:
        """Draws the critic and starts its optimiser."""
        count = categories(spec).count
        network = self.head.init(self.torso, spec.observation_size, count, key=key)
        critic = ActionValues(self.exploration.network(network), count)
        return DQNState(
            critic=critic,
            target_critic=jax.tree.map(jnp.copy, critic),
            optimiser=adam_init(critic),
            updates=jnp.zeros((), jnp.int32),
            share=jnp.zeros((), jnp.float32),
        )

    def actor(self, state: DQNState) -> AbstractActor:
        """The rule's policy; its mode is the action of highest value."""
        return self.exploration.actor(state.critic, state.share)

    def alpha(self, state: DQNState) -> Float[Array, ""]:
        """0: entropy has no weight."""
        return jnp.zeros((), jnp.float32)

    def target_entropy(self, spec: Spec, state: DQNState) -> Float[Array, ""]:
        """NaN: the rule explores as it is set."""
        return jnp.full((), jnp.nan, jnp.float32)

    def parameters(self, state: DQNState) -> dict[str, PyTree[Array]]:
        """The trained parameters by name; the policy has none of its own."""
        return {"critic": state.critic}

    def update(
        self, spec: Spec, state: DQNState, batch: Transition, progress: Progress, *, key: Key[Array, ""]
    ) -> tuple[DQNState, Metrics]:
        """The critic's step down its loss, and the target network's; only noisy networks draw."""
        keys = jax.random.split(key, 3)
        targets = self._targets(state, batch, keys[0], keys[1])

        def loss(critic: ActionValues) -> tuple[Float[Array, ""], Float[Array, ""]]:
            values = action_values(self.exploration.drawn(critic, key=keys[2]), batch.observation[:, 0])
            q = of_taken(values, batch.action[:, 0])
            return self.loss(q, targets), jnp.mean(q)

        critic, optimiser, metrics = descend(state.critic, state.optimiser, loss, self.critic_learning_rate)
        updates = state.updates + 1
        target = self.following(state.target_critic, critic, updates)
        share = jnp.asarray(progress.share, jnp.float32)
        metrics = {**metrics, **self.exploration.readings(critic, share)}
        return DQNState(critic, target, optimiser, updates, share), metrics

    def _targets(
        self, state: DQNState, batch: Transition, target_key: Key[Array, ""], online_key: Key[Array, ""]
    ) -> Float[Array, " batch"]:
        """R + discount times what the bootstrap says of s'."""
        reward, weight, following = returns_and_bootstraps(batch, self.discount)
        target = action_values(self.exploration.drawn(state.target_critic, key=target_key), following)
        online = action_values(self.exploration.drawn(state.critic, key=online_key), following)
        return plain_target(reward, weight, self.bootstrap.value(target, online))
