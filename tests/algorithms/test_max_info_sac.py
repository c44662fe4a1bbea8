"""MaxInfoSAC: the information gain and both temperatures' gradients by hand; without its weight it is SAC."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import SAC, Dense, Dual, EntropaxError, Fixed, Level, MaxInfoSAC
from entropax.intrinsic.ensemble import Ensemble, SeparateTrunks, SharedTrunk, disagreement, information_gain
from entropax.intrinsic.moments import including, no_moments
from entropax.types import Bounds, Spec, Transition, unknown_progress

SPEC = Spec(3, Bounds((-1.0, -1.0), (1.0, 1.0)))
BATCH = 12
KEY = jax.random.key(5)
PROGRESS = unknown_progress(SPEC)
INNER = SAC(torso=Dense((8,)), batch_size=BATCH, discount=0.9, temperature=Dual(initial_alpha=0.7, learning_rate=0.1))
MODELS = Ensemble(trunks=SharedTrunk(Dense((8,))), heads=3)
SETTINGS = MaxInfoSAC(INNER, Dual(0.1, 0.5, Level(0.0)), MODELS)


def batch(terminated=0.0):
    rng = np.random.default_rng(1)

    def draw(*more):
        return jnp.asarray(rng.normal(size=(BATCH, 1, *more)), jnp.float32)

    ended = jnp.full((BATCH, 1), terminated, jnp.float32)
    return Transition(draw(3), jnp.tanh(draw(2)), draw(), draw(3), ended, ended)


def begun(algorithm=SETTINGS):
    """A state whose lagged policy is another one, and whose moments have seen something."""
    state = algorithm.init(SPEC, key=jax.random.key(0))
    other = algorithm.init(SPEC, key=jax.random.key(1)).target_actor
    seen = including(no_moments(), jnp.asarray([3.0, 5.0, 8.0]), jnp.ones(3, bool))
    return eqx.tree_at(lambda s: (s.target_actor, s.gains), state, (other, seen))


def updated(algorithm, data, state):
    return jax.jit(lambda s: algorithm.update(SPEC, s, data, PROGRESS, key=KEY))(state)


def gains_by_hand(models, observations, actions):
    """mean_k log(1 + (std_k / 1e-3)^2), in NumPy, of heads on inputs that have been standardised by hand."""
    models = jax.tree.map(np.asarray, models)
    x = np.concatenate([observations, actions], axis=1)
    x = (x - models.inputs.mean) / np.maximum(np.sqrt(models.inputs.variance), 1e-3)
    layers = models.heads.network.layers
    hidden = np.maximum(x @ layers[0].weight + layers[0].bias, 0)
    predicted = (hidden @ layers[1].weight + layers[1].bias).reshape(len(x), 3, 4)
    return np.mean(np.log(1 + (predicted.std(axis=1) / 1e-3) ** 2), axis=1)


def lookahead_by_hand(state, data):
    """Both policies' actions with the actor's noise, and their gains before they are standardised."""
    noise = jax.random.normal(KEY, (2, BATCH, 2))[1]
    observations = data.observation[:, 0]
    found = []
    for actor in (state.sac.actor, state.target_actor):
        pairs = [actor(o).reparameterised(e) for o, e in zip(observations, noise, strict=True)]
        actions, log_probs = (jnp.stack(part) for part in zip(*pairs, strict=True))
        found.append((gains_by_hand(state.models, observations, actions), log_probs))
    return found


def test_the_information_gain_by_hand():
    state, data = begun(), batch()
    observations, actions = data.observation[:, 0], data.action[:, 0]
    gains = information_gain(disagreement(SPEC, state.models, observations, actions))
    np.testing.assert_allclose(gains, gains_by_hand(state.models, observations, actions), rtol=1e-4)
    # One output, heads at 0 and 2: a deviation of 1, a thousand times the noise.
    assert float(information_gain(jnp.var(jnp.array([[0.0], [2.0]]), axis=0)[None])[0]) == pytest.approx(
        np.log(1 + 1e6), rel=1e-6
    )
    slope = jax.grad(lambda a: information_gain(disagreement(SPEC, state.models, observations, a)).sum())(actions)
    assert np.all(np.isfinite(slope)) and np.abs(slope).max() > 0
    alike = jax.grad(lambda v: information_gain(v)[0])(jnp.zeros((1, 3)))
    np.testing.assert_allclose(alike, np.full((1, 3), 1e6 / 3), rtol=1e-5)


def test_the_moments_are_those_of_all_values_at_once():
    rng = np.random.default_rng(0)
    values, moments = rng.normal(2.0, 3.0, (60, 2)).astype(np.float32), no_moments(2)
    counted = rng.random(60) < 0.7
    for start in range(0, 60, 20):
        rows = slice(start, start + 20)
        some = jnp.where(counted[rows, None], values[rows], jnp.nan)
        moments = including(moments, some, jnp.asarray(counted[rows]))
    np.testing.assert_allclose(moments.mean, values[counted].mean(0), rtol=1e-4)
    np.testing.assert_allclose(moments.variance, values[counted].var(0), rtol=1e-4)
    assert float(moments.count) == counted.sum()
    np.testing.assert_allclose(moments.standardised(jnp.asarray(values))[counted].std(0), [1.0, 1.0], rtol=1e-4)


def test_both_temperatures_gradients_by_hand():
    """Each law's Adam remembers a tenth of its first gradient by its logarithm."""
    state, data = begun(), batch()
    (now, log_probs), (lagged, _) = lookahead_by_hand(state, data)
    seen = np.concatenate([np.asarray([3.0, 5.0, 8.0]), now, lagged])
    after, metrics = updated(SETTINGS, data, state)
    assert float(metrics["train/information_gain"]) == pytest.approx(now.mean(), rel=1e-4)
    slack = (now - lagged).mean() / seen.std()
    assert abs(slack) > 1e-2
    assert float(metrics["train/information_slack"]) == pytest.approx(slack, rel=1e-3)
    assert float(after.information.adam.mu) == pytest.approx(0.1 * slack, rel=1e-3)
    assert float(metrics["train/information_coef_step"]) == pytest.approx(-0.1 * np.sign(slack), rel=1e-3)
    assert float(metrics["train/information_coef"]) == pytest.approx(0.5 * np.exp(-0.1 * np.sign(slack)), rel=1e-3)
    entropy = -float(np.sum(log_probs, axis=1).mean())
    assert float(after.sac.temperature.adam.mu) == pytest.approx(0.1 * (entropy + 2), rel=1e-3)


