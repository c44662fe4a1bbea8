"""Each rule on a series where it must speak, and on a near miss where it must not."""

import math
from pathlib import Path

import numpy as np
import pytest
from made_series import (
    CLIMB,
    EARLY_GAIN,
    FLAT,
    H_MAX,
    LATE_GAIN,
    RATE,
    ROWS,
    STEPS,
    UPDATES,
    D,
    T,
    both,
    column,
    facts,
    returns,
    rising,
    run,
    spoken,
)

from entropax.diagnostics.dialects import BRAX, CLEANRL, ENTROPAX, OTHER, SB3, Knob
from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.rules import RULES, judge, unjudged
from entropax.diagnostics.verdict import verdict
from entropax.diagnostics.window import Series, rows_to_judge

DIAGNOSE_PAGE = (Path(__file__).parents[2] / "docs" / "diagnose.md").read_text("utf-8")


def falling(at, to, begin=0.6):
    """Entropy per dimension that drops from one level to another at a share of the run."""
    return np.where(at > T, begin, to)


# Premature collapse


@pytest.mark.parametrize(
    ("nats", "gains", "target", "speaks"),
    [
        (falling(0.2, -4.0), FLAT, math.nan, True),
        (falling(0.2, -4.0), LATE_GAIN, math.nan, False),
        (falling(0.2, -4.0), LATE_GAIN * (T < 0.85), math.nan, True),
        (falling(0.2, -4.0), LATE_GAIN, -1.0, True),
        (falling(0.6, -4.0), EARLY_GAIN, math.nan, False),
        (falling(0.2, -4.0), CLIMB, math.nan, False),
        (falling(0.2, -3.2), FLAT, math.nan, False),
    ],
    ids=[
        "nothing learned",
        "learned after, then flat",
        "learned after and lost it",
        "away from a target",
        "learned before",
        "still learning",
        "just above 2 %",
    ],
)
def test_collapse_is_premature_when_the_learning_was_to_come(nats, gains, target, speaks):
    found = spoken(run(nats, target=target, **returns(gains)))
    assert ("premature-collapse" in found) == speaks
    if speaks:
        assert found["premature-collapse"].severity is Severity.CRITICAL
        assert found["premature-collapse"].steps[0] == STEPS[np.argmax(nats < 0)]


def test_the_share_of_the_gain_made_by_the_collapse_is_counted():
    gains = 100 * np.clip((T - 0.1) / 0.6, 0, 1)
    found = spoken(run(falling(0.31, -4.0), **returns(gains)))["premature-collapse"]
    assert found.numbers["share of the return's gain made by then (%)"] == pytest.approx(25, abs=10)


def test_noise_in_the_return_is_no_learning():
    noise = np.random.default_rng(0).normal(0, 10, ROWS)
    assert "premature-collapse" in spoken(run(falling(0.6, -4.0), target=math.nan, **returns(noise)))
    assert "premature-collapse" not in spoken(run(falling(0.6, -4.0), target=math.nan, **returns(noise + EARLY_GAIN)))


def test_a_run_whose_entropy_is_not_measured_is_judged_by_the_rest():
    """As one with a policy that has no density; a run with one measured row is still judged by its entropy's rows."""
    never = run(np.full(ROWS, math.nan), target=math.nan, **returns(CLIMB))
    assert rows_to_judge(never, facts()) == [ROWS]
    assert verdict(never, facts()).kind is Kind.HEALTHY
    assert "entropy/nats" in dict(unjudged(never, facts()))["premature-collapse"]
    once = run(np.where(np.arange(ROWS) == 0, 0.5, math.nan), target=math.nan, **returns(CLIMB))
    assert rows_to_judge(once, facts()) == [1]


# Slow collapse


def test_a_steady_fall_that_pays_nothing_is_a_slow_collapse():
    nats = 0.6 - 3.0 * T
    found = spoken(run(nats, target=math.nan))["slow-collapse"]
    assert found.severity is Severity.WARNING
    assert found.numbers["fall over the last half (nats per dimension)"] == pytest.approx(1.5, rel=0.05)


@pytest.mark.parametrize(
    ("nats", "changes"),
    [
        (0.6 - 0.8 * T, {}),
        (0.6 - 3.0 * np.minimum(T, 0.5), {}),
        (0.6 - 3.0 * T, returns(CLIMB)),
        (0.6 - 3.0 * T, {"target": -3.0}),
    ],
    ids=["less than half a nat", "settled", "the return gains", "towards its target"],
)
def test_a_fall_that_is_small_settled_paid_for_or_wanted_is_none(nats, changes):
    assert "slow-collapse" not in spoken(run(nats, **{"target": math.nan, **changes}))


