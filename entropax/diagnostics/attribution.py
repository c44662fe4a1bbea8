"""What moved a policy's entropy between two moments of training: alpha, the critic, saturation, or the states.

The policy is tanh(u), u = mu + sigma eps in every dimension, and H(mu, sigma) its squashed entropy. The change
E_D1 H(pi1) - E_D0 H(pi0), D the states stored at either moment, is split in three steps, each exact:

1. States against policy: the Shapley values of changing one before the other, that is the mean of both orders.
2. Within the policy, at every state and dimension, mean against spread, in the same way. The mean enters the entropy
   through the squashing alone, so its share is *saturation*.
3. The spread by the soft optimum. The actor's loss is stationary in a shift of log sigma where

       alpha E[h] = F,   h = dH / dlog sigma,   F = -E[Cov(eps^2, Q)] = 2 E[Cov(log N(eps), Q)],

   and by Price's theorem (1958) F = E[sigma^2 c], c = -E[d^2 Q / du^2] the curvature that the policy's own samples
   see. With log c := log F - 2 E[log sigma] this reads 2 E[log sigma] - log E[h] = log alpha - log c: the entropy
   follows log(alpha / c) with the slope A / B, A the mean of E[h] and B of 2 - dlog E[h] / dlog sigma along the path.
   *Alpha* has A / B dlog alpha, the *critic* -A / B dlog c, and the *remainder* what is left of the spread.

States are averaged before the logarithm, because the stationarity above is that of the average: it is the gradient by
the bias of the actor's output, and holds whatever the network can express. A single state's covariance is noise.
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key, PyTree

from entropax.algorithms.base import AbstractAlgorithm, AbstractSoftActorCritic
from entropax.algorithms.soft import values
from entropax.distributions import tanh_normal_entropy
from entropax.errors import EntropaxError
from entropax.networks import Critic
from entropax.policies import AbstractActor, Actor

_NODES, _ = np.polynomial.legendre.leggauss(3)
_PATH = tuple(float(0.5 * (1 + node)) for node in _NODES)
_PATH_WEIGHTS = np.asarray([5 / 18, 8 / 18, 5 / 18], np.float32)
"""Gauss-Legendre with three nodes on [0, 1], along the way from one log sigma to the other."""


class Snapshot(eqx.Module):
    """One moment of a training run."""

    actor: AbstractActor
    critics: Critic
    """The ensemble that the actor climbs, leaves `[critic, ...]`; the least value counts."""
    alpha: Float[Array, "*dimensions"]
    """Reward per nat, one number or one an action dimension."""
    observations: Float[Array, "state observation"]
    """States drawn from the replay, independently."""


def snapshots(
    algorithm: AbstractAlgorithm[Any], learners: PyTree, observations: Float[Array, "seed state observation"]
) -> Snapshot:
    """What is to be kept of several learners of a soft actor-critic, leaves `[seed, ...]` as theirs."""
    assert isinstance(algorithm, AbstractSoftActorCritic), "only such a policy's entropy is attributed"

    def one(learner: PyTree, observations: Float[Array, "state observation"]) -> Snapshot:
        critics = algorithm.climbed(learner)
        return Snapshot(algorithm.actor(learner), critics, algorithm.alpha(learner), observations)

    return jax.vmap(one)(learners, observations)


class Parts(NamedTuple):
    """An entropy change and its parts, in nats per dimension; `whole` is the sum of the others."""

    whole: Float[Array, "*axes"]
    states: Float[Array, "*axes"]
    """Same policy, other states in the replay."""
    saturation: Float[Array, "*axes"]
    """The means moved towards the bounds, or away from them."""
    alpha: Float[Array, "*axes"]
    """What the soft optimum's spread owes to the change of alpha."""
    critic: Float[Array, "*axes"]
    """What it owes to the change of Q's curvature where the policy samples."""
    remainder: Float[Array, "*axes"]
    """The rest of the spread: the actor's distance from its optimum has changed, or it has none."""


class Piece(NamedTuple):
    """The parts from one snapshot to the next, with what each state adds to their error; `total` sums pieces up."""

    per_dimension: Parts
    """`[action]` each."""
    before: Parts
    """Influence of each state of the older snapshot on the parts, `[state, action]` each."""
    after: Parts
    """Of the newer one's."""
    resolved: Bool[Array, " action"]
    """Dimensions with a soft optimum at both moments; in others the whole spread is remainder."""


class Attribution(NamedTuple):
    """Parts of an entropy change, and how well they are known."""

    parts: Parts
    """Means over the action dimensions."""
    errors: Parts
    """Standard errors of these means over states and samples."""
    per_dimension: Parts
    """`[action]` each."""
    errors_per_dimension: Parts
    """Their standard errors, `[action]` each."""
    resolved: Bool[Array, "piece action"]
    """Dimensions with a soft optimum at both ends of a piece; in others the whole spread is remainder."""


