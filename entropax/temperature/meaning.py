"""What a target entropy means: as sigma, as noise in the environment's units, as a share of what is feasible."""

import dataclasses
import math
import sys

import jax.numpy as jnp
import numpy as np

from entropax.distributions import TanhNormal, max_tanh_normal_entropy, sigma_of_entropy
from entropax.types import Bounds


@dataclasses.dataclass(frozen=True)
class Meaning:
    """A target, read in four ways, for a policy whose mean is the middle of the action box.

    Attributes:
        nats: the target in [-1, 1] space, summed over dimensions.
        nats_per_dimension: the same, per dimension.
        sigma: of the Gaussian before squashing that has this entropy.
        action_std: `[action]` standard deviation of the action in the environment's units.
        fraction_of_feasible: exp(H / d - H_max), the effective support against the widest policy's, in (0, 1].
    """

    nats: float
    nats_per_dimension: float
    sigma: float
    action_std: np.ndarray
    fraction_of_feasible: float


def meaning(bounds: Bounds, nats_per_dimension: float) -> Meaning:
    """Reads a target of so many nats per dimension for an action box.

    Example:
        >>> from entropax.temperature.meaning import meaning
        >>> from entropax.types import Bounds
        >>> found = meaning(Bounds((-2.0,), (2.0,)), -1.0)
        >>> print(f"sigma {found.sigma:.3f}, torque scatters by {found.action_std[0]:.3f}")
        sigma 0.090, torque scatters by 0.178
    """
    sigma = float(sigma_of_entropy(jnp.float32(nats_per_dimension)))
    log_sigma = math.log(max(sigma, sys.float_info.min))  # sigma is 0 below -90 nats, where float32 ends
    policy = TanhNormal(jnp.zeros(1), jnp.full(1, log_sigma, jnp.float32))
    return Meaning(
        nats=bounds.size * nats_per_dimension,
        nats_per_dimension=nats_per_dimension,
        sigma=sigma,
        action_std=float(policy.action_std()[0]) * bounds.half_range,
        fraction_of_feasible=math.exp(min(nats_per_dimension - max_tanh_normal_entropy(), 0.0)),
    )


def published_targets(bounds: Bounds) -> dict[str, float]:
    """Default targets of other implementations in nats per dimension of [-1, 1] space, by who has them.

    CleanRL measures entropies in the environment's units, so that its -1 depends on the action box. FlashSAC takes the
    Gaussian's entropy at sigma 0.15.
    """
    return {
        "SAC, Stable-Baselines3, SBX": -1.0,
        "CleanRL": -1.0 - bounds.log_half_range / bounds.size,
        "Brax, BRO, SimBa, XQC": -0.5,
        "FlashSAC": 0.5 * math.log(2 * math.pi * math.e * 0.15**2),
        "FastSAC": 0.0,
    }


def least_updates(initial_alpha: float, alpha: float, learning_rate: float) -> float:
    """The updates that `Dual` needs at least to travel between two alphas: |log(alpha / initial)| / learning_rate.

    Adam moves log alpha by about its learning rate an update while the slack keeps its sign, however large it is.
    """
    return abs(math.log(alpha / initial_alpha)) / learning_rate
