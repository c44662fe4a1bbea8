"""What is measured on Stable-Baselines3's policies equals what is sampled from them."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("stable_baselines3", reason="Stable-Baselines3 is not installed here: make test-plugins")

import torch

from entropax.diagnostics.measures import entropy_readings
from entropax.plugins.sb3.models import model_of
from entropax.types import continuous

STATES, DRAWS = 64, 1000


def _observations(model, count):
    generator = np.random.default_rng(1)
    return {
        "position": generator.uniform(-1, 1, (count, 3)).astype(np.float32),
        "clock": generator.uniform(0, 1, (count, 1)).astype(np.float32),
    }


def _scaled(model, actions):
    """Actions of the environment in [-1, 1]."""
    low, high = model.action_space.low, model.action_space.high
    return 2 * (actions - low) / (high - low) - 1


def _readings(model, observations):
    reader = model_of(model)
    nothing = jnp.full((), jnp.nan, jnp.float32)
    look = reader.look(reader.policy(observations))
    bounds = continuous(reader.spec)
    return reader, entropy_readings(bounds, *look, nothing, widest=reader.widest, sigma_of=reader.sigma_of)


def _within(measured, samples):
    """Whether a number is the samples' mean, within four standard errors."""
    samples = np.asarray(samples, np.float64)
    return abs(float(measured) - samples.mean()) < 4 * samples.std() / math.sqrt(samples.size)


@pytest.mark.parametrize(("mean", "log_std"), [((0.0, 0.5), (-0.5, 0.3)), ((1.0, -2.0), (-2.5, -1.0))])
def test_sac(make_sac, box, mean, log_std):
    model = make_sac(box, "MultiInputPolicy")
    with torch.no_grad():
        model.actor.mu.bias.copy_(torch.tensor(mean))
        model.actor.log_std.bias.copy_(torch.tensor(log_std))
    observations = _observations(model, STATES)
    _, found = _readings(model, observations)
    many = {name: np.tile(value, (DRAWS, 1)) for name, value in observations.items()}
    with torch.no_grad():
        actions, log_prob = model.actor.action_log_prob(model.policy.obs_to_tensor(many)[0])
    # Their log-probability adds 1e-6 to 1 - a², which matters only where an action is saturated to float32's last bits.
    assert _within(found["entropy/nats"], -log_prob.numpy())
    assert _within(found["entropy/saturation"], np.abs(actions.numpy()) > 0.97)
    assert found["entropy/nats"] == pytest.approx(float(jnp.sum(found["entropy/per_dimension"])), abs=1e-6)

    units = model.predict(many, deterministic=False)[0].reshape(DRAWS, STATES, 2)
    np.testing.assert_allclose(found["entropy/action_std"], units.std(axis=0).mean(axis=0), rtol=0.02)
    expected = found["entropy/nats"] + math.log(2.0) + math.log(5.0)
    assert found["entropy/environment_nats"] == pytest.approx(float(expected), abs=1e-5)
    assert 0 < found["entropy/fraction_of_feasible"] < 1


def test_ppo(make_ppo, box):
    model = make_ppo(box, "MultiInputPolicy")
    with torch.no_grad():
        model.policy.log_std.copy_(torch.tensor([0.3, 1.2]))
        model.policy.action_net.bias.copy_(torch.tensor([0.5, 6.0]))
    observations = _observations(model, STATES)
    _, found = _readings(model, observations)
    distribution = model.policy.get_distribution(model.policy.obs_to_tensor(observations)[0])
    assert found["entropy/environment_nats"] == pytest.approx(float(distribution.entropy().detach().mean()), abs=1e-5)
    np.testing.assert_allclose(found["entropy/action_std"], np.exp([0.3, 1.2]), rtol=1e-5)
    np.testing.assert_allclose(found["entropy/sigma_per_dimension"], np.exp([0.3, 1.2]) / [2, 5], rtol=1e-5)
    many = {name: np.tile(value, (DRAWS, 1)) for name, value in observations.items()}
    actions = _scaled(model, model.predict(many, deterministic=False)[0])  # clipped, as the environment gets them
    assert _within(found["entropy/saturation"], np.abs(actions) > 0.97)


def test_the_mean_q_is_that_of_sampled_actions(make_sac, box):
    model = make_sac(box, "MultiInputPolicy")
    observations = _observations(model, 2000)
    reader = model_of(model)
    before = torch.get_rng_state()
    measured = reader.q(observations, reader.policy(observations))
    assert torch.equal(before, torch.get_rng_state())
    tensor = model.policy.obs_to_tensor(observations)[0]
    with torch.no_grad():
        both = torch.cat(model.critic(tensor, model.actor(tensor)))
    assert _within(measured, both.numpy())
