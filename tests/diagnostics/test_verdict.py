"""Each verdict on a series made for it, and the near misses that must stay healthy."""

import math

import numpy as np
import pytest
from made_series import H_MAX, RATE, ROWS, STEPS, UPDATES, both, column, facts, rising, run

from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.verdict import verdict
from entropax.diagnostics.window import Series


def test_tracking_the_target_is_healthy():
    judged = verdict(run(-1.1), facts())
    assert judged.kind is Kind.HEALTHY
    assert judged.findings == ()
    assert judged.counts == {Kind.HEALTHY: 1}


def test_a_law_without_target_at_a_usual_sigma_is_healthy():
    assert verdict(run(-2.0, target=math.nan), facts()).kind is Kind.HEALTHY


def test_a_very_low_target_that_is_held_is_no_collapse():
    assert verdict(run(-4.0, target=-4.0), facts()).kind is Kind.HEALTHY


@pytest.mark.parametrize(("target", "threshold"), [(-1.0, -2.0), (math.nan, math.log(0.02) + H_MAX)])
def test_a_tiny_share_of_the_feasible_range_is_a_collapse(target, threshold):
    nats = np.linspace(0.6, -4.4, ROWS)
    judged = verdict(run(nats, np.linspace(0, -6, ROWS), target), facts())
    (finding,) = judged.findings
    assert judged.kind is Kind.COLLAPSED
    assert finding.severity is Severity.CRITICAL
    assert finding.steps == (STEPS[np.argmax(nats < threshold)], STEPS[-1])
    assert finding.numbers["share of the feasible range (%)"] < 2


def test_collapse_follows_the_feasible_range_and_not_the_nats():
    nats = math.log(0.02) + H_MAX - 0.1
    assert verdict(run(nats, target=math.nan), facts()).kind is Kind.COLLAPSED
    assert verdict(run(nats, target=math.nan), facts(entropy_maximum=H_MAX - 0.2)).kind is Kind.HEALTHY


def test_a_deficit_under_a_falling_alpha_is_a_collapse_and_under_a_rising_one_is_not():
    assert verdict(run(-2.2, rising(-0.8)), facts()).kind is Kind.COLLAPSED
    assert verdict(run(-2.2, np.minimum(rising(0.8), 1.5)), facts()).kind is not Kind.HEALTHY
    assert verdict(run(np.linspace(-2.6, -2.1, ROWS), rising(0.1)), facts()).kind is Kind.TARGET_NOT_REACHED


def test_an_unreachable_target_is_an_explosion_with_a_reachable_remedy():
    judged = verdict(run(0.65, rising(0.95), target=1.0), facts())
    (finding,) = judged.findings
    assert judged.kind is Kind.EXPLODING
    assert "above the 0.684" in finding.explanation
    assert "--algorithm.temperature.target-entropy.nats -0.016" in finding.remedy[0]
    assert finding.numbers["alpha's factor from its lowest"] == pytest.approx(math.exp(0.95 * RATE * UPDATES * 39))


def test_alpha_that_rises_while_the_entropy_answers_is_no_explosion():
    nats = np.linspace(-3.0, -1.4, ROWS)
    assert verdict(run(nats, rising(0.95)), facts()).kind is Kind.TARGET_NOT_REACHED


def test_alpha_that_rises_above_its_target_is_no_explosion():
    assert verdict(run(-0.9, rising(0.95)), facts()).kind is Kind.HEALTHY


def test_without_a_known_rate_the_travel_of_alpha_decides():
    unknown = facts(temperature_rate=math.nan)
    assert verdict(run(0.65, rising(0.95), target=1.0), unknown).kind is Kind.EXPLODING
    assert verdict(run(0.65, rising(0.05), target=1.0), unknown).kind is Kind.TARGET_NOT_REACHED


