"""The comparison of ways to explore: what it claims of made results, and one cell from training to pages."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from entropax.cli import main
from entropax.envs.base import Episodes
from entropax.envs.registry import make
from entropax.errors import EntropaxError
from entropax.experiments import alternatives, exploration, exploration_page, reproduce
from entropax.experiments.alternatives import CONTINUOUS, DISCRETE, NONE, Setting
from entropax.experiments.budget import Budget
from entropax.experiments.cells import Cell
from entropax.experiments.exploration import Explored, methods
from entropax.experiments.findings import holm
from entropax.experiments.sweeps import Member, Sweep
from entropax.exploration import PLAIN
from entropax.replay import Rollout

SPARSE, CARTPOLE = "entropax/PendulumSparse-v0", "entropax/CartPole-v0"
TINY = Budget((), 2, 200, (8,), 8, samples=3, episodes=1, rate=1.0, rollout=4)


def explored(method, returns, env=SPARSE, pace=10.0):
    """A method whose every evaluation was this."""
    evaluations = np.tile(np.asarray(returns, float), (3, 1))
    rows = np.full((3, len(returns)), np.nan)
    steps = np.array([10.0, 20.0, 30.0])
    threshold = exploration.solved(env)
    cell = Cell(env, method, 30, threshold, evaluations[0], steps, evaluations, steps, rows, rows)
    return Explored(cell, pace)


def test_every_method_is_buildable_and_fits_its_tasks():
    """With the budget's sizes and rate; noises that say their size say the same one."""
    for known, env in ((CONTINUOUS, SPARSE), (DISCRETE, CARTPOLE)):
        assert methods(env) is known
        assert next(iter(known.values())).family == alternatives.ENTROPY
        assert [method.family for method in known.values()].count(NONE) >= 1
        task = make(env)
        assert isinstance(task, Episodes)
        setting = Setting(TINY, 200, task.spec)
        for name, method in known.items():
            algorithm = method.learner(setting)
            method.explores(setting).check(algorithm)
            training = exploration.training_of(env, TINY, algorithm.data())
            sweep = Sweep(env, 0.0, (Member(name, algorithm, task, task),), 2, training, method.explores(setting))
            assert len(sweep.evaluation_steps) == 19 or isinstance(algorithm.data(), Rollout), name
    setting = Setting(TINY, 200, make(SPARSE).spec)
    white, pink, ou = (vars(CONTINUOUS[f"{name} noise"].explores(setting))["noise"] for name in ("white", "pink", "OU"))
    assert white.sigma == pink.sigma == alternatives.SIZE
    assert ou.size(200) == pytest.approx(alternatives.SIZE)


@pytest.mark.parametrize("env", exploration.STEPS)
def test_learners_from_rollouts_take_about_as_many_steps_as_the_others(env):
    """At the full size a rollout of PPO's copies is 2,048 steps: as many as one of 20 evaluations is not, for each."""
    budget = exploration.BUDGETS["full"]
    for data in (Rollout(budget.rollout), Rollout(5)):
        training = exploration.training_of(env, budget, data)
        assert 1 <= training.steps / exploration.steps_of(env, budget) <= 1.1
        assert 10 <= training.steps // training.evaluate_every <= 20
    small = exploration.training_of(env, exploration.BUDGETS["small"], Rollout(32))
    assert (small.steps, small.evaluate_every) == (10_240, 512)


