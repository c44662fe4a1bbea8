"""Remedies fit the algorithm that ran, its kind of actions, and what its log holds."""

import math

import numpy as np
import pytest
from made_series import CLIMB, FLAT, ROWS, STEPS, D, T, column, returns, run, spoken
from tensorboardX import SummaryWriter

from entropax.diagnostics.dialects import (
    CLEANRL,
    CLEANRL_DETERMINISTIC,
    CLEANRL_GREEDY,
    CLEANRL_ON_POLICY,
    ENTROPAX,
    META_SAC,
    OF_CATEGORIES,
    SB3,
    SB3_DETERMINISTIC,
    SB3_GREEDY,
    SB3_ON_POLICY,
    SB3_ON_POLICY_STEERED,
    SB3_STEERED,
    Knob,
)
from entropax.diagnostics.readers import Known, read_log
from entropax.diagnostics.readers.names import OWN
from entropax.diagnostics.readers.names import SB3 as SB3_NAMES
from entropax.diagnostics.rules import judge
from entropax.diagnostics.window import in_last_quarter

COLLAPSE = np.where(T < 0.2, 1.4, -6.0)
DISCRETE = {"dialect": OF_CATEGORIES, "categories": True, "entropy_maximum": math.log(2), "action_dimensions": 1}


def logged(folder, rows):
    """What a folder of TensorBoard events holds, as the rules see it."""
    with SummaryWriter(str(folder)) as writer:
        for tag, values in rows.items():
            for step, value in zip(STEPS, np.broadcast_to(values, (ROWS,)), strict=True):
                writer.add_scalar(tag, float(value), int(step))
    return read_log([folder], {}, Known(action_dimensions=1))


def said(findings):
    """All remedies, as one text."""
    return "\n".join(remedy for finding in findings for remedy in finding.remedy)


def without_alpha(series):
    """A run whose log has no temperature, as of an on-policy method."""
    return {name: one for name, one in series.items() if not name.startswith("train/ent_coef")}


NOISY = [SB3_DETERMINISTIC, SB3_GREEDY, CLEANRL_DETERMINISTIC, CLEANRL_GREEDY]


@pytest.mark.parametrize(
    "dialect", [SB3_ON_POLICY, SB3_STEERED, SB3_ON_POLICY_STEERED, CLEANRL_ON_POLICY, META_SAC, OF_CATEGORIES, *NOISY]
)
def test_every_dialect_has_words_for_every_knob(dialect):
    assert set(dialect.settings) == set(Knob)
    assert "{" not in "".join(dialect.say(knob, "0.25") for knob in Knob)


@pytest.mark.parametrize(
    ("tag", "sign", "bonus"),
    [("train/entropy_loss", -1.0, "ent_coef=0.01"), ("losses/entropy", 1.0, "--ent-coef 0.01")],
    ids=["Stable-Baselines3", "CleanRL"],
)
def test_an_on_policy_log_is_advised_in_settings_that_ppo_takes(tmp_path, tag, sign, bonus):
    reward = {"train/entropy_loss": "rollout/ep_rew_mean", "losses/entropy": "charts/episodic_return"}[tag]
    log = logged(tmp_path / "a", {tag: sign * COLLAPSE, reward: 10.0})
    (found,) = judge(log.series, log.facts)
    assert (found.rule, found.remedy[1]) == ("premature-collapse", bonus)
    assert "auto" not in said([found]) and "target_entropy=-" not in said([found])


@pytest.mark.parametrize(
    ("rows", "dialect", "more"),
    [
        ({"train/actor_loss": 1.0}, SB3_DETERMINISTIC, "a larger sigma of action_noise"),
        ({"rollout/exploration_rate": 0.1}, SB3_GREEDY, "a larger exploration_final_eps"),
        ({"losses/actor_loss": 1.0}, CLEANRL_DETERMINISTIC, "a larger --exploration-noise"),
        ({"losses/td_loss": 1.0}, CLEANRL_GREEDY, "a larger --end-e"),
    ],
    ids=["SB3's TD3", "SB3's DQN", "CleanRL's TD3", "CleanRL's DQN"],
)
def test_a_log_of_what_explores_by_noise_is_advised_in_its_settings(tmp_path, rows, dialect, more):
    reward = "charts/episodic_return" if dialect.name == "CleanRL" else "rollout/ep_rew_mean"
    log = logged(tmp_path / "a", rows | {reward: FLAT})
    assert log.facts.dialect is dialect
    found = spoken(log.series, baselines={"zero action": 10.0}, dialect=dialect)["below-baseline"]
    assert more in said([found]) and "ent_coef" not in said([found]) and "alpha" not in said([found])


def test_sac_s_log_with_a_temperature_is_not_taken_for_td3_s(tmp_path):
    log = logged(tmp_path / "a", {"train/actor_loss": 1.0, "train/ent_coef": 0.1, "rollout/ep_rew_mean": 1.0})
    assert log.facts.dialect is SB3
    log = logged(tmp_path / "b", {"losses/actor_loss": 1.0, "losses/alpha": 0.1, "charts/episodic_return": 1.0})
    assert log.facts.dialect is CLEANRL


def test_a_log_of_theirs_with_our_callback_s_names_is_theirs(tmp_path):
    rows = {"entropy/nats": -0.3, "rollout/ep_rew_mean": 1.0}
    theirs = {"train/learning_rate": 3e-4, "train/ent_coef": 0.1}
    log = logged(tmp_path / "a", rows | theirs)
    assert log.library is SB3_NAMES and log.facts.dialect is SB3
    assert log.facts.entropy_maximum < math.log(2)
    ppo = logged(tmp_path / "b", rows | theirs | {"train/entropy_loss": 1.1})
    assert ppo.facts.dialect is SB3_ON_POLICY and math.isnan(ppo.facts.entropy_maximum)
    # Ours is in [-1, 1], theirs in environment units.
    assert ppo.series["entropy/nats"].values == pytest.approx(-0.3)
    assert logged(tmp_path / "c", rows).library is OWN


