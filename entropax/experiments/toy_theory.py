"""What the MaxEnt-optimal policies of the toy do: over all densities, and over tanh-Gaussians (`docs/theory.md`)."""

import functools
import math
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.special import ndtr

from entropax.distributions import TanhNormal, max_tanh_normal_entropy
from entropax.tabular import reward_values, soft_policy_iteration, toy

EXACT_CHANGE = 2 / math.log(10)
"""The alpha from which the best of all densities prefers the bad way, 0.869."""

_HIT, _MISSED, _SETTLED, _GATE, _DISCOUNT = 1.0, -20.0, -1.0, 0.1, 0.99
_AT_GOOD = np.linspace(-6.0, 0.0, 1201)
"""Log sigmas before the tanh in the good state: narrow ones are best."""
_AT_START = np.linspace(-2.0, 1.0, 151)
_MEANS = np.linspace(-2.5, 2.5, 401)


class Optimum(NamedTuple):
    """What a MaxEnt-optimal policy does at the start, and what it earns."""

    good_way: float
    """Probability of the good way."""
    returns: float
    """Expected undiscounted return of drawn actions."""


class GaussianTheory(NamedTuple):
    """The same over tanh-Gaussians, by alpha."""

    alphas: Float[np.ndarray, " alpha"]
    good_way: Float[np.ndarray, " alpha"]
    returns: Float[np.ndarray, " alpha"]


@functools.cache
def exact(alpha: float) -> Optimum:
    """Over all densities on [-1, 1], by soft policy iteration.

    Example:
        >>> round(exact(1.0).good_way, 3)
        0.426
    """
    mdp = toy(_DISCOUNT)
    density = soft_policy_iteration(mdp, alpha).density
    earned, good_way = reward_values(mdp, density), float(mdp.measure[0, 0] * density[0, 0])
    return Optimum(good_way, float(good_way * earned[mdp.state("good")] + (1 - good_way) * earned[mdp.state("bad")]))


@functools.cache
def entropies(means: tuple[float, ...], log_sigmas: tuple[float, ...]) -> Float[np.ndarray, "mean sigma"]:
    """Entropies in nats of tanh-Gaussians, by quadrature; means and log sigmas are before the tanh."""

    def entropy(mean: jax.Array, log_sigma: jax.Array) -> jax.Array:
        return TanhNormal(mean[None], log_sigma[None]).entropy()

    grid = jax.jit(jax.vmap(jax.vmap(entropy, (None, 0)), (0, None)))
    return np.asarray(grid(jnp.asarray(means, jnp.float32), jnp.asarray(log_sigmas, jnp.float32)), np.float64)


def _at_good(alpha: float) -> tuple[float, float]:
    """Soft value of the best tanh-Gaussian in the good state, around 0 by symmetry, and what it earns."""
    inside = 2 * ndtr(np.arctanh(_GATE) / np.exp(_AT_GOOD)) - 1
    earned = _MISSED + (_HIT - _MISSED) * inside
    soft = earned + alpha * entropies((0.0,), tuple(_AT_GOOD.tolist()))[0]
    best = int(np.argmax(soft))
    return float(soft[best]), float(earned[best])


def _at_bad(alpha: float) -> float:
    """Soft value in the bad state, where any action does."""
    return _SETTLED + alpha * max_tanh_normal_entropy()


@functools.cache
def gaussian_change() -> float:
    """The alpha from which the best tanh-Gaussian prefers the bad way, about 0.731.

    Example:
        >>> round(gaussian_change(), 3)
        0.731
    """

    def lead(alpha: float) -> float:
        return _at_good(alpha)[0] - _at_bad(alpha)

    return float(cast("float", brentq(lead, 0.5, 0.9, xtol=1e-5)))


def gaussian(alphas: Float[np.ndarray, " alpha"]) -> GaussianTheory:
    """Over tanh-Gaussians, by search over a grid of means and sigmas; P within 0.01."""
    nats = entropies(tuple(_MEANS.tolist()), tuple(_AT_START.tolist()))
    good_ways = ndtr(-_MEANS[:, None] / np.exp(_AT_START))
    found = []
    for alpha in alphas:
        (good, earned), bad = _at_good(float(alpha)), _at_bad(float(alpha))
        soft = _DISCOUNT * (good_ways * good + (1 - good_ways) * bad) + alpha * nats
        good_way = good_ways.flat[int(np.argmax(soft))]
        found.append((good_way, good_way * earned + (1 - good_way) * _SETTLED))
    good_way, returns = np.array(found).T
    return GaussianTheory(alphas, good_way, returns)
