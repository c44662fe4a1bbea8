"""SAC-AdaEnt's update against its paper, term by term, and its switch where the landscapes are known."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import SAC, Dense, Dual, Fixed, SACAdaEnt
from entropax.algorithms.landscapes import AboveLowest, Correlation, Ranking
from entropax.algorithms.sac_adaent import similarities, switched_value
from entropax.algorithms.soft import least_value, sample
from entropax.errors import EntropaxError
from entropax.loops.update import BROKEN, guarded_update
from entropax.networks import Critic, ensemble
from entropax.ops import landscape_similarity, ranking_agreement
from entropax.policies import Actor
from entropax.replay import pack
from entropax.types import Bounds, Spec, Transition, unknown_progress

SPEC = Spec(3, Bounds((-2.0, -1.0), (2.0, 1.0)))
BATCH, SAMPLES = 12, 9
KEY = jax.random.key(5)
SAC_KEY, LANDSCAPE_KEY = jax.random.split(KEY)
PROGRESS = unknown_progress(SPEC)
# What an update with this key draws: noise of the targets' actions, of the actor's, and of the landscapes'.
NOISE = jax.random.normal(SAC_KEY, (2, BATCH, 2))
LANDSCAPE_NOISE = jax.random.normal(LANDSCAPE_KEY, (SAMPLES, BATCH, 2))


def batch(n_step=1, seed=1, terminated=None):
    rng = np.random.default_rng(seed)

    def draw(*more):
        return jnp.asarray(rng.normal(size=(BATCH, n_step, *more)), jnp.float32)

    ended = rng.random((BATCH, n_step)) < 0.3 if terminated is None else np.full((BATCH, n_step), terminated)
    ended = jnp.asarray(ended, jnp.float32)
    return Transition(draw(3), jnp.tanh(draw(2)), draw(), draw(3), ended, ended)


def sac(**settings):
    settings = {"temperature": Fixed(0.7), "torso": Dense((8,)), **settings}
    return SAC(batch_size=BATCH, discount=0.9, polyak=0.25, critic_learning_rate=0.01, **settings)


def adaent(threshold=0.9, **settings):
    return SACAdaEnt(sac(**settings), threshold=threshold, samples=SAMPLES)


def fresh(algorithm):
    """A state whose target critics are not its critics, so that a mix-up shows."""
    state, other = (algorithm.init(SPEC, key=jax.random.key(seed)) for seed in (0, 1))

    def targets(s):
        return s.sac.target_critics, s.plain.target_critics

    return eqx.tree_at(targets, state, (other.sac.critics, other.plain.critics))


def updated(algorithm, state, data=None):
    data = batch() if data is None else data
    return jax.jit(lambda s: algorithm.update(SPEC, s, data, PROGRESS, key=KEY))(state)


def shares(state, data=None):
    """c(s) at each state of a batch, in a loop."""
    found = []
    for i, observation in enumerate((batch() if data is None else data).observation[:, 0]):
        rows = jnp.broadcast_to(observation, (SAMPLES, 3))
        actions, _ = sample(state.sac.actor, rows, LANDSCAPE_NOISE[:, i])
        landscapes = (least_value(critics, rows, actions) for critics in (state.sac.critics, state.plain.critics))
        found.append(float(landscape_similarity(*landscapes)))
    return np.array(found)


# The switch, where the landscapes are known.


def bent(slope):
    """Two critics relu(slope * a), of one action and an observation that they ignore."""
    critic = ensemble(lambda key: Critic(Dense((1,)).init(2, 1, key=key)), 2, key=jax.random.key(0))
    first = jnp.broadcast_to(jnp.array([[0.0], [slope]]), (2, 2, 1))
    return eqx.tree_at(
        lambda c: (c.network.layers[0].weight, c.network.layers[1].weight), critic, (first, jnp.ones((2, 1, 1)))
    )


@pytest.mark.parametrize(
    ("plain_slope", "expected", "switches"),
    [
        pytest.param(-1.0, 0.0, True, id="opposed"),
        pytest.param(3.0, 1.0, False, id="alike"),
        pytest.param(0.0, 0.0, True, id="flat"),
    ],
)
def test_the_plain_value_is_taken_where_landscapes_are_opposed_or_flat(plain_slope, expected, switches):
    actor = Actor(Dense(()).init(1, 2, key=jax.random.key(3)))
    soft, plain = bent(1.0), bent(plain_slope)
    observations = jnp.zeros((5, 1))
    found = similarities(AboveLowest(), actor, soft, plain, observations, jax.random.normal(KEY, (100, 5, 1)))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    value = switched_value(soft, plain, found < 0.9)
    chosen = plain_slope if switches else 1.0
    actions = jnp.linspace(-1.0, 1.0, 5)[:, None]
    np.testing.assert_allclose(value(observations, actions), np.maximum(chosen * actions[:, 0], 0), atol=1e-6)


def test_each_state_is_judged_on_actions_of_its_own_policy():
    """States have different policies, so their landscapes over the same critics differ."""
    state = fresh(adaent())
    found = similarities(
        AboveLowest(),
        state.sac.actor,
        state.sac.critics,
        state.plain.critics,
        batch().observation[:, 0],
        LANDSCAPE_NOISE,
    )
    np.testing.assert_allclose(found, shares(state), rtol=1e-4)
    assert found.shape == (BATCH,)
    assert np.ptp(found) > 0.05


# The update.


@pytest.mark.parametrize("n_step", [1, 3])
def test_plain_targets_have_no_entropy_and_share_the_next_action(n_step):
    algorithm = adaent(n_step=n_step)
    state, data = fresh(algorithm), batch(n_step)
    _, metrics = updated(algorithm, state, data)
    losses = {"train/critic_loss": [], "train/plain_critic_loss": []}
    ensembles = (
        (state.sac.critics, state.sac.target_critics, 0.7),
        (state.plain.critics, state.plain.target_critics, 0.0),
    )
    for (name, found), (critics, targets, alpha) in zip(losses.items(), ensembles, strict=True):
        for i, noise in enumerate(NOISE[0]):
            reward, weight, k = 0.0, 1.0, 0
            for k in range(n_step):
                reward, weight = reward + weight * float(data.reward[i, k]), weight * 0.9
                if data.last[i, k]:
                    break
            observation = data.next_observation[i, k]
            action, log_probs = state.sac.actor(observation).reparameterised(noise)
            ahead = float(least_value(targets, observation[None], action[None])[0] - alpha * log_probs.sum())
            target = reward + weight * (1 - float(data.terminated[i, k])) * ahead
            q = jax.vmap(lambda c, i=i: c(data.observation[i, 0], data.action[i, 0]))(critics)
            found.append(0.5 * np.sum((np.asarray(q) - target) ** 2))
        assert float(metrics[name]) == pytest.approx(np.mean(found), rel=1e-4), name


def test_the_actor_climbs_the_new_critics_each_state_its_own():
    """Threshold at the median: half of the states switch. Adam's first moment is 0.1 of the gradient."""
    following, _ = updated(adaent(), fresh(adaent()))
    # Adam moves the actor too, but the decision and the loss are of the actor from before.
    judged = eqx.tree_at(lambda s: s.sac.actor, following, fresh(adaent()).sac.actor)
    similarity = shares(judged)
    algorithm = adaent(threshold=float(np.median(similarity)))
    after, metrics = updated(algorithm, fresh(algorithm))
    switched = similarity < np.median(similarity)
    assert float(metrics["train/switched_states"]) == pytest.approx(switched.mean())
    assert switched.mean() == 0.5
    assert float(metrics["train/landscape_similarity"]) == pytest.approx(similarity.mean(), rel=1e-4)

    def loss(actor):
        terms = []
        for i, observation in enumerate(batch().observation[:, 0]):
            action, log_probs = actor(observation).reparameterised(NOISE[1, i])
            critics = (judged.plain if switched[i] else judged.sac).critics
            terms.append(0.7 * log_probs.sum() - least_value(critics, observation[None], action[None])[0])
        return jnp.mean(jnp.stack(terms))

    expected, gradient = jax.jit(jax.value_and_grad(loss))(judged.sac.actor)
    assert float(metrics["train/actor_loss"]) == pytest.approx(float(expected), rel=1e-4, abs=1e-5)
    moments = after.sac.actor_optimiser.mu
    for moment, part in zip(jax.tree.leaves(moments), jax.tree.leaves(gradient), strict=True):
        np.testing.assert_allclose(moment / 0.1, part, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("delay", [1, 2])
def test_threshold_0_is_sac(delay):
    algorithm = adaent(threshold=0.0, temperature=Dual(learning_rate=0.1), policy_delay=delay)
    state = fresh(algorithm)
    alone = state.sac
    update = jax.jit(lambda s, d, k: algorithm.update(SPEC, s, d, PROGRESS, key=k))
    sac_update = jax.jit(lambda s, d, k: algorithm.sac.update(SPEC, s, d, PROGRESS, key=k))
    for number in range(4):
        key = jax.random.key(number)
        state, metrics = update(state, batch(seed=number), key)
        alone, theirs = sac_update(alone, batch(seed=number), jax.random.split(key)[0])
        assert float(metrics["train/switched_states"]) == 0
        for name, value in theirs.items():
            np.testing.assert_allclose(metrics[name], value, rtol=1e-5, atol=1e-6, err_msg=name)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), state.sac, alone)


