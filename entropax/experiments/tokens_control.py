"""Entropy held at chosen targets while a policy of tokens learns: the controllers, and how well each holds."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from entropax.experiments.tokens_run import Settings, Steer
from entropax.experiments.tokens_task import DIGITS
from entropax.llm import AEPO, AbstractActuator, AbstractMethod, BonusCoefficient, Controller, RepoBeta
from entropax.temperature import PI, AbstractTemperature, Clamp, Nats, StepRule

TARGETS = (1.3, 1.1, 0.9)
"""Nats a token: below the 1.55 of right answers that are all alike, and so below where learning starts."""
BAND = 0.1
"""Share of the target within which the entropy counts as held."""

_MOST = {"PI": 1.0, "step rule": 0.2}
"""Largest coefficients, where the laws' bands end."""
_LAWS: Mapping[str, Callable[[float], AbstractTemperature[Any]]] = {
    "PI": lambda target: PI(
        proportional=10.0,
        integral=0.2,
        max_step=0.5,
        smoothing=0.5,
        initial_alpha=0.01,
        target_entropy=Nats(target),
        band=Clamp(0.01, _MOST["PI"]),
    ),
    "step rule": lambda target: StepRule(
        step=0.004,
        dead_band=0.0,
        initial_alpha=0.001,
        target_entropy=Nats(target),
        band=Clamp(0.001, _MOST["step rule"]),
    ),
}
"""Updated once a rollout. PI's gains are the largest without overshoot by its formula, for an e-fold of the
coefficient worth 0.3 nats and an entropy that follows in 50 rollouts, as fixed bonuses showed; the step rule spans its
range in 50 steps, as Skywork-OR1's does."""


class Held(NamedTuple):
    """An entropy that a controller is to hold."""

    law: str
    """With its actuator."""
    target: float
    """Nats a token."""
    controller: Controller
    most: float
    """Largest coefficient."""


def _held(name: str, actuator: AbstractActuator, laws: Sequence[str]) -> dict[str, Held]:
    return {
        f"{law} on {name} at {target:g}": Held(
            f"{law} on {name}", target, Controller(_LAWS[law](target), actuator, vocabulary=DIGITS), _MOST[law]
        )
        for law in laws
        for target in TARGETS
    }


CONTROLLED: Mapping[str, Mapping[str, Held]] = {
    "bonus": _held("the bonus", BonusCoefficient(high=1.0), ("PI", "step rule")),
    "score": _held("the score bonus", RepoBeta(high=1.0), ("PI",)),
}
"""What is held, by the group of methods whose program does it."""


def steering(fixed: Sequence[AbstractMethod], held: Sequence[Held], seeds: int, rollouts: int) -> Steer:
    """The settings of a group: constant knobs, controllers one rollout late, and AEPO's sampling temperatures.

    Args:
        fixed: methods with the knobs that they keep; what is held has those of the first, but for the one it moves.
        held: what controllers move.
        seeds: of every setting; each has a controller of its own.
        rollouts: of the run.
    """
    methods = [*fixed, *[fixed[0]] * len(held)]
    settings = {name: np.repeat([one.knobs[name] for one in methods], seeds) for name in fixed[0].knobs}
    states = [one.controller.begin() for one in held for _ in range(seeds)]
    places = np.arange(len(fixed) * seeds, len(methods) * seeds)

    def steer(number: int, entropy: np.ndarray, reward: np.ndarray) -> Settings:
        chosen = {name: values.copy() for name, values in settings.items()}
        for index, place in enumerate(places):
            one = held[index // seeds].controller
            if number:
                share = number / rollouts
                states[index] = one.update(states[index], float(entropy[place]), share, float(reward[place]))
            chosen[one.actuator.knob][place] = one.value(states[index])
        if isinstance(fixed[0], AEPO) and number:
            chosen["sampling_temperature"] = np.array(
                [_temperature(fixed[place // seeds], nats) for place, nats in enumerate(entropy)]
            )
        return chosen

    return steer


def _temperature(method: AbstractMethod, entropy: float) -> float:
    return method.sampling_temperature(float(entropy)) if isinstance(method, AEPO) else 1.0


class Quality(NamedTuple):
    """How well an entropy is held, by seed."""

    settled: Float[np.ndarray, " seed"]
    """Rollouts until it stays within `BAND` of the target to the end; NaN where it never does."""
    overshoot: Float[np.ndarray, " seed"]
    """How far it fell below its target at most, as a share of it; NaN where it never came down to it."""
    within: Float[np.ndarray, " seed"]
    """Share of the last half of the rollouts within `BAND`."""


def quality(entropy: Float[np.ndarray, "rollout seed"], target: float) -> Quality:
    """Reads a run that starts above its target."""
    rollouts = len(entropy)
    near = np.abs(entropy - target) <= BAND * target
    settled = rollouts - np.argmin(np.vstack([near[::-1], np.zeros_like(near[:1])]), axis=0)
    lowest = np.maximum(target - entropy.min(axis=0), 0) / target
    return Quality(
        np.where(near[-1], settled, np.nan),
        np.where((entropy <= target).any(axis=0), lowest, np.nan),
        near[rollouts // 2 :].mean(axis=0),
    )
