"""Rules about returns, swings, frozen networks, ends of episodes and Q: where each must speak, and near misses."""

import math

import numpy as np
import pytest
from made_series import CLIMB, EARLY_GAIN, H_MAX, LATE_GAIN, ROWS, STEPS, UPDATES, T, column, returns, run, spoken

from entropax.diagnostics.findings import Severity
from entropax.diagnostics.rules.rule import TOLERANCE, on_target

ALTERNATING = np.where(np.arange(ROWS) % 2, 1.0, -1.0)


def test_saturated_actions_speak_unless_the_return_has_come_of_it():
    share = {"entropy/saturation": column(np.where(T < 0.3, 0.1, 0.6))}
    found = spoken(run(-1.0, **share))["saturated-actions"]
    assert found.steps[0] == STEPS[np.argmax(T >= 0.3)]
    assert "saturated-actions" not in spoken(run(-1.0, **share, **returns(LATE_GAIN)))
    assert "saturated-actions" not in spoken(run(-1.0, **{"entropy/saturation": column(0.45)}))


@pytest.mark.parametrize(
    ("mode", "rule"), [(210.0, "noise-costs-return"), (70.0, "mode-loses"), (190.0, None), (85.0, None)]
)
def test_noise_may_cost_half_of_what_was_learned_and_bring_a_quarter(mode, rule):
    series = run(-1.0, **returns(EARLY_GAIN), **{"eval/mean_reward": column(mode)})
    assert set(spoken(series)) == ({rule} if rule else set())


@pytest.mark.parametrize(
    ("nats", "mode", "widest", "speaks"),
    [(0.6, 130.0, H_MAX, True), (0.6, 103.0, H_MAX, False), (0.4, 130.0, H_MAX, False), (0.6, 130.0, math.nan, False)],
    ids=["nearly uniform", "for next to nothing", "wide", "no known range"],
)
def test_of_a_nearly_uniform_policy_the_noise_may_cost_next_to_nothing(nats, mode, widest, speaks):
    series = run(nats, target=math.nan, **returns(EARLY_GAIN), **{"eval/mean_reward": column(mode)})
    found = spoken(series, entropy_maximum=widest)
    assert ("noise-costs-return" in found) == speaks
    if speaks:
        assert "The policy is nearly uniform" in found["noise-costs-return"].explanation


def test_an_evaluation_as_noisy_as_its_difference_says_nothing():
    noisy = 250 + 350 * np.where(np.arange(ROWS) % 2, 1, -1)
    assert spoken(run(-1.0, **returns(EARLY_GAIN), **{"eval/mean_reward": column(noisy)})) == {}


def test_while_the_return_rises_the_lag_of_its_mean_is_no_gap():
    series = run(-1.0, **returns(CLIMB), **{"eval/mean_reward": column(2 * CLIMB)})
    assert "noise-costs-return" not in spoken(series)


def test_episodes_that_stop_ending_are_named():
    count = np.where(T < 0.3, 5.0, 0.0)
    series = run(-1.0, **{"rollout/episodes": column(count), "rollout/ep_len_mean": column(1000.0)})
    found = spoken(series)["episodes-never-end"]
    assert found.steps[0] == STEPS[np.flatnonzero(count)[-1]]
    long = {"rollout/ep_len_mean": column(15_000.0)}
    assert "episodes-never-end" not in spoken(series | long)
    assert "episodes-never-end" not in spoken(series | {"rollout/episodes": column(np.where(T < 0.8, 5.0, 0.0))})


@pytest.mark.parametrize(("level", "severity"), [(80.0, Severity.CRITICAL), (97.0, Severity.WARNING), (110.0, None)])
def test_a_return_is_compared_with_the_best_policy_that_needs_no_training(level, severity):
    found = spoken(run(-1.0, **returns(level)), baselines={"zero action": 100.0, "uniform policy": 20.0})
    assert ("below-baseline" in found) == (severity is not None)
    if severity is not None:
        assert found["below-baseline"].severity is severity
        assert "the zero action" in found["below-baseline"].explanation


