"""Exploration in the loops: two chunks are one, a resumed run is the uninterrupted one, misfits are refused."""

import itertools
import json

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file

from entropax import (
    GSDE,
    ICM,
    OU,
    PPO,
    RND,
    SAC,
    Counts,
    Dense,
    Disagreement,
    DiscreteSoftQ,
    EntropaxError,
    Exploration,
    Fixed,
    ParameterNoise,
    Pink,
    Training,
    White,
    begin,
    chunk,
    fit,
    load,
    make,
    resume,
    warm_up,
)
from entropax.exploration import PLAIN, Policy
from entropax.loops.driver import Driver
from entropax.loops.run import spec_from_json, spec_to_json
from entropax.report import write_report
from entropax.types import Bounds, Categories, Spec

SMALL = SAC(torso=Dense((8,)), batch_size=8)
TRAINING = Training(steps=480, num_envs=2, warmup=40, train_every=2, updates=1, capacity=480, log_every=100)
WAYS = [
    Exploration(White(0.2), Counts(Fixed(1.0))),
    Exploration(OU(0.5)),
    Exploration(Pink(0.3)),
    Exploration(ParameterNoise(0.1)),
    Exploration(bonus=RND(torso=Dense((8,)), features=4)),
    Exploration(GSDE()),
]
BONUSES = [Counts(), RND(), ICM(), Disagreement()]
LOOP = Training(
    steps=600, warmup=100, capacity=600, log_every=200, evaluate_every=300, evaluation_episodes=1, checkpoint_every=300
)


def _bits(tree):
    plain = [jax.random.key_data(x) if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key) else x for x in tree]
    return [np.asarray(leaf) for leaf in plain]


@pytest.mark.slow
@pytest.mark.parametrize("exploration", WAYS, ids=lambda way: type(way.noise).__name__)
def test_one_chunk_is_two_chunks_and_the_memory_is_each_copy_s_own(exploration):
    environment = make("entropax/Quadrotor-v0")
    start = begin(SMALL, environment, TRAINING, exploration, key=jax.random.key(0))
    warm, _ = warm_up(start, environment, TRAINING, 10, exploration)
    half = jax.jit(lambda c: chunk(SMALL, c, environment, TRAINING, 40, exploration)[0])
    whole = jax.jit(lambda c: chunk(SMALL, c, environment, TRAINING, 80, exploration)[0])(warm)
    for one, two in zip(_bits(jax.tree.leaves(whole)), _bits(jax.tree.leaves(half(half(warm)))), strict=True):
        np.testing.assert_array_equal(one, two)
    for leaf in jax.tree.leaves(whole.exploration.noise):
        assert leaf.shape[0] == 2
    if isinstance(exploration.noise, Pink):
        # Quadrotor's episodes have 40 steps at most, and 160 were acted.
        assert np.all(np.asarray(whole.exploration.noise.position) <= 40)
        assert whole.exploration.noise.sequence.shape == (2, 40, 4)
        first, second = np.asarray(whole.exploration.noise.sequence)
        assert np.abs(first - second).min() > 0
    if isinstance(exploration.noise, ParameterNoise):
        sigma = np.asarray(whole.exploration.noise.sigma)
        assert np.all(sigma != np.float32(0.1)), "adapted at the end of episodes"


def test_noise_begins_anew_where_an_episode_ends_and_only_there():
    environment = make("entropax/Pendulum-v0")  # 200 steps, neither more nor fewer
    training = Training(steps=1_000, warmup=0, capacity=1_000, log_every=100)
    run = jax.jit(lambda c: chunk(SMALL, c, environment, training, 50, Exploration(Pink(0.3)))[0])
    carry = begin(SMALL, environment, training, Exploration(Pink(0.3)), key=jax.random.key(0))
    positions, sequences = [], [np.asarray(carry.exploration.noise.sequence)]
    for _ in range(5):
        carry = run(carry)
        positions.append(int(carry.exploration.noise.position[0]))
        sequences.append(np.asarray(carry.exploration.noise.sequence))
    assert positions == [50, 100, 150, 0, 50]
    same = [bool((one == two).all()) for one, two in itertools.pairwise(sequences)]
    assert same == [True, True, True, False, True]


