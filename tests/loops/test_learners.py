"""A run's learners are read back from its newest checkpoint, on both kinds of environment."""

import shutil

import jax
import numpy as np
import pytest

from entropax import EntropaxError, load
from entropax.loops.learners import read_learners
from entropax.loops.snapshots import read_snapshots


@pytest.mark.parametrize("fixture", ["jax_run", "host_run"])
def test_every_seed_has_its_own_learner_and_states(fixture, request):
    run = request.getfixturevalue(fixture)
    learners = read_learners(run)
    assert [(one.seed, one.step) for one in learners] == [(0, 600), (1, 600)]
    for index, (learner, snapshot) in enumerate(zip(learners, read_snapshots(run, 600), strict=True)):
        jax.tree.map(np.testing.assert_array_equal, run.algorithm.actor(learner.state), run.actor(index))
        jax.tree.map(np.testing.assert_array_equal, learner.state.critics, snapshot.critics)
        np.testing.assert_array_equal(learner.observations, snapshot.observations)
        # One critic update a step after the warm-up: the whole state is there, not the policy alone.
        assert int(learner.state.updates) == 500
    assert not np.array_equal(*(one.state.critics.network.layers[0].weight for one in learners))


@pytest.mark.parametrize(
    ("missing", "words"), [("snapshots", "Resume it"), ("checkpoints", "holds no complete checkpoint")]
)
def test_what_is_missing_is_named(jax_run, tmp_path, missing, words):
    shutil.copytree(jax_run.path, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / missing)
    with pytest.raises(EntropaxError, match=words):
        read_learners(load(tmp_path / "run"))
