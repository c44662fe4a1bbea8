"""Tasks whose answer is known in closed form: the first thing to run when an algorithm does not learn.

The soft probes choose any p* in the policy class and pay r(a) = alpha * log p*(a). For a learner at that temperature

    max over pi of  E_pi[r - alpha log pi] = max over pi of  -alpha KL(pi || p*) = 0,   reached at pi = p*,

so pi* = p*, V* = 0 and H* = H(p*); a learned temperature with target H(p*) has that alpha as its fixed point. The plain
probes follow Andy Jones, "Debugging RL, Without the Agonizing Pain" (2021).
"""

from typing import TypeAlias, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import erf
from jaxtyping import Array, Bool, Float, Int, Key

from entropax.distributions import Categorical, log_tanh_derivative, tanh_normal_entropy
from entropax.envs.base import AbstractDynamics
from entropax.types import Bounds, Categories, Spec

Scalar: TypeAlias = float | Float[Array, ""]
"""A number, traced or not."""

EDGE = 1e-6
"""Actions are clipped this far inside [-1, 1] before tanh is inverted: latents beyond ±7.25 are read as ±7.25."""


def log_density(action: Float[Array, " action"], loc: Scalar, scale: Scalar) -> Float[Array, ""]:
    """Log-density in nats of tanh(loc + scale * N(0, 1)), independent in each dimension, at a given action.

    A policy keeps its latent and never inverts tanh; a reward only sees the action, so here it is unavoidable. Within
    `EDGE` of a bound the density is that at the edge, which matters for neither value nor entropy while the policy
    stays within |latent| < 7.
    """
    latent = jnp.arctanh(jnp.clip(action, -1 + EDGE, 1 - EDGE))
    normal = -0.5 * ((latent - loc) / scale) ** 2 - jnp.log(scale) - 0.5 * jnp.log(2 * jnp.pi)
    return jnp.sum(normal - log_tanh_derivative(latent))


class ProbeState(eqx.Module):
    """How far along a probe is, and the number that it shows."""

    stage: Int[Array, ""]
    shown: Float[Array, ""]


def _start(shown: Scalar) -> ProbeState:
    return ProbeState(jnp.zeros((), jnp.int32), jnp.asarray(shown, jnp.float32))


def _random_sign(key: Key[Array, ""]) -> Float[Array, ""]:
    return jax.random.rademacher(key, (), jnp.float32)


def _box(size: int) -> Bounds:
    return Bounds((-1.0,) * size, (1.0,) * size)


@final
class SoftOptimum(AbstractDynamics[ProbeState]):
    """One step that pays alpha * log p*(a) for p* = tanh(Normal(loc, scale)) in each of `size` dimensions.

    At temperature `alpha` the optimal policy is p*, its soft value 0 and its entropy `entropy()`.
    """

    loc: float = 0.3
    scale: float = 0.5
    alpha: float = 0.2
    size: int = eqx.field(static=True, default=1)

    @property
    def spec(self) -> Spec:
        """Observation (1,); `size` actions in [-1, 1]."""
        return Spec(1, _box(self.size))

    def soft_value(self) -> Float[Array, ""]:
        """V* of the only state, at temperature `alpha`: 0."""
        return jnp.zeros((), jnp.float32)

    def entropy(self) -> Float[Array, ""]:
        """H(p*) in nats, summed over the dimensions: the target at which a learned temperature settles at `alpha`."""
        one = tanh_normal_entropy(jnp.asarray(self.loc, jnp.float32), jnp.log(jnp.asarray(self.scale, jnp.float32)))
        return self.size * one

    def initial(self, *, key: Key[Array, ""]) -> ProbeState:
        """The only state."""
        return _start(1.0)

    def observe(self, state: ProbeState) -> Float[Array, "1"]:
        """Always (1,)."""
        return state.shown[None]

    def step(
        self, state: ProbeState, action: Float[Array, " action"], *, key: Key[Array, ""]
    ) -> tuple[ProbeState, Float[Array, ""], Bool[Array, ""]]:
        """Pays alpha * log p*(a) and terminates."""
        return state, self.alpha * log_density(action, self.loc, self.scale), jnp.ones((), bool)