# One dimension


def dimensions(low, high=-0.5):
    each = np.broadcast_to([low, high], (ROWS, 1, 2)).astype(float)
    series = run((low + high) / 2, target=math.nan)
    return series | {"entropy/per_dimension": Series(STEPS, each)}


def test_a_dead_dimension_is_found_under_a_healthy_sum():
    found = spoken(dimensions(-3.5))["dimension-collapse"]
    assert "Action dimension 0 of 2" in found.explanation
    assert found.kind is Kind.MISLEADING
    assert "dimension-collapse" not in spoken(dimensions(-3.0))


def test_a_dimension_is_not_named_when_all_have_collapsed():
    assert set(spoken(dimensions(-4.0, -4.0))) == {"premature-collapse"}


# Mended collapse


def dip(share, depth=-2.5):
    """Entropy on its target of -1 but for a part of the run, early on."""
    return np.where((T > 0.1) & (0.1 + share > T), depth, -1.0)


@pytest.mark.parametrize(
    ("nats", "gains", "speaks"),
    [
        (dip(0.25), CLIMB, True),
        (dip(0.15), CLIMB, False),
        (dip(0.25), EARLY_GAIN, False),
        (dip(0.25, -1.9), CLIMB, False),
        (np.where(T > 0.5, -2.5, -1.0), CLIMB, False),
    ],
    ids=["still rising", "a short dip", "made up for", "not far below", "not mended"],
)
def test_a_collapse_that_mended_is_named_while_the_return_makes_up_for_it(nats, gains, speaks):
    found = spoken(run(nats, **returns(gains)))
    assert ("mended-collapse" in found) == speaks
    if speaks:
        assert found["mended-collapse"].severity is Severity.WARNING
        assert found["mended-collapse"].steps == (STEPS[T > 0.1][0], STEPS[T < 0.35][-1])
        assert found["mended-collapse"].numbers["share of the run without entropy (%)"] == pytest.approx(25, abs=2.5)


# Explosion


def test_a_target_that_leaves_a_fifth_to_decide_is_named_and_a_lower_one_is_not():
    found = spoken(run(0.6, target=0.6))["target-near-uniform"]
    assert (found.severity, found.kind) == (Severity.WARNING, Kind.MISLEADING)
    assert found.numbers["its share of the feasible range (%)"] == pytest.approx(100 * math.exp(0.6 - H_MAX))
    just = H_MAX + math.log(0.8)
    assert "target-near-uniform" in spoken(run(just, target=just + 0.01))
    assert "target-near-uniform" not in spoken(run(just, target=just - 0.01))
    assert "target-near-uniform" not in spoken(run(0.65, target=0.7)), "out of reach says it"
    assert "target-near-uniform" not in spoken(run(0.6, target=0.6), entropy_maximum=math.nan)


def test_a_target_out_of_reach_is_critical_before_alpha_has_exploded():
    found = spoken(run(0.65, target=0.7))["target-out-of-reach"]
    assert (found.severity, found.kind) == (Severity.CRITICAL, Kind.TARGET_NOT_REACHED)
    assert "target-out-of-reach" in spoken(run(0.65, target=H_MAX - 0.01))
    assert "target-out-of-reach" not in spoken(run(0.62, target=H_MAX - 0.03))
    assert "target-out-of-reach" not in spoken(run(0.65, target=0.7), entropy_maximum=1.4)


def test_alpha_runs_away_when_entropy_does_not_answer():
    found = spoken(run(-2.0, rising(0.95)))["alpha-runaway"]
    assert found.kind is Kind.EXPLODING
    assert found.numbers["factor from its lowest"] == pytest.approx(math.exp(0.95 * RATE * UPDATES * 39))
    assert "alpha-runaway" not in spoken(run(np.linspace(-2.0, -1.3, ROWS), rising(0.95)))
    assert "alpha-runaway" not in spoken(run(-2.0, np.minimum(rising(0.95), 2.2)))


