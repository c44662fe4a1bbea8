"""Rules about what a law does: with no target to hold it, at the end of its band, or with a dimension that is free."""

import math

import numpy as np
import pytest
from made_series import CLIMB, EARLY_GAIN, LATE_GAIN, RATE, ROWS, STEPS, T, column, returns, rising, run, spoken

from entropax.diagnostics.findings import Severity
from entropax.diagnostics.window import Series

FALLING_LATE = 0.6 - 3.0 * np.maximum(T - 0.4, 0)


@pytest.mark.parametrize(
    ("gains", "target", "speaks"),
    [(EARLY_GAIN, math.nan, False), (EARLY_GAIN * (T < 0.9), math.nan, True), (EARLY_GAIN, 0.0, True)],
    ids=["learned first", "and lost it", "away from a target"],
)
def test_entropy_may_go_slowly_once_most_is_learned_and_no_target_asks_for_it(gains, target, speaks):
    assert ("slow-collapse" in spoken(run(FALLING_LATE, target=target, **returns(gains)))) == speaks


@pytest.mark.parametrize(
    ("gains", "speaks"),
    [(100 * np.clip((T - 0.1) / 0.8, 0, 1), False), (100 * np.clip((T - 0.4) / 0.55, 0, 1), True)],
    ids=["during it", "after it"],
)
def test_a_mended_collapse_without_a_target_held_nothing_up_if_most_was_learned_during_it(gains, speaks):
    nats = np.where((T > 0.1) & (T < 0.7), -4.0, -1.0)
    assert ("mended-collapse" in spoken(run(nats, target=math.nan, **returns(gains)))) == speaks


LET_GO = -8 * np.clip((T - 0.4) / 0.3, 0, 1)


@pytest.mark.parametrize(
    ("log_alpha", "gains", "speaks"),
    [(LET_GO, EARLY_GAIN, False), (LET_GO, LATE_GAIN, True), (-8.0, EARLY_GAIN, True)],
    ids=["let go after learning", "let go before it", "given"],
)
def test_alpha_is_irrelevant_unless_a_law_without_target_let_it_go_after_learning(log_alpha, gains, speaks):
    share = 0.05 * np.broadcast_to(np.exp(log_alpha), (ROWS,)) * 0.999
    series = run(0.5, log_alpha, math.nan, **returns(gains), **{"entropy/share_of_soft_value": column(share)})
    assert ("alpha-irrelevant" in spoken(series)) == speaks


@pytest.mark.parametrize(("every", "speaks"), [(4, True), (2, False)])
def test_an_alpha_that_is_kicked_off_its_lower_end_now_and_then_is_pinned_there(every, speaks):
    kicked = np.where(np.arange(ROWS) % every == 1, -1.0, -9.0)
    found = spoken(run(-0.7, kicked), alpha_band=(math.exp(-9.0), 1.0))
    assert ("alpha-clamped" in found) == speaks
    if speaks:
        assert found["alpha-clamped"].numbers["rows at the bound (%)"] == pytest.approx(75, abs=5)
        assert "lower bound, 1.2e-04" in found["alpha-clamped"].explanation


@pytest.mark.parametrize(
    ("late", "speaks"),
    [((-1.5, 0.6), True), ((-1.5, 0.4), False), ((-0.1, 0.6), False), ((0.6, 0.6), False)],
    ids=["one is idle", "one is wide", "the other is wide too", "both are"],
)
def test_a_dimension_that_stays_uniform_while_the_other_is_decided_is_idle(late, speaks):
    each = np.where(T[:, None, None] < 0.3, 0.65, np.array(late))
    series = run(each.mean(axis=(1, 2))) | {"entropy/per_dimension": Series(STEPS, each)}
    found = spoken(series | returns(CLIMB))
    assert ("dimension-idle" in found) == speaks
    if speaks:
        assert found["dimension-idle"].severity is Severity.WARNING
        assert "Action dimension 1 of 2" in found["dimension-idle"].explanation


@pytest.mark.parametrize(
    ("target", "pace", "gains", "mode", "speaks"),
    [
        (-0.5, -0.45, EARLY_GAIN, 140.0, set()),
        (-2.6, -0.45, EARLY_GAIN, 140.0, {"target-missed"}),
        (-0.5, -0.45, 0 * T, 0.0, {"target-missed"}),
        (-0.5, -0.05, EARLY_GAIN, 100.0, {"target-missed"}),
        (-0.5, -0.9, EARLY_GAIN, 104.0, set()),
        (-0.5, -0.9, EARLY_GAIN, 140.0, {"alpha-travelling"}),
        (-0.5, -0.9, CLIMB, 140.0, set()),
    ],
    ids=["slower", "too far off", "nothing learned", "too slow", "at no cost", "at a cost", "still learning"],
)
def test_entropy_above_its_target_is_let_be_while_alpha_brings_it_down_in_time(target, pace, gains, mode, speaks):
    evaluated = {"eval/mean_reward": column(mode)}
    assert set(spoken(run(0.3, rising(pace), target, **returns(gains), **evaluated))) == speaks


@pytest.mark.parametrize(
    ("late", "speaks"), [(0.0, set()), (10.0, {"alpha-travelling"})], ids=["settled", "the return still varies"]
)
def test_entropy_under_its_target_is_let_be_where_nothing_moves_the_return(late, speaks):
    values = EARLY_GAIN + late * np.where(np.arange(ROWS) % 2, 1, -1)
    series = run(
        -1.3, np.maximum(rising(0.9), rising(0.9)[-1] - 2), **returns(values), **{"eval/mean_reward": column(100.0)}
    )
    assert set(spoken(series)) == speaks


def test_a_law_without_a_limit_is_let_be_whatever_the_noise_costs():
    series = run(0.3, rising(-0.9), -0.5, **returns(EARLY_GAIN), **{"eval/mean_reward": column(140.0)})
    assert spoken(series, temperature_rate=math.nan) == {}
    assert set(spoken(series, temperature_rate=RATE)) == {"alpha-travelling"}
