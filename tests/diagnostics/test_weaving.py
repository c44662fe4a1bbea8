"""Findings get the change they speak of, and their causes its order; what speaks of no entropy is left alone."""

import dataclasses
import math

import numpy as np
import pytest
from made_series import ROWS, STEPS, both, column, facts, rising, run

from entropax.diagnostics.attribution import Attribution, Parts
from entropax.diagnostics.changes import Change, Estimate, Part, RunAttribution
from entropax.diagnostics.rules import RULES, judge
from entropax.diagnostics.weaving import MEANINGS, Direction, Meaning, Span, bracket, ordered, weave
from entropax.diagnostics.window import Series

T = np.linspace(0, 1, ROWS)
FALL = np.where(T < 0.5, 0.6, -4.0)
GONE = int(STEPS[np.argmax(FALL < 0)])
KEPT = [500, 10_000, 18_000, 25_000, 40_000]


def speaking():
    """For each rule that is woven, series on which it speaks."""
    lost = column(np.where(T < 0.7, 100 * np.minimum(T / 0.25, 1), 10.0))
    widened = np.where(T < 0.3, 0.6 - 6 * T, np.where(T < 0.7, -1.2, 0.6))
    each = Series(STEPS, np.broadcast_to([-3.5, -0.5], (ROWS, 1, 2)).astype(float))
    flat = {"rollout/ep_rew_mean": column(0.0)}
    return [
        ("premature-collapse", run(FALL, target=math.nan, **flat)),
        ("premature-collapse", run(FALL, rising(-0.95), target=math.nan, **flat)),
        ("slow-collapse", run(0.6 - 3.0 * T, target=math.nan)),
        ("dimension-collapse", run(-2.0, target=math.nan, **{"entropy/per_dimension": each})),
        ("alpha-runaway", run(-2.0, rising(0.95))),
        ("entropy-explosion", run(widened, target=math.nan, **{"rollout/ep_rew_mean": lost})),
        ("saturated-actions", run(-1.0, **{"entropy/saturation": column(np.where(T < 0.5, 0.1, 0.8)), **flat})),
    ]


def found(series, rule, seeds=1):
    return next(finding for finding in judge(series, facts(seeds)) if finding.rule == rule)


def attribution(steps, seeds, error=0.01, **values):
    """Two dimensions; a part's value is one number for both, or one each."""
    count = len(seeds)
    each = {part.value: np.broadcast_to(values.get(part.value, 0.0), (count, 2)) for part in Part}
    per_dimension = Parts(whole=np.sum(list(each.values()), axis=0), **each)
    parts = Parts(*(one.mean(axis=1) for one in per_dimension))
    errors, each_error = (Parts(*(np.full(shape, error) for _ in parts)) for shape in (count, (count, 2)))
    return RunAttribution(
        steps, seeds, Attribution(parts, errors, per_dimension, each_error, np.ones((count, 1, 2), bool))
    )


def woven(finding, series, kept=KEPT, seeds=1, **values):
    return weave(finding, kept, series, facts(seeds), lambda a, b, seeds: attribution((a, b), seeds, **values))


def test_every_woven_rule_exists_and_speaks_here():
    assert set(MEANINGS) == {rule for rule, _ in speaking()}
    assert set(MEANINGS) <= {rule.id for rule in RULES}


@pytest.mark.parametrize(("rule", "series"), speaking(), ids=lambda value: value if isinstance(value, str) else "")
def test_each_cause_of_a_woven_rule_has_its_part(rule, series):
    finding = found(series, rule)
    assert len(MEANINGS[rule].causes) == len(finding.causes)
    after = woven(finding, series)
    assert after.change is not None
    assert sorted(after.causes) == sorted(finding.causes)
    assert after == dataclasses.replace(finding, change=after.change, causes=after.causes)


# Which snapshots


def test_a_collapse_is_bracketed_from_before_its_fall_to_the_first_snapshot_after():
    series = run(FALL, target=math.nan, **{"rollout/ep_rew_mean": column(0.0)})
    finding = found(series, "premature-collapse")
    assert finding.steps[0] == GONE == 21_000
    assert bracket(finding, Span.UNTIL, KEPT, series, facts()) == (18_000, 25_000)
    assert bracket(finding, Span.UNTIL, [500, 25_000, 40_000], series, facts()) == (500, 25_000)


def test_a_long_fall_is_bracketed_from_where_nine_tenths_of_it_were_to_come():
    # From 0.6 at step 10000 straight down to -4 at step 30000: 5 % lost at step 11000, 50 % at step 20000.
    nats = np.interp(STEPS, [10_000, 30_000], [0.6, -4.0])
    series = run(nats, target=math.nan, **{"rollout/ep_rew_mean": column(0.0)})
    finding = found(series, "premature-collapse")
    for kept, first in (([500, 11_000, 20_000, 40_000], 11_000), ([500, 14_000, 20_000, 40_000], 500)):
        assert bracket(finding, Span.UNTIL, kept, series, facts()) == (first, 40_000)


def test_an_explosion_is_bracketed_from_where_the_policy_was_narrow():
    series = dict(speaking())["entropy-explosion"]
    finding = found(series, "entropy-explosion")
    assert bracket(finding, Span.UNTIL, [500, 16_000, 24_000, 32_000, 40_000], series, facts()) == (24_000, 32_000)


