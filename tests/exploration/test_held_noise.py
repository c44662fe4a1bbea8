"""Noise that is held, state-dependent noise, and noise in place of the policy's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import (
    GSDE,
    PPO,
    SAC,
    TD3,
    Coloured,
    Dense,
    DiscreteSoftQ,
    Every,
    Exploration,
    Held,
    Orthogonal,
    Pink,
    Repeated,
    SoftQ,
    ThroughPolicy,
    WholeEpisode,
    Zeta,
)
from entropax.errors import EntropaxError
from entropax.exploration.gsde import last_hidden
from entropax.networks import LayerNormed
from entropax.types import Bounds, Categories, Spec

SPEC = Spec(3, Bounds((-2.0, 0.0), (2.0, 1.0)))
SMALL = SAC(torso=Dense((16, 16)))
OBSERVATIONS = jax.random.normal(jax.random.key(8), (40, 3))
STATE = SMALL.init(SPEC, key=jax.random.key(0))


def acted(noise, observations, key, algorithm=SMALL, state=STATE):
    """An episode's actions `[steps, action]`."""
    start_key, key = jax.random.split(key)
    first = noise.init(algorithm, state, SPEC, len(observations), key=start_key)

    def step(memory, inputs):
        action, memory = noise.act(algorithm, state, memory, inputs[0], key=inputs[1])
        return memory, action

    return np.asarray(jax.lax.scan(step, first, (observations, jax.random.split(key, len(observations))))[1])


def stretches(drawn):
    """Lengths of the runs of equal rows."""
    changes = np.flatnonzero(np.any(np.diff(drawn, axis=0) != 0, axis=1)) + 1
    return np.diff(np.concatenate([[0], changes, [len(drawn)]]))


def many(process, steps):
    """Noise of one long episode, `[steps, 2]`."""

    def step(state, key):
        drawn, state = process.next(state, key=key)
        return state, drawn

    first = process.init(2, None, key=jax.random.key(0))
    return np.asarray(jax.jit(lambda s: jax.lax.scan(step, s, jax.random.split(jax.random.key(1), steps))[1])(first))


def test_held_noise_has_unit_variance_and_the_lengths_asked_for():
    np.testing.assert_array_equal(stretches(many(Held(Every(4)), 400)), 4)
    assert len(stretches(many(Held(WholeEpisode()), 400))) == 1
    drawn = many(Held(Zeta()), 40_000)
    assert (drawn**2).mean() == pytest.approx(1, abs=0.05)
    found = stretches(drawn)[:-1]
    weights = 1 / np.arange(1, 17) ** 2
    expected = weights / weights.sum()
    assert found.max() == 16
    np.testing.assert_allclose(np.bincount(found, minlength=17)[1:] / len(found), expected, atol=0.015)
    assert Zeta().mean() == pytest.approx(expected @ np.arange(1, 17), rel=1e-5)
    assert expected[0] == pytest.approx(0.63, abs=0.005), "the share that the docstring names"


def test_repeated_noise_is_the_mode_with_the_same_noise_for_a_while():
    actions = acted(Repeated(0.1, Every(5)), OBSERVATIONS, jax.random.key(2))
    modes = np.asarray(jax.vmap(lambda o: SMALL.mode(STATE, o))(OBSERVATIONS))
    added = (actions - modes).reshape(8, 5, 2)
    np.testing.assert_allclose(added, np.broadcast_to(added[:, :1], added.shape), atol=1e-6)
    assert np.abs(np.diff(added[:, 0], axis=0)).min() > 1e-4


def test_a_new_episode_holds_nothing_of_the_last_one():
    for noise in (Repeated(0.1, WholeEpisode()), GSDE(), ThroughPolicy(Held(WholeEpisode()))):
        memory = noise.init(SMALL, STATE, SPEC, None, key=jax.random.key(0))
        _, after = noise.act(SMALL, STATE, memory, OBSERVATIONS[0], key=jax.random.key(1))
        assert int(after.left) > 1_000_000_000
        anew = noise.ended(SMALL, STATE, after, key=jax.random.key(2))
        _, following = noise.act(SMALL, STATE, anew, OBSERVATIONS[0], key=jax.random.key(3))
        assert np.abs(following.drawn - after.drawn).min() > 0


def test_state_dependent_noise_is_a_function_of_the_state_until_its_matrix_changes():
    twice = jnp.concatenate([OBSERVATIONS[:10], OBSERVATIONS[:10]])
    held = acted(GSDE(), twice, jax.random.key(3))
    np.testing.assert_array_equal(held[:10], held[10:])
    renewed = acted(GSDE(lengths=Every(10)), twice, jax.random.key(3))
    assert np.abs(renewed[:10] - renewed[10:]).min() > 0