def test_above_1_the_actor_never_asks_the_soft_critics():
    algorithm = adaent(threshold=1.01)
    state = fresh(algorithm)
    # Without successors the soft critics' targets know no critics either: only the actor could see them.
    data = batch(terminated=1.0)
    strange = eqx.tree_at(lambda s: s.sac.critics, state, fresh(adaent()).plain.target_critics)
    (one, metrics), (two, others) = (updated(algorithm, s, data) for s in (state, strange))
    assert float(metrics["train/switched_states"]) == float(others["train/switched_states"]) == 1
    assert float(metrics["train/q_mean"]) != float(others["train/q_mean"])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7), one.sac.actor, two.sac.actor)


def test_all_target_critics_move_by_their_share():
    state = fresh(adaent())
    following, _ = updated(adaent(), state)
    for old, new in ((state.sac, following.sac), (state.plain, following.plain)):
        jax.tree.map(
            lambda slow, fast, found: np.testing.assert_allclose(
                found, 0.75 * slow + 0.25 * fast, rtol=1e-5, atol=1e-6
            ),
            old.target_critics,
            new.critics,
            new.target_critics,
        )


def test_plain_critics_that_are_not_finite_are_named_and_undone():
    state = fresh(adaent())
    nan = jax.tree.map(lambda x: x * jnp.nan, state.plain.target_critics)
    broken = eqx.tree_at(lambda s: s.plain.target_critics, state, nan)
    data = pack(batch(terminated=0.0))
    update = jax.jit(lambda s: guarded_update(adaent(), SPEC, s, data, PROGRESS, key=KEY))
    after, metrics = update(broken)
    assert float(metrics[f"{BROKEN}train/plain_critic_loss"]) == float(metrics["train/skipped_updates"]) == 1
    jax.tree.map(np.testing.assert_array_equal, after, broken)
    assert float(update(state)[1]["train/kept_updates"]) == 1