@final
class DiscreteSoftOptimum(AbstractDynamics[ProbeState]):
    """One step that pays alpha * log p*(a) for p*(a) in proportion to exp(slope * a), a one of `count` actions.

    At temperature `alpha` the optimal policy is p*, its soft value 0 and its entropy `entropy()`.
    """

    slope: float = 1.0
    alpha: float = 0.2
    count: int = eqx.field(static=True, default=3)

    @property
    def spec(self) -> Spec:
        """Observation (1,); one of `count` actions."""
        return Spec(1, Categories(self.count))

    def optimum(self) -> Categorical:
        """p*."""
        return Categorical(self.slope * jnp.arange(self.count, dtype=jnp.float32))

    def soft_value(self) -> Float[Array, ""]:
        """V* of the only state, at temperature `alpha`: 0."""
        return jnp.zeros((), jnp.float32)

    def entropy(self) -> Float[Array, ""]:
        """H(p*) in nats: the target at which a learned temperature settles at `alpha`."""
        return self.optimum().entropy()

    def initial(self, *, key: Key[Array, ""]) -> ProbeState:
        """The only state."""
        return _start(1.0)

    def observe(self, state: ProbeState) -> Float[Array, "1"]:
        """Always (1,)."""
        return state.shown[None]

    def step(
        self, state: ProbeState, action: Int[Array, ""], *, key: Key[Array, ""]
    ) -> tuple[ProbeState, Float[Array, ""], Bool[Array, ""]]:
        """Pays alpha * log p*(a) and terminates."""
        return state, self.alpha * self.optimum().log_probs()[action], jnp.ones((), bool)


@final
class SoftChain(AbstractDynamics[ProbeState]):
    """Two `SoftOptimum` steps in a row, the second with a bonus: tests that a soft value is discounted once.

    The observation says which state it is: (1, 0), then (0, 1). Without the soft value of the second state, V* of the
    first would be 0; with a discount applied twice it would be discount² * bonus.
    """

    first_loc: float = 0.3
    first_scale: float = 0.5
    second_loc: float = -0.4
    second_scale: float = 0.3
    alpha: float = 0.2
    bonus: float = 1.0

    @property
    def spec(self) -> Spec:
        """Observation one-hot of the state; one action in [-1, 1]."""
        return Spec(2, _box(1))

    def soft_values(self, discount: Scalar) -> Float[Array, "2"]:
        """V* of the two states at temperature `alpha`: (discount * bonus, bonus)."""
        return jnp.stack([jnp.asarray(discount * self.bonus, jnp.float32), jnp.asarray(self.bonus, jnp.float32)])

    def entropies(self) -> Float[Array, "2"]:
        """H(p*) in nats of the two states' optimal policies."""
        locs = jnp.stack([jnp.asarray(loc, jnp.float32) for loc in (self.first_loc, self.second_loc)])
        scales = jnp.stack([jnp.asarray(scale, jnp.float32) for scale in (self.first_scale, self.second_scale)])
        return tanh_normal_entropy(locs, jnp.log(scales))

    def initial(self, *, key: Key[Array, ""]) -> ProbeState:
        """The first state."""
        return _start(0.0)

    def observe(self, state: ProbeState) -> Float[Array, "2"]:
        """(1, 0) in the first state, (0, 1) in the second."""
        return jnp.stack([1 - state.shown, state.shown])

    def step(
        self, state: ProbeState, action: Float[Array, "1"], *, key: Key[Array, ""]
    ) -> tuple[ProbeState, Float[Array, ""], Bool[Array, ""]]:
        """Pays alpha * log p*(a) of the state, plus the bonus on the second step, which terminates."""
        second = state.stage == 1
        loc = jnp.where(second, self.second_loc, self.first_loc)
        scale = jnp.where(second, self.second_scale, self.first_scale)
        reward = self.alpha * log_density(action, loc, scale) + jnp.where(second, self.bonus, 0.0)
        return ProbeState(state.stage + 1, jnp.ones((), jnp.float32)), reward, second


@final
class ConstantReward(AbstractDynamics[ProbeState]):
    """One step that pays `reward` whatever is done. If its value is not learnt, the critic's loss or step is wrong."""

    reward: float = 1.0

    @property
    def spec(self) -> Spec:
        """Observation (0,); one action in [-1, 1]."""
        return Spec(1, _box(1))

    def value(self) -> Float[Array, ""]:
        """Q of every action: `reward`."""
        return jnp.asarray(self.reward, jnp.float32)

    def soft_value(self, alpha: Scalar) -> Float[Array, ""]:
        """V* over all densities on [-1, 1]: reward + alpha log 2, at the uniform one."""
        return jnp.asarray(self.reward + alpha * jnp.log(2.0), jnp.float32)

    def initial(self, *, key: Key[Array, ""]) -> ProbeState:
        """The only state."""
        return _start(0.0)

    def observe(self, state: ProbeState) -> Float[Array, "1"]:
        """Always (0,)."""
        return state.shown[None]

    def step(
        self, state: ProbeState, action: Float[Array, "1"], *, key: Key[Array, ""]
    ) -> tuple[ProbeState, Float[Array, ""], Bool[Array, ""]]:
        """Pays `reward` and terminates."""
        return state, jnp.asarray(self.reward, jnp.float32), jnp.ones((), bool)


