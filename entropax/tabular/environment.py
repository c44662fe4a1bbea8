"""A finite problem as a task for learners: the state is seen one-hot, an action is a place in [-1, 1] or an index."""

from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from entropax.envs.base import AbstractDynamics
from entropax.errors import EntropaxError
from entropax.tabular.mdp import MDP, ROUNDING
from entropax.types import Bounds, Categories, Spec

MASS = 2.0
"""Measure of [-1, 1], which the actions of every state must fill."""


class FiniteState(eqx.Module):
    """Where it is."""

    place: Int[Array, ""]


@final
class Finite(AbstractDynamics[FiniteState]):
    """An MDP whose actions are laid out on [-1, 1], each over an interval as long as its measure.

    From left to right in their order; where a state has the problem's first two actions and no other, the first lies in
    the middle and the second on both sides of it. A density over the MDP's actions is then one over [-1, 1] with the
    same entropy, so learners with continuous actions can be held to exact values. Make it with `Finite.of`.
    """

    rewards: Float[Array, "state action"]
    transitions: Float[Array, "state action state"]
    ends: Float[Array, "state action"]
    """Where the interval of an action ends; infinite for a state's last, minus infinite for those before its first."""
    middle: Float[Array, " state"]
    """Half the length of the first action where it lies in the middle; negative elsewhere."""
    terminal: Bool[Array, " state"]
    start: int = eqx.field(static=True)

    @staticmethod
    def of(mdp: MDP, start: int) -> "Finite":
        """Lays a problem out; episodes begin in state `start`.

        Raises:
            EntropaxError: The actions of a state do not have the measure 2 of [-1, 1], or the start is terminal.
        """
        mass = mdp.measure.sum(axis=1)
        wrong = ~mdp.terminal & (np.abs(mass - MASS) > ROUNDING)
        if wrong.any():
            state = int(np.argmax(wrong))
            raise EntropaxError(
                f"The actions of state {mdp.names[state]!r} have the measure {mass[state]:.6g}, but are to fill "
                "[-1, 1], which has 2. Scale the measure, or draw the problem with mass=2."
            )
        _check_start(mdp, start)
        two = mdp.available.sum(axis=1) == 2
        middle = np.where(two & mdp.available[:, :2].all(axis=1), mdp.measure[:, 0] / 2, -1.0)
        ends = np.cumsum(mdp.measure, axis=1) - MASS / 2
        later = np.cumsum(mdp.available[:, ::-1], axis=1)[:, ::-1] - mdp.available
        # -1 itself, which clipped actions are, belongs to the first action there is; rounding may leave a gap before 1.
        ends[np.cumsum(mdp.available, axis=1) == 0] = -np.inf
        ends[later == 0] = np.inf
        rewards, transitions = jnp.asarray(mdp.rewards, float), jnp.asarray(mdp.transitions, float)
        layout = jnp.asarray(ends, float), jnp.asarray(middle, float)
        return Finite(rewards, transitions, *layout, jnp.asarray(mdp.terminal), start)

    @property
    def spec(self) -> Spec:
        """Observation: the state, one-hot; one action in [-1, 1]."""
        return Spec(len(self.middle), Bounds((-1.0,), (1.0,)), one_hot=True)

    def initial(self, *, key: Key[Array, ""]) -> FiniteState:
        """The start."""
        return FiniteState(jnp.full((), self.start, jnp.int32))

    def observe(self, state: FiniteState) -> Float[Array, " state"]:
        """The state, one-hot."""
        return jax.nn.one_hot(state.place, len(self.middle), dtype=float)

    def chosen(self, place: Int[Array, ""], action: Float[Array, "1"]) -> Int[Array, ""]:
        """The action of the MDP that a place in [-1, 1] stands for."""
        outside = (jnp.abs(action[0]) >= self.middle[place]).astype(jnp.int32)
        beyond = jnp.sum(action[0] > self.ends[place]).astype(jnp.int32)
        return jnp.where(self.middle[place] > 0, outside, beyond)

    def step(
        self, state: FiniteState, action: Float[Array, "1"], *, key: Key[Array, ""]
    ) -> tuple[FiniteState, Float[Array, ""], Bool[Array, ""]]:
        """Draws the next state; terminates where that one has no actions."""
        chosen = self.chosen(state.place, action)
        place = _drawn(self.transitions[state.place, chosen], key)
        return FiniteState(place), self.rewards[state.place, chosen], self.terminal[place]


@final
class Choices(AbstractDynamics[FiniteState]):
    """An MDP whose actions are the categories of a learner. Make it with `Choices.of`.

    Each action has the measure 1, so a density over them is a probability, and exact soft values have entropies in them
    as learners with discrete actions count them.
    """

    rewards: Float[Array, "state action"]
    transitions: Float[Array, "state action state"]
    terminal: Bool[Array, " state"]
    start: int = eqx.field(static=True)

    @staticmethod
    def of(mdp: MDP, start: int) -> "Choices":
        """Takes a problem as it is; episodes begin in state `start`.

        Raises:
            EntropaxError: An action of a state has another measure than 1, or the start is terminal.
        """
        wrong = ~mdp.terminal & (np.abs(mdp.measure - 1) > ROUNDING).any(axis=1)
        if wrong.any():
            name = mdp.names[int(np.argmax(wrong))]
            raise EntropaxError(
                f"The actions of state {name!r} have not the measure 1 each, but a policy over categories counts each "
                "as one. Give every action of a state that is not terminal the measure 1."
            )
        _check_start(mdp, start)
        rewards, transitions = jnp.asarray(mdp.rewards, float), jnp.asarray(mdp.transitions, float)
        return Choices(rewards, transitions, jnp.asarray(mdp.terminal), start)

    @property
    def spec(self) -> Spec:
        """Observation: the state, one-hot; one of the problem's actions."""
        states, actions = self.rewards.shape
        return Spec(states, Categories(actions), one_hot=True)

    def initial(self, *, key: Key[Array, ""]) -> FiniteState:
        """The start."""
        return FiniteState(jnp.full((), self.start, jnp.int32))

    def observe(self, state: FiniteState) -> Float[Array, " state"]:
        """The state, one-hot."""
        return jax.nn.one_hot(state.place, len(self.terminal), dtype=float)

    def step(
        self, state: FiniteState, action: Int[Array, ""], *, key: Key[Array, ""]
    ) -> tuple[FiniteState, Float[Array, ""], Bool[Array, ""]]:
        """Draws the next state; terminates where that one has no actions."""
        place = _drawn(self.transitions[state.place, action], key)
        return FiniteState(place), self.rewards[state.place, action], self.terminal[place]


def _check_start(mdp: MDP, start: int) -> None:
    if not 0 <= start < len(mdp.names) or mdp.terminal[start]:
        raise EntropaxError(f"Episodes cannot begin in state {start}: it is terminal or does not exist.")


def _drawn(chances: Float[Array, " state"], key: Key[Array, ""]) -> Int[Array, ""]:
    return jax.random.categorical(key, jnp.log(chances)).astype(jnp.int32)
