"""The Gymnasium adapter: exactly the right transitions, whatever resets the environments."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete
from gymnasium.spaces.utils import flatten
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv

from entropax.envs.gymnasium_adapter import (
    GymnasiumEnvironments,
    VectorEnvironments,
    adapt,
    environment_seed,
    flattener,
)
from entropax.errors import EntropaxError
from entropax.types import Bounds, Categories, Spec, transition

STEPS = 40
# Episode k of an environment ends with ENDINGS[k % 3] after LENGTHS[k % 3] steps.
ENDINGS = ((True, False), (False, True), (True, True))
LENGTHS = (3, 5, 2)


class Counting(gymnasium.Env):
    """Shows (name, episode, time); the reward tells all three and the action."""

    observation_space = Box(-1, 1000, (3,), np.float64)
    action_space = Box(-2, 2, (1,), np.float32)

    def __init__(self, name=0):
        self.name, self.episode, self.time, self.seeds = name, -1, 0, []

    def show(self):
        return np.array([self.name, self.episode, self.time], np.float64)

    def reset(self, *, seed=None, options=None):
        if seed is not None:
            self.seeds.append(seed)
            self.episode = -1
        self.episode, self.time = self.episode + 1, 0
        return self.show(), {}

    def step(self, action):
        self.time += 1
        reward = 100 * self.name + 10 * self.episode + self.time + float(action[0]) / 10
        ended = self.time == LENGTHS[self.episode % 3]
        terminated, truncated = ENDINGS[self.episode % 3] if ended else (False, False)
        return self.show(), reward, terminated, truncated, {}


class Recycling(Counting):
    """Writes every observation into one buffer, and into the action it was given."""

    def __init__(self, name=0):
        super().__init__(name)
        self.buffer = np.zeros(3)

    def show(self):
        self.buffer[:] = super().show()
        return self.buffer

    def step(self, action):
        result = super().step(action)
        action[:] = 99
        return result


class Nested(Counting):
    """The same numbers as a Dict of Boxes of several shapes."""

    observation_space = Dict(
        {"z": Box(-1, 1000, (1, 2), np.float64), "a": Dict({"k": Box(-1, 1000, (), np.float32)})}  # sorted: a, z
    )

    def show(self):
        return {"z": np.array([[self.episode, self.time]], np.float64), "a": {"k": np.float32(self.name)}}


class Single(Counting):
    """In float32, where a cast alone would copy nothing."""

    observation_space = Box(-1, 1000, (3,), np.float32)

    def show(self):
        return super().show().astype(np.float32)


def vector(mode, env=Counting, count=2):
    return SyncVectorEnv([lambda i=i: env(i) for i in range(count)], autoreset_mode=mode)


MAKERS = {
    "single": lambda env: GymnasiumEnvironments([env(0), env(1)]),
    "next step": lambda env: adapt(vector(AutoresetMode.NEXT_STEP, env)),
    "same step": lambda env: adapt(vector(AutoresetMode.SAME_STEP, env)),
    "disabled": lambda env: adapt(vector(AutoresetMode.DISABLED, env)),
}


def collect(environments, steps=STEPS):
    """The valid transitions of each environment, as a loop would store them; the action tells the step's number."""
    observation = environments.reset(seed=5)
    stored = [[], []]
    for step in range(steps):
        actions = np.full((2, 1), step % 7 / 7, np.float32)
        result = environments.step(actions)
        batch = transition(observation, actions, result)
        for i in range(2):
            if result.valid[i]:
                stored[i].append([leaf[i] for leaf in batch])
        observation = result.observation
    return stored


@pytest.mark.parametrize("env", [Counting, Nested])
@pytest.mark.parametrize("maker", MAKERS)
def test_stored_transitions_are_exactly_the_episodes(maker, env):
    environments = MAKERS[maker](env)
    stored = collect(environments)
    for name in range(2):
        # (episode, time) of every stored step, as the environment's own rules give them
        expected = [(k, t) for k in range(20) for t in range(LENGTHS[k % 3])][: len(stored[name])]
        assert len(stored[name]) == STEPS if maker != "next step" else STEPS - 11
        for (episode, time), row in zip(expected, stored[name], strict=True):
            observation, action, reward, following, terminated, last = row
            np.testing.assert_array_equal(observation, [name, episode, time])
            np.testing.assert_array_equal(following, [name, episode, time + 1])
            assert reward == pytest.approx(100 * name + 10 * episode + time + 1 + action[0] / 10, abs=1e-4)
            ended = time + 1 == LENGTHS[episode % 3]
            assert last == float(ended)
            assert terminated == float(ended and ENDINGS[episode % 3][0])
    environments.close()