def test_adam_s_limit_is_that_of_the_quarter_that_is_judged(tmp_path):
    rate = 3e-4 * (1 - T)
    log = logged(tmp_path / "a", {"train/learning_rate": rate, "train/ent_coef": 0.1, "train/ent_coef_loss": 0.0})
    late = in_last_quarter(STEPS)
    assert log.facts.temperature_rate == pytest.approx(rate[late].mean())


def test_targets_of_categories_are_shares_of_their_largest_entropy():
    rising = np.linspace(-3, 2, ROWS)
    found = spoken(run(0.6 / D, rising, target=0.98 * math.log(2) / D), **DISCRETE)["target-out-of-reach"]
    assert found.remedy == (OF_CATEGORIES.say(Knob.TARGET, "0.5") + ", half of log n",)
    uniform = spoken(run(0.6 / D, target=0.9 * math.log(2) / D), **DISCRETE)["target-near-uniform"]
    assert uniform.remedy == found.remedy
    held = spoken(run(0.01, target=math.nan), **{**DISCRETE, "entropy_maximum": math.log(1000)})["premature-collapse"]
    assert held.remedy[0] == OF_CATEGORIES.say(Knob.TARGET, "0.5")
    box = spoken(run(0.6, rising, target=0.69))["target-out-of-reach"]
    assert box.remedy[1] == ENTROPAX.say(Knob.TARGET, "-1.0") + ", the published one"


def test_no_remedy_has_a_number_that_the_log_lacks():
    mended = np.where(T < 0.4, -6.0, 0.5)
    log = {
        "mended-collapse": run(mended, target=math.nan, **returns(CLIMB)),
        "target-missed": run(-2.0, **returns(FLAT)),
        "below-baseline": run(-1.0, **returns(FLAT + 1.0)),
    }
    for rule, series in log.items():
        findings = spoken(without_alpha(series), baselines={"zero action": 10.0}, dialect=SB3_ON_POLICY)
        assert rule in findings
        assert "n/a" not in said(findings.values())
    assert "alpha was not logged" in spoken(without_alpha(log["target-missed"]))["target-missed"].explanation


def test_a_coefficient_of_0_is_not_advised_again():
    none = {"train/ent_coef": column(0.0)}
    series = run(-6.0, target=math.nan, **none, **returns(FLAT + 1.0))
    findings = spoken(series, baselines={"zero action": 10.0}, dialect=SB3_ON_POLICY)
    assert findings["below-baseline"].remedy[2] == "ent_coef=0.01 where it is not"
    assert findings["premature-collapse"].remedy[1] == "ent_coef=0.01"
    shares = {"entropy/share_of_soft_value": column(0.0)}
    irrelevant = spoken(run(-1.0, target=math.nan, **none, **shares), dialect=SB3)["alpha-irrelevant"]
    assert irrelevant.remedy[1] == "ent_coef=0.01"


def test_a_rate_that_is_not_known_is_not_compared_with():
    falling = np.linspace(0, -8, ROWS)
    collapse = spoken(run(np.where(T < 0.2, 0.6, -6.0), falling), temperature_rate=math.nan)["premature-collapse"]
    assert collapse.remedy[0].endswith("3e-5: a tenth of the published rate")
    swings = 2.0 * np.where(np.arange(ROWS) % 2, 1, -1)
    found = spoken(run(swings, swings), temperature_rate=math.nan)["alpha-swings"]
    assert found.remedy[0].endswith("3e-4, the published rate")


# What is said is what the numbers are


def test_a_target_that_is_only_close_to_the_largest_is_not_called_above_it():
    near, above = (spoken(run(0.6, target=goal))["target-out-of-reach"].explanation for goal in (0.67, 0.7))
    assert "0.67 nats per dimension is so close to the 0.684" in near
    assert "0.7 nats per dimension is above the 0.684" in above
    unknown = spoken(without_alpha(run(0.6, target=0.7)))["target-out-of-reach"].explanation
    assert unknown.endswith("so nothing ever stops alpha.")


def test_noise_is_no_share_of_what_was_learned_where_nothing_was():
    series = run(0.6, target=math.nan, **returns(-1000 - 500 * T), **{"eval/mean_reward": column(-1200.0)})
    explanation = spoken(series)["noise-costs-return"].explanation
    assert "so the noise costs that difference" in explanation and "%" not in explanation


def test_a_metric_that_came_back_in_between_was_not_lost_from_the_first_row_on():
    loss = np.ones(ROWS)
    loss[[3, -1]] = np.inf
    broken = spoken(run(-1.0, **{"train/critic_loss": column(loss)}))["nonfinite"].explanation
    assert f"was not finite in 2 rows, first at step {STEPS[3]}" in broken
    loss[3:] = np.inf
    lasting = spoken(run(-1.0, **{"train/critic_loss": column(loss)}))["nonfinite"].explanation
    assert f"is not finite from step {STEPS[3]} on" in lasting


def test_a_single_count_of_episodes_is_too_little_to_say_that_none_end():
    counted = np.full(ROWS, np.nan)
    counted[0] = 0.0
    assert "episodes-never-end" not in spoken(run(-1.0, **{"rollout/episodes": column(counted)}))
