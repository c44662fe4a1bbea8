"""Each rule on a series where it must speak, and on a near miss where it must not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from token_series import FACTS, ROWS, STEPS, T, column, run, spoken

from entropax.diagnostics.dialects import TOKENS, TRL, VERL, TokenKnob
from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.rules import RULES as RULES_OF_ACTIONS
from entropax.diagnostics.rules import judge, unjudged
from entropax.diagnostics.verdict import verdict
from entropax.diagnostics.window import Series
from entropax.llm.diagnosis.rules import RULES

PAGE = (Path(__file__).parents[2] / "docs" / "llm_diagnosis.md").read_text("utf-8")
FLAT, CLIMB = 0.2 + 0 * T, 0.2 + 0.6 * T
EARLY_GAIN, LATE_GAIN = 0.2 + 0.6 * np.minimum(T / 0.25, 1), 0.2 + 0.6 * np.clip((T - 0.5) / 0.2, 0, 1)


def gone(at, to=0.05, start=1.0):
    return np.where(at > T, start, to * start)


@pytest.mark.parametrize(
    ("nats", "reward", "speaks"),
    [
        (gone(0.3), FLAT, True),
        (gone(0.3, start=0.02), FLAT, True),
        (gone(0.3), LATE_GAIN, True),
        (gone(0.6), EARLY_GAIN, False),
        (gone(0.3), CLIMB, False),
        (gone(0.3, to=0.12), FLAT, False),
        (0.3 + 0 * T, FLAT, False),
    ],
    ids=["nothing learned", "whatever the scale", "learned after", "learned before", "learning", "a tenth left", "low"],
)
def test_collapse_is_a_tenth_of_the_start_with_the_learning_to_come(nats, reward, speaks):
    found = spoken(run(nats, reward))
    assert ("token-collapse" in found) == speaks
    if speaks:
        assert found["token-collapse"].severity is Severity.CRITICAL
        assert found["token-collapse"].steps[0] == STEPS[np.argmax(nats < nats[0])]
        assert any("entropy_target=" in setting for setting in found["token-collapse"].remedy)


def test_a_low_target_that_is_held_is_no_collapse():
    assert "token-collapse" in spoken(run(gone(0.3), FLAT, target=0.2))
    assert spoken(run(gone(0.3), FLAT, target=0.05)) == {}


def test_the_kinds_of_token_that_lower_the_entropy_are_its_causes_largest_first():
    kinds = {
        "predicted_change/positive_high": -0.3,
        "predicted_change/negative_low": -0.1,
        "predicted_change/positive_low": 0.2,
        "predicted_change/negative_high": 0.1,
    }
    causes = spoken(run(gone(0.3), FLAT, **kinds))["token-collapse"].causes
    assert [cause.split(" ")[0] for cause in causes] == ["praise", "blame"]
    assert "75 % of the predicted fall" in causes[0]


@pytest.mark.parametrize(
    ("to", "reward", "speaks"), [(0.4, FLAT, True), (0.6, FLAT, False), (0.4, CLIMB, False), (0.4, EARLY_GAIN, False)]
)
def test_entropy_spent_for_nothing_is_named(to, reward, speaks):
    assert ("entropy-wasted" in spoken(run(gone(0.3, to), reward))) == speaks


@pytest.mark.parametrize(
    ("factor", "reward", "target", "severity"),
    [
        (2.5, FLAT, None, Severity.CRITICAL),
        (2.5, EARLY_GAIN - (T > 0.5) * 0.5, None, Severity.CRITICAL),
        (2.5, EARLY_GAIN, None, Severity.WARNING),
        (1.9, FLAT, None, None),
        (2.5, FLAT, 2.5, None),
    ],
)
def test_twice_the_entropy_of_the_start_is_an_explosion(factor, reward, target, severity):
    found = spoken(run(gone(0.5, factor), reward, target))
    assert found["token-explosion"].severity is severity if severity else "token-explosion" not in found


def test_a_method_that_changed_nothing_at_ratios_of_1_is_inert():
    found = spoken(run(0.5, CLIMB, selected_fraction=0.0, off_policy_fraction=0.0))
    assert found["inert-method"].severity is Severity.CRITICAL
    assert "nothing-selected" not in found
    off = spoken(run(0.5, CLIMB, selected_fraction=0.0, off_policy_fraction=0.4))
    assert set(off) == {"nothing-selected"}
    assert spoken(run(0.5, CLIMB, selected_fraction=1e-3, off_policy_fraction=0.0)) == {}
    resting = spoken(run(0.5, CLIMB, selected_fraction=0.0, off_policy_fraction=0.4, knob=0.0))
    assert "nothing-selected" not in resting
    rare = 1e-3 * (np.arange(ROWS) % 2)
    assert spoken(run(0.5, CLIMB, selected_fraction=rare, off_policy_fraction=0.4)) == {}


@pytest.mark.parametrize(
    ("asked", "taken", "message"),
    [(0.2, 0.2, "a fraction, not percents"), (2e-4, 2e-3, "at least one"), (2e-3, 2e-3, None), (2e-3, 9e-3, None)],
)
def test_percents_and_single_tokens_of_small_batches_are_named(asked, taken, message):
    found = spoken(run(0.5, CLIMB, selected_fraction=taken, selection_setting=asked, off_policy_fraction=0.4))
    assert message in found["selection-wide"].explanation if message else found == {}


def test_a_knob_at_its_end_with_the_entropy_under_its_target_is_saturated():
    knob = np.minimum(T / 0.4, 1)
    ends = {"knob_least": 0.0, "knob_most": 1.0}
    found = spoken(run(0.3, CLIMB, target=0.5, knob=knob, **ends))
    assert set(found) == {"knob-saturated"}
    assert found["knob-saturated"].steps[0] == STEPS[np.argmax(knob == 1)]
    assert "knob-saturated" in spoken(run(0.3, CLIMB, target=0.5, knob=knob))
    assert spoken(run(0.45, CLIMB, target=0.5, knob=knob, **ends)) == {}
    assert "knob-saturated" not in spoken(run(0.3, CLIMB, target=0.5, knob=0.9 * knob, **ends))


def test_at_rest_at_its_lower_end_a_knob_lets_the_entropy_be_above_its_target():
    ends = {"knob_least": 0.0, "knob_most": 1.0}
    assert spoken(run(1.2, CLIMB, target=0.5, knob=np.maximum(0.1 - T, 0), **ends)) == {}
    found = spoken(run(1.2, CLIMB, target=0.5, knob=0.2 + 0.1 * np.sin(40 * T), **ends))
    assert set(found) == {"token-target-missed"}


@pytest.mark.parametrize(("rows", "speaks"), [(8, True), (3, False)])
def test_a_knob_that_stays_at_its_end_after_the_target_was_crossed_is_wound_up(rows, speaks):
    knob = np.where(T < 0.4, 1.0, 0.3)
    crossed = int(np.argmax(knob < 1)) - rows
    nats = np.where(np.arange(ROWS) < crossed, 0.42, 0.55)
    found = spoken(run(nats, CLIMB, target=0.5, knob=knob, knob_least=0.0, knob_most=1.0))
    assert ("knob-winding" in found) == speaks
    if speaks:
        assert found["knob-winding"].numbers["rows at an end after the target was crossed"] == rows


@pytest.mark.parametrize(
    ("knob", "nats", "speaks"),
    [(0.001 + T, 0.2, True), (0.001 + T, 0.2 + 0.15 * T, False), (0.5 + 0.1 * T, 0.2, False), (0.001 + T, 0.45, False)],
    ids=["no answer", "answers", "hardly grows", "on target"],
)
def test_a_knob_that_grows_and_is_not_answered_runs_away(knob, nats, speaks):
    found = spoken(run(nats, CLIMB, target=0.5, knob=knob, knob_least=0.0, knob_most=9.0))
    assert ("knob-runaway" in found) == speaks
    if speaks:
        assert found["knob-runaway"].kind is Kind.EXPLODING


def test_a_target_is_missed_under_four_fifths_of_it():
    assert set(spoken(run(0.39, CLIMB, target=0.5))) == {"token-target-missed"}
    assert spoken(run(0.41, CLIMB, target=0.5)) == {}
    assert spoken(run(0.9, CLIMB, target=0.5)) == {}


@pytest.mark.parametrize(
    ("predicted", "nats", "speaks"),
    [(-1.0, 1 + 0.5 * T, True), (1.0, 1 - 0.5 * T, True), (-1.0, 1 - 0.5 * T, False), (-1.0, 1 + 0.05 * T, False)],
)
def test_an_entropy_that_goes_against_its_prediction_is_named(predicted, nats, speaks):
    noise = np.random.default_rng(0).normal(size=(2, ROWS))
    series = run(nats + 0.02 * noise[0], CLIMB, predicted_change=predicted + noise[1])
    assert ("prediction-off" in spoken(series)) == speaks
    assert "prediction-off" not in spoken(run(nats, CLIMB, predicted_change=0.05 * predicted + noise[1]))


@pytest.mark.parametrize(
    ("likeliest", "reward", "speaks"),
    [
        (0.9 + 0 * T, FLAT, True),
        (0.9 + 0 * T, CLIMB, False),
        (0.9 + 0 * T, EARLY_GAIN - 0.5, True),
        (0.9 + 0 * T, EARLY_GAIN, False),
        (np.where(T > 0.5, 0.9, 0.2), FLAT, True),
        (0.22 + 0.2 * np.sin(70 * T), FLAT, False),
    ],
    ids=["flat", "learning", "whatever the offset", "little lost", "only late", "noise"],
)
def test_a_policy_whose_likeliest_answers_earn_far_more_is_named(likeliest, reward, speaks):
    found = spoken(run(0.5, reward, likeliest_reward=likeliest))
    assert ("likeliest-earn-more" in found) == speaks
    if speaks:
        one = found["likeliest-earn-more"]
        gap = np.mean((likeliest - reward)[-25:])
        assert one.numbers["likeliest answers earn"] - one.numbers["all answers earn"] == pytest.approx(gap)
        assert one.remedy[0].startswith("entropy_coef=")


def test_prompts_that_teach_nothing_are_named():
    assert set(spoken(run(0.5, CLIMB, groups_without_signal=0.9))) == {"groups-without-signal"}
    assert spoken(run(0.5, CLIMB, groups_without_signal=0.7)) == {}


def test_numbers_that_are_not_finite_are_named_and_critical_if_they_stay():
    lost = spoken(run(0.5, CLIMB, grad_norm=np.where(T > 0.5, np.inf, 1.0)))
    assert lost["token-nonfinite"].severity is Severity.CRITICAL
    back = spoken(run(0.5, CLIMB, grad_norm=np.where(np.arange(ROWS) == 50, np.inf, 1.0)))
    assert back["token-nonfinite"].severity is Severity.WARNING
    assert back["token-nonfinite"].steps[0] == STEPS[50]


def test_rules_without_their_metrics_are_listed_with_what_they_lack():
    lacking = dict(unjudged(run(0.5), FACTS, RULES))
    assert lacking["inert-method"] == ("entropax/selected_fraction", "entropax/off_policy_fraction")
    assert "token-collapse" not in lacking
    judged = verdict(run(0.5, CLIMB), FACTS, RULES)
    assert (judged.kind, judged.asked) == (Kind.HEALTHY, len(RULES))
    assert "entropy 0.5 nats (no target)" in judged.line()


def test_an_entropy_of_0_or_none_at_all_is_left_alone():
    assert spoken(run(0.0, CLIMB, selected_fraction=0.1, predicted_change=0.0)) == {}
    assert spoken({"rollout/ep_rew_mean": column(CLIMB)}) == {}
    assert spoken(run(0.5, CLIMB, target=0.0, knob=0.1)) == {}


def test_a_seed_that_lacks_what_the_other_one_logged_is_judged_by_the_rest():
    more = ("selected_fraction", "off_policy_fraction", "selection_setting", "groups_without_signal", "knob")
    full = run(gone(0.3), FLAT, target=0.5, predicted_change=-1.0, **dict.fromkeys(more, 0.0))
    shared = ("entropy/nats", "rollout/ep_rew_mean")
    values = {name: one.values if name in shared else np.full((ROWS, 1), np.nan) for name, one in full.items()}
    both = {name: Series(STEPS, np.hstack([one.values, values[name]])) for name, one in full.items()}
    found = {finding.rule: finding.seeds for finding in judge(both, replace(FACTS, seeds=(0, 1)), RULES)}
    assert found["token-collapse"] == (0, 1)
    assert found["inert-method"] == (0,)


@pytest.mark.parametrize(
    ("end", "start", "words", "speaks"),
    [(2.29, 1.9, 10, True), (2.2, 1.9, 10, False), (2.29, 1.9, None, False), (2.3, 2.25, 10, False)],
    ids=["chance", "on the way", "of a vocabulary unknown", "where it began"],
)
def test_a_small_vocabulary_explodes_before_its_entropy_doubles(end, start, words, speaks):
    """The way from 1.9 to log 10 = 2.303 is 0.403; nine tenths of it end at 2.262."""
    known = {} if words is None else {"vocabulary": words}
    found = spoken(run(np.where(T < 0.3, start, end), FLAT, **known))
    assert ("token-explosion" in found) == speaks
    if speaks:
        assert "close to that of chance" in found["token-explosion"].explanation


def test_more_entropy_than_the_vocabulary_has_is_none():
    found = spoken(run(250.0 + 100 * T, FLAT, vocabulary=151_936))
    assert set(found) == {"token-entropy-impossible"}
    assert found["token-entropy-impossible"].numbers["largest possible (nats per token)"] == pytest.approx(
        11.931, abs=1e-3
    )
    assert "token-entropy-impossible" not in spoken(run(11.94, FLAT, vocabulary=151_936))


def test_a_target_out_of_reach_is_no_matter_of_a_larger_coefficient():
    log = run(2.2, FLAT, target=2.31, knob=0.01 * (1 + T), vocabulary=10)
    assert set(spoken(log)) == {"token-target-unreachable"}
    assert spoken(log)["token-target-unreachable"].severity is Severity.CRITICAL
    assert "token-target-unreachable" not in spoken(run(2.2, FLAT, target=2.29, vocabulary=10))


def test_every_rule_has_its_own_id_and_silences_only_later_ones():
    ids = [rule.id for rule in RULES]
    assert len({*ids, *(rule.id for rule in RULES_OF_ACTIONS)}) == len(RULES) + len(RULES_OF_ACTIONS)
    for place, rule in enumerate(RULES):
        assert set(rule.silences) <= set(ids[place + 1 :])


@pytest.mark.parametrize("rule", [rule.id for rule in RULES])
def test_every_rule_has_its_row_on_the_page(rule):
    assert f"\n| `{rule}` |" in PAGE


@pytest.mark.parametrize("dialect", [TOKENS, TRL, VERL], ids=["ours", "TRL", "verl"])
def test_every_dialect_of_tokens_knows_every_knob(dialect):
    assert set(dialect.settings) == set(TokenKnob)
    said = [dialect.say(knob, "0.25") for knob in TokenKnob]
    assert all("0.25" in words and "{" not in words for words in said)
