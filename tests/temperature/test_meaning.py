"""A target's readings against the policy itself, and the speed limit against the law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.distributions import TanhNormal, max_tanh_normal_entropy
from entropax.temperature import Dual, Evidence
from entropax.temperature.meaning import least_updates, meaning, published_targets
from entropax.types import Bounds, Spec, unknown_progress

UNEVEN = Bounds((-2.0, 0.0), (2.0, 1.0))


@pytest.mark.parametrize("nats", [-2.0, -0.5, 0.5])
def test_readings_are_those_of_sampled_actions(nats):
    found = meaning(UNEVEN, nats)
    policy = TanhNormal(jnp.zeros(2), jnp.full(2, jnp.log(found.sigma)))
    np.testing.assert_allclose(policy.entropy(), found.nats, atol=1e-3)
    actions = jax.vmap(lambda key: policy.sample_and_log_prob(key=key)[0])(jax.random.split(jax.random.key(0), 20_000))
    in_units = UNEVEN.to_environment(np.asarray(actions))
    np.testing.assert_allclose(in_units.std(axis=0), found.action_std, rtol=0.03)
    assert (found.nats, found.nats_per_dimension) == (2 * nats, nats)
    np.testing.assert_allclose(found.fraction_of_feasible, np.exp(nats - max_tanh_normal_entropy()), rtol=1e-6)


def test_the_widest_policy_has_all_that_is_feasible():
    assert meaning(UNEVEN, max_tanh_normal_entropy()).fraction_of_feasible == 1.0


def test_a_target_beyond_what_float32_holds_is_a_point():
    found = meaning(UNEVEN, -300.0)
    assert (found.sigma, found.fraction_of_feasible) == (0.0, pytest.approx(0.0))
    np.testing.assert_array_equal(found.action_std, 0.0)


def test_cleanrl_measures_in_environment_units():
    """Its -d nats are of actions in [-2, 2] and [0, 1], whose log half-ranges are log 2 and -log 2."""
    assert published_targets(UNEVEN)["CleanRL"] == pytest.approx(-1.0)
    assert published_targets(Bounds((-2.0,), (2.0,)))["CleanRL"] == pytest.approx(-1.0 - np.log(2))
    assert published_targets(Bounds((-0.1,), (0.1,)))["CleanRL"] > max_tanh_normal_entropy()


@pytest.mark.parametrize(("initial", "final", "slack"), [(1.0, 0.1, 2.0), (0.05, 0.5, -0.3)])
def test_dual_needs_the_least_updates_however_large_the_slack(initial, final, slack):
    spec = Spec(1, Bounds((-1.0,), (1.0,)))
    law = Dual(1e-3, initial)

    def update(state, _):
        seen = Evidence((law.target(spec, state) + slack)[None, None], unknown_progress(spec))
        state, metrics = law.update(spec, state, seen)
        return state, metrics["train/ent_coef"]

    least = least_updates(initial, final, 1e-3)
    assert least == pytest.approx(1000 * np.log(10))
    _, alphas = jax.lax.scan(update, law.init(spec), length=3_000)
    passed = int(np.argmax(np.sign(alphas - final) == np.sign(final - initial))) + 1
    assert least * 0.999 <= passed <= least * 1.01
