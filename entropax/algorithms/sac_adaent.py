"""SAC-AdaEnt: Zhang, Chang and Gao 2025, arXiv 2506.05615; the actor leaves entropy out of values that it distorts."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key, PyTree

from entropax.algorithms.base import AbstractTwoValued, SoftAndPlain
from entropax.algorithms.landscapes import AboveLowest, AbstractSimilarity
from entropax.algorithms.sac import SAC, SACState
from entropax.algorithms.soft import (
    PlainState,
    Value,
    least_value,
    plain_init,
    plain_step,
    plain_target_step,
    sample,
    soft_targets,
    successors,
)
from entropax.errors import EntropaxError
from entropax.networks import Critic
from entropax.policies import Actor
from entropax.replay import Windows
from entropax.temperature import Fixed
from entropax.temperature.checks import holds
from entropax.types import Metrics, Progress, Spec, Transition


class SACAdaEntState(eqx.Module):
    """All that SAC-AdaEnt carries: SAC's state, whose critics are soft, and the plain critics."""

    sac: SACState
    plain: PlainState


class SACAdaEnt(AbstractTwoValued[SACAdaEntState]):
    """SAC with plain critics beside the soft ones; at states where the two disagree the actor climbs the plain value.

    With Q SAC's critics, P the plain ones, a' one action for the targets of both, and c(s) the similarity of the two
    landscapes over `samples` actions of the policy (published: `entropax.ops.landscape_similarity`),

        y_plain = r + gamma (1 - d) min_j P_j(s', a'),
        V(s, a) = min_j P_j(s, a) where c(s) < threshold, else min_j Q_j(s, a),
        J_pi    = E[ alpha log pi(a|s) - V(s, a) ].

    The entropy of the action itself stays in J_pi at every state.

    Raises:
        EntropaxError: a setting is out of its range, or the environment's actions are not continuous.

    Example:
        >>> SACAdaEnt(SAC(discount=0.98, temperature=Fixed(1.0)), threshold=0.8).samples
        100
    """

    sac: SAC = SAC(temperature=Fixed(0.2))
    """SAC's settings; the plain critics share those of its critics."""
    threshold: float = 0.9
    """Similarity below which a state's value is the plain one; 0 is SAC, above 1 is plain everywhere."""
    samples: int = eqx.field(default=100, static=True)
    """Actions of the policy at which the landscapes of a state are compared."""
    similarity: AbstractSimilarity = AboveLowest()
    """How alike two landscapes are."""

    def __check_init__(self) -> None:
        if self.samples < 2:
            raise EntropaxError(f"SACAdaEnt: samples is {self.samples}, but one action is no landscape. Take 100.")
        if not holds(np.isfinite, self.threshold):
            raise EntropaxError(
                f"SACAdaEnt: threshold is {self.threshold}, but is compared with a cosine in [0, 1]. Take 0.9; 0 never "
                "switches, 1.01 always does."
            )

    def data(self) -> Windows:
        """Windows of replayed steps: SAC's."""
        return self.sac.data()

    def init(self, spec: Spec, *, key: Key[Array, ""]) -> SACAdaEntState:
        """Draws the networks, the plain critics apart from the soft ones, and starts the optimisers."""
        sac_key, plain_key = jax.random.split(key)
        plain = plain_init(self.sac.draw_critics(spec, key=plain_key))
        return SACAdaEntState(self.sac.init(spec, key=sac_key), plain)

    def actor(self, state: SACAdaEntState) -> Actor:
        """The policy."""
        return state.sac.actor

    def alpha(self, state: SACAdaEntState) -> Float[Array, "*dimensions"]:
        """The weight of the entropy now, one or one a dimension."""
        return self.sac.alpha(state.sac)

    def target_entropy(self, spec: Spec, state: SACAdaEntState) -> Float[Array, ""]:
        """The entropy steered to, in nats; NaN where none is."""
        return self.sac.target_entropy(spec, state.sac)

    def parameters(self, state: SACAdaEntState) -> dict[str, PyTree[Array]]:
        """The trained parameters by name; `critic` are the soft ones."""
        return {**self.sac.parameters(state.sac), "plain_critic": state.plain.critics}

    def climbed(self, state: SACAdaEntState) -> Critic:
        """The soft critics; switched states climb the plain ones."""
        return state.sac.critics

    def soft_and_plain(
        self, state: SACAdaEntState, observation: Float[Array, " observation"], action: Float[Array, " action"]
    ) -> SoftAndPlain:
        """The least of the soft critics and the least of the plain ones."""
        ensembles = (state.sac.critics, state.plain.critics)
        return SoftAndPlain(*(jnp.min(jax.vmap(lambda c: c(observation, action))(one)) for one in ensembles))

    def update(
        self, spec: Spec, state: SACAdaEntState, batch: Transition, progress: Progress, *, key: Key[Array, ""]
    ) -> tuple[SACAdaEntState, Metrics]:
        """One step of all critics, the actor against the new ones, the temperature and the target critics."""
        sac, plain = state.sac, state.plain
        sac_key, landscape_key = jax.random.split(key)
        target_noise, actor_noise = jax.random.normal(sac_key, (2, *batch.action[:, 0].shape))
        following = successors(sac.actor, batch, self.sac.discount, target_noise)
        targets = soft_targets(sac.target_critics, following, self.alpha(state))
        sac, metrics = self.sac.evaluation_step(sac, batch, targets)
        plain, plain_metrics = plain_step(plain, batch, following, self.sac.critic_learning_rate)

        # Outside the actor's loss: the decision carries no gradient.
        noise = jax.random.normal(landscape_key, (self.samples, *batch.action[:, 0].shape))
        similarity = similarities(
            self.similarity, sac.actor, sac.critics, plain.critics, batch.observation[:, 0], noise
        )
        switched = similarity < self.threshold
        value = switched_value(sac.critics, plain.critics, switched)
        sac, policy_metrics = self.sac.improvement_step(spec, sac, value, batch, progress, actor_noise)
        state = SACAdaEntState(self.sac.target_step(sac), plain_target_step(plain, self.sac.polyak))
        switch_metrics = {
            "train/switched_states": jnp.mean(switched, dtype=jnp.float32),
            "train/landscape_similarity": jnp.mean(similarity),
        }
        return state, {**metrics, **plain_metrics, **policy_metrics, **switch_metrics}


def similarities(
    similarity: AbstractSimilarity,
    actor: Actor,
    soft: Critic,
    plain: Critic,
    observations: Float[Array, "batch observation"],
    noise: Float[Array, "sample batch action"],
) -> Float[Array, " batch"]:
    """c(s): how alike the soft and the plain landscape are at each state, over the policy's own actions."""
    actions = jax.vmap(lambda e: sample(actor, observations, e)[0])(noise)

    def landscapes(critics: Critic) -> Float[Array, "sample batch"]:
        return jax.vmap(lambda a: least_value(critics, observations, a))(actions)

    return jax.vmap(similarity, in_axes=1)(landscapes(soft), landscapes(plain))


def switched_value(soft: Critic, plain: Critic, switched: Bool[Array, " batch"]) -> Value:
    """The value of one action a state: the plain one where switched, else the soft one."""

    def value(
        observations: Float[Array, "batch observation"], actions: Float[Array, "batch action"]
    ) -> Float[Array, " batch"]:
        plain_q, soft_q = (least_value(critics, observations, actions) for critics in (plain, soft))
        return jnp.where(switched, plain_q, soft_q)

    return value
