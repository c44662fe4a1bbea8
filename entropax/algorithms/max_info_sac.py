"""MaxInfoSAC: Sukhija et al. 2025, MaxInfoRL, arXiv 2412.12098; SAC that also seeks what its models disagree on."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from entropax.algorithms.base import AbstractSoftActorCritic
from entropax.algorithms.sac import SAC, SACState
from entropax.algorithms.soft import Value, least_value, sample, soft_targets, successors
from entropax.intrinsic.coefficient import check_law, coefficient_init, coefficient_step
from entropax.intrinsic.ensemble import Ensemble, EnsembleState, disagreement, information_gain
from entropax.intrinsic.moments import Moments, including, no_moments
from entropax.networks import Critic
from entropax.ops import polyak
from entropax.policies import Actor
from entropax.replay import Windows
from entropax.temperature import AbstractTemperature, Dual, Level
from entropax.types import Metrics, Progress, Spec, Transition


class MaxInfoSACState(eqx.Module):
    """All that MaxInfoSAC carries: SAC's state, the lagged actor, the models, and the weight of what they tell."""

    sac: SACState
    target_actor: Actor
    models: EnsembleState
    gains: Moments
    information: PyTree[Array]


class MaxInfoSAC(AbstractSoftActorCritic[MaxInfoSACState]):
    """SAC whose reward has two more terms: the entropy, and the information I that a step gives about the environment.

    With I(s, a) the information gain of an ensemble of models, standardised by its running moments, a1 SAC's alpha, a2
    the second weight, and pi_bar the Polyak average of the policy,

        y    = r + gamma (1 - d) [ min_i Q_i(s', a') - a1 log pi(a'|s') + a2 I(s', a') ],
        J_pi = E[ a1 log pi(a|s) - min_i Q_i(s, a) - a2 I(s, a) ],
        J_a2 = log a2 E[ I(s, a) - I(s, a_bar) ],        a ~ pi, a_bar ~ pi_bar:

    a2 rises while the policy is less informative than it was of late. The actor's gradient flows through I.

    Raises:
        EntropaxError: a setting is out of its range, or the environment's actions are not continuous.

    Example:
        >>> MaxInfoSAC(SAC(discount=0.98)).ensemble.heads
        5
    """

    sac: SAC = SAC()
    """SAC's settings; its temperature law sets a1."""
    information: AbstractTemperature[Any] = Dual(target_entropy=Level(0.0))
    """The law that sets a2, reward per deviation of I; what it measures is I(s, a) - I(s, a_bar)."""
    ensemble: Ensemble = Ensemble()
    """The models."""

    def __check_init__(self) -> None:
        check_law("MaxInfoSAC", self.information)

    def data(self) -> Windows:
        """Windows of replayed steps: SAC's."""
        return self.sac.data()

    def init(self, spec: Spec, *, key: Key[Array, ""]) -> MaxInfoSACState:
        """Draws the networks and the models, and starts the optimisers and both laws."""
        sac_key, model_key = jax.random.split(key)
        sac = self.sac.init(spec, key=sac_key)
        return MaxInfoSACState(
            sac=sac,
            target_actor=jax.tree.map(jnp.copy, sac.actor),
            models=self.ensemble.init(spec, key=model_key),
            gains=no_moments(),
            information=coefficient_init("MaxInfoSAC", self.information, spec),
        )

    def actor(self, state: MaxInfoSACState) -> Actor:
        """The policy."""
        return state.sac.actor

    def alpha(self, state: MaxInfoSACState) -> Float[Array, "*dimensions"]:
        """The weight of the entropy now, a1."""
        return self.sac.alpha(state.sac)

    def target_entropy(self, spec: Spec, state: MaxInfoSACState) -> Float[Array, ""]:
        """The entropy steered to, in nats; NaN where none is."""
        return self.sac.target_entropy(spec, state.sac)

    def parameters(self, state: MaxInfoSACState) -> dict[str, PyTree[Array]]:
        """The trained parameters by name; the models' are not the policy's business."""
        return self.sac.parameters(state.sac)

    def climbed(self, state: MaxInfoSACState) -> Critic:
        """The critics; the information of the action itself is not in them."""
        return state.sac.critics

    def update(
        self, spec: Spec, state: MaxInfoSACState, batch: Transition, progress: Progress, *, key: Key[Array, ""]
    ) -> tuple[MaxInfoSACState, Metrics]:
        """SAC's update with a2 I in targets and policy, then a2's step, the models' step and the lagged actor's."""
        target_noise, actor_noise = jax.random.normal(key, (2, *batch.action[:, 0].shape))
        weight = self.information.value(state.information)
        now, lagged = lookahead(spec, state, batch.observation[:, 0], actor_noise)
        measured = jnp.concatenate([now, lagged])
        gains = including(state.gains, measured, jnp.ones(measured.shape, bool))

        def informed(value: Value) -> Value:
            return lambda o, a: value(o, a) + weight * gains.standardised(gain(spec, state.models, o, a))

        following = successors(state.sac.actor, batch, self.sac.discount, target_noise)
        told = informed(lambda o, a: jnp.zeros(len(o)))(following.observations, following.actions)
        targets = soft_targets(state.sac.target_critics, following, self.alpha(state)) + following.discount * told
        sac, metrics = self.sac.evaluation_step(state.sac, batch, targets)
        critics = sac.critics
        value = informed(lambda o, a: least_value(critics, o, a))
        sac, policy_metrics = self.sac.improvement_step(spec, sac, value, batch, progress, actor_noise)

        slack = gains.standardised(now) - gains.standardised(lagged)
        information, weight, change = coefficient_step(self.information, spec, state.information, slack, progress)
        steps = jax.tree.map(lambda x: x[:, 0], batch)
        models = self.ensemble.see(spec, state.models, steps, jnp.ones(len(steps.reward), bool))
        models, error = self.ensemble.learn(spec, models, steps)
        more = {
            "train/information_gain": jnp.mean(now),
            "train/information_slack": jnp.mean(slack),
            "train/information_coef": weight,
            "train/information_coef_step": change,
            "train/model_loss": error,
        }
        sac = self.sac.target_step(sac)
        target_actor = polyak(state.target_actor, sac.actor, self.sac.polyak)
        state = MaxInfoSACState(sac, target_actor, models, gains, information)
        return state, {**metrics, **policy_metrics, **more}


def gain(
    spec: Spec,
    models: EnsembleState,
    observations: Float[Array, "batch observation"],
    actions: Float[Array, "batch action"],
) -> Float[Array, " batch"]:
    """The information gain of one action in each state, before it is standardised."""
    return information_gain(disagreement(spec, models, observations, actions))


def lookahead(
    spec: Spec,
    state: MaxInfoSACState,
    observations: Float[Array, "batch observation"],
    noise: Float[Array, "batch action"],
) -> tuple[Float[Array, " batch"], Float[Array, " batch"]]:
    """The gains of the policy and of its lagged copy in the same states, with the same noise.

    So the noise cancels in their difference, and there is none as long as both are one policy.
    """
    now, lagged = (
        gain(spec, state.models, observations, sample(actor, observations, noise)[0])
        for actor in (state.sac.actor, state.target_actor)
    )
    return now, lagged