@pytest.mark.slow
def test_the_policy_alone_remembers_nothing_and_leaves_run_json_as_it_was(tmp_path):
    carry = begin(SMALL, make("entropax/Pendulum-v0"), TRAINING, key=jax.random.key(0))
    assert jax.tree.leaves(carry.exploration) == []
    run = fit(SMALL, "entropax/Pendulum-v0", LOOP, root=tmp_path, progress=False)
    assert "exploration" not in json.loads((run.path / "run.json").read_text())
    assert load(run.path).exploration == PLAIN


class _PowerCutError(Exception):
    """The process is gone."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "exploration",
    [Exploration(Pink(0.3), Counts(Fixed(1.0))), Exploration(ParameterNoise(0.1))],
    ids=["pink", "parameters"],
)
def test_a_resumed_run_is_the_uninterrupted_one(exploration, tmp_path, monkeypatch):
    settings = {"seeds": 2, "progress": False, "exploration": exploration}
    whole = fit(SMALL, "entropax/Quadrotor-v0", LOOP, root=tmp_path / "whole", **settings)
    save = Driver.save

    def save_and_die(self):
        save(self)
        raise _PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(Driver, "save", save_and_die)
        with pytest.raises(_PowerCutError):
            fit(SMALL, "entropax/Quadrotor-v0", LOOP, root=tmp_path / "cut", **settings)
    (path,) = (tmp_path / "cut").iterdir()
    assert load(path).exploration == exploration
    resume(path, progress=False)
    one, two = (
        load_file(place / "checkpoints" / "step_000000600" / "state.safetensors") for place in (whole.path, path)
    )
    assert set(one) == set(two)
    assert any("exploration" in name for name in one)
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name], err_msg=name)
    page = write_report([path], None, command="entropax report").read_text("utf-8")
    shown = exploration.bonus if isinstance(exploration.noise, Policy) else exploration.noise
    assert type(shown).__name__ in page, "the page shows the setting"


@pytest.mark.parametrize("bonus", BONUSES, ids=lambda bonus: type(bonus).__name__)
@pytest.mark.parametrize(
    ("algorithm", "env"),
    [(SMALL, "Pendulum"), (PPO(num_steps=512), "Pendulum"), (DiscreteSoftQ(batch_size=8), "CartPole")],
    ids=["off-policy", "on-policy", "discrete"],
)
def test_any_algorithm_is_paid_by_any_bonus_and_the_carry_keeps_its_type(algorithm, env, bonus):
    environment, exploration = make(f"entropax/{env}-v0"), Exploration(bonus=bonus)
    training = Training(steps=4_096, num_envs=2).fed_by(algorithm.data())
    start = jax.eval_shape(lambda k: begin(algorithm, environment, training, exploration, key=k), jax.random.key(0))
    after, metrics = jax.eval_shape(lambda c: chunk(algorithm, c, environment, training, 2, exploration), start)
    assert jax.tree.structure(after) == jax.tree.structure(start)
    for one, two in zip(jax.tree.leaves(start), jax.tree.leaves(after), strict=True):
        assert (one.shape, one.dtype, one.weak_type) == (two.shape, two.dtype, two.weak_type)
    names = {name for name in metrics if name.startswith("exploration/")}
    assert names >= {"exploration/bonus", "exploration/coefficient", "exploration/coefficient_step"}
    assert ("exploration/predictor_loss" in names) != isinstance(bonus, Counts)


def test_noise_on_a_learner_of_its_own_actions_is_refused():
    with pytest.raises(EntropaxError, match=r"PPO learns from actions .* off policy, such as SAC"):
        begin(PPO(), make("entropax/Pendulum-v0"), TRAINING, Exploration(White(0.1)), key=jax.random.key(0))
    Exploration(bonus=Counts()).check(PPO())


def test_a_manifest_holds_whether_observations_can_be_counted():
    for spec in (Spec(3, Categories(2), one_hot=True), Spec(3, Bounds((-1.0,), (1.0,)), one_hot=True)):
        assert spec_from_json(spec_to_json(spec)) == spec
        old = {name: value for name, value in spec_to_json(spec).items() if name != "one_hot"}
        assert not spec_from_json(old).one_hot
