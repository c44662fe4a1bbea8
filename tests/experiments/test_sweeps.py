"""Sweeps: a member learns what it would alone, is kept, goes on where it stopped, and is never mixed with another."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import SAC, Dense, Episodes, Fixed, Training, make, train
from entropax.envs.wrappers import ScaledReward
from entropax.errors import EntropaxError
from entropax.experiments import sweeps
from entropax.experiments.sweeps import Member, Sweep, episode_return, swept
from entropax.loops.driver import Interrupted
from entropax.runs import sole_writer
from entropax.runs.atomic import write_json

ENV = "entropax/Toy-v0"
TOY = make(ENV)
LOOP = Training(
    steps=60,
    warmup=20,
    capacity=60,
    log_every=20,
    evaluate_every=20,
    evaluation_episodes=3,
    checkpoint_every=20,
)


def sac(alpha):
    return SAC(torso=Dense((8,)), batch_size=8, temperature=Fixed(alpha))


def sweep(alphas=(0.1, 0.5), seeds=2, training=LOOP):
    members = tuple(Member(f"alpha {alpha}", sac(alpha), TOY, TOY) for alpha in alphas)
    return Sweep(ENV, 0.0, members, seeds, training)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    return folder, swept(sweep(), folder)


@pytest.mark.slow
def test_a_member_learns_what_it_would_alone(done):
    """The last policy of every member and seed is that of `train`, up to the order of sums in a wider program."""
    for alpha, member in zip((0.1, 0.5), done[1], strict=True):
        for seed in range(2):
            carry, _ = jax.jit(lambda key, alpha=alpha: train(sac(alpha), TOY, LOOP, key=key))(jax.random.key(seed))
            alone = jax.tree.leaves(sac(alpha).actor(carry.learner))
            kept = jax.tree.leaves(member.actors)
            for expected, found in zip(alone, kept, strict=True):
                np.testing.assert_allclose(found[seed], expected, rtol=0, atol=2e-5)


def test_cells_are_judged_after_the_warm_up(done):
    low, high = done[1]
    assert (low.cell.method, high.cell.method) == ("alpha 0.1", "alpha 0.5")
    assert low.cell.evaluation_steps.tolist() == [40, 60]
    assert low.cell.evaluations.shape == low.drawn.shape == (2, 2)
    np.testing.assert_array_equal(low.cell.returns, low.cell.evaluations.mean(axis=0))
    np.testing.assert_allclose(high.cell.alpha, 0.5, rtol=1e-6)
    assert np.isfinite(low.cell.entropy).all()
    assert low.skipped.tolist() == [0, 0]
    # The toy pays 1, -1 or -20, and a deterministic policy the same in each of the three episodes.
    assert set(low.cell.evaluations.ravel().tolist()) <= {1.0, -1.0, -20.0}


def test_what_is_kept_is_not_trained_again_nor_mixed(done, monkeypatch):
    folder, first = done

    def never(*arguments):
        raise AssertionError("trained again")

    monkeypatch.setattr(sweeps, "_trained", never)
    again = swept(sweep(), folder)
    np.testing.assert_array_equal(again[1].drawn, first[1].drawn)
    assert jax.tree.structure(again[1].actors) == jax.tree.structure(first[1].actors)
    for other in (sweep(alphas=(0.1, 0.6)), sweep(seeds=3), sweep(training=dataclasses.replace(LOOP, steps=80))):
        with pytest.raises(EntropaxError, match="other settings"):
            swept(other, folder)
    with sole_writer(folder), pytest.raises(EntropaxError, match="written by another process"):
        swept(sweep(), folder)
    # What was kept before a field existed is taken with the field's default.
    kept = json.loads((folder / "sweep.json").read_text("utf-8"))
    del kept["training"]["seeds_in"], kept["members"][0]["algorithm"]["n_step"], kept["exploration"]["bonus"]
    write_json(folder / "sweep.json", kept)
    np.testing.assert_array_equal(swept(sweep(), folder)[1].drawn, first[1].drawn)


@pytest.mark.slow
def test_a_stopped_sweep_goes_on_as_if_it_had_not_stopped(done, tmp_path, monkeypatch):
    class AtOnce(sweeps.StopRequest):
        """A signal that came before the first chunk."""

        @property
        def requested(self):
            return True

    with monkeypatch.context() as patched:
        patched.setattr(sweeps, "StopRequest", AtOnce)
        with pytest.raises(Interrupted, match="step 40 of entropax/Toy-v0"):
            swept(sweep(), tmp_path)
    for found, expected in zip(swept(sweep(), tmp_path), done[1], strict=True):
        np.testing.assert_array_equal(found.cell.evaluations, expected.cell.evaluations)
        np.testing.assert_array_equal(found.drawn, expected.drawn)
        for leaf, other in zip(jax.tree.leaves(found.actors), jax.tree.leaves(expected.actors), strict=True):
            np.testing.assert_array_equal(leaf, other)


def test_a_sweep_killed_in_its_first_checkpoint_begins_anew(tmp_path):
    torn = tmp_path / "checkpoints" / ".tmp-0123abcd"
    torn.mkdir(parents=True)
    (torn / "state.safetensors").write_bytes(b"half")
    whole = Sweep(ENV, 0.0, sweep().members[:1], 1, dataclasses.replace(LOOP, steps=40))
    assert np.isfinite(swept(whole, tmp_path)[0].cell.evaluations).all()


@pytest.mark.slow
def test_members_are_judged_in_their_own_task_s_rewards(tmp_path):
    """A reward that is scaled for learning alone changes nothing where nothing is learned from it yet."""
    scaled = Episodes(ScaledReward(TOY.dynamics, 0.5), TOY.time_limit)
    same = Episodes(ScaledReward(TOY.dynamics, 1.0), TOY.time_limit)
    members = (Member("judged by itself", sac(0.1), same, scaled), Member("by the task", sac(0.1), same, same))
    halved, whole = swept(Sweep(ENV, 0.0, members, 1, LOOP), tmp_path)
    np.testing.assert_allclose(halved.drawn, 0.5 * whole.drawn, rtol=1e-6)
    assert (whole.drawn != 0).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"members": (Member("a", sac(0.1), TOY, TOY), Member("b", SAC(), TOY, TOY))}, "2 structures"),
        ({"members": ()}, "0 structures"),
        ({"seeds": 0}, "0 seeds"),
        ({"training": dataclasses.replace(LOOP, evaluate_every=30)}, "multiples"),
        ({"training": dataclasses.replace(LOOP, evaluate_every=0)}, "multiples"),
        ({"training": dataclasses.replace(LOOP, checkpoint_every=30)}, "multiples"),
    ],
)
def test_what_is_no_single_program_is_refused(change, words):
    with pytest.raises(EntropaxError, match=words):
        dataclasses.replace(sweep(), **change)


def test_the_return_of_an_episode_ends_with_it():
    """The toy's episodes take two steps; a longer limit adds nothing."""

    def wrong_way(observation, key):
        del observation, key
        return jnp.ones(1)

    for limit in (2, 7):
        found = episode_return(Episodes(TOY.dynamics, limit), wrong_way, key=jax.random.key(0))
        assert float(found) == -1.0
