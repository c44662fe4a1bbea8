"""The entropy bifurcation extension of a task: chains that a policy with little entropy passes for nothing."""

from typing import Any, Generic, TypeVar, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from entropax.envs.base import AbstractDynamics
from entropax.errors import EntropaxError
from entropax.types import Bounds, Spec, continuous

State = TypeVar("State")


class BifurcationState(eqx.Module, Generic[State]):
    """The task's state, and the chain that is passed before the task goes on from it."""

    task: State
    layer: Int[Array, ""]
    """Outside chains 0, in a chain from 1 to `layers`."""
    action: Float[Array, " action"]
    """The action that led into the chain, in [-1, 1]; zeros outside chains."""


@final
class Bifurcation(AbstractDynamics[BifurcationState[State]], Generic[State]):
    """Pulls MaxEnt policies to `target` in a region, and leaves plain returns, up to discounting, what they were.

    The region is the ball of `radius` around `centre` in the space of observations. From inside, an action a steps the
    task and is paid as ever, and then leads into a chain of `layers` states that the task does not see. There an action
    u continues if its first component lies within `fraction(a)` of the middle of its range, whatever the others are,
    and pays `continue_reward`; any other ends the episode and pays `end_reward`. With a and `target` in [-1, 1],

        fraction(a) = max(floor, exp(-|a - target|² / (2 width²))).

    So every chain is passed by going straight on, u = 0, but only the one behind `target` is passed by every action.
    Where leaving is bad by many alphas, a chain takes alpha log(1 / fraction(a)) per layer off the soft value behind a,
    and nothing off the plain return. `docs/theory.md` has the sums, and says what is exact.

    The observation is the task's, then layer / `layers`, then the action that led into the chain (zeros outside).
    Chain steps count as steps: for a learner they put discount^layers before the values behind, and for `Episodes` they
    count against the time limit, which should be raised. A `continue_reward` of (1 - discount) V makes up for the
    discount where V is the value behind. A task step that terminates leads into no chain. Every float and array is
    traced.

    Raises:
        EntropaxError: The task's actions are not continuous, `layers` is below 1, or `centre` or `target` has another
            size than the task's observation or action.
    """

    dynamics: AbstractDynamics[State]
    centre: Float[Array, " observation"]
    target: Float[Array, " action"]
    radius: float
    end_reward: float
    """Below every value that the task has in the region."""
    width: float = 0.5
    floor: float = 0.02
    """Smallest fraction, so that every chain can be passed by a policy that has noise left."""
    continue_reward: float = 0.0
    layers: int = eqx.field(static=True, default=4)

    def __check_init__(self) -> None:
        spec = self.dynamics.spec
        sizes = ((spec.observation_size,), (continuous(spec).size,))
        if (self.centre.shape, self.target.shape) != sizes:
            raise EntropaxError(
                f"centre and target have shapes {self.centre.shape} and {self.target.shape}; the task's observations "
                f"and actions have {sizes[0]} and {sizes[1]}. Give an observation, and an action in [-1, 1]."
            )
        if self.layers < 1:
            raise EntropaxError(f"layers = {self.layers}: a chain has at least one state. Give 1 or more.")

    @property
    def spec(self) -> Spec:
        """The task's, its observation longer by one flag and one action."""
        spec = self.dynamics.spec
        return Spec(spec.observation_size + 1 + self._bounds.size, spec.action)

    @property
    def _bounds(self) -> Bounds:
        return continuous(self.dynamics.spec)

    def fraction(self, action: Float[Array, " action"]) -> Float[Array, ""]:
        """Share of the action box that continues in the chain behind an action in [-1, 1]."""
        distance = (action - self.target) / self.width
        return jnp.maximum(self.floor, jnp.exp(-0.5 * jnp.sum(distance**2)))

    def continuing_measure(self, action: Float[Array, " action"]) -> Float[Array, ""]:
        """Lebesgue measure in [-1, 1]^d of the actions that continue in the chain behind an action: 2^d its share."""
        return 2.0**self._bounds.size * self.fraction(action)

    def in_region(self, state: State) -> Bool[Array, ""]:
        """Whether actions from a state of the task lead into chains."""
        return jnp.linalg.norm(self.dynamics.observe(state) - self.centre) <= self.radius

    def initial(self, *, key: Key[Array, ""]) -> BifurcationState[State]:
        """A first state of the task, outside chains."""
        task = self.dynamics.initial(key=key)
        return BifurcationState(task, jnp.zeros((), jnp.int32), jnp.zeros(self._bounds.size, jnp.float32))

    def observe(self, state: BifurcationState[State]) -> Float[Array, " observation"]:
        """The task's observation, layer / `layers`, and the action that led into the chain."""
        flag = jnp.asarray(state.layer / self.layers, jnp.float32)
        return jnp.concatenate([self.dynamics.observe(state.task), flag[None], state.action])

    def step(
        self, state: BifurcationState[State], action: Float[Array, " action"], *, key: Key[Array, ""]
    ) -> tuple[BifurcationState[State], Float[Array, ""], Any]:
        """A step of the task, or of a chain."""
        inner = jnp.asarray((action - jnp.asarray(self._bounds.low)) / self._bounds.half_range - 1, jnp.float32)
        task, paid, ended = self.dynamics.step(state.task, action, key=key)
        inside = state.layer > 0
        leaves = jnp.abs(inner[0]) > self.fraction(state.action)
        in_chain = jnp.where(leaves, self.end_reward, self.continue_reward)
        enters = self.in_region(state.task) & ~jnp.asarray(ended, bool)
        layer = jnp.where(inside, jnp.mod(state.layer + 1, self.layers + 1), enters.astype(jnp.int32))
        following = BifurcationState(
            jax.tree.map(lambda old, new: jnp.where(inside, old, new), state.task, task),
            layer,
            jnp.where(layer > 0, jnp.where(inside, state.action, inner), 0.0),
        )
        return following, jnp.where(inside, in_chain, paid), jnp.where(inside, leaves, ended)
