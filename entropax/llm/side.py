"""Sides of the target on which a controller acts."""

import abc
import math
from dataclasses import dataclass

from entropax.errors import EntropaxError


class AbstractSide(abc.ABC):
    """When a controller acts, and what effort an alpha is then."""

    @abc.abstractmethod
    def acts(self, entropy: float, target: float) -> bool:
        """Whether it acts at this entropy; `entropy` is NaN before the first, `target` for a law that has none."""

    @abc.abstractmethod
    def effort(self, alpha: float) -> float:
        """The effort while it acts, in the knob's unit."""

    @abc.abstractmethod
    def check_band(self, law: str, first: float, least: float, most: float) -> None:
        """Raises EntropaxError where a law's alpha could wind away from what has an effect."""


@dataclass(frozen=True)
class OneSided(AbstractSide):
    """Acts while the entropy is below its target and leaves the knob at rest otherwise, as Skywork-OR1 does.

    A law without a target always acts. The effort is alpha, and the law's least alpha is the one that it begins with:
    while nothing acts alpha may fall back to there and no further, so there is nothing to wind down.
    """

    def acts(self, entropy: float, target: float) -> bool:
        """While the entropy is below the target."""
        return math.isnan(target) or entropy < target

    def effort(self, alpha: float) -> float:
        """Alpha itself."""
        return alpha

    def check_band(self, law: str, first: float, least: float, most: float) -> None:
        """Raises EntropaxError where alpha may fall below its first value."""
        if least < first:
            raise EntropaxError(
                f"OneSided: {law} begins at alpha {first:g}, but its band goes down to {least:g}, where it would wind "
                "while the entropy is above the target and nothing acts; the entropy would fall far below before it "
                f"is back. Use band=Clamp({first:g}, {most:g})."
            )


@dataclass(frozen=True)
class TwoSided(AbstractSide):
    """Always acts: an alpha above `neutral` raises entropy, one below lowers it.

    Attributes:
        neutral: the alpha at which the knob is at rest.

    Raises:
        EntropaxError: it is not finite and positive.
    """

    neutral: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.neutral) and self.neutral > 0):
            raise EntropaxError(f"TwoSided: neutral is an alpha, finite and above 0, got {self.neutral}.")

    def acts(self, entropy: float, target: float) -> bool:
        """Always."""
        return True

    def effort(self, alpha: float) -> float:
        """What alpha has above `neutral`."""
        return alpha - self.neutral

    def check_band(self, law: str, first: float, least: float, most: float) -> None:
        """Raises EntropaxError where the knob could never rest."""
        if not least <= self.neutral <= most:
            raise EntropaxError(
                f"TwoSided: neutral {self.neutral:g} lies outside [{least:g}, {most:g}], where {law} keeps alpha. "
                "Make it the law's first alpha."
            )
