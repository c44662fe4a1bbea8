"""A finite Markov decision process whose actions carry a measure."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from entropax.errors import EntropaxError

ROUNDING = 1e-9
"""How far probabilities may be from a sum of 1."""


@dataclasses.dataclass(frozen=True, eq=False)
class MDP:
    """States, actions, rewards and transitions as float64 arrays, and a measure of the actions.

    An action of a finite problem stands for a set of actions on which reward and transition do not depend, and
    `measure` is the size of that set: all 1 is the counting measure, and cutting the box [-1, 1] at 0.5 gives 1.5 and
    0.5. Policies are densities with respect to it, so an action's probability is its measure times its density, and an
    entropy, -∫ density log density, is that of the continuous problem. An action of measure 0 is not available; a
    state without available actions is terminal and has the value 0.

    Two states, the second terminal, and two actions of which the first pays 1 and stays:

    ```python
    rewards = np.array([[1.0, 0.0], [0.0, 0.0]])
    transitions = np.zeros((2, 2, 2))
    transitions[0, 0, 0] = transitions[0, 1, 1] = 1
    measure = np.array([[1.0, 1.0], [0.0, 0.0]])
    mdp = MDP(rewards, transitions, measure, discount=0.9, names=("stay", "over"))
    ```

    Raises:
        EntropaxError: Shapes disagree, an array is not float64 or not finite, a measure is negative, an available
            action's row of probabilities is negative somewhere or does not sum to 1, the discount is not in [0, 1), or
            two states have the same name.
    """

    # Without axes in the annotations: shapes are input here, and refused in words by `_check_arrays`.
    rewards: np.ndarray
    """`[state, action]`, mean reward."""
    transitions: np.ndarray
    """`[state, action, next state]`, probabilities; rows of actions that are not available are not read."""
    measure: np.ndarray
    """`[state, action]`, size of the set that the action stands for, 0 where it is not available."""
    discount: float
    names: tuple[str, ...]
    """What each state is called."""

    def __post_init__(self) -> None:
        """Refuses what is no such process."""
        _check_arrays(self)
        _check_numbers(self)

    @property
    def available(self) -> Bool[np.ndarray, "state action"]:
        """Which actions a state has."""
        return self.measure > 0

    @property
    def terminal(self) -> Bool[np.ndarray, " state"]:
        """Which states have no action."""
        return np.asarray(~self.available.any(axis=1))

    def state(self, name: str) -> int:
        """Index of the state with this name.

        Raises:
            EntropaxError: No state has it.
        """
        if name not in self.names:
            raise EntropaxError(f"No state is called {name!r}. Choose one of: {', '.join(self.names)}.")
        return self.names.index(name)


def action_values(mdp: MDP, values: Float[np.ndarray, " state"]) -> Float[np.ndarray, "state action"]:
    """Q(s, a) = r(s, a) + discount E[V(s')], with -inf for actions that are not available.

    The same for plain and for soft values: they differ in what the value of a state makes of its actions.
    """
    return np.where(mdp.available, mdp.rewards + mdp.discount * (mdp.transitions @ values), -np.inf)


def fixed_point(
    backup: Callable[[Float[np.ndarray, " state"]], Float[np.ndarray, " state"]], mdp: MDP, tolerance: float
) -> Float[np.ndarray, " state"]:
    """Applies a contraction by the discount, from 0, as often as guarantees an error of at most `tolerance`.

    After n sweeps |V_n - V*| <= discount^n / (1 - discount) |V_1 - V_0|, so the first sweep tells how many are needed,
    and no sweep has to look whether values still move. Float64 adds about 1e-16 |V*| / (1 - discount).

    Raises:
        EntropaxError: The tolerance is not positive.
    """
    if not tolerance > 0:
        raise EntropaxError(f"tolerance = {tolerance}: no number of sweeps is exact. Give a positive one, as 1e-10.")
    values = backup(np.zeros(len(mdp.names)))
    first = float(np.max(np.abs(values)))
    if first == 0 or mdp.discount == 0:
        return values
    for _ in range(math.ceil(math.log(tolerance * (1 - mdp.discount) / first) / math.log(mdp.discount)) - 1):
        values = backup(values)
    return values


def check_alpha(alpha: float) -> None:
    """Refuses a temperature that is not positive and finite.

    Raises:
        EntropaxError: It is not.
    """
    if not (math.isfinite(alpha) and alpha > 0):
        raise EntropaxError(
            f"alpha = {alpha}, in reward per nat, must be positive and finite: soft values divide by it. For the "
            "limit of no entropy use the plain functions."
        )


def _check_arrays(mdp: MDP) -> None:
    shape = mdp.rewards.shape
    if len(shape) != 2 or 0 in shape:
        raise EntropaxError(f"rewards has shape {shape}; it must be [state, action], with at least one of each.")
    expected = {"transitions": (mdp.transitions, (*shape, shape[0])), "measure": (mdp.measure, shape)}
    for name, (array, wanted) in expected.items():
        if array.shape != wanted:
            raise EntropaxError(
                f"{name} has shape {array.shape}, but rewards of {shape[0]} states and {shape[1]} actions ask for "
                f"{wanted}: transitions are [state, action, next state], the measure is [state, action]."
            )
    for name, array in {"rewards": mdp.rewards, "transitions": mdp.transitions, "measure": mdp.measure}.items():
        if array.dtype != np.float64:
            raise EntropaxError(
                f"{name} is {array.dtype}, but exact values need float64. Convert it: np.asarray({name}, np.float64)."
            )
        if not np.isfinite(array).all():
            raise EntropaxError(f"{name} has NaN or infinite entries, so no value is defined. Give finite numbers.")
    if len(mdp.names) != shape[0] or len(set(mdp.names)) != len(mdp.names):
        raise EntropaxError(
            f"{len(mdp.names)} names for {shape[0]} states, {len(set(mdp.names))} of them different: give each state a "
            "name of its own."
        )


def _check_numbers(mdp: MDP) -> None:
    if not 0 <= mdp.discount < 1:
        raise EntropaxError(
            f"discount = {mdp.discount} is not in [0, 1): the sums of rewards that are values need not be finite. "
            "Episodes that surely end bear one close to 1, such as 0.999."
        )
    if (mdp.measure < 0).any():
        raise EntropaxError("The measure has negative entries, but it is a size. Use 0 where an action is missing.")
    wrong = (mdp.transitions < 0).any(axis=2) | (np.abs(mdp.transitions.sum(axis=2) - 1) > ROUNDING)
    if (wrong & mdp.available).any():
        state, action = np.argwhere(wrong & mdp.available)[0]
        row = mdp.transitions[state, action]
        raise EntropaxError(
            f"The transitions of state {mdp.names[state]!r} and action {action} are no probabilities: they sum to "
            f"{row.sum():.12g}, the smallest is {row.min():.12g}. Divide the row by its sum, or give the action the "
            "measure 0 if the state does not have it."
        )
