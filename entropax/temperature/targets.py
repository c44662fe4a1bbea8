"""Target rules: which entropy a law should hold, in nats of [-1, 1] space summed over action dimensions.

A rule that no policy can follow is refused, at construction where the rule alone knows and in `init` (which a law's
`init` calls) where the action space decides: an unreachable target drives alpha to infinity.
"""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from entropax.distributions import entropy_of_sigma, max_tanh_normal_entropy, max_tanh_normal_sigma
from entropax.errors import EntropaxError
from entropax.temperature.base import AbstractTarget, Evidence
from entropax.temperature.checks import holds, require_positive
from entropax.types import Bounds, Categories, Spec

_TOLERANCE = 1e-6


def _unreachable(what: str, remedy: str) -> EntropaxError:
    return EntropaxError(
        f"{what} lies above what a tanh-Gaussian can have: {max_tanh_normal_entropy():.4f} nats per dimension, at "
        f"sigma {max_tanh_normal_sigma():.3f} (the nearest reachable); alpha would grow without bound. {remedy}"
    )


def _box(owner: str, spec: Spec) -> Bounds:
    """The box of a continuous action space; refuses a discrete one."""
    if isinstance(spec.action, Categories):
        raise EntropaxError(
            f"{owner} is a rule per dimension of a continuous action, but the action is one of {spec.action.count} "
            "categories, whose entropy lies between 0 and log n nats. Use Nats or FractionOfUniform."
        )
    return spec.action


class PerDimension(AbstractTarget[tuple[()]]):
    """So many nats per action dimension: H = d nats (arXiv 1812.05905 takes -1; Brax, BRO and SimBa -1/2).

    Attributes:
        nats: entropy per dimension, at most about 0.684.

    Raises:
        EntropaxError: no tanh-Gaussian has this entropy, or it is not finite.
    """

    nats: float = -1.0

    def __check_init__(self) -> None:
        if not holds(np.isfinite, self.nats):
            raise EntropaxError(
                f"PerDimension: nats must be finite, got {self.nats}. The usual values are -1 and -0.5."
            )
        if not holds(lambda nats: nats <= max_tanh_normal_entropy() + _TOLERANCE, self.nats):
            raise _unreachable(f"PerDimension: {self.nats} nats", "Use a lower value; 0 is already wide (sigma 0.26).")

    def init(self, spec: Spec) -> tuple[()]:
        """Nothing to remember. Raises EntropaxError for discrete actions."""
        self.value(spec, ())
        return ()

    def observe(self, spec: Spec, state: tuple[()], evidence: Evidence) -> tuple[()]:
        """Nothing to remember."""
        return ()

    def value(self, spec: Spec, state: tuple[()]) -> Float[Array, ""]:
        """Target in nats. Raises EntropaxError for discrete actions."""
        return jnp.asarray(self.nats, jnp.float32) * _box("PerDimension", spec).size


class FromSigma(AbstractTarget[tuple[()]]):
    """The entropy of tanh(N(0, sigma)) in every dimension: H = d H(sigma).

    FlashSAC takes the Gaussian's entropy instead, which is 0.022 nats per dimension higher at sigma 0.15.

    Attributes:
        sigma: standard deviation before squashing, in (0, 0.87]; for small ones that of the action in [-1, 1].

    Raises:
        EntropaxError: sigma is not positive, or above the one of largest entropy.
    """

    sigma: float = 0.15

    def __check_init__(self) -> None:
        require_positive("FromSigma", "sigma", self.sigma, "The usual value is 0.15.")
        if not holds(lambda sigma: sigma <= max_tanh_normal_sigma() + _TOLERANCE, self.sigma):
            raise EntropaxError(
                f"FromSigma: sigma {self.sigma} lies above {max_tanh_normal_sigma():.3f}, where a tanh-Gaussian has "
                f"its largest entropy, {max_tanh_normal_entropy():.4f} nats per dimension; beyond it mass piles up at "
                "the bounds and the entropy falls again, so the same target has a smaller sigma. Use at most "
                f"{max_tanh_normal_sigma():.3f}."
            )

    def init(self, spec: Spec) -> tuple[()]:
        """Nothing to remember. Raises EntropaxError for discrete actions."""
        self.value(spec, ())
        return ()

    def observe(self, spec: Spec, state: tuple[()], evidence: Evidence) -> tuple[()]:
        """Nothing to remember."""
        return ()

    def value(self, spec: Spec, state: tuple[()]) -> Float[Array, ""]:
        """Target in nats. Raises EntropaxError for discrete actions."""
        return entropy_of_sigma(jnp.asarray(self.sigma, jnp.float32)) * _box("FromSigma", spec).size


