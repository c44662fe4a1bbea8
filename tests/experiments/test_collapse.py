"""The benchmark of collapse: its grid, a kept run that is not run again, its statistics and its sentences."""

import dataclasses
import json
import re

import numpy as np
import pytest

from entropax import SAC, Dense, Dual, Training
from entropax.envs.registry import TASKS as REGISTRY
from entropax.errors import EntropaxError
from entropax.experiments import cells as cell_module
from entropax.experiments.cells import Cell, measured, trained
from entropax.experiments.collapse import SHORT, TASKS, Scale, algorithms
from entropax.experiments.collapse_page import write_page, write_results
from entropax.experiments.conclusion import difference, heuristics, pace, ranks, winners

TINY = SAC(torso=Dense((8,)), batch_size=16)
LOOP = Training(steps=600, warmup=100, capacity=600, log_every=100, evaluate_every=300, evaluation_episodes=1)


def cell(env="entropax/PendulumSparse-v0", law="Dual", returns=(0.0, 0.0, 200.0, 200.0), spent=(3,) * 4):
    """A cell of ten rows whose seeds fall below 0 nats per dimension at the given rows; -1 for never."""
    seeds, rows = len(returns), np.arange(1, 11) * 100.0
    entropy = np.where((np.arange(10)[:, None] >= spent) & (np.array(spent) >= 0), -0.5, 0.5)
    evaluations = np.tile(np.asarray(returns, float), (5, 1))
    return Cell(
        env=env,
        method=law,
        steps=1000,
        solved=150.0,
        returns=np.asarray(returns, float),
        evaluation_steps=np.arange(1, 6) * 200.0,
        evaluations=evaluations,
        rows=rows,
        entropy=entropy,
        alpha=np.full((10, seeds), 0.1),
    )


def test_every_task_has_a_threshold_and_both_kinds_are_there():
    assert all(np.isfinite(REGISTRY[task.env].solved) for task in TASKS)
    assert {task.dense for task in TASKS} == {True, False}
    assert set(SHORT.laws) <= set(algorithms())
    assert len({repr(algorithm) for algorithm in algorithms().values()}) == len(algorithms()) == 10


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tasks": ("Pendulum",)}, "'Pendulum'"),
        ({"laws": ("PID",)}, "'PID'"),
        ({"seeds": 0}, "1 seed"),
        ({"share": 2.0}, "share 2.0"),
    ],
)
def test_a_scale_that_names_nothing_is_refused(settings, words):
    with pytest.raises(EntropaxError, match=words):
        Scale(**settings)


@pytest.mark.slow
def test_a_cell_is_trained_once_measured_from_its_log_and_never_mixed(tmp_path, monkeypatch):
    run = trained(TINY, "entropax/Pendulum-v0", LOOP, 2, tmp_path)
    found = measured(run, "entropax/Pendulum-v0", "Dual", -200.0)
    steps, evaluations = run.metrics.series("eval/mean_reward")
    np.testing.assert_array_equal(found.evaluation_steps, [300, 600])
    np.testing.assert_allclose(found.returns, evaluations[-2:].mean(axis=0))
    np.testing.assert_array_equal(found.entropy, run.metrics.series("entropy/nats")[1])
    assert (found.seeds, found.steps, found.solved) == (2, 600, -200.0)
    assert steps.tolist() == [300, 600]

    def never(*arguments, **settings):
        raise AssertionError("trained again")

    monkeypatch.setattr(cell_module, "fit", never)
    monkeypatch.setattr(cell_module, "resume", never)
    assert trained(TINY, "entropax/Pendulum-v0", LOOP, 2, tmp_path).path == run.path
    other = dataclasses.replace(TINY, temperature=Dual(learning_rate=1e-3))
    with pytest.raises(EntropaxError, match="other settings"):
        trained(other, "entropax/Pendulum-v0", LOOP, 2, tmp_path)
    # What was kept before a field existed is taken with the field's default.
    manifest = json.loads((run.path / "run.json").read_text("utf-8"))
    del manifest["training"]["seeds_in"], manifest["algorithm"]["n_step"]
    (run.path / "run.json").write_text(json.dumps(manifest), "utf-8")
    assert trained(TINY, "entropax/Pendulum-v0", LOOP, 2, tmp_path).path == run.path


@pytest.mark.slow
def test_an_unfinished_cell_goes_on_from_its_checkpoint(tmp_path):
    run = trained(TINY, "entropax/Pendulum-v0", LOOP, 1, tmp_path)
    log = run.path / "metrics.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    last = max(i for i, line in enumerate(lines) if '"eval/mean_reward"' in line)
    log.write_text("".join(lines[:last]))
    again = trained(TINY, "entropax/Pendulum-v0", LOOP, 1, tmp_path)
    assert again.path == run.path


def test_solved_seeds_and_spent_freedom():
    assert cell().solved_seeds() == 2
    assert cell(spent=(1, 3, 5, -1)).spent_after() == 500.0
    assert np.isnan(cell(spent=(1, -1, -1, -1)).spent_after())


