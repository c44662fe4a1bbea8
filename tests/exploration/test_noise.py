"""What the noises are: moments, spectrum, distance of actions; and when their memory begins anew."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import GSDE, OU, SAC, TD3, Dense, ParameterNoise, Pink, Repeated, ThroughPolicy, White
from entropax.errors import EntropaxError
from entropax.exploration import Every, Held, Policy
from entropax.exploration.processes import coloured
from entropax.types import Bounds, Categories, Spec

SPEC = Spec(3, Bounds((-2.0, 0.0), (2.0, 1.0)))
HORIZON = 50
NOISES = [
    *(Policy(), White(0.2), OU(0.2), Pink(0.2), ParameterNoise(), Repeated(0.2), GSDE()),
    *(ThroughPolicy(), ThroughPolicy(Held(Every(2)))),
]
ORIGIN = jnp.zeros(3)


@pytest.fixture(scope="module")
def learner():
    """SAC with its first parameters: at an observation of 0 its mode is 0, as biases are."""
    sac = SAC(torso=Dense((16, 16)))
    return sac, sac.init(SPEC, key=jax.random.key(0))


def episode(noise, learner, observations, key, ended=False):
    """The actions of an episode over these observations, and the memory after it."""
    sac, state = learner
    start_key, key = jax.random.split(key)
    first = noise.init(sac, state, SPEC, len(observations), key=start_key)

    def step(memory, inputs):
        observation, key = inputs
        action, memory = noise.act(sac, state, memory, observation, key=key)
        return memory, action

    memory, actions = jax.lax.scan(step, first, (observations, jax.random.split(key, len(observations))))
    return actions, memory


def at_origin(noise, learner, horizon, episodes):
    """Noise alone, `[episodes, horizon, action]`."""
    sac, state = learner
    np.testing.assert_array_equal(sac.mode(state, ORIGIN), 0)
    keys = jax.random.split(jax.random.key(1), episodes)
    observations = jnp.zeros((horizon, 3))
    return np.asarray(jax.jit(jax.vmap(lambda key: episode(noise, learner, observations, key)[0]))(keys))


@pytest.mark.parametrize("noise", NOISES, ids=str)
@pytest.mark.parametrize("algorithm", [SAC(torso=Dense((8,))), TD3(torso=Dense((8,)))], ids=["sac", "td3"])
def test_the_contract(noise, algorithm):
    """Actions lie in [-1, 1], memory keeps its type, and copies are independent of one another."""
    state = algorithm.init(SPEC, key=jax.random.key(0))
    memory = noise.init(algorithm, state, SPEC, HORIZON, key=jax.random.key(1))
    observation = jnp.array([5.0, -5.0, 5.0])
    action, after = noise.act(algorithm, state, memory, observation, key=jax.random.key(2))
    anew = noise.ended(algorithm, state, after, key=jax.random.key(3))
    kinds = [
        jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype, leaf.weak_type), tree) for tree in (memory, after, anew)
    ]
    assert kinds[0] == kinds[1] == kinds[2]
    assert action.shape == (2,)
    if not isinstance(noise, Policy):
        assert np.abs(action).max() <= 1


def test_the_policy_alone_is_the_algorithm_s_own_act(learner):
    sac, state = learner
    action, memory = Policy().act(sac, state, (), ORIGIN, key=jax.random.key(7))
    np.testing.assert_array_equal(action, sac.act(state, ORIGIN, key=jax.random.key(7)))
    assert memory == ()


def test_white_noise_has_its_deviation_and_no_memory(learner):
    drawn = at_origin(White(0.2), learner, HORIZON, 400)
    assert drawn.std() == pytest.approx(0.2, rel=0.02)
    lagged = (drawn[:, 1:] * drawn[:, :-1]).mean() / drawn.var()
    assert abs(lagged) < 0.02, "40,000 products: a deviation of 0.005"


def test_ou_settles_at_its_stationary_moments(learner):
    """E[x^2] = sigma^2 dt / (1 - (1 - theta dt)^2); the autocorrelation falls by 1 - theta dt a step."""
    noise = OU(sigma=0.2, theta=3.0, dt=0.05)
    drawn = at_origin(noise, learner, 400, 200)[:, 100:]
    kept = 1 - 3.0 * 0.05
    assert drawn.std() == pytest.approx(np.sqrt(0.2**2 * 0.05 / (1 - kept**2)), rel=0.03)
    for lag in (1, 5):
        correlation = (drawn[:, lag:] * drawn[:, :-lag]).mean() / drawn.var()
        assert correlation == pytest.approx(kept**lag, abs=0.03)
    assert abs(drawn.mean()) < 0.005


def test_ou_begins_every_episode_at_0_and_has_the_size_that_it_says(learner):
    noise = OU(0.2)
    drawn = at_origin(noise, learner, 40, 2_000)
    assert np.sqrt((drawn**2).mean()) == pytest.approx(noise.size(40), rel=0.03)
    assert drawn[:, 0].std() == pytest.approx(0.2 * 0.1, rel=0.05), "sigma sqrt(dt) after one step"
    # Published strength, long after: sigma / sqrt(2 theta), but for the step's size.
    assert noise.size(1_000_000) == pytest.approx(0.2 / np.sqrt(0.3), rel=1e-3)
    sac, state = learner
    np.testing.assert_array_equal(noise.ended(sac, state, jnp.ones(2), key=jax.random.key(0)), 0)


@pytest.mark.parametrize("steps", [128, 129])
@pytest.mark.parametrize(("beta", "slope"), [(0.0, 0.0), (1.0, -1.0), (2.0, -2.0)])
def test_coloured_noise_has_variance_1_at_every_step_and_its_spectrum(steps, beta, slope):
    drawn = np.asarray(coloured(beta, steps, 4_000, key=jax.random.key(0)))
    assert drawn.shape == (steps, 4_000)
    np.testing.assert_allclose((drawn**2).mean(axis=1), 1, atol=0.12)  # Five deviations of 4,000 squares.
    assert (drawn**2).mean() == pytest.approx(1, abs=0.04)
    power = (np.abs(np.fft.rfft(drawn, axis=0)) ** 2).mean(axis=1)[1 : (steps + 1) // 2]
    frequency = np.arange(1, len(power) + 1)
    found = np.polyfit(np.log(frequency), np.log(power), 1)[0]
    assert found == pytest.approx(slope, abs=0.03)


def test_pink_noise_is_scaled_runs_through_its_episode_and_is_drawn_anew_after(learner):
    sac, state = learner
    noise = Pink(0.2)
    memory = noise.init(sac, state, SPEC, HORIZON, key=jax.random.key(4))
    actions = []
    for number in range(3):
        action, after = noise.act(sac, state, memory, ORIGIN, key=jax.random.key(number))
        np.testing.assert_allclose(action, 0.2 * memory.sequence[number], rtol=1e-6)
        np.testing.assert_array_equal(after.sequence, memory.sequence)
        memory = after
        actions.append(action)
    anew = noise.ended(sac, state, memory, key=jax.random.key(5))
    assert (int(memory.position), int(anew.position)) == (3, 0)
    assert np.abs(anew.sequence - memory.sequence).min() > 0
    drawn = at_origin(noise, learner, HORIZON, 800)
    assert np.sqrt((drawn**2).mean()) == pytest.approx(0.2, rel=0.03)


def test_parameter_noise_is_a_function_within_an_episode_and_another_one_after(learner):
    sac, _ = learner
    noise = ParameterNoise(0.1)
    one, other = jnp.array([1.0, 0.0, -1.0]), jnp.array([0.5, 2.0, 0.0])
    actions, memory = episode(noise, learner, jnp.stack([one, other, one, one]), jax.random.key(0))
    np.testing.assert_array_equal(actions[0], actions[2])
    np.testing.assert_array_equal(actions[0], actions[3])
    assert np.abs(actions[0] - actions[1]).max() > 0
    # A learner that has moved on does not move the episode's policy.
    moved = sac.init(SPEC, key=jax.random.key(9))
    later, _ = noise.act(sac, moved, memory, one, key=jax.random.key(1))
    np.testing.assert_array_equal(later, actions[0])
    anew = noise.ended(sac, moved, memory, key=jax.random.key(2))
    following, _ = noise.act(sac, moved, anew, one, key=jax.random.key(1))
    assert np.abs(following - later).max() > 0
    np.testing.assert_array_equal(anew.actor(one).mode(), sac.mode(moved, one))


@pytest.mark.parametrize("initial_sigma", [0.001, 2.0])
def test_parameter_noise_adapts_until_actions_are_the_asked_distance_apart(learner, initial_sigma):
    sac, state = learner
    noise, episodes = ParameterNoise(0.1, initial_sigma), 60
    observations = jax.random.normal(jax.random.key(3), (30, 3))

    def one(memory, key):
        def step(memory, observation):
            action, memory = noise.act(sac, state, memory, observation, key=key)
            return memory, jnp.mean((action - sac.mode(state, observation)) ** 2)

        memory, squares = jax.lax.scan(step, memory, observations)
        return noise.ended(sac, state, memory, key=key), squares.mean()

    first = noise.init(sac, state, SPEC, 30, key=jax.random.key(5))
    _, squares = jax.jit(lambda m: jax.lax.scan(one, m, jax.random.split(jax.random.key(6), episodes)))(first)
    distances = np.sqrt(np.asarray(squares))
    assert not 0.08 < distances[0] < 0.125, "the first sigma is far off"
    assert np.median(distances[20:]) == pytest.approx(0.1, rel=0.15)


def test_parameter_noise_keeps_its_sigma_after_an_episode_in_which_it_did_not_act(learner):
    sac, state = learner
    memory = ParameterNoise().init(sac, state, SPEC, HORIZON, key=jax.random.key(0))
    assert float(ParameterNoise().ended(sac, state, memory, key=jax.random.key(1)).sigma) == np.float32(0.1)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: White(0.0), "White: sigma"),
        (lambda: OU(sigma=-1.0), "OU: sigma"),
        (lambda: OU(dt=0.0), "OU: dt"),
        (lambda: OU(theta=300.0), "Lower dt"),
        (lambda: Pink(float("nan")), "Pink: sigma"),
        (lambda: Pink(beta=-1.0), r"Pink noise has 1\."),
        (lambda: ParameterNoise(0.0), "ParameterNoise: distance"),
        (lambda: ParameterNoise(initial_sigma=0.0), "ParameterNoise: initial_sigma"),
    ],
)
def test_what_is_no_noise_is_refused(build, words):
    with pytest.raises(EntropaxError, match=words):
        build()


@pytest.mark.parametrize("noise", NOISES[1:], ids=str)
def test_noise_on_an_index_is_refused(noise, learner):
    sac, state = learner
    with pytest.raises(EntropaxError, match=f"{type(noise).__name__} .*one of 4 categories"):
        noise.init(sac, state, Spec(3, Categories(4)), HORIZON, key=jax.random.key(0))
