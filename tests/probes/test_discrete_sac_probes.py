"""SAC of discrete actions finds known optima: the policy, its value of 0, and, where alpha is learned, that alpha."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import (
    ClippedQ,
    Dense,
    DiscreteSAC,
    Dual,
    EntropyPenalty,
    Episodes,
    Fixed,
    MeanCritic,
    Nats,
    Training,
    train,
)
from entropax.envs.probes import DiscreteSoftOptimum

pytestmark = pytest.mark.slow

SEEDS = 2
SMALL = DiscreteSAC(
    torso=Dense((32, 32)), batch_size=64, actor_learning_rate=3e-3, critic_learning_rate=3e-3, polyak=0.05
)
ALPHA = 0.5
PROBE = DiscreteSoftOptimum(alpha=ALPHA, count=4)
OPTIMUM = PROBE.optimum()
HELD = Dual(target_entropy=Nats(float(OPTIMUM.entropy())), initial_alpha=0.2, learning_rate=3e-3)

CASES = {
    "fixed": dataclasses.replace(SMALL, temperature=Fixed(ALPHA)),
    "learned": dataclasses.replace(SMALL, temperature=HELD),
    "remedies": dataclasses.replace(
        SMALL, temperature=Fixed(ALPHA), reduction=MeanCritic(), regression=ClippedQ(), drift=EntropyPenalty()
    ),
}


@pytest.mark.parametrize("algorithm", CASES.values(), ids=CASES)
def test_policy_value_and_alpha_of_the_probe_are_the_closed_form(algorithm):
    training = Training(steps=1_600, warmup=400, num_envs=4, updates=4, capacity=1_600, log_every=500)
    keys = jax.random.split(jax.random.key(0), SEEDS)
    probe = Episodes(PROBE, 1)
    found = jax.jit(jax.vmap(lambda key: train(algorithm, probe, training, key=key)[0].learner))(keys)
    state = jnp.ones(1)

    def one(learner):
        policy = algorithm.actor(learner)(state)
        q = jax.vmap(lambda critic: critic(state))(learner.critics)
        return policy.probs(), policy.entropy(), q, algorithm.alpha(learner)

    probs, entropy, q, alpha = jax.tree.map(np.asarray, jax.vmap(one)(found))
    np.testing.assert_allclose(probs, np.tile(OPTIMUM.probs(), (SEEDS, 1)), atol=0.02)
    np.testing.assert_allclose(entropy, np.full(SEEDS, OPTIMUM.entropy()), atol=0.02)
    np.testing.assert_allclose(alpha, np.full(SEEDS, ALPHA), rtol=0.05)
    value = np.sum(probs[:, None] * (q - alpha[:, None, None] * np.log(probs)[:, None]), axis=-1)
    np.testing.assert_allclose(value, np.zeros_like(value), atol=0.02)
