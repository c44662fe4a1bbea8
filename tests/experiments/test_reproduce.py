"""The experiments at toy size from training to pages, and what their sentences say of made results."""

import dataclasses
import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.cli import KINDS, main
from entropax.envs.registry import TASKS
from entropax.experiments import (
    confounds,
    confounds_page,
    control,
    control_page,
    reproduce,
    toy,
    toy_page,
)
from entropax.experiments.budget import Budget
from entropax.experiments.cells import Cell
from entropax.experiments.confounds import PUBLISHED
from entropax.experiments.confounds_page import verdict
from entropax.experiments.findings import gap_words
from entropax.experiments.problems import PROBLEMS
from entropax.experiments.reproduce import EXPERIMENTS
from entropax.experiments.sweeps import Swept
from entropax.networks import Affine, DenseNetwork
from entropax.policies import Actor
from entropax.types import Bounds, Spec

TINY = Budget((), 2, 100, (8,), 8, samples=3, episodes=1, rate=1.0)
QUADROTOR = "entropax/Quadrotor-v0"


def result(method="m", env=QUADROTOR, returns=(0.0, 0.0), drawn=None, actors=None, solved=-250.0):
    """A member that returned this all along."""
    seeds, returns = len(returns), np.asarray(returns, float)
    drawn = returns if drawn is None else np.asarray(drawn, float)
    cell = Cell(
        env=env,
        method=method,
        steps=1000,
        solved=solved,
        returns=returns,
        evaluation_steps=np.array([500.0, 1000.0]),
        evaluations=np.tile(returns, (2, 1)),
        rows=np.array([500.0, 1000.0]),
        entropy=np.zeros((2, seeds)),
        alpha=np.full((2, seeds), 0.2),
    )
    return Swept(cell, np.tile(drawn, (2, 1)), 1.0, np.zeros(seeds), actors)


def test_every_experiment_is_a_command_with_both_budgets():
    assert set(KINDS["reproduce"][1]) == {"collapse", *EXPERIMENTS}
    for name, experiment in EXPERIMENTS.items():
        assert set(experiment.budgets) == {"small", "full"}
        for budget in experiment.budgets.values():
            # On the bent problems, all of one kind, a learner is a seed of a problem.
            assert budget.seeds * (len(budget.envs) if name == "bifurcation" else 1) >= 5
    full = EXPERIMENTS["control"].budgets["full"]
    assert full.envs == tuple(PROBLEMS)
    assert PROBLEMS["Hopper-v5"].training(full).steps == 2_010_000, "published: 2M steps after 10,000 random ones"
    assert PROBLEMS["entropax/Obstacle2D-v0"].training(full).steps == 62_500, "the warm-up: a quarter of the steps"


def test_the_problems_scale_is_that_of_the_environments_page(request):
    page = (request.config.rootpath / "docs" / "environments.md").read_text("utf-8").split("| task | no action |")[1]
    for problem in (PROBLEMS[env] for env in PROBLEMS if env in TASKS):
        name = problem.name.removesuffix("-v0")
        (row,) = re.findall(rf"^\| {name} \| (\S+) \| (\S+) \| .*? \| (\S+?),", page, re.MULTILINE)
        shown = [float(cell.replace("−", "-").replace(",", "")) for cell in row]
        assert [problem.zero, problem.uniform, problem.best] == pytest.approx(shown), name
        assert max(problem.zero, problem.uniform) < problem.good < problem.best


def test_the_command_sets_what_it_says(monkeypatch, tmp_path, capsys):
    seen = []
    monkeypatch.setattr(reproduce, "reproduce", lambda *given, **more: seen.append((*given, more)) or [tmp_path])
    main(["reproduce", "control", "--budget", "full", "--seeds", "7", "--steps", "300", "--root", str(tmp_path)])
    ((name, budget, root, more),) = seen
    assert (name, budget.seeds, budget.steps, budget.hidden) == ("control", 7, 300, (256, 256))
    assert root == tmp_path / "control-full"
    assert more == {"command": "entropax reproduce control --budget full --seeds 7 --steps 300"}
    assert str(tmp_path) in capsys.readouterr().out


@pytest.mark.parametrize("flags", [["--seeds", "0"], ["--steps", "50"], ["--steps", "150"]])
def test_what_cannot_be_run_is_refused(flags, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["reproduce", "toy", *flags])
    assert stop.value.code == 2
    assert "whole hundreds" in capsys.readouterr().err


# The toy.