@pytest.mark.parametrize("maker", MAKERS)
def test_leaves_have_the_contracts_shapes_and_dtypes(maker):
    environments = MAKERS[maker](Counting)
    assert environments.spec == Spec(3, Bounds((-2.0,), (2.0,)))
    assert environments.num_envs == 2
    assert environments.reset(seed=0).dtype == np.float32
    for _ in range(12):
        step = environments.step(np.zeros((2, 1), np.float32))
        assert [leaf.dtype.name for leaf in step] == ["float32", "float32", "float32", "bool", "bool", "bool"]
        assert [leaf.shape for leaf in step] == [(2, 3), (2, 3), (2,), (2,), (2,), (2,)]
        assert not (step.terminated & step.truncated).any()


def test_next_step_mode_marks_the_reset_step():
    environments = adapt(vector(AutoresetMode.NEXT_STEP))
    environments.reset(seed=0)
    steps = [environments.step(np.zeros((2, 1), np.float32)) for _ in range(11)]
    assert [bool(step.valid[0]) for step in steps] == [True] * 3 + [False] + [True] * 5 + [False] + [True]
    np.testing.assert_array_equal(steps[3].observation[0], [0, 1, 0])
    assert (steps[3].reward == 0).all()
    environments.reset(seed=0)
    assert all(environments.step(np.zeros((2, 1), np.float32)).valid.all() for _ in range(3))
    environments.reset(seed=0)
    assert environments.step(np.zeros((2, 1), np.float32)).valid.all(), "a reset by hand forgets the ended episode"


def test_results_are_copies_and_actions_are_not_shared():
    environments = GymnasiumEnvironments([Recycling(0), Recycling(1)])
    first = environments.reset(seed=0)
    actions = np.zeros((2, 1), np.float32)
    steps = [environments.step(actions) for _ in range(4)]
    np.testing.assert_array_equal(first[:, 2], [0, 0])
    np.testing.assert_array_equal([step.final_observation[0, 2] for step in steps], [1, 2, 3, 1])
    np.testing.assert_array_equal([step.observation[0, 2] for step in steps], [1, 2, 0, 1])
    assert (actions == 0).all()
    assert not any(np.shares_memory(step.observation, step.final_observation) for step in steps)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_vector_results_are_copies(mode):
    envs = SyncVectorEnv([Single, Single], copy=False, autoreset_mode=mode)
    environments = adapt(envs)
    first = environments.reset(seed=0)
    steps = [environments.step(np.zeros((2, 1), np.float32)) for _ in range(2)]
    np.testing.assert_array_equal(first[:, 2], [0, 0])
    np.testing.assert_array_equal([step.observation[0, 2] for step in steps], [1, 2])
    np.testing.assert_array_equal([step.final_observation[0, 2] for step in steps], [1, 2])


def test_actions_are_kept_within_the_box_and_have_its_dtype():
    seen = []

    class Watching(Counting):
        action_space = Box(-2, 2, (1, 2), np.float64)

        def step(self, action):
            seen.append(action.copy())
            return super().step(action[0])

    environments = GymnasiumEnvironments([Watching()])
    environments.reset(seed=0)
    environments.step(np.array([[np.nextafter(np.float32(2), np.float32(3)), -7]], np.float32))
    assert seen[-1].dtype == np.float64
    np.testing.assert_array_equal(seen[-1], [[2, -2]])
    assert environments.spec.action == Bounds((-2.0, -2.0), (2.0, 2.0))