def test_tasks_and_methods_are_the_user_s_choice(monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(reproduce, "reproduce", lambda *given, **more: seen.append((given[1], more)) or [])
    root = ("--root", str(tmp_path))
    main(["reproduce", "exploration", "--envs", CARTPOLE, "entropax/Acrobot-v0", "--methods", "all", *root])
    main(["reproduce", "exploration", "--envs", CARTPOLE, "--methods", "PPO", "alpha about 0", *root])
    (all_of_them, first), (two, second) = seen
    assert exploration.wanted(all_of_them) == [
        *((CARTPOLE, name) for name in DISCRETE),
        *(("entropax/Acrobot-v0", name) for name in CONTINUOUS),
    ]
    assert exploration.steps_of("entropax/Acrobot-v0", all_of_them) == all_of_them.steps, "no task of the full run"
    assert exploration.wanted(two) == [(CARTPOLE, "alpha about 0"), (CARTPOLE, "PPO")], "in the order of the page"
    called = "entropax reproduce exploration --budget small --envs entropax/CartPole-v0"
    assert first == {"command": f"{called} entropax/Acrobot-v0 --methods all"}
    assert second == {"command": f"{called} --methods PPO 'alpha about 0'"}


def test_holm_s_correction():
    """By hand: 0.01 x 4, 0.02 x 3, then never less than the one before."""
    assert holm([0.02, 0.9, 0.01, 0.03]) == pytest.approx([0.06, 0.9, 0.04, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_one_lucky_seed_is_no_quick_method():
    """Half of the seeds after 20 steps; one of four after 10; half of four, of whom the others come never."""
    found = explored("SAC", [0.0] * 4)

    def with_evaluations(*rows):
        return found._replace(cell=dataclasses.replace(found.cell, evaluations=np.array(rows, float)))

    usual = with_evaluations([0, 0, 200, 0], [0, 150, 0, 200], [0, 0, 0, 0])
    lucky = with_evaluations([200, 0, 0, 0], [0] * 4, [0] * 4)
    half = with_evaluations([200, 200, 0, 0], [0] * 4, [0] * 4)
    budget = dataclasses.replace(TINY, envs=(SPARSE,))
    (table,) = exploration_page.findings(budget, [usual, lucky, half, found]).tables
    assert [row[4] for row in table.rows] == ["20 (3 of 4)", "never half (1 of 4)", "never half (2 of 4)", "never"]


def test_policies_and_critics_have_the_budget_s_layers():
    """Those of PPO and A2C too, whose two torsos are two settings."""
    for known, env in ((CONTINUOUS, SPARSE), (DISCRETE, CARTPOLE)):
        spec = make(env).spec
        setting = Setting(dataclasses.replace(TINY, hidden=(5, 7)), 200, spec)
        for name in known:
            algorithm = known[name].learner(setting)
            learner = jax.eval_shape(lambda key, a=algorithm, s=spec: a.init(s, key=key), jax.random.key(0))
            actor, networks = algorithm.actor, algorithm.parameters
            found = [jax.eval_shape(actor, learner), *jax.eval_shape(networks, learner).values()]
            widths = {leaf.shape[-1] for leaf in jax.tree.leaves(found) if leaf.ndim}
            assert widths <= {1, 2, 3, 5, 7, spec.action.size}, name


def test_what_helps_is_said_where_the_seeds_say_it_and_only_there():
    rng = np.random.default_rng(0)
    low, high = rng.uniform(0, 5, 10), rng.uniform(160, 170, 10)
    some = np.where(np.arange(10) < 2, low, high - 10)
    results = [
        explored("SAC", some),
        explored("alpha about 0", low),
        explored("pink noise", high, pace=12.0),
        explored("PPO", some),
    ]
    found = exploration_page.findings(dataclasses.replace(TINY, envs=(SPARSE,)), results)
    bonus, beside, most = found.sentences
    assert bonus.startswith(
        "PendulumSparse-v0: SAC solves 8 of 10 seeds, and alpha about 0 0 of 10 (Fisher's exact test p = 7.1e-04"
    )
    assert "is higher (difference" in bonus
    assert beside.endswith("clearly higher: pink noise; clearly lower: alpha about 0; not clearly different: PPO.")
    assert most == "PendulumSparse-v0: most seeds, 10 of 10, are solved by pink noise."
    rows = {row[0]: row[1:] for row in found.tables[0].rows}
    assert rows["pink noise"][1].startswith("10 of 10 [0.72")
    assert rows["pink noise"][3:] == ("10 (10 of 10)", "1.20")
    assert rows["alpha about 0"][3] == "never"
    (chart,) = found.charts
    assert "PPO" in json.dumps(chart.spec)
    assert found.tables[0].note.endswith(
        "alpha about 0, whose arithmetic is the same, has 1, so that far they can be off."
    )
    # Beside another learner than that of the reference, what is without entropy shows nothing about the entropy.
    others = exploration_page.findings(dataclasses.replace(TINY, envs=(SPARSE,)), results[1:])
    assert others.sentences[0].startswith("PendulumSparse-v0: returns beside those of alpha about 0 are")
    assert others.tables[0].note.endswith("beside that of alpha about 0, taken at several times beside other work.")
    none = exploration_page.findings(dataclasses.replace(TINY, envs=(SPARSE,)), [explored("SAC", low)])
    assert none.sentences == ("PendulumSparse-v0: no method solves a seed.",)


@pytest.mark.slow
def test_exploration_from_training_to_pages(monkeypatch, tmp_path):
    monkeypatch.setattr(exploration, "CONTINUOUS", {"parameter noise": CONTINUOUS["parameter noise"]})
    budget = dataclasses.replace(TINY, envs=(SPARSE,))
    files = reproduce.reproduce("exploration", budget, tmp_path, command="c")
    assert [path.name for path in files] == [
        "exploration.html", "exploration.json", "exploration.md", "exploration-pendulumsparse-v0.svg",
    ]  # fmt: skip
    (cell,) = json.loads(files[1].read_text("utf-8"))["cells"]
    assert (cell["method"], len(cell["evaluations"])) == ("parameter noise", 19)
    assert cell["microseconds"] > 0
    # What was trained with another exploration is never taken for this.
    other = CONTINUOUS["parameter noise"]._replace(explores=lambda setting: PLAIN)
    monkeypatch.setattr(exploration, "CONTINUOUS", {"parameter noise": other})
    with pytest.raises(EntropaxError, match="other settings"):
        reproduce.reproduce("exploration", budget, tmp_path, command="c")
