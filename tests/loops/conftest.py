"""Small algorithms and loops, and runs that several tests read."""

import dataclasses

import pytest

from entropax import SAC, Dense, Training, fit

SMALL = SAC(torso=Dense((16, 16)), batch_size=32, actor_learning_rate=1e-3, critic_learning_rate=1e-3)
LOOP = Training(
    steps=600,
    warmup=100,
    capacity=2_000,
    log_every=200,
    evaluate_every=300,
    evaluation_episodes=1,
    checkpoint_every=300,
)


@pytest.fixture(scope="session")
def small() -> SAC:
    return SMALL


@pytest.fixture(scope="session")
def loop() -> Training:
    return LOOP


@pytest.fixture(scope="session")
def jax_run(tmp_path_factory):
    """Two seeds on a JAX environment, to the end."""
    return fit(SMALL, "entropax/Pendulum-v0", LOOP, seeds=2, root=tmp_path_factory.mktemp("jax"), progress=False)


@pytest.fixture(scope="session")
def host_run(tmp_path_factory):
    """Two seeds on a Gymnasium environment, to the end."""
    return fit(SMALL, "Pendulum-v1", LOOP, seeds=2, root=tmp_path_factory.mktemp("host"), progress=False)


@pytest.fixture(scope="session")
def overlapped_run(tmp_path_factory):
    """One seed on a Gymnasium environment that acts while the update runs."""
    loop = dataclasses.replace(LOOP, acting="overlapped", steps=400)
    return fit(SMALL, "Pendulum-v1", loop, root=tmp_path_factory.mktemp("overlapped"), progress=False)