def test_soft_and_plain_values_of_an_action_are_those_the_actor_climbs():
    state, data = fresh(adaent()), batch()
    observations, actions = data.observation[:, 0], data.action[:, 0]
    q = jax.vmap(lambda o, a: adaent().soft_and_plain(state, o, a))(observations, actions)
    for found, critics in ((q.soft, state.sac.critics), (q.plain, state.plain.critics)):
        np.testing.assert_allclose(found, least_value(critics, observations, actions), rtol=1e-6)
    assert not np.allclose(q.soft, q.plain)


def test_plain_and_soft_critics_begin_apart():
    state = adaent().init(SPEC, key=KEY)
    for soft, plain in zip(jax.tree.leaves(state.sac.critics), jax.tree.leaves(state.plain.critics), strict=True):
        assert soft.shape == plain.shape
        assert not soft.any() or not np.array_equal(soft, plain)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"samples": 1}, ("samples is 1", "Take 100")),
        ({"threshold": float("nan")}, ("threshold is nan", "Take 0.9")),
        ({"threshold": float("inf")}, ("threshold is inf", "1.01 always")),
    ],
)
def test_refused(settings, words):
    with pytest.raises(EntropaxError) as refusal:
        SACAdaEnt(**settings)
    for word in words:
        assert word in str(refusal.value)


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (AboveLowest(), lambda a, b: float(landscape_similarity(a, b))),
        (Correlation(), lambda a, b: np.corrcoef(a, b)[0, 1]),
        (Ranking(), lambda a, b: float(ranking_agreement(a, b))),
    ],
)
def test_landscapes_can_be_compared_in_three_ways(measure, expected):
    one, other = (jnp.asarray(x, jnp.float32) for x in np.random.default_rng(2).normal(size=(2, 30)))
    assert float(measure(one, other)) == pytest.approx(expected(one, other), abs=1e-5)
    assert float(measure(one, 3 * one + 2)) == pytest.approx(1.0, abs=1e-5)


def test_a_flat_landscape_is_not_correlated():
    assert float(Correlation()(jnp.ones(4), jnp.arange(4.0))) == 0.0
