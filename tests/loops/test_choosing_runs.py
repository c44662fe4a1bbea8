"""PPO and A2C among discrete actions in both loops, and choices of several actions at once in a run."""

import dataclasses
import json
import math

import gymnasium
import jax
import numpy as np
import pytest

from entropax import A2C, PPO, Dense, DiscreteSoftQ, TanhGaussian, Training, fit, load
from entropax.cli import main
from entropax.diagnostics.dialects import ON_POLICY
from entropax.report import read_run
from entropax.types import Categories, Spec

pytestmark = pytest.mark.slow

LOOP = Training(
    steps=384, num_envs=2, warmup=0, log_every=128, evaluate_every=192, evaluation_episodes=1, checkpoint_every=192
)
SMALL = {"torso": Dense((16,)), "policy": TanhGaussian(Dense((16,))), "entropy_coefficient": 0.01}
LEARN_PPO = PPO(num_steps=32, epochs=2, minibatches=4, **SMALL)


@pytest.fixture(scope="module", params=["entropax/CartPole-v0", "CartPole-v1"])
def trained(request, tmp_path_factory):
    return fit(LEARN_PPO, request.param, LOOP, seeds=2, root=tmp_path_factory.mktemp("runs"), progress=False)


def test_a_run_logs_the_entropy_in_nats_learns_and_is_judged(trained):
    rows = trained.metrics.rows
    values = rows[-1].values
    nats = values["entropy/nats"]
    assert ((nats > 0) & (nats <= math.log(2) + 1e-6)).all()
    np.testing.assert_allclose(values["entropy/fraction_of_feasible"], np.exp(nats) / 2, rtol=1e-5)
    assert {"entropy/sigma", "entropy/saturation", "train/q_mean"}.isdisjoint(values)
    np.testing.assert_array_equal(values["train/n_updates"], 6)
    assert (np.diff([row.values["train/actor_param_norm"] for row in rows], axis=0) != 0).any()
    assert read_run(trained.path).facts.dialect is ON_POLICY


def test_a_policy_is_loaded_as_it_was_and_acts_in_integers(trained):
    again = load(trained.path)
    assert (again.spec, again.algorithm) == (Spec(4, Categories(2)), LEARN_PPO)
    observations = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    expected = jax.vmap(lambda o: trained.actor(1)(o).mode())(observations)[:, 0]
    np.testing.assert_array_equal(again.policy(observations, seed=1), expected)


@pytest.mark.parametrize("algorithm", ["ppo", "a2c"])
def test_the_command_line_trains_on_gymnasium_s_cart_pole(algorithm, tmp_path, capsys):
    short = ("--steps", "256", "--warmup", "0", "--log-every", "128", "--evaluate-every", "0")
    settings = ("--num-envs", "2", "--algorithm.num-steps", "32", "--algorithm.entropy-coefficient", "0.02")
    main(("train", algorithm, "--env", "CartPole-v1", "--root", str(tmp_path), *short, *settings))
    (path,) = tmp_path.iterdir()
    assert json.loads((path / "run.json").read_text("utf-8"))["spec"]["action"] == {"kind": "categories", "size": 2}
    assert "alpha 0.02" in capsys.readouterr().out


class Lock(gymnasium.Env):
    """Opens, and pays, where both dials are right: one of 2 x 3 combinations."""

    observation_space = gymnasium.spaces.Box(0, 1, (1,), np.float32)
    action_space = gymnasium.spaces.MultiDiscrete([2, 3], start=[0, 1])

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.ones(1, np.float32), {}

    def step(self, action):
        assert self.action_space.contains(action)
        return np.ones(1, np.float32), float(tuple(action) == (1, 2)), True, False, {}


@pytest.mark.parametrize(
    "algorithm",
    [
        dataclasses.replace(LEARN_PPO, learning_rate=1e-2),
        A2C(num_steps=8, **(SMALL | {"learning_rate": 1e-2})),
        DiscreteSoftQ(torso=Dense((16,)), batch_size=32, critic_learning_rate=1e-2),
    ],
    ids=["ppo", "a2c", "discrete-soft-q"],
)
def test_two_dials_are_one_action_of_six_and_the_right_pair_is_found(algorithm, tmp_path):
    training = dataclasses.replace(
        LOOP, steps=1_536, num_envs=1, log_every=512, evaluate_every=0, checkpoint_every=1_536
    )
    run = fit(algorithm, Lock, training.fed_by(algorithm.data()), root=tmp_path, progress=False)
    assert run.spec == Spec(1, Categories(6))
    index = int(run.policy(np.ones(1, np.float32)))
    assert (np.unravel_index(index, (2, 3)) + np.array([0, 1])).tolist() == [1, 2]