@pytest.mark.parametrize(("offset", "side"), [(0.6, "above"), (-0.4, "below")])
def test_a_missed_target_says_on_which_side(offset, side):
    judged = verdict(run(-1.0 + offset), facts())
    (finding,) = judged.findings
    assert judged.kind is Kind.TARGET_NOT_REACHED
    assert f"{abs(offset)} nats per dimension {side} its target and alpha is at rest" in finding.explanation
    assert finding.numbers[f"slack, {side} (nats per dimension)"] == pytest.approx(offset)
    assert any("is exploration" in remedy for remedy in finding.remedy) == (side == "above")


def test_the_tolerance_is_per_dimension():
    assert verdict(run(-1.2), facts()).kind is Kind.HEALTHY
    assert verdict(run(-1.3), facts()).kind is Kind.TARGET_NOT_REACHED
    assert verdict(run(-0.55), facts()).kind is Kind.HEALTHY
    assert verdict(run(-0.45), facts()).kind is Kind.TARGET_NOT_REACHED


def test_a_travelling_alpha_is_told_from_one_at_rest():
    (finding,) = verdict(run(0.3, rising(-0.9)), facts()).findings
    assert "still falls: it has not had the updates to arrive" in finding.explanation
    assert finding.numbers["alpha's step (share of its limit)"] == pytest.approx(-0.9)
    assert "--steps 80000: train longer" in finding.remedy


def test_diverging_q_needs_growth_and_a_size_beyond_the_rewards():
    q = np.exp(np.linspace(0, 12, ROWS))
    assert verdict(run(-1.0, **{"train/q_mean": column(q)}), facts()).kind is Kind.EXPLODING
    large = {"train/q_mean": column(q), "rollout/ep_rew_mean": column(1e4)}
    assert verdict(run(-1.0, **large), facts()).kind is Kind.HEALTHY
    assert verdict(run(-1.0, **{"train/q_mean": column(1e5)}), facts()).kind is Kind.HEALTHY


def test_a_loss_that_stops_being_finite_is_named_with_its_step():
    loss = np.ones(ROWS)
    loss[30:] = np.inf
    (finding,) = verdict(run(-1.0, **{"train/critic_loss": column(loss)}), facts()).findings
    assert finding.kind is Kind.EXPLODING
    assert finding.steps == (31_000, 40_000)
    assert "train/critic_loss is not finite from step 31000 on" in finding.explanation


def test_a_warm_up_without_losses_is_not_a_loss_of_finiteness():
    loss = np.ones(ROWS)
    loss[:5] = np.nan
    assert verdict(run(-1.0, **{"train/critic_loss": column(loss)}), facts()).kind is Kind.HEALTHY


def test_skipped_updates_warn():
    skipped = np.zeros(ROWS)
    skipped[[10, 20]] = 3
    (finding,) = verdict(run(-1.0, **{"train/skipped_updates": column(skipped)}), facts()).findings
    assert finding.severity is Severity.WARNING
    assert finding.numbers["skipped updates"] == 6
    assert finding.steps == (11_000, 40_000)


def test_the_worst_seed_decides_and_the_counts_say_how_many():
    judged = verdict(both(run(-1.0), run(-5.0)), facts(seeds=2))
    assert judged.kind is Kind.COLLAPSED
    assert judged.counts == {Kind.HEALTHY: 1, Kind.COLLAPSED: 1}
    assert judged.findings[0].seeds == (1,)
    assert judged.sentence() == "Collapsed in 1 of 2 seeds."


def test_seeds_of_one_kind_share_a_finding():
    judged = verdict(both(run(-4.0, target=0.0), run(-5.0, target=0.0)), facts(seeds=2))
    (finding,) = judged.findings
    assert finding.seeds == (0, 1)
    assert finding.numbers["entropy (nats per dimension)"] == pytest.approx(-4.5)


def test_few_rows_are_too_early():
    short = {name: Series(one.steps[:3], one.values[:3]) for name, one in run(-5.0).items()}
    assert verdict(short, facts()).kind is Kind.TOO_EARLY
    assert verdict({}, facts()).line() == "Too early to say after 0 steps | no episode finished"


def test_the_line_holds_the_numbers():
    assert verdict(run(-1.0, math.log(0.05)), facts()).line() == (
        "Healthy after 40000 steps | return 10 | entropy -2 nats (target -2) | alpha 0.05"
    )
