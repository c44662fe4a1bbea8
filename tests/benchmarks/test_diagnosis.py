"""The diagnosis benchmark: its list of faults, and the arithmetic of its tables on seeds made up here."""

import json
import math
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.diagnostics.window import Facts, Series
from entropax.runs import to_config
from entropax.types import continuous

FOLDER = Path(__file__).parents[2] / "benchmarks" / "diagnosis"


@pytest.fixture(scope="module", autouse=True)
def _importable():
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))
    for name in (
        "episodes",
        "faults",
        "fifth",
        "fourth",
        "fresh",
        "healthy",
        "mistakes",
        "run",
        "score",
        "setting",
        "sixth",
        "tasks",
        "third",
        "third_tasks",
    ):
        sys.modules.pop(name, None)


def test_every_rule_that_may_name_a_fault_exists_and_every_setting_has_its_own_name():
    import run

    from entropax.diagnostics.rules import RULES

    ids = {rule.id for rule in RULES}
    faults = [entry.fault for entry in run.entries() if entry.fault is not None]
    assert [(fault.alters, rule) for fault in faults for rule in fault.rules if rule not in ids] == []
    assert all(fault.rules for fault in faults)
    names = [entry.setting.name for entry in run.entries()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6])
def test_every_set_has_sixty_runs_of_either_kind(number):
    import run
    import setting

    faulty = [entry.fault is not None for entry in run.entries() if entry.number == number]
    assert sum(faulty) * len(setting.SEEDS) >= 60
    assert (len(faulty) - sum(faulty)) * len(setting.SEEDS) >= 60


def test_rows_and_evaluations_fall_on_whole_pieces_so_that_one_program_is_compiled():
    import run

    for one in (entry.setting for entry in run.entries()):
        assert one.training.log_every % 100 == 0, one.name
        assert one.training.evaluate_every % one.training.log_every == 0, one.name


def _straight(seen, key):
    return jnp.clip(-seen / 0.2, -1, 1)


def _fill(seen, key):
    """Inflow that balances the leak at the level asked for, and mends the difference in a step; from [0, 1]."""
    level, asked = seen
    return 2 * jnp.clip(0.5 * jnp.sqrt(asked) + (asked - level) / 0.2, 0, 1)[None] - 1


def _reach(seen, key):
    """Damped least squares on the tip's distance, in units of 0.3 rad."""
    cosines, sines, off = seen[:2], seen[2:4], seen[4:]
    jacobian = 0.5 * jnp.array([[-sines.sum(), -sines[1]], [cosines.sum(), cosines[1]]])
    step = -jacobian.T @ jnp.linalg.solve(jacobian @ jacobian.T + 0.005 * jnp.eye(2), off)
    return jnp.clip(step / 0.3, -1, 1)


def _brake(seen, key):
    return jnp.clip(-(0.3 * seen[:2] + seen[2:]) / 0.15, -1, 1)


def _hit(seen, key):
    return seen


def _steer(seen, key):
    offset, sine, cosine = seen
    return jnp.clip((jnp.clip(-offset, -1, 1) - jnp.arctan2(sine, cosine)) / 0.3, -1, 1)[None]


def _hold(seen, key):
    return jnp.clip(-1.1 * seen / 0.15, -1, 1)


def _upright(seen, key):
    """Feedback of a linear controller, in units of 10 N."""
    position, _, sin, velocity, angular = seen
    return jnp.clip(0.1 * position + 4 * sin + 0.2 * velocity + angular, -1, 1)[None]


_SECOND = [("POINTS", _straight), ("SIX", _straight), ("TANK", _fill), ("POLE", _upright)]
_NEWEST = [("ARM", _reach), ("PUCK", _brake), ("AIM", _hit), ("LANE", _steer), ("LEDGE", _hold)]


@pytest.mark.parametrize(("name", "policy"), _SECOND + _NEWEST)
def test_a_scripted_policy_solves_a_task_and_uniform_actions_do_not(name, policy):
    import episodes
    import tasks
    import third_tasks

    newest = third_tasks.THIRD_TASKS
    task = getattr(tasks, name, None) or getattr(third_tasks, name)
    environment, solved = newest[task] if task in newest else tasks.environment(task)
    size = continuous(environment.spec).size
    keys = jax.random.split(jax.random.key(0), 100)

    def mean(policy):
        return jnp.mean(jax.vmap(lambda key: episodes.episode_return(environment, policy, key))(keys))

    assert mean(policy) >= solved
    assert mean(lambda seen, key: jax.random.uniform(key, (size,), minval=-1.0)) < solved


