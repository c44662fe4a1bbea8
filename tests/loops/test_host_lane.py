"""The host lane: an early update is the same update, and a draw is made good where a step was not stored."""

import dataclasses

import gymnasium
import jax
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from entropax import A2C, Dense, TanhGaussian, Training
from entropax.envs.gymnasium_adapter import adapt
from entropax.loops.assemble import build
from entropax.loops.host_lane import HostLane, run_episodes
from entropax.loops.host_seed import HostSeed
from entropax.replay import HostReplay, Windows


def _advanced(small, loop, launches):
    """A lane after 60 rounds, with whether each round's update came before its steps in `launches`."""
    training = dataclasses.replace(loop, warmup=100)
    environments = [build("Pendulum-v1", 1) for _ in range(2)]
    lane = HostLane(small, environments, build("Pendulum-v1", 1), training, (0, 1), jax.local_devices()[0])
    lane.warm_up(100)
    launch = lane._launch

    def noted(rows, progress):
        launches.append(int(lane.workers[0].replay.size[0]) == lane.rounds)
        launch(rows, progress)

    lane._launch = noted
    lane.advance(60)
    lane.close()
    return lane


def test_update_that_starts_before_its_rounds_steps_gives_the_same_run(small, loop, monkeypatch):
    natural, sequential = [], []
    early = _advanced(small, loop, natural)
    draw = HostReplay.draw

    def awaiting(self, *arguments):
        return draw(self, *arguments)._replace(awaits=True)

    monkeypatch.setattr(HostReplay, "draw", awaiting)
    late = _advanced(small, loop, sequential)
    assert not any(sequential)
    assert 5 < sum(natural) < 60
    jax.tree.map(np.testing.assert_array_equal, early.actor(), late.actor())
    for one, other in zip(early.workers, late.workers, strict=True):
        np.testing.assert_array_equal(one.replay.rows, other.replay.rows)


def test_an_update_s_key_is_none_that_the_networks_were_drawn_by(monkeypatch):
    drawn, updated = [], []
    init, update = A2C.init, A2C.update

    def noting(into, key):
        jax.debug.callback(
            lambda data: into.extend(map(tuple, np.asarray(data).reshape(-1, 2))), jax.random.key_data(key)
        )

    def noted_init(self, spec, *, key):
        noting(drawn, jax.random.split(key))
        return init(self, spec, key=key)

    def noted_update(self, *arguments, key):
        noting(updated, key)
        return update(self, *arguments, key=key)

    monkeypatch.setattr(A2C, "init", noted_init)
    monkeypatch.setattr(A2C, "update", noted_update)
    environments = [build("Pendulum-v1", 1) for _ in range(2)]
    a2c = A2C(torso=Dense((8,)), policy=TanhGaussian(Dense((8,))))
    training = Training(steps=20, warmup=0)
    lane = HostLane(a2c, environments[:1], environments[1], training, (0,), jax.local_devices()[0])
    lane.advance(3)
    lane.collect()
    jax.effects_barrier()
    lane.close()
    assert (len(set(drawn)), len(set(updated))) == (2, 3)
    assert not set(drawn) & set(updated)


def test_a_draw_that_counted_on_a_step_which_was_not_stored_is_made_anew(loop, monkeypatch):
    environments = build("Pendulum-v1", 1)
    worker = HostSeed(environments, loop, Windows(64, 1), 0)
    for _ in range(3):
        worker.step_randomly()
    step = environments.step
    monkeypatch.setattr(type(environments), "step", lambda _, a: step(a)._replace(valid=np.zeros(1, bool)))
    draw = worker.draw(1, 1)
    assert draw.awaits
    worker.step_randomly()
    rows = worker.read(draw)
    assert rows.shape == (1, 64, 1, worker.replay.rows.shape[-1])
    stored = {row.tobytes() for row in worker.replay.rows[0, :3]}
    assert {row.tobytes() for row in rows[0, :, 0]} == stored


@pytest.mark.parametrize("steps", [2, 3])
def test_a_draw_reads_the_steps_that_it_counted_on(loop, steps):
    worker = HostSeed(build("Pendulum-v1", 1), loop, Windows(256, 1), 0)
    for _ in range(3):
        worker.step_randomly()
    draw = worker.draw(1, steps)
    for _ in range(steps):
        worker.step_randomly()
    drawn = {row.tobytes() for row in worker.read(draw)[0, :, 0]}
    assert drawn == {row.tobytes() for row in worker.replay.rows[0, : 3 + steps]}


class Lasting(gymnasium.Env):
    """Pays 1 a step, for so many steps."""

    observation_space = gymnasium.spaces.Box(-1, 1, (1,))
    action_space = gymnasium.spaces.Box(-1, 1, (1,))

    def __init__(self, steps):
        self.steps, self.left = steps, steps

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.left = self.steps
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.left -= 1
        return np.zeros(1, np.float32), 1.0, self.left == 0, False, {}


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_short_episodes_of_one_copy_do_not_stand_in_for_long_ones_of_another(mode):
    copies = adapt(SyncVectorEnv([lambda: Lasting(2), lambda: Lasting(9)], autoreset_mode=mode))

    def still(observations):
        return np.zeros((len(observations), 1), np.float32)

    for episodes, expected in ((4, [2, 2, 9, 9]), (3, [2, 9, 9]), (1, [9])):
        returns, lengths = run_episodes(copies, still, episodes, 0)
        assert sorted(lengths) == sorted(returns) == expected
    copies.close()
