"""Exploration on the command line: the same flags for every algorithm, every part by its word, help with units."""

import re

import pytest

from entropax import Counts, Every, Exploration, Held, Pink, ThroughPolicy
from entropax.cli import KINDS, commands, main
from entropax.cli.flags import field_help, final_classes
from entropax.exploration import AbstractBonus, AbstractNoise

ALGORITHMS = KINDS["train"][1]
WORDS = {part: re.sub(r"(?<=[a-z])(?=[A-Z])", "-", part.__name__).lower() for part in final_classes(AbstractNoise)}


def parsed(monkeypatch, *words, algorithm="sac"):
    """What `fit` would be handed as exploration."""
    seen = []
    monkeypatch.setattr(commands, "fit", lambda *arguments, **named: seen.append(named["exploration"]))
    monkeypatch.setattr(commands, "_conclude", lambda run: None)
    main(("train", algorithm, "--env", "entropax/Pendulum-v0", *words))
    return seen[0]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_takes_a_noise_and_a_bonus(algorithm, monkeypatch):
    pink = ("exploration.noise:pink", "--exploration.noise.sigma", "0.4")
    counts = ("exploration.bonus:counts", "--exploration.bonus.bits", "20")
    assert parsed(monkeypatch, *pink, *counts, algorithm=algorithm) == Exploration(Pink(0.4), Counts(bits=20))


def test_without_flags_the_policy_explores_as_it_is(monkeypatch):
    assert parsed(monkeypatch).plain()


@pytest.mark.parametrize("part", WORDS, ids=lambda part: part.__name__)
def test_every_noise_has_its_word(part, monkeypatch):
    assert parsed(monkeypatch, f"exploration.noise:{WORDS[part]}") == Exploration(part())


def test_parts_of_a_noise_are_words_too_and_stand_beside_the_algorithm_s(monkeypatch):
    held = ("exploration.noise:through-policy", "exploration.noise.process:held")
    every = ("exploration.noise.process.lengths:every", "--exploration.noise.process.lengths.steps", "8")
    small = ("algorithm.torso:dense", "--algorithm.torso.hidden-sizes", "16")
    assert parsed(monkeypatch, *small, *held, *every) == Exploration(ThroughPolicy(Held(Every(8))))


def test_help_names_the_parts_and_says_in_what_unit_their_fields_are(capsys):
    def shown(*words):
        with pytest.raises(SystemExit) as stop:
            main(("train", "sac", *words, "--help"))
        assert stop.value.code == 0
        return " ".join(capsys.readouterr().out.replace("│", " ").split())

    overview = shown()
    for part in (*final_classes(AbstractNoise), *final_classes(AbstractBonus)):
        kind = "noise" if issubclass(part, AbstractNoise) else "bonus"
        word = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", part.__name__).lower()
        assert f"exploration.{kind}:{word}" in overview
    pink = shown("--env", "Pendulum-v1", "exploration.noise:pink")
    for field, text in field_help(Pink).items():
        assert f"--exploration.noise.{field}" in pink
        assert text in pink
    assert "in units of [-1, 1]" in pink