@pytest.mark.parametrize(
    ("kept", "ends"),
    [
        ([500, 15_000, 25_000, 40_000], (15_000, 40_000)),
        ([25_000, 35_000], (25_000, 35_000)),
        ([500, 50_000], None),
        ([30_000], None),
    ],
    ids=["around", "both inside", "none inside", "one"],
)
def test_a_change_over_steps_is_bracketed_by_the_snapshots_around_them(kept, ends):
    series = run(0.6 - 3.0 * T, target=math.nan)
    finding = found(series, "slow-collapse")
    assert finding.steps == (21_000, 40_000)
    assert bracket(finding, Span.OVER, kept, series, facts()) == ends


@pytest.mark.parametrize("kept", [[25_000, 40_000], [500, 10_000], []], ids=["none before", "none after", "none"])
def test_without_snapshots_on_both_sides_a_finding_stays_as_it_is(kept):
    rule, series = speaking()[0]
    finding = found(series, rule)
    assert woven(finding, series, kept) is finding


def test_only_the_seeds_of_the_finding_are_asked_for_and_followed():
    flat = {"rollout/ep_rew_mean": column(0.0)}
    # Seed 0 widens early and is well; the mean of both seeds would begin elsewhere.
    healthy = run(np.where(T < 0.3, -9.0, 0.0), target=math.nan, **{"rollout/ep_rew_mean": column(100 * T)})
    series = both(healthy, run(FALL, target=math.nan, **flat))
    finding = found(series, "premature-collapse", 2)
    assert finding.seeds == (1,)
    asked = []

    def attribute(first, last, seeds):
        asked.append((first, last, seeds))
        return attribution((first, last), seeds)

    weave(finding, KEPT, series, facts(2), attribute)
    assert asked == [(18_000, 25_000, (1,))]


def test_a_finding_that_is_not_about_entropy_asks_for_nothing():
    series = run(-1.0) | {"train/critic_loss": column(np.where(T > 0.9, np.inf, 1.0))}
    finding = found(series, "nonfinite")
    assert weave(finding, KEPT, series, facts(), lambda *_: pytest.fail("asked")) is finding


# Causes in order


def change(error=0.01, **values):
    return Change((0, 1), Estimate(0.0, error), {part: Estimate(values.get(part.value, 0.0), error) for part in Part})


THREE = Meaning(Span.OVER, Direction.DOWN, ((Part.ALPHA, Part.REMAINDER), (Part.CRITIC,), (Part.ALPHA,)))


@pytest.mark.parametrize(
    ("values", "order"),
    [
        ({}, "abc"),
        ({"alpha": -0.5, "critic": -0.2}, "acb"),
        ({"alpha": -0.2, "critic": -0.5}, "bac"),
        ({"alpha": 0.2}, "bac"),
        ({"alpha": 0.5, "critic": 0.2}, "bac"),
        ({"remainder": -0.5, "critic": -0.2}, "abc"),
        ({"remainder": -0.3, "alpha": 0.2, "critic": -0.2}, "bac"),
        ({"critic": -0.015}, "abc"),
        ({"critic": math.nan}, "abc"),
    ],
    ids=[
        "nothing",
        "alpha",
        "critic",
        "alpha against it",
        "both against it",
        "its level",
        "two parts of a cause",
        "within noise",
        "unknown",
    ],
)
def test_causes_come_by_how_far_their_part_took_the_entropy_down(values, order):
    assert "".join(ordered(("a", "b", "c"), THREE, change(**values))) == order


def test_for_a_rise_the_order_is_the_other_way_round():
    rise = THREE._replace(direction=Direction.UP)
    assert "".join(ordered(("a", "b", "c"), rise, change(critic=0.5, alpha=-0.5))) == "bac"


def test_a_collapse_that_the_critic_made_names_the_critic_first():
    rule, series = speaking()[1]
    finding = found(series, rule)
    assert finding.causes[0].startswith("alpha fell")
    assert woven(finding, series, alpha=-0.3, critic=-2.0).causes[0].startswith("critics that prefer one action")
    assert woven(finding, series, alpha=-2.0, critic=-0.3).causes[0].startswith("alpha fell")


def test_a_collapse_to_the_optimum_of_an_alpha_that_never_moved_names_its_level_first():
    rule, series = speaking()[0]
    first, second, _ = woven(found(series, rule), series, remainder=-3.1, critic=-1.3).causes
    assert first.startswith("alpha is too small")
    assert second.startswith("critics that prefer one action")


def test_a_dimension_s_collapse_is_of_the_dimension_that_narrowed():
    rule, series = next(one for one in speaking() if one[0] == "dimension-collapse")
    after = woven(found(series, rule), series, critic=(-1.5, 0.0), alpha=(-0.2, -3.0), saturation=(0.0, 2.5))
    assert after.change is not None
    assert after.change.whole.value == pytest.approx(-1.7)
    assert after.change.parts[Part.CRITIC] == Estimate(-1.5, pytest.approx(0.01))
    assert after.causes[0].startswith("a dimension that the task decides early")


def test_parts_of_a_woven_finding_sum_to_its_whole():
    rule, series = speaking()[0]
    after = woven(found(series, rule), series, alpha=-0.3, critic=-2.0, states=0.4)
    assert sum(one.value for one in after.change.parts.values()) == pytest.approx(after.change.whole.value)