@pytest.mark.parametrize(("episodes", "speaks"), [(1.0, False), (20.0, True)])
def test_a_baseline_of_ten_episodes_is_as_uncertain_as_the_episodes_vary(episodes, speaks):
    varying = returns(115 + 10 * ALTERNATING, **{"rollout/episodes": column(episodes)})
    found = spoken(run(-1.0, **varying), baselines={"zero action": 100.0})
    assert ("below-baseline" in found) == speaks
    if speaks:
        assert found["below-baseline"].severity is Severity.WARNING


@pytest.mark.parametrize(
    ("mode", "noise", "speaks"),
    [(60.0, 60.0, True), (150.0, 60.0, False), (60.0, 6.0, False)],
    ids=["by chance", "the mode is above too", "beyond the noise"],
)
def test_samples_above_a_baseline_by_chance_have_learned_nothing_that_their_mode_knows(mode, noise, speaks):
    values = 60 + np.where(T > 0.7, 100, noise * ALTERNATING)
    series = returns(values, **{"rollout/episodes": column(1.0), "eval/mean_reward": column(mode)})
    found = spoken(run(-1.0, **series), baselines={"zero action": 60.0})
    assert ("below-baseline" in found) == speaks
    if speaks:
        assert "returns 160, which its noise does not tell from the zero action" in found["below-baseline"].explanation


def test_below_a_baseline_and_still_rising_is_only_a_warning():
    found = spoken(run(-1.0, **returns(CLIMB)), baselines={"zero action": 200.0})["below-baseline"]
    assert found.severity is Severity.WARNING


@pytest.mark.parametrize(
    ("mode", "speaks"),
    [(99.0, True), (130.0, False), (60 + 40 * T, False), (None, False)],
    ids=["stays at the baseline", "above it", "rises to it", "not evaluated"],
)
def test_samples_that_rise_to_a_baseline_have_learned_nothing_unless_their_mode_has(mode, speaks):
    rise = 60 + 40 * np.minimum(T / 0.75, 1)
    evaluated = {} if mode is None else {"eval/mean_reward": column(mode)}
    found = spoken(run(-1.0, **returns(rise), **evaluated), baselines={"zero action": 100.0})
    assert ("below-baseline" in found) == speaks
    if speaks:
        assert found["below-baseline"].severity is Severity.WARNING
        assert "its mode does not" in found["below-baseline"].explanation


def test_below_a_baseline_a_slow_rise_over_the_last_half_is_a_rise():
    wiggle = 4 * np.where(np.arange(ROWS) % 2, 1, -1)
    slow = 50 + wiggle + 20 * np.clip(T - 0.5, 0, 1)
    baseline = {"zero action": 200.0}
    assert spoken(run(-1.0, **returns(slow)), baselines=baseline)["below-baseline"].severity is Severity.WARNING
    flat = spoken(run(-1.0, **returns(50 + wiggle)), baselines=baseline)["below-baseline"]
    assert flat.severity is Severity.CRITICAL


# Networks that stand still, alpha that does not, and how episodes end


def norms(actor, critic, updates=UPDATES):
    counts = {"train/n_updates": column(updates * np.arange(1, ROWS + 1))}
    return {"train/actor_param_norm": column(actor), "train/critic_param_norm": column(critic)} | counts


def test_a_network_whose_norm_stands_still_is_frozen():
    moving, still = 10 + T, 10 + 5e-4 * T
    found = spoken(run(-1.0, **norms(moving, still)))["frozen-network"]
    assert found.severity is Severity.CRITICAL
    assert "The critic did not change" in found.explanation
    assert "The actor did not change" in spoken(run(-1.0, **norms(still, moving)))["frozen-network"].explanation
    assert "frozen-network" not in spoken(run(-1.0, **norms(moving, 10 + 2e-3 * T)))
    assert "frozen-network" not in spoken(run(-1.0, **norms(moving, still, updates=20)))


