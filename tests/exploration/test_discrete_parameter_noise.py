"""Parameter noise for a finite set of actions: what it perturbs, what it is steered to, where it acts."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import (
    DQN,
    PPO,
    SAC,
    Boltzmann,
    Dense,
    DiscreteParameterNoise,
    DiscreteSAC,
    DiscreteSoftQ,
    Dueling,
    EpsilonGreedy,
    EpsilonOfRule,
    EpsilonSet,
    Exploration,
    LayerNormed,
    NoisyNet,
    Training,
    begin,
    chunk,
    load,
    make,
)
from entropax.cli import main
from entropax.distributions import Categorical
from entropax.errors import EntropaxError
from entropax.exploration import White
from entropax.types import Bounds, Categories, Spec

SPEC = Spec(3, Categories(4))
SMALL = Dense((16,))
LEARNERS = [
    DQN(torso=SMALL),
    DQN(torso=LayerNormed((16,)), head=Dueling(), exploration=Boltzmann(0.5)),
    DiscreteSAC(torso=SMALL),
    DiscreteSoftQ(torso=SMALL),
]
OBSERVATIONS = jax.random.normal(jax.random.key(3), (30, 3))


def begun(algorithm, noise):
    state = algorithm.init(SPEC, key=jax.random.key(0))
    return state, noise.init(algorithm, state, SPEC, None, key=jax.random.key(1))


@pytest.mark.parametrize("algorithm", LEARNERS, ids=lambda algorithm: type(algorithm).__name__)
def test_the_contract_and_a_policy_that_is_a_function_until_its_episode_ends(algorithm):
    noise = DiscreteParameterNoise(initial_sigma=2.0)
    state, memory = begun(algorithm, noise)
    actions = jax.vmap(lambda o: noise.act(algorithm, state, memory, o, key=jax.random.key(2))[0])(OBSERVATIONS)
    again = jax.vmap(lambda o: noise.act(algorithm, state, memory, o, key=jax.random.key(9))[0])(OBSERVATIONS)
    np.testing.assert_array_equal(actions, again)
    assert actions.shape == (30, 1)
    assert set(np.unique(actions)) <= {0.0, 1.0, 2.0, 3.0}
    plain = jax.vmap(lambda o: algorithm.mode(state, o))(OBSERVATIONS)
    assert (actions != plain).any(), "the noise is large"
    _, after = noise.act(algorithm, state, memory, OBSERVATIONS[0], key=jax.random.key(2))
    anew = noise.ended(algorithm, state, after, key=jax.random.key(4))
    other = jax.vmap(lambda o: noise.act(algorithm, state, anew, o, key=jax.random.key(2))[0])(OBSERVATIONS)
    assert (other != actions).any()
    kinds = [jax.tree.map(lambda x: (x.shape, x.dtype, x.weak_type), tree) for tree in (memory, after, anew)]
    assert kinds[0] == kinds[1] == kinds[2]


def test_only_weights_and_biases_are_perturbed():
    _, memory = begun(LEARNERS[1], DiscreteParameterNoise())
    assert memory.perturbed.network.divisor == memory.actor.network.divisor == 0.5
    layers = memory.perturbed.network.network.network.network, memory.actor.network.network.network.network
    jax.tree.map(np.testing.assert_array_equal, *(layer.norms for layer in layers))
    for one, other in zip(*(jax.tree.leaves(layer.layers) for layer in layers), strict=True):
        assert np.abs(one - other).min() > 0


@pytest.mark.parametrize("initial_sigma", [0.001, 2.0])
@pytest.mark.parametrize("algorithm", LEARNERS, ids=lambda algorithm: type(algorithm).__name__)
def test_sigma_adapts_until_the_kl_is_that_of_the_epsilon_greedy_policy(algorithm, initial_sigma):
    noise = DiscreteParameterNoise(EpsilonSet(0.1), initial_sigma)
    state, first = begun(algorithm, noise)

    def one(memory, key):
        def step(memory, observation):
            return noise.act(algorithm, state, memory, observation, key=key)[1], None

        memory, _ = jax.lax.scan(step, memory, OBSERVATIONS)
        return noise.ended(algorithm, state, memory, key=key), memory.gaps / memory.steps

    keys = jax.random.split(jax.random.key(6), 60)
    gaps = np.asarray(jax.jit(lambda m: jax.lax.scan(one, m, keys))(first)[1])
    delta = -np.log(1 - 0.1 + 0.1 / 4)
    assert not 0.5 * delta < gaps[0] < 2 * delta, "the first sigma is far off"
    assert np.median(gaps[20:]) == pytest.approx(delta, rel=0.35)


@pytest.mark.parametrize("share", [0.0, 0.05, 1.0])
def test_delta_is_the_kl_of_a_greedy_policy_from_the_rule_s_own(share):
    dqn = DQN(torso=SMALL, exploration=EpsilonGreedy(0.8, 0.05, 0.1))
    state = dataclasses.replace(dqn.init(SPEC, key=jax.random.key(0)), share=jnp.float32(share))
    rule = dqn.actor(state)(OBSERVATIONS[0])
    greedy = Categorical(jnp.where(jnp.arange(4) == rule.mode(), 0.0, -jnp.inf))
    expected = greedy.kl(rule)
    delta = DiscreteParameterNoise(EpsilonOfRule()).wanted(dqn, state)
    np.testing.assert_allclose(delta, expected, rtol=1e-5)
    assert float(delta) == pytest.approx({0.0: 0.916, 0.05: 0.383, 1.0: 0.038}[share], abs=1e-3)


@pytest.mark.parametrize(
    ("algorithm", "noise", "spec", "words"),
    [
        (SAC(torso=SMALL), DiscreteParameterNoise(), Spec(3, Bounds((-1.0,), (1.0,))), r"1 numbers\. Take ParameterN"),
        (DQN(torso=SMALL), White(), SPEC, "Take DiscreteParameterNoise"),
        (DQN(torso=SMALL, exploration=NoisyNet()), DiscreteParameterNoise(), SPEC, "exploration:epsilon-greedy"),
        (DiscreteSAC(torso=SMALL), DiscreteParameterNoise(EpsilonOfRule()), SPEC, "epsilon:epsilon-set"),
        (LEARNERS[1], DiscreteParameterNoise(EpsilonOfRule()), SPEC, "has no epsilon"),
    ],
)
def test_what_it_does_not_fit_is_refused_with_the_remedy(algorithm, noise, spec, words):
    state = algorithm.init(spec, key=jax.random.key(0))
    with pytest.raises(EntropaxError, match=words):
        noise.init(algorithm, state, spec, None, key=jax.random.key(0))


def test_settings_out_of_range_and_learners_of_their_own_actions_are_refused():
    with pytest.raises(EntropaxError, match="DiscreteParameterNoise: initial_sigma"):
        DiscreteParameterNoise(initial_sigma=0.0)
    with pytest.raises(EntropaxError, match=r"EpsilonSet: epsilon is 0\.0"):
        EpsilonSet(0.0)
    with pytest.raises(EntropaxError, match="PPO learns from actions"):
        Exploration(DiscreteParameterNoise()).check(PPO())


@pytest.mark.slow
def test_on_device_each_copy_has_its_own_and_adapts_it():
    environment, exploration = make("entropax/CartPole-v0"), Exploration(DiscreteParameterNoise(EpsilonOfRule()))
    dqn = DQN(torso=Dense((8,)), batch_size=8)
    training = Training(steps=400, num_envs=2, warmup=0, capacity=400, log_every=100)
    carry = begin(dqn, environment, training, exploration, key=jax.random.key(0))
    after = jax.jit(lambda c: chunk(dqn, c, environment, training, 60, exploration)[0])(carry)
    sigma = np.asarray(after.exploration.noise.sigma)
    assert sigma.shape == (2,)
    assert (sigma > 0.015).all(), "0.01 is less than any epsilon asks for"
    assert (np.asarray(after.learner.updates) > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("words", [("dqn", "exploration.noise.epsilon:epsilon-of-rule"), ("discrete-sac",)], ids=str)
def test_on_a_host_environment_from_the_command_line(words, tmp_path):
    tiny = ("--algorithm.batch-size", "16", "algorithm.torso:dense", "--algorithm.torso.hidden-sizes", "8")
    short = ("--steps", "300", "--warmup", "100", "--log-every", "100", "--evaluate-every", "0")
    noise = ("exploration.noise:discrete-parameter-noise", *words[1:])
    main(("train", words[0], "--env", "CartPole-v1", "--root", str(tmp_path), *short, *tiny, *noise))
    (path,) = tmp_path.iterdir()
    stored = json.loads((path / "run.json").read_text("utf-8"))["exploration"]["noise"]
    assert (stored["type"], stored["initial_sigma"]) == ("DiscreteParameterNoise", 0.01)
    run = load(path)
    assert isinstance(run.exploration.noise, DiscreteParameterNoise)
    np.testing.assert_array_equal(run.metrics.series("train/skipped_updates")[1], 0)