def actors(*means):
    """Policies with these means before the tanh and a sigma of 1, whatever they see."""
    heads = [jnp.array([mean, 0.0], jnp.float32) for mean in means]
    return jax.vmap(lambda head: Actor(DenseNetwork((Affine(jnp.zeros((6, 2)), head),))))(jnp.stack(heads))


def test_the_probability_of_the_good_way_is_the_normal_one():
    # Phi(0) and Phi(1.96) by the tables.
    np.testing.assert_allclose(toy_page.good_way(actors(0.0, -1.96)), [0.5, 0.975], atol=1e-5)


def test_the_change_over_is_where_half_of_the_seeds_succeed():
    alphas, yes, no = (0.5, 0.6, 0.8), [True] * 4, [False] * 4
    sharp = toy_page.change_over(alphas, np.array([yes, yes, no]))
    assert (sharp.low, sharp.high) == (0.6, 0.8)
    assert sharp.value == pytest.approx(0.7), "halfway, as shares of 1 and 0 are"
    torn = toy_page.change_over(alphas, np.array([yes, [True, True, True, False], no]))
    assert torn.value == pytest.approx(0.6 + 0.2 * 0.25 / 0.75)
    assert (torn.low, torn.high) == (0.5, 0.8), "some resamples of the seeds fail at 0.6 already"
    assert toy_page.change_over(alphas, np.array([no, no, no])).low == 0
    assert toy_page.change_over(alphas, np.array([yes, yes, yes])).value == np.inf
    assert toy_page.change_over(alphas, np.array([yes, yes, [True, True, False, False]])).value == 0.8


def test_the_toy_s_theory_is_that_of_the_theory_page(request):
    page = (request.config.rootpath / "docs" / "theory.md").read_text("utf-8")
    assert f"{toy_page.gaussian_change():.3f}" == "0.731" in page
    assert f"{toy_page.EXACT_CHANGE:.3f}" == "0.869" in page
    assert f"{1 - toy_page.exact(1.0).good_way:.3f}" == "0.574" in page
    # At the change-over both ways are worth the same, so the best policy is the even one; a symmetry, not a fit.
    at = toy_page.gaussian(np.array([toy_page.gaussian_change(), 0.2, 1.2]))
    assert at.good_way[0] == pytest.approx(0.5, abs=0.01)
    assert at.good_way[1] > 0.9 > 0.5 > at.good_way[2]
    assert toy_page.exact(toy_page.EXACT_CHANGE).good_way == pytest.approx(0.5, abs=1e-6)


def made_toy(last_success):
    """A sweep whose seeds all succeed up to an alpha and go the middle way everywhere."""
    return [
        result(f"alpha {a}", toy.ENV, (1.0, 1.0) if a <= last_success else (-1.0, -1.0), None, actors(0, 0), 0.0)
        for a in toy.ALPHAS
    ]


def test_the_toy_s_sentences_hold_theory_to_the_interval():
    def said(last_success):
        sweep = made_toy(last_success)
        return " ".join(toy_page.findings(TINY, toy.Trained(sweep, {"SAC": sweep[-2]})).sentences)

    assert "up to an alpha of 0.725 (95 % [0.7, 0.75]" in said(0.7)
    assert "tanh-Gaussian (0.731) lies inside that interval, the one for the exact Boltzmann policy (0.869)" in said(
        0.7
    )
    assert "(0.869) lies outside" in said(0.7)
    assert "tanh-Gaussian (0.731) lies outside" in said(0.8)
    assert "SAC 0 of 2 seeds" in said(0.7)
    assert "too few to show" in said(0.1)
    assert "above 1.2 (95 % [1.2, beyond the sweep]" in said(1.2)


def test_the_toy_s_page_counts_the_undone_updates_of_every_method():
    sweep, broken = made_toy(0.7), made_toy(0.7)[0]._replace(skipped=np.array([2.0, 1.0]))
    trained = toy.Trained(sweep, {"SAC": sweep[-2], "SACLite": broken})
    assert "3 updates were not finite and undone." in toy_page.findings(TINY, trained).sentences