@pytest.mark.parametrize(
    ("wave", "speaks"),
    [
        (0.6 * ALTERNATING, True),
        (0.4 * ALTERNATING, False),
        (1.0 * np.sin(2 * np.pi * 4 * T), False),
        (5.0 * T, False),
    ],
    ids=["thrown about", "little", "long waves", "travelling"],
)
def test_alpha_swings_when_it_turns_from_row_to_row(wave, speaks):
    assert ("alpha-swings" in spoken(run(-1.0 + 0.5 * ALTERNATING, log_alpha=-3 + wave))) == speaks


@pytest.mark.parametrize(
    ("nats", "target", "speaks"),
    [
        (-1.0, -1.0, False),
        (-1.0 + 0.3 * ALTERNATING, -1.0, False),
        (-1.0 + 0.4 * ALTERNATING, -1.0, True),
        (-1.0 - 0.3 * T, -1.0, True),
        (-0.7, -1.0, False),
        (-1.0 + 0.4 * ALTERNATING, math.nan, True),
        (-2.0 * T, math.nan, False),
    ],
    ids=["held", "swings a little", "swings too", "under its target", "unspent", "no target", "trend without a target"],
)
def test_an_alpha_that_swings_is_a_finding_only_where_the_entropy_does_not_hold(nats, target, speaks):
    assert ("alpha-swings" in spoken(run(nats, log_alpha=-3 + ALTERNATING, target=target))) == speaks


def test_on_target_is_a_quarter_nat_below_to_half_a_nat_above():
    assert [on_target(slack) for slack in (-0.26, -0.24, 0.49, 0.51)] == [False, True, True, False]
    assert not on_target(0.3, above=TOLERANCE)


def endings(terminations, lengths, episodes=5.0):
    return {
        "rollout/episodes": column(episodes),
        "rollout/terminations": column(terminations),
        "rollout/ep_len_mean": column(lengths),
    }


@pytest.mark.parametrize(
    ("terminations", "lengths", "speaks"),
    [
        (5.0, 200.0, True),
        (5.0, 200.0 - 50 * T, False),
        (0.0, 200.0, False),
        (0.0, 200.0 - 50 * T, True),
        (1.0, 200.0 - 50 * T, False),
        (5.0, 2.0, False),
    ],
    ids=["limit terminates", "tasks end", "limits", "ends are cut short", "both kinds", "a task of two steps"],
)
def test_terminations_at_one_length_and_limits_at_many_are_named(terminations, lengths, speaks):
    assert ("episode-ends" in spoken(run(-1.0, **endings(terminations, lengths)))) == speaks


@pytest.mark.parametrize(("length", "speaks"), [(200.0, False), (100.0, True)])
def test_a_task_that_is_over_at_a_fixed_step_may_terminate_there(length, speaks):
    assert ("episode-ends" in spoken(run(-1.0, **endings(5.0, 200.0)), task_length=length)) == speaks


@pytest.mark.parametrize(
    ("q", "speaks"),
    [
        (5.0, False),
        (0.3, True),
        (0.6, False),
        (300.0, True),
        (90.0, False),
        (0.3 * np.exp(3 * T), False),
        (0.02 + 0.4 * T, False),
        (3.0 - 3.5 * T, False),
    ],
    ids=["fits", "too small", "small", "too large", "large", "still growing", "doubles in a run", "crosses 0"],
)
def test_q_is_compared_with_what_the_returns_are_worth(q, speaks):
    # 10 in 200 steps: 0.05 a step, worth 4.33 where episodes end; at most their 10, and 0.2 for the entropy to come.
    known = {"train/q_mean": column(q), "rollout/ep_len_mean": column(200.0)}
    assert ("q-off-returns" in spoken(run(-1.0, log_alpha=np.log(1e-3), **known))) == speaks


def test_steps_that_were_not_finite_are_counted_and_explain_short_episodes():
    skipped = {"rollout/skipped_steps": column(np.where(np.arange(ROWS) == 7, 3.0, 0.0))}
    found = spoken(run(-1.0, **skipped, **endings(0.0, 200.0 - 50 * T)))
    assert "3 steps were not finite" in found["nonfinite"].explanation
    assert found["nonfinite"].steps[0] == STEPS[7]
    assert "episode-ends" not in found