@pytest.mark.parametrize("leading", [0, 1])
def test_flattening_has_gymnasiums_order(leading):
    space = Dict({"b": Box(-1, 1, (2, 3)), "a": Dict({"d": Box(-1, 1, (2,)), "c": Box(-1, 1, ())})})
    space.seed(0)
    samples = [space.sample() for _ in range(3)]
    expected = np.stack([flatten(space, sample) for sample in samples])
    batched = gymnasium.vector.utils.concatenate(
        space, samples, gymnasium.vector.utils.create_empty_array(space, n=3, fn=np.zeros)
    )
    got = flattener(space, 1)(batched) if leading else np.stack([flattener(space, 0)(one) for one in samples])
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("leading", [0, 1])
@pytest.mark.parametrize("start", [0, -2])
def test_a_discrete_observation_is_seen_one_hot(leading, start):
    space = Dict({"b": Discrete(3, start=start), "a": Box(-1, 1, (1,))})
    numbers = start + np.arange(3)
    boxes = np.array([[0.5], [0.25], [-1.0]], np.float32)
    flat = flattener(space, leading)
    got = (
        flat({"b": numbers, "a": boxes})
        if leading
        else [flat({"b": n, "a": a}) for n, a in zip(numbers, boxes, strict=True)]
    )
    np.testing.assert_array_equal(got, np.concatenate([boxes, np.eye(3)], axis=1))
    assert np.asarray(got).dtype == np.float32


@pytest.mark.parametrize(
    "environments",
    [
        lambda: GymnasiumEnvironments([gymnasium.make("FrozenLake-v1", is_slippery=False) for _ in range(2)]),
        lambda: adapt(gymnasium.make_vec("FrozenLake-v1", num_envs=2, is_slippery=False)),
    ],
    ids=["single", "vector"],
)
def test_a_frozen_lake_is_walked_cell_by_cell(environments):
    made = environments()
    assert made.spec == Spec(16, Categories(4), one_hot=True)
    assert made.reset(seed=0).argmax(axis=1).tolist() == [0, 0]
    right_and_down = np.array([[2.0], [1.0]], np.float32)
    step = made.step(made.spec.action.to_environment(right_and_down))
    np.testing.assert_array_equal(step.observation, np.eye(16)[[1, 4]])
    assert step.observation.dtype == np.float32
    made.close()


def test_seeds_are_derived_per_environment():
    envs = [Counting(0), Counting(1)]
    GymnasiumEnvironments(envs).reset(seed=5)
    expected = [int(np.random.SeedSequence([5, i]).generate_state(1)[0]) for i in range(2)]
    assert [env.seeds[-1] for env in envs] == expected == [environment_seed(5, i) for i in range(2)]
    vectorised = vector(AutoresetMode.SAME_STEP)
    adapt(vectorised).reset(seed=5)
    assert [env.seeds[-1] for env in vectorised.envs] == expected
    assert len({environment_seed(s, i) for s in range(30) for i in range(30)}) == 900


def test_same_seed_same_run_and_another_seed_another():
    environments = GymnasiumEnvironments([gymnasium.make("Pendulum-v1") for _ in range(2)])

    def run(seed):
        first = environments.reset(seed=seed)
        return np.stack([first, *(environments.step(np.ones((2, 1), np.float32)).observation for _ in range(205))])

    one = run(1)
    np.testing.assert_array_equal(one, run(1))
    assert (run(2)[0] != one[0]).any()
    assert (one[0, 0] != one[0, 1]).any()


def test_time_limit_keeps_the_true_last_observation():
    environments = GymnasiumEnvironments([gymnasium.make("Pendulum-v1")])
    environments.reset(seed=0)
    steps = [environments.step(np.ones((1, 1), np.float32)) for _ in range(200)]
    assert [bool(step.truncated[0]) for step in steps] == [False] * 199 + [True]
    last = steps[-1]
    angle = [np.arctan2(row[1], row[0]) for row in (steps[-2].observation[0], last.final_observation[0])]
    moved = np.mod(angle[1] - angle[0] + np.pi, 2 * np.pi) - np.pi
    assert moved == pytest.approx(0.05 * last.final_observation[0, 2], abs=1e-4), "it continues the same swing"
    assert np.abs(last.observation - last.final_observation).max() > 1e-2