class _Moments(NamedTuple):
    """What is averaged over states; every part is a function of these averages."""

    entropy: Float[Array, "*axes moment action"]
    saturation: Float[Array, "*axes action"]
    spread: Float[Array, "*axes action"]
    log_sigma: Float[Array, "*axes moment action"]
    force: Float[Array, "*axes moment action"]
    """-Cov(eps^2, Q), in reward."""
    rise: Float[Array, "*axes node action"]
    """dH / dlog sigma along the path, at either mean."""
    bend: Float[Array, "*axes node action"]
    """d^2 H / (dlog sigma)^2 there."""


def attribute(before: Snapshot, after: Snapshot, *, key: Key[Array, ""], pairs: int = 8) -> Attribution:
    """Splits the change of the mean entropy from one snapshot to another; pure: jit it, vmap it over seeds.

    Standard errors shrink with the root of the number of states. They are those of the parts linearised in the
    averages over states (the infinitesimal jackknife), so they hold where they are small.

    Args:
        before: the older moment.
        after: the newer one, of the same networks' shapes.
        key: for the policies' samples; both moments see the same noise, so that its error cancels in their ratio.
        pairs: samples (eps, -eps) at every state, at least 2.

    Returns:
        The parts in nats per dimension, their standard errors, and the parts of every dimension.

    Example:
        >>> attribution = attribute(before, after, key=jax.random.key(0))  # doctest: +SKIP
        >>> attribution.parts.alpha, attribution.errors.alpha  # doctest: +SKIP

    Raises:
        EntropaxError: the policy is no tanh-Gaussian.
    """
    return total([piece(before, after, key=key, pairs=pairs)])


def piece(before: Snapshot, after: Snapshot, *, key: Key[Array, ""], pairs: int = 8) -> Piece:
    """The same as something to be summed up with the pieces before and after it; arguments as `attribute`'s."""
    keys = jax.random.split(key)
    old = _moments(before, after, before.observations, keys[0], pairs)
    new = _moments(before, after, after.observations, keys[1], pairs)
    size = old.spread.shape[-1]
    log_alpha = jnp.stack([jnp.broadcast_to(_safe_log(one.alpha), (size,)) for one in (before, after)])
    positive = jnp.broadcast_to((before.alpha > 0) & (after.alpha > 0), (size,))
    averages = jax.tree.map(lambda x: jnp.mean(x, axis=0), (old, new))
    resolved = positive & _has_optimum(*averages)

    def parts(old: _Moments, new: _Moments) -> Parts:
        return _parts(old, new, log_alpha, resolved)

    per_dimension, push = jax.linearize(parts, *averages)
    still = jax.tree.map(jnp.zeros_like, averages)
    return Piece(
        per_dimension,
        jax.vmap(lambda x: push(x, still[1]))(_centred(old)),
        jax.vmap(lambda x: push(still[0], x))(_centred(new)),
        resolved,
    )


def total(pieces: Sequence[Piece]) -> Attribution:
    """Sums up pieces that follow one another.

    The parts of a path are the sums over its pieces, as an integral's are, so a moment without a soft optimum spoils
    the pieces next to it and no others. The states of a snapshot between two pieces bear on both, mostly with opposite
    signs, and their influences are added before they are squared.

    Args:
        pieces: at least one, each beginning at the snapshot where the one before it ends.
    """
    per_dimension = jax.tree.map(lambda *each: sum(each[1:], each[0]), *(one.per_dimension for one in pieces))
    inner = [
        jax.tree.map(lambda x, y: x + y, one.after, following.before) for one, following in itertools.pairwise(pieces)
    ]
    influences = [pieces[0].before, *inner, pieces[-1].after]
    return Attribution(
        _over_dimensions(per_dimension),
        jax.tree.map(_error, *map(_over_dimensions, influences)),
        per_dimension,
        jax.tree.map(_error, *influences),
        jnp.stack([one.resolved for one in pieces]),
    )


def _over_dimensions(parts: Parts) -> Parts:
    return jax.tree.map(lambda x: x.mean(axis=-1), parts)


def _centred(moments: _Moments) -> _Moments:
    return jax.tree.map(lambda x: x - jnp.mean(x, axis=0, keepdims=True), moments)


def _error(*influences: Array | np.ndarray) -> Any:
    """Standard error from the influence of each state of some snapshots, `[state, ...]` each, drawn independently."""
    variances = [one.var(axis=0, ddof=1) / one.shape[0] for one in influences]
    return sum(variances[1:], variances[0]) ** 0.5


