"""A bonus with a value of its own in a run: from flags to the same bits after a resume."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from entropax import PPO, RND, TwoValues, fit, load, resume
from entropax.cli import main
from entropax.loops.driver import Driver

ENV = "entropax/CartPole-v0"
LENGTHS = ("--steps", "128", "--num-envs", "2", "--warmup", "0", "--log-every", "64", "--evaluate-every", "0")
LEARNER = ("--algorithm.num-steps", "16", "--algorithm.minibatches", "2", "--algorithm.epochs", "2")
PARTS = (
    *("algorithm.values:two-values", "--algorithm.values.discount", "0.95"),
    *("exploration.bonus:rnd", "--exploration.bonus.features", "4"),
)


class _PowerCutError(Exception):
    """The process is gone."""


def _saved(path):
    return load_file(path / "checkpoints" / "step_000000128" / "state.safetensors")


@pytest.mark.slow
def test_flags_set_it_and_a_resumed_run_is_the_uninterrupted_one(tmp_path, monkeypatch):
    places = ("--root", str(tmp_path / "whole"), "--checkpoint-every", "64")
    main(("train", "ppo", "--env", ENV, *places, *LENGTHS, *LEARNER, *PARTS))
    (whole,) = (tmp_path / "whole").iterdir()
    run = load(whole)
    assert run.algorithm == PPO(num_steps=16, minibatches=2, epochs=2, values=TwoValues(0.95))
    assert run.exploration.bonus == RND(features=4)
    save = Driver.save

    def save_and_die(self):
        save(self)
        raise _PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(Driver, "save", save_and_die)
        settings = {"exploration": run.exploration, "root": tmp_path / "cut", "progress": False}
        with pytest.raises(_PowerCutError):
            fit(run.algorithm, ENV, run.training, **settings)
    (cut,) = (tmp_path / "cut").iterdir()
    assert not (cut / "checkpoints" / "step_000000128").exists()
    resume(cut, progress=False)
    one, two = _saved(whole), _saved(cut)
    assert set(one) == set(two)
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name], err_msg=name)
    values = run.metrics.rows[-1].values
    assert (values["exploration/bonus"] > 0).all()
    np.testing.assert_array_equal(values["train/skipped_updates"], 0)
