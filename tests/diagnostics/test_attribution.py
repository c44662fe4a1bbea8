"""The parts of an entropy change: exact in sum, right on known plants, and as uncertain as they say."""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from entropax.diagnostics.attribution import Attribution, Parts, Snapshot, attribute, piece, total
from entropax.distributions import tanh_normal_entropy
from entropax.networks import AbstractNetwork, Critic, HostFunction
from entropax.policies import Actor

STATES = 512
KEY = jax.random.key(0)
one_piece = jax.jit(piece)
"""One program for each kind of policy and shape of alpha, which many tests share."""


class Parabola(AbstractNetwork):
    """Q = -1/2 sum_j c_j (1 + s^2) (u_j - centre_j)^2 in the latent u; the state s has one number."""

    curvature: Float[Array, " action"]
    centre: Float[Array, " action"]

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        away = jnp.arctanh(x[1:]) - self.centre
        return -0.5 * jnp.sum(self.curvature * (1 + x[0] ** 2) * away**2)[None]

    def on_host(self) -> HostFunction:
        raise NotImplementedError


class Optimal(AbstractNetwork):
    """The policy of highest alpha H + E[Q] under that parabola, its means given: alpha h = sigma^2 c, by bisection."""

    alpha: Float[Array, " action"]
    curvature: Float[Array, " action"]
    mean: Float[Array, " action"]

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        rise = jax.grad(lambda s: jnp.sum(tanh_normal_entropy(self.mean, s)))

        def halved(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
            low, high = ends
            middle = 0.5 * (low + high)
            wider = self.alpha * rise(middle) > jnp.exp(2 * middle) * self.curvature * (1 + x[0] ** 2)
            return jnp.where(wider, middle, low), jnp.where(wider, high, middle)

        ends = jnp.full_like(self.mean, -6.0), jnp.full_like(self.mean, 1.0)
        return jnp.concatenate([self.mean, jax.lax.fori_loop(0, 30, halved, ends)[0]])

    def on_host(self) -> HostFunction:
        raise NotImplementedError


class Stated(AbstractNetwork):
    """Means and log sigmas linear in the state."""

    offset: Float[Array, " outputs"]
    slope: Float[Array, " outputs"]

    def __call__(self, x: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        return self.offset + self.slope * x[0]

    def on_host(self) -> HostFunction:
        raise NotImplementedError


def numbers(*values: float) -> Float[Array, " action"]:
    return jnp.asarray(values, jnp.float32)


def states(seed: int, centre: float = 0.0, count: int = STATES) -> Float[Array, "state observation"]:
    return centre + jax.random.normal(jax.random.key(100 + seed), (count, 1))


def snapshot(policy: AbstractNetwork, curvature: Array, alpha: Array, observations: Array, centre: Array) -> Snapshot:
    """Two critics, of which the second is never the least."""
    one = Parabola(curvature, centre)
    pair = jax.tree.map(lambda x, y: jnp.stack([x, y]), one, Parabola(0.5 * curvature, centre))
    return Snapshot(Actor(policy), Critic(pair), alpha, observations)


def at_optimum(alpha: Array, curvature: Array, observations: Array, mean: Array | None = None) -> Snapshot:
    """The policy that alpha and the critic ask for."""
    centre = jnp.zeros_like(curvature) if mean is None else mean
    policy = Optimal(jnp.broadcast_to(alpha, curvature.shape), curvature, centre)
    return snapshot(policy, curvature, alpha, observations, centre)


def attributed(before: Snapshot, after: Snapshot) -> Attribution:
    """What `attribute` does, by the shared programs."""
    return total([one_piece(before, after, key=KEY)])


def five(parts: Parts) -> dict[str, float]:
    return {name: float(value) for name, value in parts._asdict().items() if name != "whole"}


def assert_sums(attribution: Attribution) -> None:
    np.testing.assert_allclose(sum(five(attribution.parts).values()), attribution.parts.whole, atol=2e-6)
    by_dimension = sum(attribution.per_dimension[1:])
    np.testing.assert_allclose(by_dimension, attribution.per_dimension.whole, atol=2e-6)
    np.testing.assert_allclose(jnp.mean(by_dimension), attribution.parts.whole, atol=2e-6)


def assert_only(attribution: Attribution, name: str, slack: float = 0.01) -> None:
    """One part is the whole, the others nothing: within three standard errors and the curvature of the path."""
    assert_sums(attribution)
    assert abs(float(attribution.parts.whole)) > 0.2
    for other, value in five(attribution.parts).items():
        wanted = float(attribution.parts.whole) if other == name else 0.0
        error = float(getattr(attribution.errors, other)) + float(attribution.errors.whole) * (other == name)
        assert abs(value - wanted) < 3 * error + slack, (other, value, wanted, error)


C = numbers(4.0, 12.0)


def test_only_alpha_moves():
    before, after = at_optimum(jnp.asarray(0.1), C, states(0)), at_optimum(jnp.asarray(0.3), C, states(1))
    attribution = attributed(before, after)
    assert attribution.resolved.all()
    assert_only(attribution, "alpha")


def test_only_the_critic_s_curvature_moves():
    before, after = at_optimum(jnp.asarray(0.1), C, states(0)), at_optimum(jnp.asarray(0.1), 3 * C, states(1))
    attribution = attributed(before, after)
    assert_only(attribution, "critic")
    assert attribution.parts.critic < 0


def test_alpha_and_the_critic_against_each_other():
    before, after = at_optimum(jnp.asarray(0.1), C, states(0)), at_optimum(jnp.asarray(0.3), 3 * C, states(0))
    attribution = attributed(before, after)
    assert_sums(attribution)
    assert abs(attribution.parts.whole) < 1e-4
    np.testing.assert_allclose(attribution.parts.critic, -attribution.parts.alpha, atol=2e-3)
    # sigma^2 = alpha / c nearly: half an e-fold of sigma for an e-fold of alpha.
    np.testing.assert_allclose(attribution.parts.alpha, 0.5 * np.log(3), rtol=0.15)


def test_an_alpha_of_each_dimension():
    before = at_optimum(numbers(0.1, 0.1), C, states(0))
    after = at_optimum(numbers(0.3, 0.1), C, states(0))
    parts = attributed(before, after).per_dimension
    np.testing.assert_allclose(parts.alpha, [parts.whole[0], 0.0], atol=0.01)
    assert parts.alpha[0] > 0.3


def test_means_that_move_to_the_bounds_are_saturation():
    def at(mean: float, seed: int) -> Snapshot:
        policy = Stated(numbers(mean, mean, -1.5, -1.5), numbers(0.0, 0.0, 0.1, 0.1))
        return snapshot(policy, C, jnp.asarray(0.1), states(seed), numbers(mean, mean))

    attribution = attributed(at(0.0, 0), at(2.0, 1))
    assert_only(attribution, "saturation", slack=0.03)
    # log(1 - tanh(2)^2), but for the width of the policy.
    np.testing.assert_allclose(attribution.parts.saturation, np.log(1 - np.tanh(2) ** 2), rtol=0.05)


def test_the_same_policy_in_other_states_is_state_shift():
    policy = Stated(numbers(0.0, 0.0, -2.0, -2.0), numbers(0.0, 0.0, 0.5, 0.3))
    before = snapshot(policy, C, jnp.asarray(0.1), states(0), numbers(0.0, 0.0))
    after = dataclasses.replace(before, observations=states(1, centre=1.0))
    attribution = attributed(before, after)
    assert_only(attribution, "states", slack=1e-5)
    np.testing.assert_allclose(attribution.parts.states, 0.4, atol=4 * float(attribution.errors.states))
    assert five(attribution.parts)["alpha"] == five(attribution.parts)["critic"] == 0.0


def test_a_policy_that_has_not_followed_alpha():
    before = at_optimum(jnp.asarray(0.1), C, states(0))
    after = dataclasses.replace(before, alpha=jnp.asarray(0.3))
    attribution = attributed(before, after)
    assert attribution.parts.whole == attribution.parts.critic == 0.0
    assert attribution.parts.alpha > 0.3
    assert attribution.parts.remainder == -attribution.parts.alpha


def test_a_convex_critic_asks_for_no_spread_and_explains_none():
    wide, narrow = (Stated(numbers(0.0, 0.0, s, s), numbers(0.0, 0.0, 0.1, 0.1)) for s in (-1.0, -2.0))
    curvature = numbers(4.0, -4.0)
    before, after = (
        snapshot(policy, curvature, jnp.asarray(alpha), states(0), numbers(0.0, 0.0))
        for policy, alpha in ((wide, 0.3), (narrow, 0.1))
    )
    attribution = attributed(before, after)
    assert attribution.resolved.tolist() == [[True, False]]
    parts = attribution.per_dimension
    assert parts.alpha[1] == parts.critic[1] == 0.0
    np.testing.assert_allclose(parts.remainder[1], parts.whole[1], atol=1e-6)
    assert_sums(attribution)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_an_alpha_of_nothing_leaves_finite_numbers(alpha):
    before, after = at_optimum(jnp.asarray(0.1), C, states(0)), at_optimum(jnp.asarray(0.2), C, states(1))
    attribution = attributed(dataclasses.replace(before, alpha=jnp.asarray(alpha)), after)
    assert attribution.resolved.all() == (alpha > 0)
    assert all(np.isfinite(value) for part in (attribution.parts, attribution.errors) for value in part)


@pytest.mark.slow
def test_the_stated_errors_are_those_of_repetition_and_shrink_with_the_root_of_the_states():
    def estimate(key: Array, count: int) -> Attribution:
        old, new, noise = jax.random.split(key, 3)
        before = at_optimum(jnp.asarray(0.1), C, jax.random.normal(old, (count, 1)))
        after = at_optimum(jnp.asarray(0.2), 2.5 * C, 0.3 + jax.random.normal(new, (count, 1)))
        return attribute(before, after, key=noise)

    keys = jax.random.split(KEY, 200)
    # Long to run, so worth its optimisation.
    optimised = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 1})
    few, many = (optimised(jax.vmap(lambda key, n=n: estimate(key, n)))(keys) for n in (64, 256))
    for name in ("whole", "states", "alpha", "critic", "remainder"):
        scatter = np.std(getattr(many.parts, name))
        stated = np.mean(getattr(many.errors, name))
        # Two standard errors of a standard deviation over 200 draws are 10 %; the critic's logarithm adds some.
        np.testing.assert_allclose(stated, scatter, rtol=0.25, err_msg=name)
        np.testing.assert_allclose(np.mean(getattr(few.errors, name)) / stated, 2.0, rtol=0.15, err_msg=name)


