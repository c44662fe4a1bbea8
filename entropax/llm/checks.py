"""Checks of methods' settings at construction."""

import math
import warnings

from entropax.errors import EntropaxError
from entropax.llm.tokens import Tokens

_LARGEST_USUAL = 0.02
"""Fraction of tokens beyond which percents were meant more often than not: published ones are 2e-4 and 2e-3."""


class SettingWarning(UserWarning):
    """A setting that is allowed and is hardly what was meant."""


def require(owner: str, name: str, value: float, low: int | float, high: int | float, remedy: str) -> None:
    """Raises EntropaxError unless a field lies in [low, high]."""
    if not (math.isfinite(value) and low <= value <= high):
        bounds = f"at least {low:g}" if math.isinf(high) else f"in [{low:g}, {high:g}]"
        raise EntropaxError(f"{owner}: {name} must be finite and {bounds}, got {value}. {remedy}")


def require_fraction(owner: str, name: str, value: float, usual: str) -> None:
    """Raises EntropaxError unless a field is in (0, 1); warns where it looks like percents."""
    if not 0 < value < 1:
        raise EntropaxError(
            f"{owner}: {name} is a fraction of the tokens, in (0, 1), got {value}. Published values are {usual}."
        )
    if value > _LARGEST_USUAL:
        warnings.warn(
            f"{owner}: {name} = {value} selects {100 * value:g} % of all tokens. It is a fraction, not percents: "
            f"published values are {usual}.",
            SettingWarning,
            stacklevel=4,
        )


def require_entropy(owner: str, batch: Tokens) -> None:
    """Raises EntropaxError where the trainer gave no entropy."""
    if batch.entropy is None:
        raise EntropaxError(
            f"{owner} needs the entropy of every token, and this trainer gives none. Take a method of "
            "log-probabilities alone: Clip, ClipCov, KLCov, CEGPPO, or ScoreBonus, which can do without."
        )