def test_state_dependent_noise_has_the_published_variance():
    """Var = sum_i z_i^2 sigma^2 in every dimension (2005.05719, section 3)."""
    observation = OBSERVATIONS[0]
    keys = jax.random.split(jax.random.key(4), 4_000)
    actions = np.stack(jax.jit(jax.vmap(lambda k: jnp.asarray(_one(GSDE(-3.0), observation, k))))(keys))
    features = last_hidden(SMALL.actor(STATE).network, observation)
    assert features.shape == (16,) and float(features.min()) >= 0, "after the ReLU"
    expected = float(jnp.sqrt(jnp.sum(features**2))) * np.exp(-3)
    np.testing.assert_allclose((actions - np.asarray(SMALL.mode(STATE, observation))).std(axis=0), expected, rtol=0.05)


def _one(noise, observation, key):
    memory = noise.init(SMALL, STATE, SPEC, None, key=key)
    return noise.act(SMALL, STATE, memory, observation, key=key)[0]


@pytest.mark.parametrize("torso", [Dense((8, 5)), Orthogonal((8, 5)), LayerNormed((8, 5))], ids=lambda t: str(type(t)))
def test_the_last_hidden_layer_is_what_the_last_one_is_given(torso):
    network = torso.init(3, 2, key=jax.random.key(0))
    features = last_hidden(network, OBSERVATIONS[0])
    assert features.shape == (5,)
    np.testing.assert_allclose(network.layers[-1](features), network(OBSERVATIONS[0]), rtol=1e-6)
    td3 = TD3(torso=torso)
    state = td3.init(SPEC, key=jax.random.key(1))
    assert last_hidden(td3.actor(state).network, OBSERVATIONS[0]).shape == (5,)


@pytest.mark.parametrize(
    "algorithm", [SMALL, TD3(torso=Dense((16,)), exploration_noise=0.2), SoftQ(torso=Dense((16,)))]
)
def test_through_the_policy_noise_takes_the_place_of_its_own(algorithm):
    state = algorithm.init(SPEC, key=jax.random.key(5))
    noise = ThroughPolicy(Coloured(1.0))
    memory = noise.init(algorithm, state, SPEC, 40, key=jax.random.key(6))
    actions = []
    for step in range(3):
        observation = OBSERVATIONS[step]
        action, after = noise.act(algorithm, state, memory, observation, key=jax.random.key(7))
        policy = algorithm.actor(state)(observation)
        np.testing.assert_allclose(action, policy.from_noise(memory.sequence[step]).clip(-1, 1), rtol=1e-6)
        memory = after
        actions.append(action)
    # Standard normal noise of each step's own is the policy's draw.
    policy, key = algorithm.actor(state)(OBSERVATIONS[0]), jax.random.key(9)
    np.testing.assert_allclose(
        policy.from_noise(jax.random.normal(key, (2,))), policy.sample_and_log_prob(key=key)[0], rtol=1e-6
    )


def test_coloured_noise_without_a_horizon_is_refused_with_the_remedy():
    for noise in (Pink(), ThroughPolicy(Coloured())):
        with pytest.raises(EntropaxError, match=r"no time limit .*TimeLimit.* OU or Repeated"):
            noise.init(SMALL, STATE, SPEC, None, key=jax.random.key(0))
    for noise in (Repeated(), GSDE(), ThroughPolicy(Held())):
        noise.init(SMALL, STATE, SPEC, None, key=jax.random.key(0))


def test_what_does_not_fit_is_refused():
    soft = SoftQ(torso=Dense((8,)))
    with pytest.raises(EntropaxError, match="GSDE: this policy is a Sampler"):
        GSDE().init(soft, soft.init(SPEC, key=jax.random.key(0)), SPEC, 10, key=jax.random.key(0))
    discrete, spec = DiscreteSoftQ(torso=Dense((8,))), Spec(3, Categories(4))
    with pytest.raises(EntropaxError, match="GSDE is noise on numbers, but the actions are one of 4 categories"):
        GSDE().init(discrete, discrete.init(spec, key=jax.random.key(0)), spec, 10, key=jax.random.key(0))
    with pytest.raises(EntropaxError, match=r"GSDE.* cannot act for it"):
        Exploration(GSDE()).check(PPO())


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Every(0), "Every: steps"),
        (lambda: Zeta(0.0), "Zeta: exponent"),
        (lambda: Zeta(longest=0), "Zeta: longest"),
        (lambda: Repeated(0.0), "Repeated: sigma"),
        (lambda: GSDE(float("inf")), "GSDE: log_std"),
        (lambda: Coloured(-1.0), "Coloured: beta"),
    ],
)
def test_wrong_settings_are_refused(build, words):
    with pytest.raises(EntropaxError, match=words):
        build()
