"""Meta-SAC's metagradient: against finite differences, its sign, its bounds, and each part of its ablation."""

import functools
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import SAC, Dense, Dual, Fixed, MetaSAC
from entropax.algorithms.meta_parts import PlainCritics, ReplayedStates, SameBatch
from entropax.algorithms.soft import values
from entropax.errors import EntropaxError
from entropax.temperature import Clamp
from entropax.types import Bounds, Progress, Spec, Transition

SPEC = Spec(3, Bounds((-1.0, -1.0), (1.0, 1.0)))
BATCH = 64
KEY = jax.random.key(3)
SMALL = SAC(torso=Dense((16, 16)), batch_size=BATCH, actor_learning_rate=1e-2, temperature=Fixed(0.5))


def progress(seed=0):
    starts = jax.random.normal(jax.random.key(seed), (32, 3))
    return Progress(jnp.float32(0.1), jnp.float32(0.0), starts)


def batch(seed=1):
    rng = np.random.default_rng(seed)

    def draw(*more):
        return jnp.asarray(rng.normal(size=(BATCH, 1, *more)), jnp.float32)

    return Transition(draw(3), jnp.tanh(draw(2)), draw(), draw(3), jnp.zeros((BATCH, 1)), jnp.zeros((BATCH, 1)))


@jax.jit
def fresh(algorithm):
    return algorithm.init(SPEC, key=jax.random.key(0))


@functools.partial(jax.jit, static_argnames="spec")
def updated(algorithm, state, data, key, spec=SPEC):
    """State and metrics after an update; one program for all algorithms that differ in numbers alone."""
    return algorithm.update(spec, state, data, progress(), key=key)


def trained(algorithm, updates=5):
    """A state whose moments are no longer 0."""
    state = fresh(algorithm)
    for number in range(updates):
        state, _ = updated(algorithm, state, batch(number + 10), jax.random.key(number))
    return state


@jax.jit
def _objective_and_slope(log_alpha, algorithm, state, noise):
    return jax.value_and_grad(algorithm.meta_objective)(log_alpha, state, batch(), progress(), noise)


def objective_and_slope(algorithm, state):
    """The metaobjective and its derivative, as functions of log alpha."""
    noise = jax.random.normal(jax.random.key(7), (BATCH, 2))
    return lambda log_alpha: _objective_and_slope(jnp.float32(log_alpha), algorithm, state, noise)


@pytest.mark.parametrize("updates", [5, pytest.param(20, marks=pytest.mark.slow)])
def test_metagradient_is_that_of_finite_differences(updates):
    algorithm = MetaSAC(SMALL)
    function = objective_and_slope(algorithm, trained(algorithm, updates))
    at, width = np.log(0.5), 0.2
    differences = (function(at + width)[0] - function(at - width)[0]) / (2 * width)
    _, gradient = function(at)
    assert abs(float(gradient)) > 1e-6
    np.testing.assert_allclose(gradient, differences, rtol=0.2)


def test_metagradient_is_finite_where_an_actor_s_gradient_is_zero():
    """Dead units have gradient and second moment 0, where the root in Adam's step has no finite derivative."""
    algorithm = MetaSAC(SMALL)
    state = fresh(algorithm)
    dead = jax.tree.map(jnp.zeros_like, state.sac.actor)
    state = replace(state, sac=replace(state.sac, actor=dead))
    assert np.isfinite(objective_and_slope(algorithm, state)(0.0)[1])


def test_the_objective_is_minus_the_value_of_the_mode_one_step_ahead():
    """Without entropy the actor's step climbs Q, so ahead of it the mode is worth more than where it is."""
    algorithm = MetaSAC(SMALL, states=ReplayedStates())
    state = trained(algorithm)
    observations = batch().observation[:, 0]
    modes = jax.vmap(lambda s: state.sac.actor(s).mode())(observations)
    worth = jnp.mean(jnp.min(values(state.sac.critics, observations, modes), axis=0))
    ahead, _ = objective_and_slope(algorithm, state)(-20.0)
    assert float(-ahead) > float(worth)
    still = MetaSAC(replace(SMALL, actor_learning_rate=1e-12), states=ReplayedStates())
    np.testing.assert_allclose(-objective_and_slope(still, state)(-20.0)[0], worth, rtol=1e-5)


