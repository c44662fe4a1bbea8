"""NaN out of an environment: the run stops and names it, or goes on without that step."""

import dataclasses
from typing import Any

import gymnasium
import numpy as np
import pytest

from entropax import EntropaxError, fit
from entropax.loops.driver import NonFiniteError, culprits
from entropax.loops.update import BROKEN, CULPRITS, STEP_CULPRITS
from entropax.runs import has_checkpoint, read_checkpoint_meta, read_metrics


class BreaksOnce(gymnasium.Env[np.ndarray, np.ndarray]):
    """Pays minus the squared action, in episodes of 20 steps; the reward of step 150 is NaN."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)

    def __init__(self) -> None:
        self.steps = self.time = 0

    def _observe(self) -> np.ndarray:
        return np.array([np.cos(self.time), np.sin(self.time)], np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        del seed, options
        self.time = 0
        return self._observe(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.steps, self.time = self.steps + 1, self.time + 1
        reward = float("nan") if self.steps == 150 else -(float(action[0]) ** 2)
        return self._observe(), reward, False, self.time >= 20, {}


def breaks_once() -> gymnasium.Env[np.ndarray, np.ndarray]:
    return BreaksOnce()


@pytest.fixture
def short(loop):
    return dataclasses.replace(loop, steps=300, warmup=50, log_every=100, checkpoint_every=50, evaluate_every=0)


def test_stop_ends_the_run_names_the_culprit_and_keeps_a_whole_checkpoint(small, short, tmp_path):
    with pytest.raises(NonFiniteError, match="reward of the environment") as error:
        fit(small, breaks_once, short, root=tmp_path, progress=False)
    assert "--on-nonfinite skip" in str(error.value)
    assert isinstance(error.value, EntropaxError)
    (path,) = tmp_path.iterdir()
    events = [event.name for event in read_metrics(path).events]
    assert events[-1] == "nonfinite"
    assert read_checkpoint_meta(path)[1] == 100
    assert "The last checkpoint is whole" in str(error.value)


def test_a_stop_before_the_first_checkpoint_names_none(small, short, tmp_path):
    late = dataclasses.replace(short, checkpoint_every=1_000)
    with pytest.raises(NonFiniteError, match="No checkpoint was written before it: set checkpoint_every below 150"):
        fit(small, breaks_once, late, root=tmp_path, progress=False)
    assert not has_checkpoint(*tmp_path.iterdir())


def test_skip_goes_on_without_the_step(small, short, tmp_path):
    run = fit(small, breaks_once, dataclasses.replace(short, on_nonfinite="skip"), root=tmp_path, progress=False)
    assert [event.name for event in run.metrics.events].count("nonfinite") == 1
    last = run.metrics.rows[-1].values
    assert run.metrics.rows[-1].step == 300
    broken = {name for name, value in last.items() if not np.isfinite(value).all()}
    assert broken <= {"rollout/ep_rew_mean", "rollout/ep_len_mean"}
    np.testing.assert_array_equal([row.values["train/skipped_updates"][0] for row in run.metrics.rows], 0)
    assert sum(row.values["rollout/skipped_steps"][0] for row in run.metrics.rows) == 1
    assert sum(row.values["rollout/terminations"][0] for row in run.metrics.rows) == 0
    meta, step = read_checkpoint_meta(run.path)
    assert step == 300
    assert meta["lanes"][0]["workers"][0]["restarts"] == 1
    assert meta["lanes"][0]["workers"][0]["shapes"]["rows"][:2] == [1, 299]
    assert run.manifest.environment["id"] == "breaks_once"


def test_culprits_are_named_in_the_order_of_an_update_with_counts_by_seed():
    sums = {f"{BROKEN}{name}": np.zeros(3, np.float32) for name in (*STEP_CULPRITS, *CULPRITS[1:])}
    assert culprits(sums, (5, 6, 9)) == ""
    sums[f"{BROKEN}train/actor_loss"][1] = 4
    sums[f"{BROKEN}reward in the batch"][[0, 2]] = 1, 7
    assert culprits(sums, (5, 6, 9)) == "reward in the batch (seed 5: 1, seed 9: 7), train/actor_loss (seed 6: 4)"