def test_async_equals_sync():
    results = []
    for kind, options in ((SyncVectorEnv, {}), (AsyncVectorEnv, {"context": "spawn"})):
        makers = [lambda: gymnasium.make("Pendulum-v1", max_episode_steps=4)] * 2
        environments = adapt(kind(makers, autoreset_mode=AutoresetMode.SAME_STEP, **options))
        environments.reset(seed=3)
        results.append([environments.step(np.ones((2, 1), np.float32)) for _ in range(6)])
        environments.close()
    for one, other in zip(*results, strict=True):
        for left, right in zip(one, other, strict=True):
            np.testing.assert_array_equal(left, right)


class Custom(VectorEnv):
    """A vector environment of one's own, which takes one seed and reports no final observation."""

    num_envs = 2
    single_observation_space = Box(-1, 1, (1,), np.float32)
    single_action_space = Box(-1, 1, (1,), np.float32)

    def __init__(self, metadata):
        self.metadata, self.seed = metadata, None

    def reset(self, *, seed=None, options=None):
        self.seed = seed
        return np.zeros((2, 1), np.float32), {}

    def step(self, actions):
        return np.ones((2, 1)), np.zeros(2), np.ones(2, bool), np.zeros(2, bool), {}

    def close(self, **kwargs):
        pass


def test_a_vector_environment_must_say_how_it_resets():
    with pytest.raises(EntropaxError, match=r"autoreset_mode'\] is None.*AutoresetMode"):
        adapt(Custom({}))


def test_missing_final_observation_is_refused_not_guessed():
    custom = Custom({"autoreset_mode": AutoresetMode.SAME_STEP})
    environments = adapt(custom)
    environments.reset(seed=5)
    assert custom.seed == environment_seed(5, 0)
    with pytest.raises(EntropaxError, match=r"final_obs.*AutoresetMode\.DISABLED"):
        environments.step(np.zeros((2, 1), np.float32))


def test_adapt_chooses_by_type():
    assert all(type(adapt(vector(mode))) is VectorEnvironments for mode in AutoresetMode)
    assert type(adapt(Counting())) is GymnasiumEnvironments


def test_environments_of_two_kinds_are_refused():
    with pytest.raises(EntropaxError, match=r"Environment 1 has other spaces.*one kind"):
        GymnasiumEnvironments([Counting(), Nested()])
    with pytest.raises(EntropaxError, match=r"No environments were given"):
        GymnasiumEnvironments([])


class Told(gymnasium.Env):
    """Shows the action it was last given; its actions are 5, 6 and 7."""

    observation_space = Box(-10, 10, (1,), np.float32)
    action_space = Discrete(3, start=5)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action):
        assert self.action_space.contains(action), repr(action)
        return np.full(1, action, np.float32), float(action), False, False, {}


@pytest.mark.parametrize(
    "environments",
    [
        lambda: GymnasiumEnvironments([Told(), Told()]),
        lambda: adapt(SyncVectorEnv([Told, Told], autoreset_mode=AutoresetMode.SAME_STEP)),
    ],
    ids=["single", "vector"],
)
def test_categories_are_shifted_to_where_a_discrete_space_begins(environments):
    made = environments()
    assert made.spec == Spec(1, Categories(3))
    made.reset(seed=0)
    step = made.step(made.spec.action.to_environment(np.array([[0.0], [2.0]], np.float32)))
    np.testing.assert_array_equal(step.observation, [[5.0], [7.0]])
    np.testing.assert_array_equal(step.reward, [5.0, 7.0])
    made.close()


def limited(*limits):
    return [lambda limit=limit: gymnasium.make("Pendulum-v1", max_episode_steps=limit) for limit in limits]


@pytest.mark.parametrize(
    ("make", "limit"),
    [
        (lambda: GymnasiumEnvironments([env() for env in limited(30, 50)]), 50),
        (lambda: GymnasiumEnvironments([gymnasium.wrappers.TimeLimit(Counting(0), 9)]), 9),
        (lambda: GymnasiumEnvironments([Counting(0), gymnasium.wrappers.TimeLimit(Counting(0), 9)]), None),
        (lambda: adapt(SyncVectorEnv(limited(30, 50))), 50),
        (lambda: adapt(gymnasium.make_vec("Pendulum-v1", 2, vectorization_mode="sync")), 200),
        (lambda: adapt(vector(AutoresetMode.SAME_STEP)), None),
    ],
)
def test_the_time_limit_is_the_longest_that_an_episode_has(make, limit):
    environments = make()
    assert environments.time_limit == limit
    environments.close()