def test_when_half_of_the_seeds_were_first_solved():
    rising = dataclasses.replace(
        cell(returns=(200.0, 200.0, 0.0), spent=(3,) * 3),
        evaluation_steps=np.arange(1, 5) * 250.0,
        evaluations=np.array([[0, 0, 0], [160, 0, 0], [0, 150, 0], [200, 200, 0.0]]),
    )
    assert rising.solved_after() == 750.0
    assert np.isnan(cell(returns=(200.0, 0.0, 0.0), spent=(3,) * 3).solved_after())
    middle, low, high = cell(returns=(1.0, 2.0, 3.0, 10.0)).middle()
    assert middle == 2.5
    assert low < middle < high


def test_a_difference_needs_seeds_that_part():
    all_, none = cell(returns=(200.0,) * 4), cell(returns=(0.0,) * 4)
    # Wilson's interval of 4 of 4 is [0.5101, 1], so both distances to it are 0.4899.
    np.testing.assert_allclose(difference(all_, none), (1.0, 1 - 0.4899 * 2**0.5, 1.0), atol=1e-4)
    np.testing.assert_allclose(difference(none, none), (0.0, -0.4899, 0.4899), atol=1e-4)
    assert difference(all_, none).words() == "more"
    assert difference(none, all_).words() == "fewer"
    mixed = difference(cell(), cell(returns=(0.0, 200.0, 0.0, 0.0)))
    assert mixed.value == 0.25
    assert mixed.low < 0 < mixed.high
    assert mixed.words() == "not clearly more or fewer"


GRID = [
    cell(law="Dual", returns=(0.0,) * 4, spent=(2,) * 4),
    cell(law="Dual, target 0", returns=(200.0,) * 4, spent=(-1,) * 4),
    cell("entropax/Pendulum-v0", "Dual", returns=(200.0,) * 4),
]


def test_returns_differ_where_they_do_beside_all_other_comparisons():
    """Five seeds against five, all higher, have p = 1/126 alone; of eight comparisons six more have none."""
    low, high = tuple(np.arange(5.0)), tuple(np.arange(5.0) + 10)
    tasks = [f"entropax/{name}-v0" for name in ("Pendulum", "PendulumSparse", "DeceptiveMaze", "CartpoleSwingup")]
    default = [cell(env, returns=low, spent=(3,) * 5) for env in tasks]

    def beside(*higher):
        others = [
            cell(env, law, high if (env, law) in higher else low, (3,) * 5) for env in tasks for law in ("PI", "Fixed")
        ]
        (sentence,) = ranks([*default, *others])
        return sentence.split("number, 8: ")[1]

    assert ranks(default) == []
    assert beside() == "clearly higher: none; clearly lower: none."
    assert beside((tasks[0], "PI")) == "clearly higher: none; clearly lower: none.", "0.0079 alone, 0.063 of eight"
    two = beside((tasks[0], "PI"), (tasks[0], "Fixed"), (tasks[1], "PI"))
    assert two == "clearly higher: none; clearly lower: none."
    (alone,) = ranks([*default, cell(tasks[0], "PI", high, (3,) * 5)])
    assert alone.endswith("number, 1: clearly higher: PI on Pendulum-v0 (p = 0.00794); clearly lower: none.")


def test_sentences_carry_the_numbers():
    (sentence,) = heuristics(GRID)
    assert sentence == (
        "A target of 0 nats per dimension solves more seeds than the default on PendulumSparse-v0 (4 against 0 of 4; "
        "difference 100 points, 95 % [30.7, 100])."
    )
    assert pace(GRID)[0].endswith("Dual: 300 steps; Dual, target 0: not within the run.")
    (sparse,) = winners(GRID, ["entropax/Pendulum-v0"])
    assert sparse == "Share of seeds solved over the sparse tasks (PendulumSparse-v0): Dual, target 0 100 %, Dual 0 %."
    (dense,) = winners(GRID[2:], ["entropax/Pendulum-v0"])
    assert dense == "Share of seeds solved over the dense tasks (Pendulum-v0): Dual 100 %."


def test_page_and_results_hold_the_cells(tmp_path):
    page = write_page(GRID, ["entropax/Pendulum-v0"], tmp_path / "page.html", command="entropax reproduce <collapse>")
    html = page.read_text()
    assert "<strong>4 of 4</strong>" in html
    assert "entropax reproduce &lt;collapse&gt;" in html
    assert len(re.findall('class="plot"', html)) == 2
    content = json.loads(write_results(GRID, tmp_path / "results.json", command="c").read_text())
    assert [one["law"] for one in content["cells"]] == ["Dual", "Dual, target 0", "Dual"]
    assert content["cells"][1]["returns"] == [200.0] * 4
    assert content["cells"][0]["entropy"] == [0.5] * 2 + [-0.5] * 8, "the seeds' interquartile mean"
