"""PPO and A2C on a probe of three actions whose soft optimum has a closed form."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import A2C, PPO, Dense, Episodes, TanhGaussian, Training, train
from entropax.algorithms.ppo import AsEstimated
from entropax.envs.probes import DiscreteSoftOptimum

PROBE = DiscreteSoftOptimum()
WEIGHTS = jnp.array([PROBE.alpha, PROBE.alpha, 0.0])
TORSO = Dense((8,))
SHARED = {"policy": TanhGaussian(TORSO), "torso": TORSO, "max_grad_norm": 9.0, "learning_rate": 1e-2}
LEARNERS = {
    "ppo": PPO(**SHARED, num_steps=32, epochs=4, minibatches=4, advantages=AsEstimated(), clip=0.3),
    "a2c": A2C(**SHARED, num_steps=8),
}


@pytest.fixture(scope="module", params=["a2c", pytest.param("ppo", marks=pytest.mark.slow)])
def policies(request):
    """The policies at the only state after training with each weight of the bonus, a seed each."""
    training = Training(steps=32_768, num_envs=32, warmup=0, log_every=32_768)

    def learned(weight, key):
        algorithm = eqx.tree_at(lambda a: a.entropy_coefficient, LEARNERS[request.param], weight)
        carry, _ = train(algorithm, Episodes(PROBE, 1), training, key=key)
        return algorithm.actor(carry.learner)(jnp.ones(1))

    return jax.jit(jax.vmap(learned))(WEIGHTS, jax.random.split(jax.random.key(0), len(WEIGHTS)))


def test_a_bonus_of_weight_alpha_leads_to_the_soft_optimum_and_its_entropy(policies):
    """E[alpha log p*(a)] + alpha H(pi) = -alpha KL(pi || p*): its only maximum is p*."""
    probs, entropies = jax.vmap(lambda p: (p.probs(), p.entropy()))(policies)
    np.testing.assert_allclose(probs[:2], np.tile(PROBE.optimum().probs(), (2, 1)), atol=0.06)
    np.testing.assert_allclose(entropies[:2], PROBE.entropy(), atol=0.06)


def test_without_a_bonus_the_best_action_takes_all(policies):
    probs, entropies = jax.vmap(lambda p: (p.probs(), p.entropy()))(policies)
    assert int(probs[2].argmax()) == 2
    assert float(entropies[2]) < 0.25 * float(PROBE.entropy())