def _safe_log(x: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
    """The logarithm where x > 0, else 0, with a finite derivative."""
    return jnp.log(jnp.where(x > 0, x, 1.0))


def _mixture(old: PyTree[Array], new: PyTree[Array]) -> PyTree[Array]:
    """Averages over old and new states alike."""
    return jax.tree.map(lambda x, y: 0.5 * (x + y), old, new)


def _has_optimum(old: _Moments, new: _Moments) -> Bool[Array, " action"]:
    """Where widening costs value at both moments and gains entropy all the way between them."""
    both = _mixture(old, new)
    rises = jnp.all(both.rise > 0, axis=0) & jnp.all(2 * both.rise > both.bend, axis=0)
    return jnp.all(both.force > 0, axis=0) & rises


def _parts(
    old: _Moments, new: _Moments, log_alpha: Float[Array, "moment action"], resolved: Bool[Array, " action"]
) -> Parts:
    """The parts of every dimension, from averages over the old and over the new states."""
    both = _mixture(old, new)
    weights = jnp.asarray(np.tile(_PATH_WEIGHTS, 2) / 2)
    rise = jnp.where(resolved, both.rise, 1.0)
    bend = jnp.where(resolved, both.bend, 0.0)
    slope = (weights @ rise) / (weights @ (2 - bend / rise))
    log_curvature = _safe_log(both.force) - 2 * both.log_sigma
    alpha = jnp.where(resolved, slope * (log_alpha[1] - log_alpha[0]), 0.0)
    critic = jnp.where(resolved, -slope * (log_curvature[1] - log_curvature[0]), 0.0)
    return Parts(
        whole=new.entropy[1] - old.entropy[0],
        states=jnp.mean(new.entropy - old.entropy, axis=0),
        saturation=both.saturation,
        alpha=alpha,
        critic=critic,
        remainder=both.spread - alpha - critic,
    )


def _moments(
    before: Snapshot,
    after: Snapshot,
    observations: Float[Array, "state observation"],
    key: Key[Array, ""],
    pairs: int,
) -> _Moments:
    """What both moments' policies and critics do at some states."""
    policies = [jax.vmap(_tanh_gaussian(one.actor))(observations) for one in (before, after)]
    mean, log_sigma = [p.mean for p in policies], [p.log_std for p in policies]
    noise = jax.random.normal(key, (pairs, *mean[0].shape), mean[0].dtype)
    entropy = [[tanh_normal_entropy(m, s) for s in log_sigma] for m in mean]
    path = [(m, (1 - t) * log_sigma[0] + t * log_sigma[1]) for m in mean for t in _PATH]
    slopes = [_rise_and_bend(m, s) for m, s in path]
    return _Moments(
        entropy=jnp.stack([entropy[0][0], entropy[1][1]], axis=1),
        saturation=0.5 * (entropy[1][0] - entropy[0][0] + entropy[1][1] - entropy[0][1]),
        spread=0.5 * (entropy[0][1] - entropy[0][0] + entropy[1][1] - entropy[1][0]),
        log_sigma=jnp.stack(log_sigma, axis=1),
        force=jnp.stack(
            [
                _force(one.critics, observations, m, s, noise)
                for one, m, s in zip((before, after), mean, log_sigma, strict=True)
            ],
            axis=1,
        ),
        rise=jnp.stack([rise for rise, _ in slopes], axis=1),
        bend=jnp.stack([bend for _, bend in slopes], axis=1),
    )


def _tanh_gaussian(actor: AbstractActor) -> Actor:
    if isinstance(actor, Actor):
        return actor
    raise EntropaxError(
        f"The policy is a {type(actor).__name__}, and what moves an entropy is worked out for tanh-Gaussians only. "
        "Read entropy/per_dimension and entropy/saturation instead."
    )


def _rise_and_bend(
    mean: Float[Array, "state action"], log_sigma: Float[Array, "state action"]
) -> tuple[Float[Array, "state action"], Float[Array, "state action"]]:
    """First and second derivative of the entropy by log sigma."""
    ones = jnp.ones_like(log_sigma)

    def rise(at: Float[Array, "state action"]) -> Float[Array, "state action"]:
        return jax.jvp(lambda s: tanh_normal_entropy(mean, s), (at,), (ones,))[1]

    return jax.jvp(rise, (log_sigma,), (ones,))


def _force(
    critics: Critic,
    observations: Float[Array, "state observation"],
    mean: Float[Array, "state action"],
    log_sigma: Float[Array, "state action"],
    noise: Float[Array, "pair state action"],
) -> Float[Array, "state action"]:
    """-Cov(eps^2, Q) at every state, unbiased; the pairs (eps, -eps) cancel all that is odd in Q."""

    def value(eps: Float[Array, "state action"]) -> Float[Array, " state"]:
        ends = [jnp.tanh(mean + sign * jnp.exp(log_sigma) * eps) for sign in (1.0, -1.0)]
        one, other = (jnp.min(values(critics, observations, end), axis=0) for end in ends)
        return 0.5 * (one + other)

    q = jax.lax.map(value, noise)
    pairs = q.shape[0]
    centred = (q - jnp.mean(q, axis=0, keepdims=True)) * (pairs / (pairs - 1))
    return -jnp.mean((noise**2 - 1) * centred[..., None], axis=0)