def test_an_altered_task_scales_what_is_seen_done_and_paid():
    import tasks

    points = tasks.Points(2)
    state, action, key = jnp.array([0.5, -1.0]), jnp.array([1.0, 1.0]), jax.random.key(0)
    altered = tasks.Altered(points, sees=10.0, does=-1.0, pays=100.0)
    after, reward, _ = altered.step(state, action, key=key)
    assert altered.observe(state).tolist() == [5.0, -10.0]
    assert after == pytest.approx([0.3, -1.2])
    assert float(reward) == pytest.approx(-75.0)
    pushed, _, _ = tasks.Altered(points, gusts=0.1).step(state, action, key=key)
    assert 0 < float(jnp.max(jnp.abs(pushed - jnp.array([0.7, -0.8])))) < 0.1
    assert math.isnan(tasks.Altered(points, nan_share=1.0).step(state, action, key=key)[1])


def test_the_third_set_has_every_fault_of_the_first_two_and_every_task():
    import faults
    import fresh
    import third
    import third_tasks

    names = {fault.setting.name.removeprefix("fault, ") for fault in faults.FAULTS}
    names |= {fault.alters for fault in fresh.FRESH_FAULTS} - {"target 0.6 per dimension"}
    assert {fault.alters for fault in third.THIRD_FAULTS} == names
    assert set(third._PAID | third._MET) <= names
    met = [fault.setting.name.split(", ")[1] for fault in third.THIRD_FAULTS]
    assert {met.count(task) for task in third_tasks.THIRD_TASKS} <= {7, 8, 9}


def test_the_fourth_set_has_every_fault_and_law_in_new_pairs_and_on_new_seeds():
    import fourth
    import setting
    import third

    faults = {fourth.told(fault.setting) for fault in fourth.FOURTH_FAULTS}
    assert {name for name, _ in faults} == {fault.alters for fault in third.THIRD_FAULTS}
    old = fourth.met_faults((*fourth.FRESH_FAULTS, *third.THIRD_FAULTS))
    assert faults & old <= {("termination truncates", "balance"), ("termination truncates", "ledge")}
    laws, met = fourth.laws_of((*fourth.HEALTHY, *fourth.FRESH_HEALTHY, *third.THIRD_HEALTHY))
    assert ("PI", "arm") in met
    pairs = {fourth.told(one) for one in fourth.FOURTH_HEALTHY}
    assert {name for name, _ in pairs} == set(laws)
    assert not pairs & met
    both = [*fourth.FOURTH_HEALTHY, *(fault.setting for fault in fourth.FOURTH_FAULTS)]
    assert all(not set(one.seeds) & set(setting.SEEDS) for one in both)
    assert all("mended-collapse" in f.rules for f in fourth.FOURTH_FAULTS if "premature-collapse" in f.rules)


@pytest.mark.parametrize("number", [5, 6])
def test_the_newer_sets_have_every_law_and_24_faults_in_pairs_and_on_seeds_that_no_set_had(number):
    import fourth
    import run

    older = [one for one in run.entries() if one.number < number]
    here = [one for one in run.entries() if one.number == number]
    assert not {seed for one in here for seed in one.setting.seeds} & {s for one in older for s in one.setting.seeds}
    laws, met = fourth.laws_of(one.setting for one in older if one.fault is None)
    pairs = {fourth.told(one.setting) for one in here if one.fault is None}
    assert {name for name, _ in pairs} == set(laws)
    assert {name for name, _ in pairs & met} <= {"Dual"}
    faults = [one.fault for one in here if one.fault is not None]
    assert len({fault.alters for fault in faults}) == len(faults) == 24
    old = fourth.met_faults(one.fault for one in older if one.fault is not None and one.number > 1)
    assert {name for name, _ in {fourth.told(fault.setting) for fault in faults} & old} <= {"termination truncates"}
    assert all("slow-collapse" in fault.rules for fault in faults if "premature-collapse" in fault.rules)