def test_alpha_descends_the_metagradient_within_clip_and_band():
    algorithm = MetaSAC(SMALL, learning_rate=0.1, gradient_clip=0.01, band=Clamp(0.4, 0.6))
    state = trained(algorithm, 0)
    after, metrics = updated(algorithm, state, batch(), KEY)
    assert np.sign(metrics["train/ent_coef_step"]) == -np.sign(metrics["train/meta_gradient"])
    np.testing.assert_allclose(algorithm.alpha(after), metrics["train/ent_coef"], rtol=1e-6)
    for number in range(10):
        after, _ = updated(algorithm, after, batch(number), KEY)
        assert 0.4 - 1e-6 <= float(algorithm.alpha(after)) <= 0.6 + 1e-6


@pytest.mark.slow
def test_sac_inside_takes_its_own_step_at_the_alpha_of_before():
    algorithm = MetaSAC(SMALL, learning_rate=0.1)
    state = trained(algorithm, 0)
    following, _ = updated(algorithm, state, batch(), KEY)
    sac_key, _ = jax.random.split(KEY)
    alone, _ = updated(SMALL, state.sac, batch(), sac_key)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), following.sac, alone)
    assert float(following.log_alpha) != float(state.log_alpha)


def test_same_batch_uses_the_new_alpha_in_the_real_step():
    algorithm = MetaSAC(SMALL, learning_rate=0.5, batch=SameBatch())
    state = trained(algorithm, 0)
    following, metrics = updated(algorithm, state, batch(), KEY)
    sac_key, _ = jax.random.split(KEY)
    new = eqx.tree_at(lambda sac: sac.temperature.alpha, SMALL, float(metrics["train/ent_coef"]))
    alone, _ = updated(new, state.sac, batch(), sac_key)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), following.sac, alone)


def test_states_decide_where_the_value_is_taken():
    starts, replayed = MetaSAC(SMALL), MetaSAC(SMALL, states=ReplayedStates())
    np.testing.assert_array_equal(starts.states.observations(batch(), progress()), progress().starts)
    np.testing.assert_array_equal(replayed.states.observations(batch(), progress()), batch().observation[:, 0])


@pytest.mark.slow
def test_plain_critics_learn_the_return_without_entropy():
    """With a constant reward and no end, plain values go to r / (1 - gamma), soft ones lie elsewhere."""
    sac = replace(SMALL, discount=0.5, polyak=0.5, critic_learning_rate=1e-2, temperature=Fixed(0.5))
    algorithm = MetaSAC(sac, critics=PlainCritics(), learning_rate=1e-6)
    state = fresh(algorithm)
    for number in range(300):
        one = batch(number)._replace(reward=jnp.ones((BATCH, 1)))
        state, _ = updated(algorithm, state, one, jax.random.key(number))

    def mean_q(critics):
        q = jax.vmap(lambda c: jax.vmap(c)(batch().observation[:, 0], batch().action[:, 0]))(critics)
        return float(q.mean())

    assert mean_q(state.critics.critics) == pytest.approx(2.0, abs=0.1)
    assert abs(mean_q(state.sac.critics) - 2.0) > 0.2


def test_action_range_does_not_enter():
    """The released code feeds unscaled actions to critics of scaled ones; here both live in [-1, 1]."""
    wide, narrow = SPEC, Spec(3, Bounds((-0.4, -0.4), (0.4, 0.4)))
    algorithm = MetaSAC(SMALL)
    state = trained(algorithm)
    one, two = (updated(algorithm, state, batch(), KEY, spec)[1] for spec in (wide, narrow))
    assert float(one["train/meta_gradient"]) == float(two["train/meta_gradient"])


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: MetaSAC(SAC(temperature=Dual())), ("Fixed(initial alpha)", "not Dual")),
        (
            lambda: MetaSAC(SAC(temperature=Fixed(1.0), policy_delay=2)),
            ("every step of the actor", "policy_delay must be 1, not 2"),
        ),
        (lambda: MetaSAC(SMALL, learning_rate=0.0), ("learning_rate", "Fixed")),
        (lambda: MetaSAC(SMALL, gradient_clip=-1.0), ("gradient_clip",)),
    ],
)
def test_refused(build, words):
    with pytest.raises(EntropaxError) as refusal:
        build()
    for word in words:
        assert word in str(refusal.value)