def test_targets_have_the_standardised_gain_of_the_next_action():
    state, data = begun(), batch()
    (now, _), (lagged, _) = lookahead_by_hand(state, data)
    seen = np.concatenate([np.asarray([3.0, 5.0, 8.0]), now, lagged])
    noise = jax.random.normal(KEY, (2, BATCH, 2))[0]
    draw = jax.jit(lambda observation, noise: state.sac.actor(observation).reparameterised(noise))
    values = jax.jit(lambda critics, observation, action: jax.vmap(lambda c: c(observation, action))(critics))
    squares = []
    for i in range(BATCH):
        observation = data.next_observation[i, 0]
        action, log_prob = draw(observation, noise[i])
        gain = gains_by_hand(state.models, observation[None], action[None])[0]
        ahead = jnp.min(values(state.sac.target_critics, observation, action))
        ahead = ahead - 0.7 * log_prob.sum() + 0.5 * (gain - seen.mean()) / seen.std()
        q = values(state.sac.critics, data.observation[i, 0], data.action[i, 0])
        squares.append(0.5 * jnp.sum((q - data.reward[i, 0] - 0.9 * ahead) ** 2))
    _, metrics = updated(SETTINGS, data, state)
    assert float(metrics["train/critic_loss"]) == pytest.approx(np.mean(squares), rel=1e-3)
    _, ended = updated(SETTINGS, batch(1.0), state)
    alone = SETTINGS.sac.update(SPEC, state.sac, batch(1.0), PROGRESS, key=KEY)[1]
    assert float(ended["train/critic_loss"]) == pytest.approx(float(alone["train/critic_loss"]), rel=1e-4)


def test_the_actor_climbs_the_gain_through_its_actions():
    """With almost no other reason to move, a step of the actor raises the gain of its own actions."""
    heavy = MaxInfoSAC(
        SAC(torso=Dense((8,)), batch_size=BATCH, actor_learning_rate=1e-3, temperature=Fixed(1e-6)), Fixed(1e4), MODELS
    )
    state, data = begun(heavy), batch()
    after, _ = updated(heavy, data, state)
    noise = jax.random.normal(KEY, (2, BATCH, 2))[1]

    def told(actor):
        actions = jnp.stack(
            [actor(o).reparameterised(e)[0] for o, e in zip(data.observation[:, 0], noise, strict=True)]
        )
        return gains_by_hand(state.models, data.observation[:, 0], actions).mean()

    assert told(after.sac.actor) > told(state.sac.actor)


def test_without_weight_it_is_sac():
    algorithm = eqx.tree_at(lambda a: a.information, SETTINGS, Fixed(1e-30))
    state, data = begun(algorithm), batch()
    (after, metrics), (sac, theirs) = updated(algorithm, data, state), updated(INNER, data, state.sac)
    for one, two in zip(jax.tree.leaves(after.sac), jax.tree.leaves(sac), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
    for name, value in theirs.items():
        np.testing.assert_allclose(metrics[name], value, rtol=1e-4, atol=1e-5)
    lagged = jax.tree.map(lambda old, new: old + 0.005 * (new - old), state.target_actor, sac.actor)
    for one, two in zip(jax.tree.leaves(after.target_actor), jax.tree.leaves(lagged), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("trunks", [SharedTrunk(Dense((16,))), SeparateTrunks(Dense((16,)))], ids=["shared", "own"])
def test_models_learn_and_then_agree(trunks):
    ensemble, data = Ensemble(3e-3, trunks, heads=4), jax.tree.map(lambda x: x[:, 0], batch())
    state = ensemble.init(SPEC, key=KEY)
    counted = jnp.ones(len(data.reward), bool)
    learn = jax.jit(lambda s: ensemble.learn(SPEC, ensemble.see(SPEC, s, data, counted), data))
    state, first = learn(state)
    before = disagreement(SPEC, state, data.observation, data.action)
    for _ in range(400):
        state, error = learn(state)
    assert float(error) < 0.2 * float(first)
    assert float(jnp.mean(disagreement(SPEC, state, data.observation, data.action))) < 0.3 * float(jnp.mean(before))


def test_a_law_of_an_entropy_is_refused():
    with pytest.raises(EntropaxError, match=r"MaxInfoSAC: Dual steers to .*Level"):
        MaxInfoSAC(information=Dual())
