"""From ids to environments, and the listing."""

import subprocess
import sys

import gymnasium
import pytest

from entropax.envs import listing
from entropax.envs.base import Episodes
from entropax.envs.gymnasium_adapter import GymnasiumEnvironments
from entropax.envs.listing import action_text, available
from entropax.envs.registry import HOST_TASKS, TASKS, UnknownEnvironment, make, versioned
from entropax.errors import EntropaxError
from entropax.types import Bounds, Categories, Spec


def test_our_ids_give_episodes_with_their_time_limit():
    for id, limit in (("entropax/Pendulum-v0", 200), ("entropax/MountainCarContinuous-v0", 999)):
        environment = make(id, num_envs=8)
        assert isinstance(environment, Episodes)
        assert environment.time_limit == limit


def test_other_ids_give_the_adapter():
    environments = make("Pendulum-v1", num_envs=3)
    assert isinstance(environments, GymnasiumEnvironments)
    assert environments.num_envs == 3
    assert environments.spec == Spec(3, Bounds((-2.0,), (2.0,)))
    assert make("entropax/Pendulum-v0").spec == environments.spec
    environments.close()


@pytest.mark.parametrize(
    ("id", "nearest"),
    [
        ("Hoper-v5", "Hopper-v5"),
        ("pendulum-v1", "Pendulum-v1"),
        ("entropax/Pendulum", "entropax/Pendulum-v0"),
        ("entropax/PendulumSprase-v0", "entropax/PendulumSparse-v0"),
        ("MountainCarContinous-v0", "MountainCarContinuous-v0"),
        ("Ant-v17", "Ant-v5"),
        ("PendulumSparse-v0", "entropax/PendulumSparse-v0"),
        ("entropax/OpenCat-v1", "entropax/OpenCat-v0"),
    ],
)
def test_unknown_ids_name_the_nearest(id, nearest):
    with pytest.raises(UnknownEnvironment) as caught:
        make(id)
    assert f"called {id!r}" in str(caught.value)
    suggestions = str(caught.value).split("Did you mean ")[1].split("?")[0].split(" or ")
    assert nearest in suggestions
    assert len(suggestions) <= 4
    assert isinstance(caught.value, EntropaxError)


def test_nothing_near():
    with pytest.raises(UnknownEnvironment, match=r"No known id is near it\. `entropax envs`"):
        make("qqqqqqqqqqqq")


@pytest.mark.parametrize(
    ("id", "message"),
    [
        ("no_such_package:Thing-v0", "no_such_package"),
        ("Blackjack-v1", r"observation space is Tuple"),
        pytest.param(
            "Hopper-v3", "Hopper-v3", marks=pytest.mark.filterwarnings("ignore:.*out of date:DeprecationWarning")
        ),
        ("no/such/id-v0", "no/such/id"),
    ],
)
def test_every_failure_to_make_is_ours(id, message):
    with pytest.raises(EntropaxError, match=message):
        make(id)


def test_fewer_than_one_environment_is_refused():
    with pytest.raises(EntropaxError, match=r"num_envs is 0.*Use 1 or more"):
        make("Pendulum-v1", num_envs=0)


def test_listed_bounds_are_true():
    listed = {entry.id: entry for entry in available()}
    assert list(listed)[: len(TASKS) + len(HOST_TASKS)] == [*TASKS, *HOST_TASKS]
    assert {"CartPole-v1", "Acrobot-v1", "MountainCar-v0", "FrozenLake-v1"} <= set(listed)
    assert "Blackjack-v1" not in listed
    for id, entry in listed.items():
        if id.endswith("-v4") or entry.backend == "jax":
            continue
        env = gymnasium.make(id)
        if isinstance(entry.action, Categories):
            assert (env.action_space.n, env.action_space.start) == (entry.action.count, 0)
        else:
            assert isinstance(env.action_space, gymnasium.spaces.Box)
            assert entry.action == Bounds(
                tuple(float(str(x)) for x in env.action_space.low), tuple(float(str(x)) for x in env.action_space.high)
            )
        env.close()
    assert {"Hopper-v5", "Humanoid-v5", "Pendulum-v1"} <= set(listed)


def test_other_packages_are_listed_and_missing_dependencies_are_not(monkeypatch):
    spec = gymnasium.envs.registration.EnvSpec("Lander-v0", entry_point="their_package.envs:Lander")
    monkeypatch.setitem(gymnasium.registry, "Lander-v0", spec)
    entry = {entry.id: entry for entry in available()}["Lander-v0"]
    assert (entry.description, entry.action) == ("registered by their_package", None)
    monkeypatch.setattr(listing.importlib.util, "find_spec", lambda name: None)
    assert not any(entry.id.startswith(("Hopper", "entropax/OpenCat")) for entry in available())


def test_action_text():
    assert action_text(Bounds((-0.4,) * 17, (0.4,) * 17)) == "17 in [-0.4, 0.4]"
    assert action_text(Bounds((-1.0, 0.0), (1.0, 1.0))) == "2, uneven bounds"
    assert action_text(Categories(3)) == "one of 3"
    assert action_text(None) == "known once made"


def test_importing_and_listing_leave_mujoco_alone():
    code = (
        "import sys; from entropax.envs.listing import available; from entropax.envs.registration import register_all;"
        "register_all(); available(); assert 'mujoco' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("id", "full"),
    [
        ("Pendulum", "Pendulum-v1"),
        ("gymnasium:Pendulum", "gymnasium:Pendulum-v1"),
        ("Pendulum-v1", "Pendulum-v1"),
        ("CartPole-v0", "CartPole-v0"),
        ("entropax/Toy-v0", "entropax/Toy-v0"),
        ("NoSuchTask", "NoSuchTask"),
    ],
)
def test_an_id_has_the_version_that_gymnasium_takes_for_it(id, full):
    assert versioned(id) == full
