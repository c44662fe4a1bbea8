"""The pure loop: it runs under jit and vmap, and cutting it in two changes no bit."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import (
    A2C,
    PI,
    Guard,
    LinearToZero,
    Orthogonal,
    TanhGaussian,
    Training,
    begin,
    chunk,
    make,
    train,
    warm_up,
)

TRAINING = Training(steps=240, num_envs=2, warmup=40, train_every=2, updates=2, capacity=200, log_every=100)


def _bits(tree) -> list[np.ndarray]:
    def plain(leaf):
        return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf

    return [np.asarray(plain(leaf)) for leaf in jax.tree.leaves(tree)]


def _same(one, two) -> None:
    for a, b in zip(_bits(one), _bits(two), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def environment():
    return make("entropax/Pendulum-v0")


@pytest.fixture(scope="module")
def warm(small, environment):
    """The carry after the warm-up, once in one piece and once in two."""
    start = begin(small, environment, TRAINING, key=jax.random.key(0))
    rounds = TRAINING.warmup_rounds
    assert rounds == 10
    whole, _ = jax.jit(lambda c: warm_up(c, environment, TRAINING, rounds))(start)
    half = jax.jit(lambda c: warm_up(c, environment, TRAINING, rounds // 2)[0])
    return whole, half(half(start))


def test_a_warm_up_cut_in_two_is_the_same_and_updates_nothing(small, environment, warm):
    _same(*warm)
    start = begin(small, environment, TRAINING, key=jax.random.key(0))
    _same(start.learner, warm[0].learner)
    np.testing.assert_array_equal(warm[0].replay.size, [20, 20])


@pytest.mark.optimised
def test_one_chunk_is_two_chunks_bit_for_bit(small, environment, warm):
    whole, sums = jax.jit(lambda c: chunk(small, c, environment, TRAINING, 20))(warm[0])
    half = jax.jit(lambda c: chunk(small, c, environment, TRAINING, 10))
    middle, first = half(warm[0])
    end, second = half(middle)
    _same(whole, end)
    assert int(end.rounds) == 30
    assert int(end.learner.updates) == 40
    assert float(sums["train/kept_updates"]) == 40
    for name, total in sums.items():
        np.testing.assert_allclose(total, first[name] + second[name], rtol=1e-4, atol=1e-4)


def test_train_runs_under_jit_and_vmap_over_keys_and_settings(small, environment):
    keys = jax.random.split(jax.random.key(0), 2)
    algorithms = jax.tree.map(lambda leaf: jnp.full(2, leaf), small)
    run = jax.jit(jax.vmap(lambda a, key: train(a, environment, TRAINING, key=key)))
    carry, metrics = run(algorithms, keys)
    chunks = 2
    assert metrics["train/critic_loss"].shape == (2, chunks)
    np.testing.assert_array_equal(carry.rounds, 60)
    np.testing.assert_array_equal(carry.learner.updates, 100)
    np.testing.assert_array_equal(carry.replay.size, 100)
    losses = np.asarray(metrics["train/critic_loss"])
    assert np.isfinite(losses).all()
    assert losses[0, 0] != losses[1, 0]
    again, _ = run(algorithms, keys)
    _same(carry, again)


def test_a_chunk_that_ends_after_the_run_has_no_learning_rate_left(environment):
    small, policy = Orthogonal((8,)), TanhGaussian(Orthogonal((8,), 0.01))
    a2c = A2C(num_steps=4, torso=small, policy=policy, annealing=LinearToZero())
    training = Training(steps=40, warmup=0)
    start = begin(a2c, environment, training, key=jax.random.key(0))
    ended = eqx.tree_at(lambda carry: carry.rounds, start, jnp.int32(training.fed_by(a2c.data()).rounds))
    beyond, _ = jax.jit(lambda carry: chunk(a2c, carry, environment, training, 3))(ended)
    assert int(beyond.learner.updates) == 3
    _same(ended.learner.networks, beyond.learner.networks)


def test_no_array_is_two_leaves_of_a_fresh_carry(small):
    """It could not be donated; the maze shows its own position, and the guard begins with zeros throughout."""
    guarded = dataclasses.replace(small, temperature=PI(target_entropy=Guard()))
    carry = begin(guarded, make("entropax/DeceptiveMaze-v0"), TRAINING, key=jax.random.key(0))
    plain = [leaf for leaf in jax.tree.leaves(carry) if leaf is not carry.key]
    places = [leaf.unsafe_buffer_pointer() for leaf in plain]
    assert len(set(places)) == len(places) > 40
