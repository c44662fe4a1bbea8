"""A temperature law in another place: it weighs a reward of the learner's own, and measures that instead of entropy."""

from typing import Any

import jax
from jaxtyping import Array, Float

from entropax.errors import EntropaxError
from entropax.temperature import AbstractTemperature, Evidence, Level
from entropax.types import Progress, Spec


def check_law(owner: str, law: AbstractTemperature[Any]) -> None:
    """Refuses a law that steers to an entropy, or has a weight for each action dimension.

    Raises:
        EntropaxError: it does.
    """
    target = vars(law).get("target_entropy")
    if target is not None and not isinstance(target, Level):
        raise EntropaxError(
            f"{owner}: {type(law).__name__} steers to {target}, an entropy, but what it measures here is a reward of "
            "the learner's own. Give it target_entropy=Level(…) in units of that reward, or take Fixed or Scheduled."
        )


def coefficient_init(owner: str, law: AbstractTemperature[Any], spec: Spec) -> Any:
    """The law's state before the first update.

    Raises:
        EntropaxError: it has a weight for each action dimension.
    """
    state = law.init(spec)
    if law.value(state).ndim:
        raise EntropaxError(
            f"{owner}: {type(law).__name__} has a weight for each action dimension, but a reward is one number. Take a "
            "law with one weight, such as Fixed or Dual."
        )
    return state


def coefficient_step(
    law: AbstractTemperature[Any], spec: Spec, state: Any, measured: Float[Array, " n"], progress: Progress
) -> tuple[Any, Float[Array, ""], Float[Array, ""]]:
    """Moves the coefficient once: a law with a target raises it while the mean of what is measured is below.

    Returns the new state, the coefficient after the step, and the change of its logarithm.
    """
    state, found = law.update(spec, state, Evidence(jax.lax.stop_gradient(measured)[:, None], progress))
    return state, found["train/ent_coef"], found["train/ent_coef_step"]
