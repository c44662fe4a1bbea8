"""DQN with each of its rules, and SAC of discrete actions, from the command line: what is logged, kept and judged."""

import dataclasses
import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import DQN, Dense, EpsilonGreedy, fit, load
from entropax.cli import main
from entropax.diagnostics.dialects import GREEDY, OF_CATEGORIES, Knob
from entropax.report import read_run

pytestmark = pytest.mark.slow

SHORT = ("--steps", "300", "--warmup", "100", "--log-every", "50", "--evaluate-every", "150")
TINY = ("--algorithm.batch-size", "16", "algorithm.torso:dense", "--algorithm.torso.hidden-sizes", "8")
RULES = {
    "EpsilonGreedy": ("algorithm.exploration:epsilon-greedy", "--algorithm.exploration.fraction", "0.5"),
    "Boltzmann": ("algorithm.exploration:boltzmann", "--algorithm.exploration.sampling-temperature", "0.5"),
    "NoisyNet": ("algorithm.exploration:noisy-net", "algorithm.bootstrap:double", "algorithm.head:dueling"),
}


def ran(tmp_path, *words):
    main(("train", *words[:1], "--env", "CartPole-v1", "--root", str(tmp_path), *SHORT, *TINY, *words[1:]))
    (path,) = tmp_path.iterdir()
    return load(path), json.loads((path / "run.json").read_text("utf-8"))["algorithm"]


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_explores_on_a_host_environment(rule, tmp_path):
    run, config = ran(tmp_path, "dqn", *RULES[rule])
    assert (config["type"], config["exploration"]["type"]) == ("DQN", rule)
    log = {name: run.metrics.series(name)[1][:, 0] for name in run.metrics.names if "per_dimension" not in name}
    entropy = log["entropy/nats"]
    assert ((entropy > 0.05) & (entropy <= math.log(2) + 1e-6)).all()
    assert np.isfinite(log["eval/mean_reward"]).any()
    np.testing.assert_array_equal(log["train/ent_coef"], 0)
    np.testing.assert_array_equal(log["train/skipped_updates"], 0)
    if rule == "EpsilonGreedy":
        rate = log["rollout/exploration_rate"]
        assert np.all(np.diff(rate) <= 1e-6)
        np.testing.assert_allclose(rate[-1], 0.05, rtol=1e-5)
        assert 0.05 < rate[0] < 0.5
    assert ("train/noise_scale" in log) == (rule == "NoisyNet")
    facts = read_run(run.path).facts
    assert facts.dialect is GREEDY
    assert not facts.spread_learned
    observation = np.array([0.01, 0.02, 0.03, 0.04], np.float32)
    modes = {int(run.policy(observation, seed=0)) for _ in range(3)}
    q = jax.tree.leaves(run.actor(0)(jnp.asarray(observation)).mode())
    assert modes == {int(q[0][0])}, "evaluation is greedy"


def test_sac_of_discrete_actions_is_steered_and_judged(tmp_path):
    remedies = ("algorithm.reduction:mean-critic", "algorithm.regression:clipped-q", "algorithm.drift:entropy-penalty")
    run, config = ran(tmp_path, "discrete-sac", *remedies)
    named = [config[part]["type"] for part in ("type", "reduction", "regression", "drift")[1:]]
    assert (config["type"], named) == ("DiscreteSAC", ["MeanCritic", "ClippedQ", "EntropyPenalty"])
    np.testing.assert_allclose(run.metrics.series("entropy/target")[1][-1], 0.5 * math.log(2), rtol=1e-6)
    assert np.isfinite(run.metrics.series("train/actor_loss")[1]).any()
    dialect = read_run(run.path).facts.dialect
    assert dialect is OF_CATEGORIES
    flags = dialect.say(Knob.TARGET, "0.3").split()
    again, config = ran(tmp_path / "again", "discrete-sac", *flags)
    assert config["temperature"]["target_entropy"] == {"type": "FractionOfUniform", "fraction": 0.3}
    np.testing.assert_allclose(again.metrics.series("entropy/target")[1][-1], 0.3 * math.log(2), rtol=1e-6)


def test_the_rule_acts_in_the_loop_on_a_jax_environment(loop, tmp_path):
    """At epsilon 1 a pole falls as fast as by random actions; at 0.05, from an untrained critic, faster."""
    short = dataclasses.replace(loop, steps=2_000, warmup=0, log_every=2_000, evaluate_every=0, updates=1)
    lengths = []
    for epsilon in (1.0, 0.05):
        rule = EpsilonGreedy(epsilon, epsilon)
        algorithm = DQN(torso=Dense((8,)), batch_size=8, exploration=rule, critic_learning_rate=1e-9)
        run = fit(algorithm, "entropax/CartPole-v0", short, root=tmp_path / str(epsilon), progress=False)
        lengths.append(float(run.metrics.series("rollout/ep_len_mean")[1][-1, 0]))
    assert 18 < lengths[0] < 27
    assert lengths[1] < 16