@pytest.mark.slow
def test_compiled_and_over_seeds_it_is_the_same():
    pairs = [
        (at_optimum(jnp.asarray(a), C, states(2 * i)), at_optimum(jnp.asarray(0.3), 2 * C, states(2 * i + 1)))
        for i, a in enumerate((0.1, 0.2))
    ]
    keys = jax.random.split(KEY, 2)
    before, after = (jax.tree.map(lambda *x: jnp.stack(x), *side) for side in zip(*pairs, strict=True))
    together = jax.jit(jax.vmap(lambda b, a, k: attribute(b, a, key=k)))(before, after, keys)
    for index, (old, new) in enumerate(pairs):
        alone = attribute(old, new, key=keys[index])
        for one, other in zip(jax.tree.leaves(alone), jax.tree.leaves(together), strict=True):
            np.testing.assert_allclose(one, other[index], atol=2e-5)


def test_a_sum_of_pieces_has_its_parts_and_the_error_of_its_ends():
    """Three moments of one policy: whatever the middle one's states are, they add nothing to the whole or its error."""
    policy = Stated(numbers(0.0, -1.0), numbers(0.5, 0.3))
    moments = [
        snapshot(policy, numbers(1.0), numbers(0.3), states(seed, centre), numbers(0.0))
        for seed, centre in enumerate((0.0, 2.0, 0.4))
    ]
    pieces = [one_piece(one, other, key=KEY) for one, other in itertools.pairwise(moments)]
    summed, direct = total(pieces), attributed(moments[0], moments[2])
    for part in Parts._fields:
        added = sum(getattr(one.per_dimension, part) for one in pieces)
        np.testing.assert_allclose(getattr(summed.per_dimension, part), added, atol=1e-6, err_msg=part)
    for name in ("parts", "errors"):
        mine, theirs = getattr(summed, name), getattr(direct, name)
        np.testing.assert_allclose([mine.whole, mine.states], [theirs.whole, theirs.states], rtol=1e-4, err_msg=name)
    assert summed.resolved.shape == (2, 1)


def test_errors_of_one_dimension_alone_are_those_of_the_mean():
    moments = [
        snapshot(Stated(numbers(0.0, s), numbers(0.1, 0.2)), numbers(1.0), numbers(0.3), states(0), numbers(0.0))
        for s in (-1.0, -2.0)
    ]
    found = attributed(*moments)
    np.testing.assert_allclose([each[0] for each in found.errors_per_dimension], found.errors, rtol=1e-5)