class FractionOfUniform(AbstractTarget[tuple[()]]):
    """A fraction of the uniform policy, for both kinds of action.

    Continuous: the effective support exp(H / d) is this fraction of the box's width 2, H = d (log 2 + log f).
    Discrete: H = f log n (Christodoulou 2019, arXiv 1910.07207, takes 0.98; CleanRL 0.89).

    Attributes:
        fraction: in (0, 1); at most 0.990 for continuous actions.

    Raises:
        EntropaxError: outside (0, 1), where no finite alpha leads.
    """

    fraction: float = 0.5

    def __check_init__(self) -> None:
        if not holds(lambda fraction: (fraction > 0) & (fraction < 1), self.fraction):
            raise EntropaxError(
                f"FractionOfUniform: fraction must lie in (0, 1), got {self.fraction}: 0 is a single action, and only "
                "an infinite alpha holds the uniform policy. Use 0.5 for continuous actions, 0.89 for discrete ones."
            )

    def init(self, spec: Spec) -> tuple[()]:
        """Nothing to remember. Raises EntropaxError where a tanh-Gaussian cannot reach the target."""
        self.value(spec, ())
        return ()

    def observe(self, spec: Spec, state: tuple[()], evidence: Evidence) -> tuple[()]:
        """Nothing to remember."""
        return ()

    def value(self, spec: Spec, state: tuple[()]) -> Float[Array, ""]:
        """Target in nats. Raises EntropaxError where a tanh-Gaussian cannot reach it."""
        fraction = jnp.asarray(self.fraction, jnp.float32)
        if isinstance(spec.action, Categories):
            return fraction * math.log(spec.action.count)
        largest = math.exp(max_tanh_normal_entropy()) / 2
        if not holds(lambda fraction: fraction <= largest + _TOLERANCE, self.fraction):
            raise _unreachable(
                f"FractionOfUniform: {self.fraction}", f"Use a fraction of at most {math.floor(largest * 1e4) / 1e4}."
            )
        return (math.log(2.0) + jnp.log(fraction)) * spec.action.size


class Nats(AbstractTarget[tuple[()]]):
    """So many nats, where the action is one of n categories: a token of a vocabulary, for instance.

    Skywork-OR1 (arXiv 2505.22312) holds a language model at 0.2 nats a token.

    Attributes:
        nats: entropy of the choice, in (0, log n).

    Raises:
        EntropaxError: it is not finite and positive.
    """

    nats: float = 0.2

    def __check_init__(self) -> None:
        require_positive("Nats", "nats", self.nats, "No choice has less than 0; 0.2 is usual for a token.")

    def init(self, spec: Spec) -> tuple[()]:
        """Nothing to remember. Raises EntropaxError for continuous actions, and at log n and above."""
        self.value(spec, ())
        return ()

    def observe(self, spec: Spec, state: tuple[()], evidence: Evidence) -> tuple[()]:
        """Nothing to remember."""
        return ()

    def value(self, spec: Spec, state: tuple[()]) -> Float[Array, ""]:
        """Target in nats. Raises EntropaxError for continuous actions, and at log n and above."""
        if not isinstance(spec.action, Categories):
            raise EntropaxError(
                "Nats is a rule for an action that is one of n categories, but the actions are a box of "
                f"{spec.action.size}. Use PerDimension."
            )
        largest = math.log(spec.action.count)
        if not holds(lambda nats: nats < largest, self.nats):
            raise EntropaxError(
                f"Nats: {self.nats} nats is not below log {spec.action.count} = {largest:.4f}, the entropy of the "
                "uniform choice: only an infinite alpha would hold it. Use a lower value; nats are natural logarithms, "
                "and a target for tokens is nats per token."
            )
        return jnp.asarray(self.nats, jnp.float32)


class Level(AbstractTarget[tuple[()]]):
    """So much of whatever the law measures, where that is no entropy: the target of a coefficient of another reward.

    Attributes:
        level: the number to hold, in the units of what is measured.

    Raises:
        EntropaxError: it is not finite.
    """

    level: float = 0.0

    def __check_init__(self) -> None:
        if not holds(np.isfinite, self.level):
            raise EntropaxError(f"Level: level must be finite, got {self.level}. Take 0 for a difference.")

    def init(self, spec: Spec) -> tuple[()]:
        """Nothing to remember."""
        return ()

    def observe(self, spec: Spec, state: tuple[()], evidence: Evidence) -> tuple[()]:
        """Nothing to remember."""
        return ()

    def value(self, spec: Spec, state: tuple[()]) -> Float[Array, ""]:
        """The number, on any action space."""
        return jnp.asarray(self.level, jnp.float32)