@pytest.mark.slow
def test_the_toy_from_training_to_pages(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(toy, "METHODS", {"SACLite": toy.METHODS["SACLite"]})
    files = reproduce.reproduce("toy", TINY, tmp_path, command="entropax reproduce toy <x>")
    assert re.search(r"\d+ learners +\d+ of \d+ steps", capsys.readouterr().err), "progress, also off a terminal"
    assert [path.name for path in files[:3]] == ["toy.html", "toy.json", "toy.md"]
    html, text, page = (path.read_text("utf-8") for path in files[:3])
    assert "entropax reproduce toy &lt;x&gt;" in html
    assert len(re.findall('class="plot"', html)) == 4 == len(files) - 3
    content = json.loads(text)
    assert [cell["method"] for cell in content["cells"]][-2:] == ["alpha 1.2", "SACLite"]
    assert len(content["cells"][0]["good_way"]) == 2
    for figure in files[3:]:
        assert f"({figure.name})" in page
        assert "var(--" not in figure.read_text("utf-8"), "a picture has no style sheet"
    assert "8 units" in page and "2 seeds a setting, 100 steps of learning" in page
    assert page.count("\n| 0.2 |") == 1


# The confounds.


def grid(seeds=5, **good):
    """All settings at -9000; of an alpha that is named, so many seeds at -100."""
    made = {}
    for alpha in confounds.ALPHAS:
        for factor in confounds.FACTORS:
            for observed in confounds.OBSERVED:
                setting, many = confounds.Setting(alpha, factor, observed), good.get(alpha.replace(" ", "_"), 0)
                made[setting] = result(setting.words(), returns=(-100.0,) * many + (-9000.0,) * (seeds - many))
    return made


def test_the_verdict_says_whether_entropy_is_the_cause():
    assert "fails as well within 1,000 steps (published: 2,000,000), so in as many entropy is not the cause" in verdict(
        grid()
    )
    assert "not shown to be enough for anybody" in verdict(grid())
    assert "entropy is what fails SAC" in verdict(grid(about_0=5))
    assert "too few to tell" in verdict(grid(about_0=3, **{"0.2": 2})), "3 of 5 against 2 of 5 shows nothing"
    assert "nothing to explain" in verdict(grid(**{"0.2": 3}))
    mended = grid()
    mended[PUBLISHED._replace(factor=0.1)] = result(returns=(-100.0,) * 3)
    assert "entropy is not the cause" in verdict(mended)
    assert "good with: alpha 0.2, reward times 0.1, raw observations." in verdict(mended)


def test_the_confounds_page_holds_the_whole_grid():
    found = confounds_page.findings(TINY, {QUADROTOR: grid(2, about_0=1)})
    said = " ".join(found.sentences)
    assert "by alpha: about 0: 6 of 12 good" in said
    assert "by reward times: 1: 2 of 20 good" in said
    assert "by observations: raw: 3 of 30 good" in said
    (table,) = found.tables
    assert len(table.rows) == 6 and len(table.rows[0]) == 6
    assert len(found.numbers) == 30
    assert "SAC-AdaEnt" not in dataclasses.replace(TINY, samples=0).words()
    assert "1e-6" in " ".join(found.about)


def test_the_best_setting_is_the_one_whose_shown_return_is_highest():
    cells = grid(5)
    lucky, even = confounds.Setting("0.05", 0.1, "raw"), confounds.Setting("0.01", 0.1, "raw")
    cells[lucky] = result(returns=(-9500.0, -9500.0, -9500.0, -100.0, -100.0))  # interquartile mean -7620, median -9500
    cells[even] = result(returns=(-8000.0,) * 5)
    (said,) = (line for line in confounds_page.findings(TINY, {QUADROTOR: cells}).sentences if "best setting" in line)
    assert "alpha 0.05, reward times 0.1, raw" in said
    assert f"{cells[lucky].cell.middle()[0]:.0f} [" in said


@pytest.mark.slow
def test_the_confounds_from_training_to_pages(monkeypatch, tmp_path):
    for module in (confounds, confounds_page):
        monkeypatch.setattr(module, "ALPHAS", {"about 0": 1e-6, "0.2": 0.2})
        monkeypatch.setattr(module, "FACTORS", (1.0, 0.01))
        monkeypatch.setattr(module, "OBSERVED", {"raw": confounds.OBSERVED["raw"]})  # one program to compile, not two
    budget = dataclasses.replace(TINY, envs=(QUADROTOR,))
    files = reproduce.reproduce("confounds", budget, tmp_path, command="c")
    cells = json.loads(files[1].read_text("utf-8"))["cells"]
    assert len(cells) == 4
    whole, scaled = (next(cell for cell in cells if cell["factor"] == factor) for factor in (1.0, 0.01))
    # The same first policy and noise: judged in the task's own rewards, a few updates apart, far from 100 to 1.
    assert 0.2 < whole["drawn"][0][0] / scaled["drawn"][0][0] < 5
    assert all(value < 0 for cell in cells for value in cell["returns"])


def test_two_seeds_against_two_show_nothing():
    """However far apart: of the six ways to deal four seeds into two pairs, two are as far apart."""
    assert gap_words(np.array([1.0, 2.0]), np.array([101.0, 102.0])).startswith("not clearly")
    apart = gap_words(np.arange(5.0), 100 + np.arange(5.0))
    assert apart.startswith("lower (difference -100, 95 % [-10"), "p = 2 / 252"
    assert gap_words(np.arange(5.0), 1 + np.arange(5.0)).startswith("not clearly")
    assert (
        gap_words(np.ones(5), np.ones(5)) == "not clearly higher or lower (difference 0, 95 % [0, 0], rank test p = 1)"
    )


# Control.


def test_control_has_the_published_settings_in_every_method():
    budget = EXPERIMENTS["control"].budgets["full"]
    for problem in PROBLEMS.values():
        setting = control.published(problem, budget)
        built = {name: build(setting) for name, build in control.METHODS.items()}
        assert float(built["SAC, alpha 0.2"].temperature.alpha) == 0.2
        assert built["SAC-AdaEnt"].threshold == problem.threshold
        assert built["SAC-AdaEnt"].samples == 100
        learned = built["SAC, alpha learned"]
        assert learned.temperature.learning_rate == learned.actor_learning_rate == problem.learning_rate
        assert learned.torso.hidden_sizes == (256, 256)
        rollout = built.pop("PPO").data()
        assert rollout.shape(control.COPIES) == (16, 128)
        assert {each.data().shape(1) for each in built.values()} == {(256, 1)}
        for each in built.values():
            each.init(Spec(1, Bounds((-1.0,), (1.0,))), key=jax.random.key(0))
    assert control.REFERENCE in control.METHODS


def test_control_compares_with_sac():
    cells = [
        result(control.REFERENCE, returns=(-700.0, -800.0, -750.0, -720.0, -735.0)).cell,
        result("SACLite", returns=(-150.0, -161.0, -151.0, -160.0, -155.0)).cell,
        result("SAC-AdaEnt", returns=(-600.0, -900.0, -740.0, -730.0, -735.0)).cell,
    ]
    learned = [control.Learned(cell, nonfinite) for cell, nonfinite in zip(cells, (0, 3, 0), strict=True)]
    found = control_page.findings(TINY, learned)
    counts, lite, adaent, undone = found.sentences
    assert counts == (
        "Quadrotor-v0: good seeds (return from -250): SAC, alpha 0.2 0 of 5, SACLite 5 of 5, SAC-AdaEnt 0 of 5. "
        "With at least one evaluation that good: SACLite 5."
    )
    assert "Its log sigma begins at -0.5 (published: -1 on Vehicle and Quadrotor)" in found.about[-1]
    ppo = control.METHODS["PPO"](control.published(PROBLEMS[QUADROTOR], TINY))
    assert (ppo.policy.initial_log_std, ppo.value_coefficient) == (-0.5, 0.25), "as the page says"
    assert "SACLite is higher (difference 580," in lite
    assert "p = 0.0159" in lite, "2 / 252, times two methods"
    assert "not clearly higher or lower (difference 0," in adaent
    assert undone.startswith(f"Quadrotor-v0: in 3 of {len(cells[1].rows)} rows of SACLite something was not finite")
    (table,) = found.tables
    assert dict(row[:2] for row in table.rows)["best known"] == "-72"


@pytest.mark.slow
def test_control_from_training_to_pages(monkeypatch, tmp_path):
    name = "SAC, alpha learned"
    diverging = {"diverging": lambda setting: dataclasses.replace(setting.sac, critic_learning_rate=1e38)}
    monkeypatch.setattr(control, "METHODS", {name: control.METHODS[name], **diverging})
    budget = dataclasses.replace(TINY, envs=("entropax/Obstacle2D-v0",))
    files = reproduce.reproduce("control", budget, tmp_path, command="c")
    cells = json.loads(files[1].read_text("utf-8"))["cells"]
    assert [cell["method"] for cell in cells] == [name, "diverging"]
    assert [len(cell["evaluations"]) for cell in cells] == [20, 20], "what diverges is trained to its end"
    assert "rows of diverging something was not finite" in files[2].read_text("utf-8")
    runs = sorted(path.parent.parent.name for path in tmp_path.glob("*/*/run.json"))
    assert runs == ["Obstacle2D-v0--SAC-alpha-learned", "Obstacle2D-v0--diverging"], "each cell can be reported on"