def test_entropy_that_comes_back_and_takes_the_return_with_it_explodes():
    nats = np.where(T < 0.3, 0.6 - 6 * T, np.where(T < 0.7, -1.2, 0.6))
    lost = np.where(T < 0.7, EARLY_GAIN, 10.0)
    found = spoken(run(nats, target=math.nan, **returns(lost)))["entropy-explosion"]
    assert found.severity is Severity.CRITICAL
    assert found.numbers["share of the return's gain lost (%)"] == pytest.approx(90, abs=2)
    assert "entropy-explosion" not in spoken(run(nats, target=math.nan, **returns(EARLY_GAIN)))
    assert "entropy-explosion" not in spoken(run(0.6, target=math.nan, **returns(lost)))


# Target and alpha


def pinned(level, nats, moved=True):
    log_alpha = np.where(T < 0.4, level + (2.0 * (0.4 - T) if moved else 0.0), level)
    return run(nats, log_alpha)


def test_alpha_at_the_end_of_its_band_is_pinned_while_the_entropy_asks_for_more():
    band = (math.exp(-3.0), 1.0)
    found = spoken(pinned(-3.0, -0.5), alpha_band=band)["alpha-clamped"]
    assert found.steps[0] == STEPS[np.argmax(T >= 0.4)]
    assert "target-missed" not in spoken(pinned(-3.0, -0.5), alpha_band=band)
    assert "alpha-clamped" not in spoken(pinned(-3.0, -0.9), alpha_band=band)
    assert "alpha-clamped" not in spoken(pinned(-3.0, -1.5), alpha_band=band)
    assert "alpha-clamped" not in spoken(pinned(-2.0, -0.5), alpha_band=band)


def test_without_a_known_band_alpha_must_have_moved_before_it_was_pinned():
    assert "alpha-clamped" in spoken(pinned(-3.0, -0.5))
    assert "alpha-clamped" not in spoken(pinned(-3.0, -0.5, moved=False))
    assert "target-missed" in spoken(pinned(-3.0, -0.4, moved=False))


def test_an_alpha_that_is_logged_more_often_than_it_is_updated_is_not_pinned():
    stairs = -1.0 - 0.2 * np.floor(5.9 * T)
    assert "alpha-clamped" not in spoken(run(-0.5, stairs))
    assert "alpha-clamped" in spoken(run(-0.5, stairs), alpha_band=(math.exp(stairs[-1]), 1.0))


@pytest.mark.parametrize(
    ("nats", "share", "speaks"),
    [(0.0, 5e-5, True), (0.0, 2e-4, False), (-0.9, 5e-5, False), (np.where(T < 0.8, -1.1, 0.5), 5e-5, False)],
    ids=["above and powerless", "alpha matters", "on target", "was below in the last half"],
)
def test_the_constraint_is_inactive_when_alpha_has_no_say_and_entropy_stays_up(nats, share, speaks):
    found = spoken(run(nats, **{"entropy/share_of_soft_value": column(share)}))
    assert ("constraint-inactive" in found) == speaks
    assert not speaks or set(found) == {"constraint-inactive"}


@pytest.mark.parametrize(
    ("pace", "rule"), [(-0.6, "alpha-travelling"), (-0.4, "target-missed"), (0.6, "target-missed")]
)
def test_alpha_travels_at_half_of_adams_limit_in_the_direction_that_helps(pace, rule):
    assert set(spoken(run(0.3, rising(pace)))) == {rule}


@pytest.mark.parametrize(("nats", "pace"), [(-0.55, -0.9), (-0.55, 0.0), (-1.2, 0.9), (-1.2, 0.0)])
def test_within_the_tolerance_or_half_a_nat_above_the_target_neither_travel_nor_rest_is_a_finding(nats, pace):
    assert spoken(run(nats, rising(pace))) == {}


# Scale


@pytest.mark.parametrize(("share", "slack", "speaks"), [(5e-5, 0.5, True), (2e-4, 0.5, False), (5e-5, 0.1, False)])
def test_alpha_is_irrelevant_below_a_hundredth_of_the_value_unless_the_law_holds_its_target(share, slack, speaks):
    series = run(-1.0 - slack, **{"entropy/share_of_soft_value": column(share)})
    assert ("alpha-irrelevant" in spoken(series)) == speaks


def test_around_an_entropy_of_0_its_share_says_nothing():
    share = {"entropy/share_of_soft_value": column(5e-5)}
    assert "alpha-irrelevant" in spoken(run(-0.5, target=math.nan, **share))
    assert "alpha-irrelevant" not in spoken(run(-0.1, target=math.nan, **share))


