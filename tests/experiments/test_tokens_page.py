"""The page of tokens: its numbers are those of its JSON, and tiny runs make one."""

import json
import re
from collections import Counter

import numpy as np
import pytest

from entropax.experiments import reproduce, tokens, tokens_page, tokens_quiz, tokens_quiz_page
from entropax.experiments.budget import TokenBudget
from entropax.experiments.findings import middle_words, write
from entropax.experiments.tokens_measures import said
from entropax.experiments.tokens_run import Outcome, plain_lists, restored
from entropax.llm import Clip

TINY = TokenBudget(seeds=2, steps=16, examples=3, follow_up=2, quiz=2)
ROWS, SEEDS = 24, 6


def made(generator, falls=1.0, **exact):
    """An outcome whose entropy falls by so much, and whose exact measures lie about what is given."""
    noise = 0.01 * generator.normal(size=(ROWS, SEEDS))
    entropy = np.linspace(2.0, 2.0 - falls, ROWS)[:, None] + noise
    lemma = -falls / ROWS + noise
    curves = {"entropy": entropy, "reward": 1 - 0.1 * np.exp(entropy), "lemma": lemma, "here": lemma + noise / 9}
    curves |= {"entropax/predicted_change": lemma, "falling_reward": noise[:2]}
    curves |= {name: np.full((ROWS, SEEDS), 0.1) for name in ("bonus", "score_bonus", "clip_upper")}
    values = dict.fromkeys((*tokens_page.MEASURES, "falling"), 0.5) | exact
    exact = {name: value + np.linspace(0, 0.01, SEEDS) for name, value in values.items()}
    return restored({"one": plain_lists(Outcome(curves, exact))})["one"]


def quiz_outcome(generator, setting):
    best = tokens_quiz.best(setting)
    values = {"commits": best.commits, "reward": 0.1, "after_commit": best.after_commit, "nats": 1.0}
    curves = made(generator).curves
    return Outcome(curves, {name: np.full(SEEDS, value) for name, value in values.items()})


@pytest.fixture(scope="module")
def results():
    generator = np.random.default_rng(0)
    names = [*tokens_page.METHODS, *tokens_page.HELD]
    sums = {name: made(generator) for name in names}
    sums |= {"KL-Cov": made(generator, nats=0.9, falling_after=0.9), "GSPO (0.1)": made(generator, right=0.2)}
    quiz = {one: quiz_outcome(generator, one) for room in tokens_quiz.ROOMS for one in tokens_quiz.settings(room)}
    return tokens.Results(made(generator), sums, quiz)


@pytest.fixture(scope="module")
def findings(results):
    return tokens_page.findings(TINY, results)


@pytest.fixture(scope="module")
def page(findings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    write(findings, folder, command="c")
    return (folder / "tokens.md").read_text("utf-8"), json.loads((folder / "tokens.json").read_text("utf-8"))["cells"]


def test_rows_of_the_tables_are_those_of_the_json(page):
    text, cells = page
    sums = [cell for cell in cells if cell["task"] == "sums"]
    assert len(sums) == 1 + len(tokens_page.METHODS) + len(tokens_page.HELD)
    for cell in sums:
        middles = [middle_words(np.array(cell["exact"][key])) for key in tokens_page.MEASURES]
        assert f"| {cell['setting']} | {' | '.join(middles)} |" in text
    quiz = [cell for cell in cells if cell["task"] == "quiz"]
    assert len(quiz) == 2 * 2 * len(tokens_quiz.COEFFICIENTS)
    for cell in quiz:
        row = f"| {cell['room']}, {cell['objective']}, {cell['coefficient']:g} | "
        assert row + middle_words(np.array(cell["exact"]["commits"])) in text


def test_sentences_name_what_differs_and_only_that(findings):
    sentences = findings.sentences
    (said_of,) = (one for one in sentences if one.startswith("Entropy at the end"))
    assert re.search(r"higher: KL-Cov; lower: none;", said_of)
    (said_of,) = (one for one in sentences if one.startswith("Share of right answers"))
    assert "higher: none; lower: GSPO (0.1);" in said_of


def test_of_many_settings_one_that_is_apart_by_chance_is_not_named(results):
    """Seeds that overlap by so little are apart at p = 0.015 alone, of sixteen settings they are not."""
    others = results.sums[tokens_page.REFERENCE].exact["nats"]
    near = results.sums["KL-Cov"]._replace(exact={"nats": others + 0.7 * np.ptp(others)})
    many = results._replace(sums={**results.sums, "KL-Cov": near})
    assert "higher: KL-Cov" in tokens_page._compared(many, ["KL-Cov"], "nats", others)
    assert "higher: none" in tokens_page._compared(many, list(tokens_page.METHODS), "nats", others)


def test_who_is_misled_is_told_from_who_cannot(results):
    bent = {(one.objective, one.coefficient) for one in tokens_quiz_page.misled(results.quiz)}
    assert (tokens_quiz.IN_REWARD, 0.2) in bent
    assert not any(objective == tokens_quiz.PER_TOKEN for objective, _ in bent), "it gives up where it cannot do it"
    assert not any(coefficient < 0.14 for _, coefficient in bent)


def test_where_nobody_is_misled_what_the_rule_says_is_counted_too(results):
    quiz = results.quiz
    bent = tokens_quiz_page.misled(quiz)
    found_in = {one: Counter() for one in quiz}
    others = [one for one in quiz if one not in bent]
    loud = [others[0], *(one for one in others if one.room == "narrow")][:3]
    for one in (*bent, *loud):
        found_in[one]["likeliest-earn-more"] = 1
    *_, last = tokens_quiz_page.sentences(quiz, found_in)
    assert last.endswith(f"at 3 of the {len(others)} other settings too, 2 of them in the narrow room.")


def test_findings_are_counted_over_seeds():
    generator = np.random.default_rng(1)
    fallen = made(generator).curves
    fallen["reward"] = np.full((ROWS, SEEDS), 0.5) + 0.01 * generator.normal(size=(ROWS, SEEDS))
    fallen["entropax/entropy"] = np.geomspace(2.0, 0.02, ROWS)[:, None] * np.ones(SEEDS)
    assert said(Clip(), fallen)["token-collapse"] == SEEDS


@pytest.mark.slow
def test_from_training_to_pages(monkeypatch, tmp_path):
    """Everything that is kept, for one method and one coefficient; the page is asked of made results above."""
    monkeypatch.setattr(tokens, "GROUPS", {"clip": {tokens.REFERENCE: Clip()}})
    monkeypatch.setattr(tokens_quiz, "COEFFICIENTS", (0.2,))
    monkeypatch.setattr(tokens_quiz, "ROOMS", {"wide": 1000})
    found = reproduce.EXPERIMENTS["tokens"].train(TINY, tmp_path)
    again = tokens.train(TINY, tmp_path)
    clip = found.sums[tokens.REFERENCE]
    assert clip.curves["reward"].shape == (2, 2)
    np.testing.assert_array_equal(clip.exact["right"], again.sums[tokens.REFERENCE].exact["right"])
    assert clip.curves["entropax/off_policy_fraction"].min() > 0, "several steps a rollout take ratios away from 1"
    one, other = found.quiz.values()
    np.testing.assert_array_equal(one.curves["reward"][0], other.curves["reward"][0], "the same draws at first")
    assert np.all(one.exact["commits"] != other.exact["commits"]), "but other objectives"
    assert {path.name for path in tmp_path.iterdir()} == {"before.json", "clip.json", "quiz-wide.json"}
