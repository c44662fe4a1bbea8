"""The diagnosis benchmark: its list of faults, and the arithmetic of its tables on seeds made up here."""

import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks" / "diagnosis"


@pytest.fixture(scope="module", autouse=True)
def _importable():
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))
    for name in ("episodes", "faults", "healthy", "mistakes", "run", "score", "setting"):
        sys.modules.pop(name, None)


def test_every_rule_that_may_name_a_fault_exists_and_every_setting_has_its_own_name():
    import faults
    import healthy

    from entropax.diagnostics.rules import RULES

    ids = {rule.id for rule in RULES}
    assert [(fault.alters, rule) for fault in faults.FAULTS for rule in fault.rules if rule not in ids] == []
    assert all(fault.rules for fault in faults.FAULTS)
    names = [setting.name for setting in healthy.HEALTHY] + [fault.setting.name for fault in faults.FAULTS]
    assert len(set(names)) == len(names)


def test_there_are_sixty_runs_of_either_kind():
    import faults
    import healthy
    import setting

    assert len(healthy.HEALTHY) * len(setting.SEEDS) >= 60
    assert len(faults.FAULTS) * len(setting.SEEDS) >= 60


def test_rows_and_evaluations_fall_on_whole_pieces_so_that_one_program_is_compiled():
    import faults
    import healthy

    for one in (*healthy.HEALTHY, *(fault.setting for fault in faults.FAULTS)):
        assert one.training.log_every % 100 == 0, one.name
        assert one.training.evaluate_every % one.training.log_every == 0, one.name


def _seed(number, alters, solved, on_target, *findings):
    import score

    return score.Judged("one", number, alters, ("nonfinite", "mode-loses"), solved, on_target, findings)


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


def test_wilson_s_interval_keeps_its_width_where_all_agree():
    import score

    # The lower end at n of n is n / (n + z²), z = 1.96.
    low, high = score.Share(16, 16).interval
    assert low == pytest.approx(16 / (16 + 1.96**2), abs=1e-4)
    assert high == 1
    assert score.Share(0, 0).interval == (0.0, 1.0)
