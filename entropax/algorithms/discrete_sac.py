"""SAC of discrete actions: Christodoulou 2019, arXiv 1910.07207, with the remedies of arXiv 2209.10081 as parts.

All expectations over actions are sums, so nothing in an update is drawn.
"""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from entropax.algorithms.base import AbstractAlgorithm
from entropax.algorithms.checks import check_settings
from entropax.algorithms.discrete import descend, ensemble_values, of_taken
from entropax.algorithms.discrete_parts import (
    AbstractDrift,
    AbstractReduction,
    AbstractRegression,
    FreeDrift,
    LeastCritic,
    SquaredError,
    entropies,
    log_policy,
)
from entropax.algorithms.soft import returns_and_bootstraps
from entropax.networks import AbstractTorso, ActionValues, Dense, ensemble
from entropax.ops import expected_soft_value, plain_target, polyak
from entropax.optimiser import adam_init, adam_step
from entropax.policies import CategoricalActor
from entropax.replay import Windows
from entropax.temperature import AbstractTemperature, Dual, Evidence, FractionOfUniform
from entropax.types import Metrics, Progress, Spec, Transition, categories


class DiscreteSACState(eqx.Module):
    """All that SAC of discrete actions carries from one update to the next."""

    critics: ActionValues
    target_critics: ActionValues
    critic_optimiser: optax.OptState
    updates: Int[Array, ""]
    actor: CategoricalActor
    actor_optimiser: optax.OptState
    drift: PyTree[Array]
    temperature: PyTree[Array]


