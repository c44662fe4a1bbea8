"""`entropax entropy`: the table's rows, whose defaults stand where, and the speed limit."""

import re

import pytest

from entropax.cli import main


def rows(capsys, *arguments):
    """The table by target a dimension: (target, sigma, action std, share, names)."""
    main(("entropy", "--env", *arguments))
    out = capsys.readouterr().out
    found = {}
    for line in out.splitlines():
        match = re.fullmatch(r" *(\S+)  +(\S+)  +(\S+)  +(\S+(?: to \S+)?)  +(\d\.\d{3})(?:  (.*))?", line)
        if match:
            found[float(match[2])] = (float(match[1]), float(match[3]), match[4], float(match[5]), match[6] or "")
    return out, found


def test_pendulum_with_a_sigma(capsys):
    out, found = rows(capsys, "entropax/Pendulum-v0", "--sigma", "0.2")
    assert found[-1.0] == (-1.0, 0.09, "0.178", 0.186, "SAC, Stable-Baselines3, SBX, Entropax")
    assert found[-1.693][4] == "CleanRL"
    assert found[-0.5][4] == "Brax, BRO, SimBa, XQC"
    assert found[-0.23] == (-0.23, 0.2, "0.385", 0.401, "asked for")
    assert list(found) == sorted(found)
    assert "at least 15,351 updates from 1 to 0.01 at a learning rate of 0.0003" in out


def test_a_target_is_summed_over_dimensions(capsys):
    _, found = rows(capsys, "entropax/DeceptiveMaze-v0", "--target", "-1.5")
    assert found[-0.75][0] == -1.5
    assert found[-0.75][4] == "asked for"


def test_a_narrow_box_makes_a_published_target_unreachable(capsys):
    import gymnasium

    class Narrow(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(-1, 1, (2,))
        action_space = gymnasium.spaces.Box(-0.1, 0.1, (2,))

        def reset(self, *, seed=None, options=None):
            return self.observation_space.sample() * 0, {}

        def step(self, action):
            return self.observation_space.sample() * 0, 0.0, False, False, {}

    gymnasium.register("tests/Narrow-v0", Narrow)
    out, found = rows(capsys, "tests/Narrow-v0")
    del gymnasium.registry["tests/Narrow-v0"]
    assert "CleanRL would take 1.303 nats a dimension, which no tanh-Gaussian has" in out
    assert max(found) == pytest.approx(0.684)


@pytest.mark.parametrize(("rate", "updates"), [("1e-3", "4,605"), ("3e-5", "153,506")])
def test_the_speed_limit_follows_the_rate(capsys, rate, updates):
    out, _ = rows(capsys, "entropax/Pendulum-v0", "--learning-rate", rate)
    assert f"at least {updates} updates" in out