def test_the_reward_drowns_when_entropy_is_the_value_and_nothing_is_learned():
    share = {"entropy/share_of_soft_value": column(0.0095)}
    assert "reward-drowned" in spoken(run(-1.0, **share))
    assert "reward-drowned" not in spoken(run(-1.0, **share, **returns(EARLY_GAIN)))
    assert "reward-drowned" not in spoken(run(-1.0, **{"entropy/share_of_soft_value": column(0.008)}))


# Numbers


def test_a_number_that_was_not_finite_and_came_back_is_a_warning():
    loss = np.ones(ROWS)
    loss[10:12] = np.inf
    found = spoken(run(-1.0, **{"train/critic_loss": column(loss)}))["nonfinite"]
    assert (found.severity, found.steps[0]) == (Severity.WARNING, STEPS[10])
    loss[10:12] = np.nan
    assert spoken(run(-1.0, **{"train/critic_loss": column(loss)})) == {}


# What is known


def test_a_run_without_an_entropy_is_judged_by_what_it_has():
    series = {name: run(-1.0)[name] for name in ("train/q_mean", "train/critic_loss", "rollout/ep_rew_mean")}
    assert judge(series, facts()) == []
    lacking = dict(unjudged(series, facts()))
    assert lacking["premature-collapse"] == ("entropy/nats",)
    assert lacking["target-missed"] == ("entropy/slack",)
    assert "q-divergence" not in lacking


def test_unknown_dimensions_are_named_as_what_is_missing():
    unknown = facts(action_dimensions=math.nan)
    assert judge(run(-5.0), unknown) == []
    lacking = dict(unjudged(run(-5.0), unknown))
    assert lacking["premature-collapse"] == ("the action dimensions (--env or --action-dimensions)",)


def test_an_unknown_policy_class_is_measured_against_its_own_widest():
    wide = np.where(T < 0.2, 1.4, -2.6)
    assert "premature-collapse" in spoken(run(wide, target=math.nan), entropy_maximum=math.nan)
    assert "premature-collapse" not in spoken(run(wide + 0.2 * (T >= 0.2), target=math.nan), entropy_maximum=math.nan)


def test_an_entropy_that_is_set_is_no_fault():
    """Tiny, falling, and without any bonus: a collapse where it is learned."""
    set_by_hand = run(np.linspace(-3.0, -6.0, ROWS), target=math.nan) | {
        "train/ent_coef": column(0.0),
        "entropy/share_of_soft_value": column(0.0),
        "entropy/per_dimension": Series(STEPS, np.tile([0.0, -8.0], (ROWS, 1, 1))),
    }
    assert {"premature-collapse", "alpha-irrelevant"} & spoken(set_by_hand).keys()
    assert spoken(set_by_hand, spread_learned=False) == {}
    wanted = dict(unjudged(set_by_hand, facts(spread_learned=False)))["premature-collapse"]
    assert wanted == ("an entropy that is learned (this one's noise is a setting)",)


def test_a_short_seed_is_judged_up_to_its_own_end():
    short = {name: Series(one.steps, np.where(T[:, None] < 0.5, one.values, np.nan)) for name, one in run(-5.0).items()}
    (finding,) = judge(both(run(-1.0), short), facts(seeds=2))
    assert finding.seeds == (1,)
    assert finding.steps[1] == STEPS[np.flatnonzero(T < 0.5)[-1]]


def test_every_rule_has_its_own_id_and_silences_only_later_ones():
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids) >= 23
    for place, rule in enumerate(RULES):
        assert set(rule.silences) <= set(ids)
        assert [ids.index(other) for other in rule.silences if ids.index(other) < place] == []


@pytest.mark.parametrize("rule", [rule.id for rule in RULES])
def test_every_rule_has_its_row_on_the_page(rule):
    assert f"\n| `{rule}` |" in DIAGNOSE_PAGE


@pytest.mark.parametrize("dialect", [ENTROPAX, SB3, CLEANRL, BRAX, OTHER], ids=lambda dialect: dialect.name)
def test_every_dialect_knows_every_knob(dialect):
    assert set(dialect.settings) == set(Knob)
    said = [dialect.say(knob, "0.25") for knob in Knob if knob is not Knob.NO_CLAMP]
    assert all("0.25" in words and "{" not in words for words in said)


def test_the_dimensions_of_a_finding_come_from_the_facts():
    assert D == 2
    assert "target-missed" in spoken(run(-1.3))
    assert "target-missed" not in spoken(run(-1.3), action_dimensions=4)
