"""The step rule against the known plant: constant steps, the dead band, the cycle without one, the bounds."""

import jax.numpy as jnp
import numpy as np
import pytest
from plant import ONE, alpha_that_holds, closed_loop, held

from entropax.temperature import Clamp, Evidence, PerDimension, StepRule
from entropax.types import Bounds, Spec, unknown_progress


@pytest.mark.parametrize("slack", [-3.0, -0.06, 0.06, 3.0])
def test_one_constant_step_whatever_the_slack(slack):
    law = StepRule(step=1e-3, dead_band=0.05, initial_alpha=0.1)
    state, _ = held(law, slack, 5)
    np.testing.assert_allclose(law.value(state), 0.1 - np.sign(slack) * 5e-3, rtol=1e-5)


@pytest.mark.parametrize("slack", [-0.04, 0.0, 0.04])
def test_rests_inside_the_dead_band(slack):
    _, steps = held(StepRule(dead_band=0.05), slack, 10)
    np.testing.assert_array_equal(steps, np.zeros(10))


def test_dead_band_is_per_dimension():
    spec = Spec(1, Bounds((-1.0,) * 4, (1.0,) * 4))
    law = StepRule(dead_band=0.05)
    state = law.init(spec)
    for off, moves in ((0.04, False), (0.06, True)):
        nats = jnp.full((8, 4), -1.0 + off)
        _, metrics = law.update(spec, state, Evidence(nats, unknown_progress(spec)))
        assert bool(metrics["train/ent_coef_step"] < 0) == moves


@pytest.mark.parametrize(("initial_alpha", "edge"), [(0.3, 0.1), (0.005, -0.1)])
def test_settles_at_the_edge_of_its_dead_band(initial_alpha, edge):
    """It stops as soon as the entropy is near enough: an error of up to the dead band stays."""
    law = StepRule(step=2e-5, dead_band=0.1, initial_alpha=initial_alpha, target_entropy=PerDimension(-0.5))
    alphas, entropies, _ = closed_loop(law, 25_000)
    np.testing.assert_allclose(entropies[-1000:], -0.5 + edge, atol=0.03)
    np.testing.assert_allclose(alphas[-1000:], alpha_that_holds(float(entropies[-1])), rtol=0.05)


def test_large_steps_run_past_the_target_and_small_ones_do_not():
    """A step does not shrink near the target, while the policy still follows the alpha of a lag ago."""

    def overshoot(step):
        law = StepRule(step, 0.05, 0.2, PerDimension(-0.5))
        return float(-0.5 - closed_loop(law, 20_000, lag=200.0)[1].min())

    assert overshoot(2e-5) < 0.03
    assert overshoot(2e-4) > 0.1


@pytest.mark.parametrize(("slack", "bound"), [(2.0, 0.05), (-2.0, 0.2)])
def test_stays_in_its_band_and_leaves_it_at_once(slack, bound):
    law = StepRule(step=1e-2, band=Clamp(0.05, 0.2))
    state, steps = held(law, slack, 100)
    np.testing.assert_allclose(law.value(state), bound, rtol=1e-6)
    np.testing.assert_array_equal(steps[-50:], 0.0)
    _, back = held(law, -slack, 1, state)
    assert np.sign(back[0]) == np.sign(slack)


def test_the_initial_alpha_is_brought_into_the_band():
    law = StepRule(initial_alpha=10.0)
    np.testing.assert_allclose(law.value(law.init(ONE)), 1.0, rtol=1e-6)
