"""SAC-AdaEnt and SACLite on probes: plain critics learn the plain value, soft ones the soft value, in closed form."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax import SAC, Dense, Episodes, Fixed, SACAdaEnt, SACLite, Training, train
from entropax.distributions import TanhNormal, max_tanh_normal_entropy
from entropax.envs.probes import DelayedReward, SoftOptimum

TRAINING = Training(steps=2_400, warmup=400, num_envs=4, updates=4, capacity=2_400, log_every=2_000)
SEEDS = 3


def sac(alpha, **settings):
    """Small networks and large steps; the seeds' mean takes out what they leave of jitter."""
    return SAC(
        torso=Dense((32, 32)),
        batch_size=64,
        actor_learning_rate=3e-3,
        critic_learning_rate=3e-3,
        polyak=0.05,
        temperature=Fixed(alpha),
        **settings,
    )


def learners(algorithm, environment):
    keys = jax.random.split(jax.random.key(0), SEEDS)
    carry, metrics = jax.jit(jax.vmap(lambda key: train(algorithm, environment, TRAINING, key=key)))(keys)
    return carry.learner, metrics


def mean_q(critics, observation):
    """Q over the action range, of the mean critic and seed."""
    actions = jnp.linspace(-0.9, 0.9, 19)[:, None]
    ask = jax.vmap(lambda action, critic: critic(jnp.array([observation]), action), in_axes=(0, None))
    return float(jnp.mean(eqx.filter_vmap(eqx.filter_vmap(lambda critic: ask(actions, critic)))(critics)))


def test_plain_critics_learn_the_plain_value_beside_soft_ones():
    """Whatever is done pays 1 in the second state. The policy becomes the widest there is, H = 0.684 nats, and

    Q(first) = gamma (1 + alpha H), P(first) = gamma, Q(second) = P(second) = 1.
    """
    algorithm = SACAdaEnt(sac(1.0, discount=0.9), samples=10)
    found, _ = learners(algorithm, Episodes(DelayedReward(), 2))
    widest = max_tanh_normal_entropy()
    assert widest == pytest.approx(0.684, abs=1e-3)
    soft, plain = found.sac.critics, found.plain.critics
    assert mean_q(soft, 0.0) == pytest.approx(0.9 * (1 + widest), abs=0.05)
    assert mean_q(plain, 0.0) == pytest.approx(0.9, abs=0.05)
    assert mean_q(soft, 1.0) == pytest.approx(1.0, abs=0.05)
    assert mean_q(plain, 1.0) == pytest.approx(1.0, abs=0.05)


def test_sac_lite_s_critics_learn_the_plain_value_of_the_widest_policy():
    algorithm = SACLite(sac(1.0, discount=0.9))
    found, _ = learners(algorithm, Episodes(DelayedReward(), 2))
    assert mean_q(found.critics, 0.0) == pytest.approx(0.9, abs=0.05)
    assert mean_q(found.critics, 1.0) == pytest.approx(1.0, abs=0.05)
    entropy = jax.vmap(lambda s: algorithm.actor(s)(jnp.zeros(1)).entropy())(found)
    assert float(jnp.mean(entropy)) == pytest.approx(max_tanh_normal_entropy(), abs=0.05)


@pytest.mark.parametrize("build", [lambda s: SACAdaEnt(s, samples=10), SACLite], ids=["adaent", "lite"])
def test_where_entropy_misleads_nobody_the_policy_is_the_soft_optimum(build):
    """One step: soft and plain value are the reward alike, so both find p* as SAC does."""
    probe = SoftOptimum(loc=0.3, scale=0.5, alpha=0.2)
    algorithm = build(sac(0.2))
    found, metrics = learners(algorithm, Episodes(probe, 1))
    policies = jax.vmap(lambda s: algorithm.actor(s)(jnp.ones(1)))(found)
    best = TanhNormal(jnp.array([0.3]), jnp.log(jnp.array([0.5])))
    assert float(jnp.mean(jax.vmap(lambda policy: policy.kl(best))(policies))) < 0.02
    assert float(jnp.mean(policies.mean)) == pytest.approx(0.3, abs=0.06)
    entropy = jax.vmap(lambda policy: policy.entropy())(policies)
    assert float(jnp.mean(entropy)) == pytest.approx(float(probe.entropy()), abs=0.06)
    if isinstance(algorithm, SACAdaEnt):
        assert np.mean(metrics["train/landscape_similarity"][:, -1]) > 0.9
