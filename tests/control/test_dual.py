"""The dual law against a known plant: right sign, settles where it must, no wind-up, Adam's speed limit."""

import numpy as np
import pytest
from plant import ONE, alpha_that_holds, closed_loop, held

from entropax.temperature import Anneal, Clamp, Dual, InAlpha, InLogAlpha, PerDimension

OBJECTIVES = [pytest.param(InLogAlpha(), id="in log alpha"), pytest.param(InAlpha(), id="in alpha")]


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("slack", [-3.0, -0.01, 0.01, 3.0])
def test_alpha_moves_against_the_slack(objective, slack):
    _, steps = held(Dual(objective=objective), slack, 1)
    assert np.sign(steps[0]) == -np.sign(slack)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_alpha_rests_at_the_target(objective):
    _, steps = held(Dual(objective=objective), 0.0, 10)
    np.testing.assert_array_equal(steps, np.zeros(10))


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("nats", [-1.0, 0.0, 0.5])
@pytest.mark.parametrize("initial_alpha", [0.02, 2.0])
def test_settles_at_the_alpha_that_holds_the_target(objective, nats, initial_alpha):
    """The mean is right; what is left is the small cycle that Adam keeps up where nothing scatters its gradient."""
    law = Dual(3e-3, initial_alpha, PerDimension(nats), objective)
    alphas, entropies, _ = closed_loop(law, 25_000)
    np.testing.assert_allclose(entropies[-3000:].mean(), nats, atol=0.01)
    np.testing.assert_allclose(np.log(alphas[-3000:]).mean(), np.log(alpha_that_holds(nats)), atol=0.02)
    np.testing.assert_allclose(entropies[-3000:], nats, atol=0.05)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_settles_on_one_sample_estimates(objective):
    """-log pi scatters by about a nat around the entropy; the mean of the loop is still right."""
    law = Dual(3e-3, 0.5, PerDimension(-0.5), objective)
    alphas, entropies, _ = closed_loop(law, 12_000, noise=1.0)
    np.testing.assert_allclose(entropies[-4000:].mean(), -0.5, atol=0.05)
    np.testing.assert_allclose(np.log(alphas[-4000:]).mean(), np.log(alpha_that_holds(-0.5)), atol=0.1)


def test_follows_an_annealed_target():
    law = Dual(1e-2, 0.2, Anneal(PerDimension(0.3), PerDimension(-1.0), 6_000.0))
    _, entropies, _ = closed_loop(law, 9_000)
    np.testing.assert_allclose(entropies[3_000], -0.35, atol=0.1)
    np.testing.assert_allclose(entropies[-1000:].mean(), -1.0, atol=0.02)
    np.testing.assert_allclose(entropies[-1000:], -1.0, atol=0.1)


@pytest.mark.parametrize("slack", [0.05, 5.0])
@pytest.mark.parametrize("rate", [3e-4, 1e-3])
def test_speed_limit_is_one_e_fold_per_inverse_learning_rate(rate, slack):
    """However large the slack: alpha = 1 falls to 1/e in 1 / learning_rate updates."""
    state, steps = held(Dual(learning_rate=rate), slack, round(1 / rate))
    np.testing.assert_allclose(state.log_alpha, -1.0, rtol=2e-3)
    np.testing.assert_allclose(steps, -rate, rtol=5e-3)


def test_alpha_form_is_slower_on_the_way_down():
    """Adam's second moment remembers the gradients of a larger alpha, so the fall lags behind the speed limit."""
    in_log, _ = held(Dual(learning_rate=1e-3), 1.0, 3_000)
    in_alpha, _ = held(Dual(learning_rate=1e-3, objective=InAlpha()), 1.0, 3_000)
    np.testing.assert_allclose(in_log.log_alpha, -3.0, rtol=2e-3)
    assert -2.8 < float(in_alpha.log_alpha) < -1.0


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(("slack", "bound"), [(2.0, 0.5), (-2.0, 2.0)])
def test_a_clamp_holds_and_does_not_wind_up(objective, slack, bound):
    law = Dual(1e-2, 1.0, objective=objective, band=Clamp(0.5, 2.0))
    state, steps = held(law, slack, 2_000)
    np.testing.assert_allclose(law.value(state), bound, rtol=1e-6)
    np.testing.assert_array_equal(steps[-100:], 0.0)
    _, back = held(law, -slack, 50, state)
    assert np.sign(back[0]) == np.sign(slack)
    assert np.all(np.sign(back) == np.sign(slack))


def test_the_initial_alpha_is_brought_into_the_band():
    law = Dual(initial_alpha=1.0, band=Clamp(0.01, 0.1))
    np.testing.assert_allclose(law.value(law.init(ONE)), 0.1, rtol=1e-6)


def test_an_unreachable_entropy_drives_alpha_up_without_end():
    """What the refusal of unreachable targets prevents: a plant stuck below its target."""
    state, _ = held(Dual(learning_rate=1e-2), -0.1, 2_000)
    np.testing.assert_allclose(state.log_alpha, 20.0, rtol=5e-3)
