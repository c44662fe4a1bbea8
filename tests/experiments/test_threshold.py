"""What is asked of SAC-AdaEnt's switch and of DecomposedSAC's gate, from training to pages."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import SAC, DecomposedSAC, SACAdaEnt
from entropax.algorithms.landscapes import AboveLowest, Correlation, Ranking
from entropax.experiments import reproduce, threshold, threshold_page
from entropax.experiments.budget import Budget
from entropax.experiments.cells import Cell
from entropax.experiments.sweeps import Swept
from entropax.networks import Affine, DenseNetwork
from entropax.policies import Actor

TINY = Budget(("entropax/Toy-v0",), 2, 100, (8,), 8, samples=3, episodes=1, rate=1.0)


def test_settings_differ_in_what_is_asked_and_in_nothing_else():
    sac = SAC(discount=0.9)
    by_question = threshold.settings(sac, 16)
    assert by_question.keys() == threshold.QUESTIONS.keys()
    assert [one.threshold for one in by_question["threshold"].values()] == list(threshold.THRESHOLDS)
    assert [one.samples for one in by_question["samples"].values()] == list(threshold.SAMPLES)
    assert [one.sharpness for one in by_question["sharpness"].values()] == list(threshold.SHARPNESS)
    assert [one.pairs for one in by_question["pairs"].values()] == list(threshold.PAIRS)
    kinds = {"threshold": AboveLowest, "samples": AboveLowest, "correlation": Correlation, "ranking": Ranking}
    for question, kind in kinds.items():
        assert {type(one.similarity) for one in by_question[question].values()} == {kind}
    for by_name in by_question.values():
        for one in by_name.values():
            assert isinstance(one, SACAdaEnt | DecomposedSAC)
            assert one.sac is sac


def made(*returns):
    count = len(returns)
    series = np.tile(np.asarray(returns), (2, 1))
    rows = np.array([50.0, 100.0])
    cell = Cell(
        "entropax/Toy-v0", "m", 100, 0.0, series[0], rows, series, rows, np.zeros((2, count)), np.ones((2, count))
    )
    return Swept(cell, series, 1.0, np.zeros(count), None)


def test_a_sentence_says_which_settings_succeed():
    by_name = {"0": made(-1.0, -1.0), "0.9": made(1.0, 1.0), "1.01": made(1.0, -1.0), "0.8": made(-1.0, -1.0)}
    assert threshold_page._sentence("threshold", by_name) == (
        "SAC-AdaEnt by threshold: all of the seeds succeed at 0.9; some of the seeds succeed at 1.01; none of the "
        "seeds succeed at 0, 0.8."
    )


def test_the_page_counts_undone_updates():
    heads = jax.vmap(lambda mean: Actor(DenseNetwork((Affine(jnp.zeros((6, 2)), mean),))))(jnp.zeros((2, 2)))
    whole = made(1.0, 1.0)._replace(actors=heads)
    broken = whole._replace(skipped=np.array([0.0, 4.0]))
    found = threshold_page.findings(TINY, {"threshold": {"0": whole}, "sharpness": {"1": broken}})
    assert found.sentences[-1] == "4 updates were not finite and undone."


@pytest.mark.slow
def test_from_training_to_pages(monkeypatch, tmp_path):
    monkeypatch.setattr(threshold, "THRESHOLDS", (0.0, 0.9))
    kept = {"threshold", "sharpness"}
    asked = threshold.settings
    monkeypatch.setattr(threshold, "settings", lambda *a: {q: s for q, s in asked(*a).items() if q in kept})
    files = reproduce.reproduce("threshold", TINY, tmp_path, command="c")
    cells = json.loads((tmp_path / "threshold.json").read_text("utf-8"))["cells"]
    assert [cell["question"] for cell in cells] == ["threshold"] * 2 + ["sharpness"] * 5
    assert len(cells[0]["evaluations"]) == 20
    assert {path.name for path in files} >= {"threshold.html", "threshold.md", "threshold-sharpness.svg"}