@final
class ObservedReward(AbstractDynamics[ProbeState]):
    """One step that pays what the observation, -1 or 1 by chance, says. If not learnt, observations get lost."""

    reward: float = 1.0

    @property
    def spec(self) -> Spec:
        """Observation -1 or 1; one action in [-1, 1]."""
        return Spec(1, _box(1))

    def value(self, observation: Float[Array, "1"]) -> Float[Array, ""]:
        """Q of every action: `reward` * observation."""
        return self.reward * observation[0]

    def initial(self, *, key: Key[Array, ""]) -> ProbeState:
        """Either state, with probability 1/2."""
        return _start(_random_sign(key))

    def observe(self, state: ProbeState) -> Float[Array, "1"]:
        """The sign drawn at the start."""
        return state.shown[None]

    def step(
        self, state: ProbeState, action: Float[Array, "1"], *, key: Key[Array, ""]
    ) -> tuple[ProbeState, Float[Array, ""], Bool[Array, ""]]:
        """Pays `reward` times the sign and terminates."""
        return state, self.reward * state.shown, jnp.ones((), bool)


@final
class DelayedReward(AbstractDynamics[ProbeState]):
    """Two steps, `reward` on the second only. If the first value is not discount * reward, the target is wrong."""

    reward: float = 1.0

    @property
    def spec(self) -> Spec:
        """Observation 0, then 1; one action in [-1, 1]."""
        return Spec(1, _box(1))

    def values(self, discount: Scalar) -> Float[Array, "2"]:
        """Q of every action in the two states, at temperature 0: (discount * reward, reward)."""
        return jnp.stack([jnp.asarray(discount * self.reward, jnp.float32), jnp.asarray(self.reward, jnp.float32)])

    def initial(self, *, key: Key[Array, ""]) -> ProbeState:
        """The first state."""
        return _start(0.0)

    def observe(self, state: ProbeState) -> Float[Array, "1"]:
        """(0,) in the first state, (1,) in the second."""
        return state.shown[None]

    def step(
        self, state: ProbeState, action: Float[Array, "1"], *, key: Key[Array, ""]
    ) -> tuple[ProbeState, Float[Array, ""], Bool[Array, ""]]:
        """Pays on the second step, which terminates."""
        second = state.stage == 1
        reward = jnp.asarray(jnp.where(second, self.reward, 0.0), jnp.float32)
        return ProbeState(state.stage + 1, jnp.ones((), jnp.float32)), reward, second


@final
class MatchObservation(AbstractDynamics[ProbeState]):
    """One step that pays -(a - o/2)² for an observation o of -1 or 1. If not learnt, the actor's gradient is wrong."""

    @property
    def spec(self) -> Spec:
        """Observation -1 or 1; one action in [-1, 1]."""
        return Spec(1, _box(1))

    def best_action(self, observation: Float[Array, "1"]) -> Float[Array, "1"]:
        """The action with the highest reward, 0: half the observation."""
        return observation / 2

    def soft_value(self, alpha: Scalar) -> Float[Array, ""]:
        """V* over all densities on [-1, 1], the same in both states: alpha log of the integral of exp(r / alpha).

        exp(r / alpha) is a Gaussian bell around ±1/2 cut at ±1, so the integral is a difference of error functions. A
        tanh-Gaussian policy stays a little below it.
        """
        root = jnp.sqrt(jnp.asarray(alpha, jnp.float32))
        mass = jnp.sqrt(jnp.pi) * root / 2 * (erf(0.5 / root) + erf(1.5 / root))
        return alpha * jnp.log(mass)

    def initial(self, *, key: Key[Array, ""]) -> ProbeState:
        """Either state, with probability 1/2."""
        return _start(_random_sign(key))

    def observe(self, state: ProbeState) -> Float[Array, "1"]:
        """The sign drawn at the start."""
        return state.shown[None]

    def step(
        self, state: ProbeState, action: Float[Array, "1"], *, key: Key[Array, ""]
    ) -> tuple[ProbeState, Float[Array, ""], Bool[Array, ""]]:
        """Pays minus the squared distance to half the observation, and terminates."""
        return state, -((action[0] - state.shown / 2) ** 2), jnp.ones((), bool)
