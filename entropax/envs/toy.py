"""Two decisions of which the first is wrong for a policy that must stay random at the second."""

from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from entropax.envs.base import AbstractDynamics
from entropax.envs.drawing import BAD, FAINT, GOOD, INK, SELF, Canvas
from entropax.types import Bounds, Spec

START, GOOD_STATE, BAD_STATE, HIT, MISSED, SETTLED = range(6)
"""The six states, in the order of the one-hot observation: the first, the two it leads to, and the three ends."""


class ToyState(eqx.Module):
    """Which of the six states it is in."""

    place: Int[Array, ""]


@final
class Toy(AbstractDynamics[ToyState]):
    """A start, a narrow good way and a wide bad one: an episode takes two steps, and the second is paid.

    ```
                a <= 0         |a| < width: + 1
      start ------------- good ------------------- hit
        |                   +--------------------- missed
        |       a > 0          else: - 20
        +---------------- bad -------------------- settled
                               any a: - 1
    ```

    The toy example of Zhang, Chang and Gao, "When Maximum Entropy Misleads Policy Optimization" (ICML 2025, section
    4). The best return is + 1. At a high temperature the entropy that the bad way leaves free is worth more than the
    2 that it costs: over all densities from alpha = 2 / log(10) = 0.869, for a tanh-Gaussian from about 0.73. Every
    field is traced.
    """

    width: float = 0.1
    hit_reward: float = 1.0
    missed_reward: float = -20.0
    settled_reward: float = -1.0

    @property
    def spec(self) -> Spec:
        """Observation: the state, one-hot; one action in [-1, 1]."""
        return Spec(6, Bounds((-1.0,), (1.0,)), one_hot=True)

    def initial(self, *, key: Key[Array, ""]) -> ToyState:
        """The start."""
        return ToyState(jnp.full((), START, jnp.int32))

    def observe(self, state: ToyState) -> Float[Array, "6"]:
        """The state, one-hot."""
        return jax.nn.one_hot(state.place, 6, dtype=float)

    def step(
        self, state: ToyState, action: Float[Array, "1"], *, key: Key[Array, ""]
    ) -> tuple[ToyState, Float[Array, ""], Bool[Array, ""]]:
        """Takes the way that the action chooses; terminates on the second step."""
        first = state.place == START
        hit = jnp.abs(action[0]) < self.width
        paid = jnp.where(hit, self.hit_reward, self.missed_reward)
        paid = jnp.where(state.place == GOOD_STATE, paid, self.settled_reward)
        chosen = jnp.where(action[0] > 0, BAD_STATE, GOOD_STATE)
        ended = jnp.where(state.place == GOOD_STATE, jnp.where(hit, HIT, MISSED), SETTLED)
        place = jnp.where(first, chosen, ended).astype(jnp.int32)
        return ToyState(place), jnp.where(first, 0.0, paid).astype(action.dtype), ~first


_PLACES = ((-2.0, 0.0), (0.0, 1.0), (0.0, -1.0), (2.0, 1.6), (2.0, 0.4), (2.0, -1.0))
_WAYS = ((START, GOOD_STATE), (START, BAD_STATE), (GOOD_STATE, HIT), (GOOD_STATE, MISSED), (BAD_STATE, SETTLED))


def draw(state: ToyState) -> np.ndarray:
    """The six states and the ways between them, `[height, width, 3]`; the state it is in is filled.

    A way is as thick as its share of the actions; ends carry what they pay.
    """
    canvas = Canvas((-2.8, -2.0), (2.8, 2.2))
    shares = {HIT: 0.04, MISSED: 0.2}
    for begin, end in _WAYS:
        canvas.line(_PLACES[begin], _PLACES[end], shares.get(end, 0.12), FAINT)
    colours = {GOOD_STATE: GOOD, HIT: GOOD, BAD_STATE: BAD, MISSED: BAD, SETTLED: BAD}
    for place, centre in enumerate(_PLACES):
        canvas.disc(centre, 0.3, SELF if place == int(state.place) else (255, 255, 255))
        canvas.ring(centre, 0.3, 0.06, colours.get(place, INK))
    for place, text in ((HIT, "+1"), (MISSED, "-20"), (SETTLED, "-1")):
        canvas.text((_PLACES[place][0], _PLACES[place][1] - 0.55), text, 0.25, colours[place])
    return canvas.pixels()