class DiscreteSAC(AbstractAlgorithm[DiscreteSACState]):
    """Soft actor-critic for a finite set of actions, with the entropy's weight set by a temperature law.

    Raises:
        EntropaxError: a setting is out of its range, or the environment's actions are not a finite set.

    Example:
        >>> from entropax import Fixed
        >>> DiscreteSAC(temperature=Fixed(0.05), batch_size=64).data()
        Windows(batch=64, n_step=1)
    """

    discount: float = 0.99
    """Discount per environment step, gamma."""
    polyak: float = 0.005
    """Share of the critics that the target critics take in per update, tau."""
    actor_learning_rate: float = 3e-4
    """Adam's step size for the actor."""
    critic_learning_rate: float = 3e-4
    """Adam's step size for the critics."""
    temperature: AbstractTemperature = Dual(target_entropy=FractionOfUniform())
    """The law that sets alpha, the weight of the entropy (reward per nat)."""
    reduction: AbstractReduction = LeastCritic()
    """Which of the critics' values counts, in targets and for the actor."""
    regression: AbstractRegression = SquaredError()
    """What the critics descend."""
    drift: AbstractDrift = FreeDrift()
    """What a change of the entropy at a state costs the actor."""
    torso: AbstractTorso = Dense()
    """Shape of the actor's and the critics' hidden layers."""
    batch_size: int = eqx.field(default=256, static=True)
    """Transitions per update."""
    num_critics: int = eqx.field(default=2, static=True)
    """Number of critics."""
    n_step: int = eqx.field(default=1, static=True)
    """Steps of reward before a target bootstraps."""

    def __check_init__(self) -> None:
        counts = {name: vars(self)[name] for name in ("batch_size", "num_critics", "n_step")}
        rates = {name: vars(self)[name] for name in ("actor_learning_rate", "critic_learning_rate")}
        check_settings("DiscreteSAC", counts, rates, self.discount, self.polyak)

    def data(self) -> Windows:
        """Windows of replayed steps."""
        return Windows(self.batch_size, self.n_step)

    def init(self, spec: Spec, *, key: Key[Array, ""]) -> DiscreteSACState:
        """Draws the networks and starts the optimisers and the temperature law."""
        actor_key, critic_key = jax.random.split(key)
        size, count = spec.observation_size, categories(spec).count
        actor = CategoricalActor(self.torso.init(size, count, key=actor_key), count)
        critics = ensemble(
            lambda k: ActionValues(self.torso.init(size, count, key=k), count), self.num_critics, key=critic_key
        )
        return DiscreteSACState(
            critics=critics,
            target_critics=jax.tree.map(jnp.copy, critics),
            critic_optimiser=adam_init(critics),
            updates=jnp.zeros((), jnp.int32),
            actor=actor,
            actor_optimiser=adam_init(actor),
            drift=self.drift.init(actor),
            temperature=self.temperature.init(spec),
        )

    def actor(self, state: DiscreteSACState) -> CategoricalActor:
        """The policy; its mode is the most probable action."""
        return state.actor

    def alpha(self, state: DiscreteSACState) -> Float[Array, ""]:
        """The weight of the entropy now."""
        return self.temperature.value(state.temperature)

    def target_entropy(self, spec: Spec, state: DiscreteSACState) -> Float[Array, ""]:
        """The entropy steered to, in nats; NaN where none is."""
        return self.temperature.target(spec, state.temperature)

    def parameters(self, state: DiscreteSACState) -> dict[str, PyTree[Array]]:
        """The trained parameters by name."""
        return {"actor": state.actor, "critic": state.critics}

    def update(
        self, spec: Spec, state: DiscreteSACState, batch: Transition, progress: Progress, *, key: Key[Array, ""]
    ) -> tuple[DiscreteSACState, Metrics]:
        """One step of the critics, the actor, the temperature and the target critics; nothing is drawn."""
        state, metrics = self._evaluation_step(state, batch, self._targets(state, batch))
        state, more = self._improvement_step(spec, state, batch.observation[:, 0], progress)
        target_critics = polyak(state.target_critics, state.critics, self.polyak)
        return replace(state, target_critics=target_critics, updates=state.updates + 1), {**metrics, **more}

    def _targets(self, state: DiscreteSACState, batch: Transition) -> Float[Array, " batch"]:
        """R + discount V(s'), V by equation 10 of arXiv 1910.07207."""
        reward, weight, following = returns_and_bootstraps(batch, self.discount)
        q = self.reduction(ensemble_values(state.target_critics, following))
        return plain_target(
            reward, weight, expected_soft_value(log_policy(state.actor, following), q, self.alpha(state))
        )

    def _evaluation_step(
        self, state: DiscreteSACState, batch: Transition, targets: Float[Array, " batch"]
    ) -> tuple[DiscreteSACState, Metrics]:
        """Regression of every critic on the same targets."""

        def taken(critics: ActionValues) -> Float[Array, "critic batch"]:
            q = ensemble_values(critics, batch.observation[:, 0])
            return jax.vmap(lambda one: of_taken(one, batch.action[:, 0]))(q)

        lagged = taken(state.target_critics)

        def loss(critics: ActionValues) -> tuple[Float[Array, ""], Float[Array, ""]]:
            q = taken(critics)
            return self.regression.loss(q, lagged, targets), jnp.mean(q)

        critics, optimiser, metrics = descend(state.critics, state.critic_optimiser, loss, self.critic_learning_rate)
        return replace(state, critics=critics, critic_optimiser=optimiser), metrics

    def _improvement_step(
        self, spec: Spec, state: DiscreteSACState, observations: Float[Array, "batch observation"], progress: Progress
    ) -> tuple[DiscreteSACState, Metrics]:
        """Equation 12 for the actor, then equation 11 for alpha, at the policy before the step."""
        q, alpha = self.reduction(ensemble_values(state.critics, observations)), self.alpha(state)

        def loss(actor: CategoricalActor) -> tuple[Float[Array, ""], Float[Array, " batch"]]:
            log_probs = log_policy(actor, observations)
            nats = entropies(log_probs)
            cost = self.drift.cost(state.drift, observations, nats)
            return cost - jnp.mean(expected_soft_value(log_probs, q, alpha)), nats

        (error, nats), gradient = jax.value_and_grad(loss, has_aux=True)(state.actor)
        actor, optimiser = adam_step(gradient, state.actor_optimiser, state.actor, self.actor_learning_rate)
        temperature, metrics = self.temperature.update(spec, state.temperature, Evidence(nats[:, None], progress))
        metrics = {**metrics, "train/actor_loss": error, "train/actor_grad_norm": optax.tree.norm(gradient)}
        drift = self.drift.observe(state.drift, actor)
        return replace(state, actor=actor, actor_optimiser=optimiser, temperature=temperature, drift=drift), metrics
