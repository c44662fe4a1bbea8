"""The PI law against the known plant: sign, rest, settling without overshoot as its formula says, no wind-up."""

import numpy as np
import pytest
from plant import ONE, alpha_that_holds, closed_loop, held

from entropax.temperature import PI, Clamp, Dual, PerDimension

LAG = 200.0


def prompt(**settings):
    """Gains for a plant with a lag of 200 updates: integral well below (1 + proportional / 2)² / (2 lag)."""
    return PI(**{"integral": 3e-3, "max_step": 0.05, "smoothing": 0.1, "initial_alpha": 0.3, **settings})


@pytest.mark.parametrize("slack", [-3.0, -0.01, 0.01, 3.0])
def test_alpha_moves_against_the_slack(slack):
    _, steps = held(PI(), slack, 1)
    assert np.sign(steps[0]) == -np.sign(slack)


def test_alpha_rests_at_the_target():
    _, steps = held(PI(), 0.0, 10)
    np.testing.assert_array_equal(steps, np.zeros(10))


@pytest.mark.parametrize("slack", [0.5, -0.5])
def test_a_constant_error_is_integrated_at_the_integral_gain(slack):
    _, steps = held(PI(integral=2e-3), slack, 20)
    np.testing.assert_allclose(steps, -2e-3 * slack, rtol=1e-4)


def test_the_proportional_part_answers_a_change_of_the_error():
    law = PI(proportional=0.5, integral=1e-6, max_step=1.0, smoothing=1.0)
    state, _ = held(law, 0.0, 5)
    _, steps = held(law, -0.2, 2, state)
    np.testing.assert_allclose(steps, [0.5 * 0.2, 0.0], atol=1e-5)


def test_the_dead_band_is_left_alone_and_its_edge_gives_no_kick():
    law = PI(proportional=1.0, integral=2e-3, smoothing=1.0, max_step=1.0, dead_band=0.1)
    rested, steps = held(law, 0.09, 5)
    np.testing.assert_array_equal(steps, 0.0)
    _, steps = held(law, -0.15, 20, rested)
    np.testing.assert_allclose(steps, [0.05 * 1.002, *[0.05 * 2e-3] * 19], rtol=1e-3)


@pytest.mark.parametrize("slack", [40.0, -40.0])
def test_steps_are_bounded(slack):
    _, steps = held(PI(max_step=3e-3), slack, 50)
    np.testing.assert_allclose(steps, -np.sign(slack) * 3e-3, rtol=1e-3)


@pytest.mark.parametrize("nats", [-1.0, 0.0, 0.5])
@pytest.mark.parametrize("initial_alpha", [0.02, 2.0])
def test_settles_at_the_alpha_that_holds_the_target_and_stays(nats, initial_alpha):
    """Unlike Adam's, its steps die out: no cycle is left."""
    law = prompt(initial_alpha=initial_alpha, target_entropy=PerDimension(nats))
    alphas, entropies, _ = closed_loop(law, 12_000, lag=LAG)
    np.testing.assert_allclose(entropies[-1000:], nats, atol=5e-3)
    np.testing.assert_allclose(np.log(alphas[-1000:]), np.log(alpha_that_holds(nats)), atol=0.03)


def _crossings(law):
    """How far the entropy runs past a target below it, in nats."""
    _, entropies, _ = closed_loop(law, 8_000, lag=LAG, first_log_sigma=-0.7)
    return float(-1.0 - entropies.min())


def test_gains_within_the_documented_bound_do_not_overshoot_and_gains_far_beyond_it_do():
    bound = (1 + 1.0 / 2) ** 2 / (2 * LAG)
    assert _crossings(prompt(integral=0.3 * bound, initial_alpha=0.2)) < 0.02
    assert _crossings(prompt(integral=20 * bound, proportional=0.0, initial_alpha=0.2)) > 0.1


def test_settles_on_one_sample_estimates_with_less_scatter_than_dual():
    target = PerDimension(-0.5)
    alphas, entropies, _ = closed_loop(prompt(target_entropy=target, smoothing=0.01), 12_000, noise=1.0, lag=LAG)
    np.testing.assert_allclose(entropies[-4000:].mean(), -0.5, atol=0.03)
    dual, _, _ = closed_loop(Dual(3e-3, 0.3, target), 12_000, noise=1.0, lag=LAG)
    assert np.log(alphas[-4000:]).std() < np.log(dual[-4000:]).std()


@pytest.mark.parametrize(("slack", "bound"), [(2.0, 0.5), (-2.0, 2.0)])
def test_a_clamp_holds_and_does_not_wind_up(slack, bound):
    law = PI(integral=1e-2, max_step=1e-2, smoothing=1.0, band=Clamp(0.5, 2.0))
    state, steps = held(law, slack, 2_000)
    np.testing.assert_allclose(law.value(state), bound, rtol=1e-6)
    np.testing.assert_array_equal(steps[-100:], 0.0)
    _, back = held(law, -slack, 50, state)
    assert np.all(np.sign(back) == np.sign(slack))


def test_the_initial_alpha_is_brought_into_the_band():
    law = PI(initial_alpha=1.0, band=Clamp(0.01, 0.1))
    np.testing.assert_allclose(law.value(law.init(ONE)), 0.1, rtol=1e-6)