def test_a_kept_configuration_takes_fields_that_came_later_at_their_defaults_and_none_that_differ():
    import faults
    import healthy
    import setting

    for algorithm in (healthy.HEALTHY[0].algorithm, faults.FAULTS[3].setting.algorithm):
        asked = to_config(algorithm)
        assert setting._read_today(asked) == asked
    training = to_config(healthy.HEALTHY[0].training)
    older = {name: value for name, value in training.items() if name != "seeds_in"}
    assert setting._read_today(older) == training
    assert setting._read_today(older | {"steps": 1}) != training


def _seed(number, alters, solved, on_target, *findings):
    import score

    return score.Judged(
        "one", number, score.part_of(1, number), alters, ("nonfinite", "mode-loses"), solved, on_target, findings
    )


def test_recall_counts_expected_findings_of_harmed_seeds_and_alarms_those_of_solved_healthy_ones():
    import score

    seeds = [
        _seed(0, "x", False, True, ("nonfinite", "critical"), ("slow-collapse", "warning")),
        _seed(2, "x", True, False, ("mode-loses", "warning")),
        _seed(4, "x", False, False, ("slow-collapse", "critical")),
        _seed(6, "x", True, True),
        _seed(8, "", True, True),
        _seed(10, "", True, True, ("mode-loses", "warning"), ("nonfinite", "critical")),
        _seed(12, "", False, True, ("nonfinite", "critical")),
        _seed(1, "x", False, False),
    ]
    told = score.summary(seeds, score.TUNING)
    assert told["recall"] == score.Share(2, 3)
    assert told["recall, critical findings only"] == score.Share(1, 3)
    assert told["recall, any rule"] == score.Share(3, 3)
    assert told["recall, harmless ones included"] == score.Share(2, 4)
    assert (told["healthy"], told["without a fault, not solved"], told["harmless here"]) == (2, 1, 1)
    assert told["false alarms per run"] == 1.0
    assert told["critical false alarms per run"] == 0.5
    assert told["healthy runs with a finding"] == score.Share(1, 2)
    assert score.summary(seeds, score.HELD_OUT)["recall"] == score.Share(0, 1)
    assert score.by_rule(seeds, ["nonfinite", "slow-collapse"], score.TUNING) == [
        ("nonfinite", 3, 1, 1),
        ("slow-collapse", 0, 0, 0),
    ]
    (row,) = score.by_setting(seeds[:4], score.TUNING)
    assert row[:4] == ("one", 4, 2, "2 of 3")
    (row,) = score.by_fault(seeds[:4], score.TUNING)
    assert row == ("one", "3", "2", "`nonfinite` 1, `slow-collapse` 2 (not expected), `mode-loses` 1")


def test_a_set_that_is_judged_replaces_its_own_results_alone(tmp_path, monkeypatch):
    import run

    monkeypatch.setattr(run, "RESULTS", tmp_path / "results.json")
    run.RESULTS.write_text("{}")
    first = run.told([_seed(0, "x", False, True, ("nonfinite", "critical")), _seed(1, "", True, True)], "a")
    run.write({"third": first, "first": first})
    run.write({"third": run.told([_seed(0, "", True, True)], "b")})
    kept = json.loads(run.RESULTS.read_text())
    assert list(kept) == ["first", "third"]
    assert kept["first"]["summary"]["tuning"]["recall"]["count"] == 1
    assert list(kept["first"]["summary"]) == ["tuning", "held out"]
    assert (kept["third"]["command"], len(kept["third"]["seeds"])) == ("b", 1)


def test_what_is_harm_is_what_the_rules_let_pass_and_no_target_is_never_missed():
    import run

    facts = Facts(seeds=(0,), action_dimensions=2, entropy_maximum=0.684)
    steps = np.arange(1, 41)

    def on_target(nats, meant):
        return run._on_target({"entropy/nats": Series(steps, np.full((40, 1), 2 * nats))}, facts, meant)

    assert [on_target(-1 + slack, -1.0) for slack in (-0.3, -0.2, 0.4, 0.6)] == [False, True, True, False]
    assert on_target(-5.0, math.nan)


def test_wilson_s_interval_keeps_its_width_where_all_agree():
    import score

    # The lower end at n of n is n / (n + z²), z = 1.96.
    low, high = score.Share(16, 16).interval
    assert low == pytest.approx(16 / (16 + 1.96**2), abs=1e-4)
    assert high == 1
    assert score.Share(0, 0).interval == (0.0, 1.0)
