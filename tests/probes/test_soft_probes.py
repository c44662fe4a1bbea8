"""SAC finds what is known in closed form: p* with its entropy, the soft value 0, the temperature, the discount."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import SAC, Dense, Dual, Episodes, Fixed, Training, train
from entropax.distributions import TanhNormal
from entropax.envs.probes import SoftChain, SoftOptimum
from entropax.temperature.base import AbstractTarget

pytestmark = pytest.mark.optimised

TRAINING = Training(steps=3_200, warmup=400, num_envs=4, updates=4, capacity=3_200, log_every=2_800)


class Exactly(AbstractTarget):
    """A target in nats, whatever the action's size."""

    nats: float

    def init(self, spec):
        return ()

    def value(self, spec, state):
        return jnp.asarray(self.nats, jnp.float32)

    def observe(self, spec, state, evidence):
        return ()


def _sac(temperature, **settings) -> SAC:
    """Small networks and large steps; the seeds' mean takes out what they leave of jitter."""
    return SAC(
        torso=Dense((32, 32)),
        batch_size=64,
        actor_learning_rate=3e-3,
        critic_learning_rate=3e-3,
        polyak=0.05,
        temperature=temperature,
        **settings,
    )


def _learners(algorithm: SAC, environment, field, settings: list[float]):
    """Learners of a sweep over one float, each with its own seed, in one program."""
    n = len(settings)
    swept = jax.tree.map(lambda leaf: jnp.full(n, leaf), algorithm)
    swept = eqx.tree_at(field, swept, jnp.asarray(settings, jnp.float32))
    keys = jax.random.split(jax.random.key(0), n)
    carry, _ = jax.jit(jax.vmap(lambda a, key: train(a, environment, TRAINING, key=key)))(swept, keys)
    return carry.learner


def _policies(learners, observation) -> TanhNormal:
    return jax.vmap(lambda learner: learner.actor(jnp.asarray(observation)))(learners)


def _soft_value(algorithm, learners, observation) -> np.ndarray:
    """V = E[min Q - alpha log pi] of each seed, with 2000 samples."""
    observation = jnp.asarray(observation)

    def one(learner):
        def sample(key):
            action, log_prob = learner.actor(observation).sample_and_log_prob(key=key)
            return (
                jnp.min(jax.vmap(lambda critic: critic(observation, action))(learner.critics))
                - algorithm.alpha(learner) * log_prob
            )

        return jnp.mean(jax.vmap(sample)(jax.random.split(jax.random.key(1), 2000)))

    return np.asarray(jax.jit(jax.vmap(one))(learners))


@pytest.fixture(scope="module")
def probe() -> SoftOptimum:
    return SoftOptimum(loc=0.3, scale=0.5, alpha=0.2)


def test_at_a_fixed_temperature_the_policy_is_the_chosen_one(probe):
    algorithm = _sac(Fixed(0.2))
    learners = _learners(algorithm, Episodes(probe, 1), lambda a: a.discount, [0.99, 0.99, 0.99])
    policies = _policies(learners, [1.0])
    divergence = jax.vmap(lambda policy: policy.kl(TanhNormal(jnp.array([0.3]), jnp.log(jnp.array([0.5])))))(policies)
    assert float(jnp.mean(divergence)) < 0.02
    assert float(jnp.mean(policies.mean)) == pytest.approx(0.3, abs=0.06)
    entropy = jax.vmap(lambda policy: policy.entropy())(policies)
    assert float(jnp.mean(entropy)) == pytest.approx(float(probe.entropy()), abs=0.06)
    assert _soft_value(algorithm, learners, [1.0]).mean() == pytest.approx(0.0, abs=0.02)


@pytest.mark.slow
def test_a_learned_temperature_settles_at_the_rewards_own_from_either_side(probe):
    law = Dual(learning_rate=1e-2, target_entropy=Exactly(float(probe.entropy())))
    algorithm = _sac(law)
    starts = [0.05, 0.05, 0.8, 0.8]
    learners = _learners(algorithm, Episodes(probe, 1), lambda a: a.temperature.initial_alpha, starts)
    alphas = np.asarray(jax.vmap(algorithm.alpha)(learners)).reshape(2, 2)
    np.testing.assert_allclose(np.exp(np.log(alphas).mean(axis=1)), 0.2, rtol=0.2)
    entropy = jax.vmap(lambda policy: policy.entropy())(_policies(learners, [1.0]))
    assert float(jnp.mean(entropy)) == pytest.approx(float(probe.entropy()), abs=0.06)


@pytest.mark.slow
def test_a_soft_value_is_discounted_once():
    """Twice would give 0.25 for 0.5; without the second state's entropy the first value misses it by 0.2 H."""
    chain, discounts = SoftChain(alpha=0.2, bonus=1.0), [0.0, 0.5, 0.9]
    algorithm = _sac(Fixed(0.2))
    learners = _learners(algorithm, Episodes(chain, 2), lambda a: a.discount, discounts)
    first, second = (_soft_value(algorithm, learners, observation) for observation in np.eye(2, dtype=np.float32))
    np.testing.assert_allclose(first, [chain.soft_values(discount)[0] for discount in discounts], atol=0.12)
    np.testing.assert_allclose(second, 1.0, atol=0.12)
    for state, observation in enumerate(np.eye(2, dtype=np.float32)):
        entropy = jax.vmap(lambda policy: policy.entropy())(_policies(learners, observation))
        assert float(jnp.mean(entropy)) == pytest.approx(float(chain.entropies()[state]), abs=0.12)
