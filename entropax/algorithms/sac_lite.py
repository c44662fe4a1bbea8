"""SACLite: Yu, Zhang and Xu 2022, arXiv 2201.12434; entropy in the policy's improvement, none in its evaluation."""

from functools import partial

import jax
from jaxtyping import Array, Float, Key, PyTree

from entropax.algorithms.base import AbstractSoftActorCritic
from entropax.algorithms.sac import SAC, SACState
from entropax.algorithms.soft import least_value, plain_targets, successors
from entropax.networks import Critic
from entropax.policies import Actor
from entropax.replay import Windows
from entropax.types import Metrics, Progress, Spec, Transition


class SACLite(AbstractSoftActorCritic[SACState]):
    """SAC whose critics learn the return alone: the entropy of a state is worth nothing to the states before it.

        y    = r + gamma (1 - d) min_i Q_i(s', a'),
        J_pi = E[ alpha log pi(a|s) - min_i Q_i(s, a) ].

    Raises:
        EntropaxError: a setting is out of its range, or the environment's actions are not continuous.

    Example:
        >>> SACLite(SAC(discount=0.98)).data()
        Windows(batch=256, n_step=1)
    """

    sac: SAC = SAC()
    """SAC's settings."""

    def data(self) -> Windows:
        """Windows of replayed steps: SAC's."""
        return self.sac.data()

    def init(self, spec: Spec, *, key: Key[Array, ""]) -> SACState:
        """Draws the networks and starts the optimisers and the temperature law, as SAC does."""
        return self.sac.init(spec, key=key)

    def actor(self, state: SACState) -> Actor:
        """The policy."""
        return state.actor

    def alpha(self, state: SACState) -> Float[Array, "*dimensions"]:
        """The weight of the entropy now, one or one a dimension."""
        return self.sac.alpha(state)

    def target_entropy(self, spec: Spec, state: SACState) -> Float[Array, ""]:
        """The entropy steered to, in nats; NaN where none is."""
        return self.sac.target_entropy(spec, state)

    def parameters(self, state: SACState) -> dict[str, PyTree[Array]]:
        """The trained parameters by name."""
        return self.sac.parameters(state)

    def climbed(self, state: SACState) -> Critic:
        """The critics."""
        return state.critics

    def update(
        self, spec: Spec, state: SACState, batch: Transition, progress: Progress, *, key: Key[Array, ""]
    ) -> tuple[SACState, Metrics]:
        """SAC's update with targets that have no entropy in them."""
        target_noise, actor_noise = jax.random.normal(key, (2, *batch.action[:, 0].shape))
        following = successors(state.actor, batch, self.sac.discount, target_noise)
        targets = plain_targets(state.target_critics, following)
        state, metrics = self.sac.evaluation_step(state, batch, targets)
        value = partial(least_value, state.critics)
        state, more = self.sac.improvement_step(spec, state, value, batch, progress, actor_noise)
        return self.sac.target_step(state), {**metrics, **more}
