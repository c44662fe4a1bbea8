"""Bonuses: counts fall off as 1 / sqrt(n), learned ones as their models learn; only what is learned from has them."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import (
    ICM,
    RND,
    SAC,
    Counts,
    Dense,
    Disagreement,
    Dual,
    Exploration,
    Fixed,
    Level,
    TableCounts,
    Training,
    make,
    train,
)
from entropax.errors import EntropaxError
from entropax.exploration import PLAIN, AsMeasured, NoBonus, PerReturnDeviation, PerRootMeanSquare
from entropax.exploration.counts import code
from entropax.exploration.icm import losses
from entropax.exploration.rnd import errors
from entropax.intrinsic.ensemble import Ensemble, SharedTrunk
from entropax.loops.update import rewarded_update
from entropax.replay import pack, unpack
from entropax.temperature import EachDimension, PerDimension, Scheduled
from entropax.types import Bounds, Categories, Spec, Transition, unknown_progress

SPEC = Spec(3, Bounds((-2.0,), (2.0,)))
KEY = jax.random.key(0)
SMALL = Dense((16,))
LEARNED = {
    "rnd": RND(torso=SMALL, features=8, learning_rate=1e-3),
    "icm": ICM(torso=SMALL, features=4, learning_rate=1e-3),
    "disagreement": Disagreement(ensemble=Ensemble(1e-3, SharedTrunk(SMALL), heads=3)),
}


def arrivals(observations, rewards):
    """One step of copies that arrive at these observations."""
    observations, rewards = jnp.asarray(observations, jnp.float32), jnp.asarray(rewards, jnp.float32)
    nothing = jnp.zeros_like(rewards)
    action = jnp.zeros((len(rewards), 1))
    return Transition(observations, action, rewards, observations, nothing, nothing)


def windows(steps):
    """Steps `[n]` as a batch `[n, 1]`."""
    return jax.tree.map(lambda x: x[:, None], steps)


def all_stored(steps):
    return jnp.ones(len(steps.reward), bool)


def paid(bonus, spec, state, steps):
    return bonus.rewarded(LEARNER, spec, state, windows(steps)).reward[:, 0]


def random_steps(seed=0, n=64, spec=SPEC):
    rng = np.random.default_rng(seed)
    observation, following = (jnp.asarray(rng.normal(size=(n, 3)), jnp.float32) for _ in range(2))
    action = jnp.asarray(rng.uniform(-1, 1, (n, 1)), jnp.float32)
    if isinstance(spec.action, Categories):
        action = jnp.asarray(rng.integers(spec.action.count, size=(n, 1)), jnp.float32)
    nothing = jnp.zeros(n)
    return Transition(observation, action, jnp.asarray(rng.normal(size=n), jnp.float32), following, nothing, nothing)


@pytest.mark.parametrize("table", [False, True], ids=["hashed", "table"])
def test_counts_fall_off_as_one_over_the_root_of_the_visits(table):
    spec = dataclasses.replace(SPEC, one_hot=True)
    counts = TableCounts(Fixed(0.5)) if table else Counts(Fixed(0.5))
    here, there = ([0.0, 1.0, 0.0], [0.0, 0.0, 0.0]) if table else ([1.0, 2.0, 3.0], [-1.0, -2.0, -3.0])
    state = counts.init(spec, 2, key=KEY)
    step = arrivals([here, here], [-7.0, 0.0])
    for n in range(1, 10):
        # The second copy's step is broken, so it does not count.
        state = counts.observe(spec, state, step, jnp.array([True, False]))
        np.testing.assert_allclose(paid(counts, spec, state, step)[0], -7 + 0.5 / np.sqrt(n), rtol=1e-6)
    # Another cell: two copies that arrive there both count.
    step = arrivals([there, there], [0.0, 1.0])
    state = counts.observe(spec, state, step, all_stored(step))
    np.testing.assert_allclose(paid(counts, spec, state, step), [0.5 / np.sqrt(2), 1 + 0.5 / np.sqrt(2)], rtol=1e-6)
    seen = state.novelty if table else state.novelty.counts
    assert int(seen.sum()) == 11


def test_what_was_stored_long_ago_is_paid_with_the_counts_of_now():
    counts = Counts(Fixed(1.0))
    state, step = counts.init(SPEC, 1, key=KEY), arrivals([[1.0, 2.0, 3.0]], [0.0])
    first = paid(counts, SPEC, counts.observe(SPEC, state, step, all_stored(step)), step)
    for _ in range(4):
        state = counts.observe(SPEC, state, step, all_stored(step))
    np.testing.assert_allclose([first[0], paid(counts, SPEC, state, step)[0]], [1.0, 0.5], rtol=1e-6)


def test_the_hash_is_the_signs_as_a_binary_number():
    projection = jnp.array([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]])
    assert int(code(projection, jnp.array([2.0, 1.0]))) == 0b111
    assert int(code(projection, jnp.array([1.0, 2.0]))) == 0b011
    assert int(code(projection, jnp.array([-1.0, -2.0]))) == 0b100
    assert int(code(projection, jnp.array([200.0, 100.0]))) == 0b111, "only the direction counts"


@pytest.mark.parametrize("spec", [SPEC, Spec(3, Categories(4))], ids=["box", "categories"])
@pytest.mark.parametrize("name", LEARNED)
def test_a_learned_bonus_falls_where_it_was_trained_and_less_elsewhere(name, spec):
    bonus, seen = LEARNED[name], random_steps(spec=spec)
    far = seen._replace(observation=seen.observation + 6, next_observation=seen.next_observation + 6)
    state = bonus.observe(spec, bonus.init(spec, 64, key=KEY), seen, all_stored(seen))
    learn = jax.jit(lambda s, k: bonus.learn(spec, s, windows(seen), unknown_progress(spec), key=k))
    # Its running scale is held, and only the measure of novelty learns.
    before, first = bonus.novelty(spec, state.novelty, seen), None
    for number in range(300):
        state, metrics = learn(state, jax.random.key(number))
        first = metrics if first is None else first
    after, elsewhere = (bonus.novelty(spec, state.novelty, steps) for steps in (seen, far))
    assert float(metrics["exploration/predictor_loss"]) < 0.7 * float(first["exploration/predictor_loss"])
    assert float(jnp.mean(after)) < float(jnp.mean(elsewhere)) / 3
    if name != "disagreement":  # Its models first differ by how they were drawn, then by what they make of the data.
        assert float(jnp.mean(after)) < float(jnp.mean(before))
    assert np.all(np.asarray(after) >= 0)


def test_rnd_is_the_mean_squared_difference_of_the_two_networks():
    bonus, steps = LEARNED["rnd"], random_steps()
    state = bonus.init(SPEC, 64, key=KEY)
    for _ in range(2):
        state = bonus.observe(SPEC, state, steps, all_stored(steps))
    memory = state.novelty
    seen = np.asarray(steps.next_observation)
    x = jnp.asarray((seen - seen.mean(0)) / seen.std(0))
    by_hand = np.array([np.mean((memory.target(one) - memory.predictor(one)) ** 2) for one in x])
    np.testing.assert_allclose(errors(memory.predictor, memory, steps), by_hand, rtol=1e-3)
    # The same steps twice: the forward sums of all copies are the bonuses themselves, and then 1.99 of them.
    expected = steps.reward + 0.5 * by_hand / np.std([by_hand, 1.99 * by_hand])
    np.testing.assert_allclose(paid(bonus, SPEC, state, steps), expected, rtol=1e-3)
    frozen, trained = memory.target, bonus.train(SPEC, memory, steps, key=KEY)[0].target
    for one, two in zip(jax.tree.leaves(frozen), jax.tree.leaves(trained), strict=True):
        np.testing.assert_array_equal(one, two)


def test_icm_s_losses_by_hand():
    bonus, steps = LEARNED["icm"], random_steps(n=5)
    memory = bonus.init(SPEC, 5, key=KEY).novelty
    forward, inverse = losses(SPEC, memory.networks, memory.observations, steps)
    for i in range(5):
        before, after = (
            memory.networks.features(steps.observation[i]),
            memory.networks.features(steps.next_observation[i]),
        )
        ahead = memory.networks.forward(jnp.concatenate([before, steps.action[i]]))
        np.testing.assert_allclose(forward[i], 0.5 * np.sum((ahead - after) ** 2), rtol=1e-4)
        told = memory.networks.inverse(jnp.concatenate([before, after]))
        np.testing.assert_allclose(inverse[i], 0.5 * np.sum((told - steps.action[i]) ** 2), rtol=1e-4)
    spec = Spec(3, Categories(4))
    chosen = random_steps(n=5, spec=spec)
    memory = bonus.init(spec, 5, key=KEY).novelty
    _, inverse = losses(spec, memory.networks, memory.observations, chosen)
    before, after = (
        memory.networks.features(chosen.observation[0]),
        memory.networks.features(chosen.next_observation[0]),
    )
    log_chance = jax.nn.log_softmax(memory.networks.inverse(jnp.concatenate([before, after])))
    np.testing.assert_allclose(inverse[0], -log_chance[int(chosen.action[0, 0])], rtol=1e-4)


def test_a_rollout_is_learned_from_in_minibatches():
    bonus = RND(torso=SMALL, features=8, minibatch=16)
    steps = random_steps(n=66)
    memory = bonus.init(SPEC, 1, key=KEY).novelty
    after, _ = bonus.train(SPEC, memory, steps, key=KEY)
    assert int(jax.tree.leaves(after.optimiser)[0]) == 4, "gradient steps: 66 // 16"


def test_the_scales_by_hand():
    steps = np.array([[1.0, 3.0], [2.0, 0.0], [4.0, 1.0]], np.float32)
    states = {scale: scale.init(2) for scale in (AsMeasured(), PerRootMeanSquare(), PerReturnDeviation(0.5))}
    for scale in states:
        for step in steps:
            states[scale] = scale.observe(states[scale], jnp.asarray(step), jnp.ones(2, bool))
    measured, mean_square, returns = (float(scale.divisor(state)) for scale, state in states.items())
    sums = np.array([[1.0, 3.0], [2.5, 1.5], [5.25, 1.75]])
    assert measured == 1.0
    assert mean_square == pytest.approx(np.sqrt(np.mean(steps**2)), rel=1e-5)
    assert returns == pytest.approx(np.std(sums), rel=1e-5)


def test_a_single_sum_of_bonuses_has_no_deviation_to_divide_by():
    """As in a run without random steps, whose first update comes after one step of one copy."""
    scale, one = PerReturnDeviation(0.5), jnp.ones(1, bool)
    state = scale.observe(scale.init(1), jnp.array([3.0]), one)
    assert float(scale.divisor(state)) == 1.0
    state = scale.observe(state, jnp.array([1.0]), one)
    assert float(scale.divisor(state)) == pytest.approx(np.std([3.0, 2.5]))


def test_copies_that_begin_alike_have_no_deviation_to_divide_by():
    """As where all of them arrive in one cell first: 1 / 1e-8 of a bonus would be paid."""
    scale, three = PerReturnDeviation(0.5), jnp.ones(3, bool)
    state = scale.observe(scale.init(3), jnp.full(3, 0.5), three)
    assert float(scale.divisor(state)) == 1.0
    state = scale.observe(state, jnp.array([1.0, 0.0, 0.0]), three)
    assert float(scale.divisor(state)) == pytest.approx(np.std([0.5, 0.5, 0.5, 1.25, 0.25, 0.25]))


@pytest.mark.parametrize("bonus", [ICM, RND, Disagreement])
def test_what_is_first_seen_late_does_not_outweigh_all_that_came_before(bonus):
    """An entry that was 0 for 2,000 steps, as a cell that was never visited or a sensor that was never touched."""
    rng, parts = np.random.default_rng(0), {"scale": PerRootMeanSquare()}
    bonus = bonus(**parts, ensemble=Ensemble(trunks=SharedTrunk(SMALL))) if bonus is Disagreement else bonus(**parts)
    spec, cells = Spec(6, Categories(2)), np.eye(6, dtype=np.float32)[rng.integers(5, size=2001)]
    zeros, actions = jnp.zeros(2000), jnp.asarray(rng.integers(2, size=(2000, 1)), jnp.float32)
    steps = Transition(jnp.asarray(cells[:-1]), actions, zeros, jnp.asarray(cells[1:]), zeros, zeros)
    state, new = bonus.init(spec, 1, key=KEY), jnp.asarray(np.eye(6, dtype=np.float32)[[5, 5]])

    def observe(state, step):
        return bonus.observe(spec, state, jax.tree.map(lambda x: x[None], step), jnp.ones(1, bool)), None

    state = jax.jit(lambda s: jax.lax.scan(observe, s, steps)[0])(state)
    usual = float(bonus.scale.divisor(state.scale))
    assert usual < 10 * float(jnp.median(bonus.novelty(spec, state.novelty, steps))), "the first steps are no spike"
    late = Transition(new, actions[:2], zeros[:2], new, zeros[:2], zeros[:2])
    assert float(bonus.novelty(spec, state.novelty, late).max()) < 100 * usual


@pytest.mark.parametrize(("target", "rises"), [(2.0, True), (0.1, False)])
def test_a_law_with_a_target_steers_the_mean_bonus_to_it(target, rises):
    counts = Counts(Dual(0.01, 0.3, Level(target)))
    state, step = counts.init(SPEC, 1, key=KEY), arrivals([[1.0, 2.0, 3.0]], [0.0])
    state = counts.observe(SPEC, state, step, all_stored(step))
    state, metrics = counts.learn(SPEC, state, windows(step), unknown_progress(SPEC), key=KEY)
    # The bonus was 0.3, of a state seen once; Adam's first step is the learning rate.
    assert float(metrics["exploration/bonus"]) == pytest.approx(0.3)
    assert float(metrics["exploration/coefficient_step"]) == pytest.approx(0.01 if rises else -0.01, rel=1e-3)
    assert float(metrics["exploration/coefficient"]) == pytest.approx(0.3 * np.exp(0.01 if rises else -0.01), rel=1e-4)
    assert float(counts.coefficient.value(state.coefficient)) == pytest.approx(
        float(metrics["exploration/coefficient"])
    )


PROGRESS = unknown_progress(SPEC)
LEARNER = SAC(torso=Dense((8,)), batch_size=8)
STILL = SAC(torso=Dense((8,)), batch_size=8, actor_learning_rate=1e-30, critic_learning_rate=1e-30)
TRAINING = Training(steps=896, warmup=96, num_envs=2, capacity=896, log_every=800, train_every=4)


def run(algorithm, exploration):
    environment = make("entropax/Pendulum-v0")
    return jax.jit(lambda key: train(algorithm, environment, TRAINING, exploration, key=key))(KEY)


def test_a_bonus_is_learned_from_and_neither_stored_nor_reported():
    """A policy that does not learn meets the same episodes with and without, and has other targets."""
    (plain, shown), (with_bonus, with_shown) = run(STILL, PLAIN), run(STILL, Exploration(bonus=Counts(Fixed(5.0))))
    for name in ("rollout/ep_rew_mean", "rollout/ep_len_mean", "rollout/episodes"):
        np.testing.assert_allclose(shown[name], with_shown[name], rtol=1e-5)
    assert float(shown["rollout/episodes"][0]) == 4.0
    np.testing.assert_allclose(plain.mean_return, with_bonus.mean_return, rtol=1e-5)
    np.testing.assert_allclose(plain.replay.rows, with_bonus.replay.rows, rtol=1e-3, atol=1e-4)
    counts = with_bonus.exploration.bonus.novelty.counts
    assert int(counts.sum()) == 896, "random steps are visits too"
    stored = unpack(plain.replay.rows.reshape(-1, 1, plain.replay.rows.shape[-1]), make("entropax/Pendulum-v0").spec)
    bonus = Counts(Fixed(5.0)).rewarded(LEARNER, SPEC, with_bonus.exploration.bonus, stored).reward - stored.reward
    # Each cell pays n times 5 / sqrt(n) over all that is stored.
    seen = np.asarray(counts)[np.asarray(counts) > 0]
    assert float(bonus.sum()) == pytest.approx(5 * np.sqrt(seen).sum(), rel=1e-3)
    losses = [np.asarray(metrics["train/critic_loss"]) for metrics in (shown, with_shown)]
    assert not np.isclose(*losses).any(), "targets have the bonus"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["counts", *LEARNED])
def test_a_coefficient_of_zero_leaves_learning_as_it_is_bit_for_bit(name):
    """Operation by operation: XLA rounds two different programs differently, whatever they add."""
    bonus, steps = LEARNED.get(name, Counts()), random_steps(n=8)
    # Fixed itself refuses 0, for NoBonus costs less; a sweep may hold it.
    free = eqx.tree_at(lambda b: b.coefficient.alpha, bonus, jnp.zeros(()))
    learner, memory = LEARNER.init(SPEC, key=KEY), free.init(SPEC, 8, key=KEY)
    memory = free.observe(SPEC, memory, steps, all_stored(steps))
    rows, progress = pack(windows(steps)), PROGRESS
    with jax.disable_jit():
        (one, nothing), _ = rewarded_update(LEARNER, NoBonus(), SPEC, (learner, ()), rows, progress, key=KEY)
        (two, _), metrics = rewarded_update(LEARNER, free, SPEC, (learner, memory), rows, progress, key=KEY)
    assert nothing == ()
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        np.testing.assert_array_equal(left, right)
    assert (float(metrics["exploration/bonus"]), float(metrics["exploration/coefficient"])) == (0.0, 0.0)


def test_an_update_whose_bonus_is_not_finite_is_undone_and_named():
    bonus, steps = Counts(), random_steps(n=8)
    state = (LEARNER.init(SPEC, key=KEY), bonus.init(SPEC, 8, key=KEY))
    broken = eqx.tree_at(lambda b: b.coefficient.alpha, bonus, jnp.full((), jnp.inf))
    update = jax.jit(lambda s: rewarded_update(LEARNER, broken, SPEC, s, pack(windows(steps)), PROGRESS, key=KEY))
    after, metrics = update(state)
    for one, two in zip(jax.tree.leaves(state), jax.tree.leaves(after), strict=True):
        np.testing.assert_array_equal(one, two)
    assert float(metrics["train/skipped_updates"]) == 1.0
    assert float(metrics["nonfinite/reward in the batch"]) == 1.0


@pytest.mark.parametrize(
    ("build", "words"),
    [
        pytest.param(lambda: Counts(bits=0), "Counts: bits is 0", id="no bits"),
        pytest.param(lambda: Counts(bits=25), "Counts: bits is 25", id="many bits"),
        pytest.param(lambda: TableCounts().init(SPEC, 1, key=KEY), "Take Counts, which hashes", id="not one-hot"),
        pytest.param(lambda: RND(Dual()), "Level", id="an entropy"),
        pytest.param(lambda: ICM(Dual(target_entropy=PerDimension(-1.0))), "reward", id="an entropy too"),
        pytest.param(
            lambda: RND(EachDimension()).init(SPEC, 1, key=KEY),
            "one weight",
            id="many weights",
        ),
        pytest.param(lambda: RND(learning_rate=0.0), "RND: learning_rate", id="no step"),
        pytest.param(lambda: ICM(features=0), "ICM: features", id="no features"),
        pytest.param(lambda: ICM(forward_share=1.0), "forward_share", id="no inverse model"),
        pytest.param(lambda: Ensemble(heads=1), "cannot disagree", id="one head"),
        pytest.param(lambda: PerReturnDeviation(1.0), "discount is 1.0", id="endless sum"),
        pytest.param(lambda: Level(float("nan")), "finite", id="level"),
    ],
)
def test_what_cannot_work_is_refused_with_the_remedy(build, words):
    with pytest.raises(EntropaxError, match=words):
        build()


def test_laws_without_a_target_drive_a_coefficient():
    state = RND(Scheduled()).init(SPEC, 1, key=KEY)
    assert float(Scheduled().value(state.coefficient)) == 1.0
