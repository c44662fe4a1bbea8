"""SACLite: no entropy in the critics' targets, SAC's in all else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import SAC, Dense, Dual, SACLite
from entropax.types import Bounds, Spec, Transition, unknown_progress

SPEC = Spec(3, Bounds((-1.0, -1.0), (1.0, 1.0)))
BATCH = 12
KEY = jax.random.key(5)
PROGRESS = unknown_progress(SPEC)
INNER = SAC(torso=Dense((8,)), batch_size=BATCH, discount=0.9, temperature=Dual(initial_alpha=0.7, learning_rate=0.1))


def batch(terminated):
    rng = np.random.default_rng(1)

    def draw(*more):
        return jnp.asarray(rng.normal(size=(BATCH, 1, *more)), jnp.float32)

    ended = jnp.full((BATCH, 1), terminated, jnp.float32)
    return Transition(draw(3), jnp.tanh(draw(2)), draw(), draw(3), ended, ended)


def updated(algorithm, data):
    state = algorithm.init(SPEC, key=jax.random.key(0))
    return jax.jit(lambda s: algorithm.update(SPEC, s, data, PROGRESS, key=KEY))(state)


def test_targets_are_the_return_alone():
    state, data = INNER.init(SPEC, key=jax.random.key(0)), batch(0.0)
    losses = []
    for i, noise in enumerate(jax.random.normal(KEY, (2, BATCH, 2))[0]):
        observation = data.next_observation[i, 0]
        action, _ = state.actor(observation).reparameterised(noise)
        ahead = jnp.min(jax.vmap(lambda c, o=observation, a=action: c(o, a))(state.target_critics))
        q = jax.vmap(lambda c, i=i: c(data.observation[i, 0], data.action[i, 0]))(state.critics)
        losses.append(0.5 * jnp.sum((q - data.reward[i, 0] - 0.9 * ahead) ** 2))
    _, metrics = updated(SACLite(INNER), data)
    assert float(metrics["train/critic_loss"]) == pytest.approx(np.mean(losses), rel=1e-4)


def test_without_successors_it_is_sac():
    """Then the targets are rewards in both, and the improvement, alpha log pi included, is SAC's own."""
    (lite, metrics), (sac, theirs) = (updated(algorithm, batch(1.0)) for algorithm in (SACLite(INNER), INNER))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7), (lite, metrics), (sac, theirs))


def test_with_successors_it_is_not():
    (_, metrics), (_, theirs) = (updated(algorithm, batch(0.0)) for algorithm in (SACLite(INNER), INNER))
    assert abs(float(metrics["train/critic_loss"]) - float(theirs["train/critic_loss"])) > 0.01
