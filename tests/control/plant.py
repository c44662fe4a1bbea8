"""The plant of the control tests, and ways to run a law on it.

A mean-0 tanh-Gaussian policy whose reward is -1/2 c u^2 before squashing. At temperature alpha the soft optimum
satisfies alpha dH/dlog sigma = c sigma^2, so the alpha that holds a target entropy is known, and the policy follows
with a lag: log sigma climbs its own objective a little per update.
"""

import jax
import jax.numpy as jnp
import numpy as np

from entropax.distributions import sigma_of_entropy, tanh_normal_entropy
from entropax.temperature import Evidence
from entropax.types import Bounds, Spec, unknown_progress

ONE = Spec(1, Bounds((-1.0,), (1.0,)))
PROGRESS = unknown_progress(ONE)
CURVATURE = 0.5


def entropy_of(log_sigma):
    return tanh_normal_entropy(jnp.float32(0.0), log_sigma)


def alpha_that_holds(nats):
    sigma = sigma_of_entropy(jnp.float32(nats))
    return float(CURVATURE * sigma**2 / jax.grad(entropy_of)(jnp.log(sigma)))


def closed_loop(law, updates, noise=0.0, first_log_sigma=-0.5, lag=50.0):
    """Runs law and plant together; returns alpha, entropy and target after every update.

    Args:
        law: any temperature law of one alpha.
        updates: how many.
        noise: standard deviation in nats of the one-sample estimates that the law sees, 16 a batch.
        first_log_sigma: where the policy starts.
        lag: updates in which the policy covers most of the way to its optimum.
    """

    def step(carry, inputs):
        state, log_sigma = carry
        key, share = inputs
        pull = law.value(state) * jax.grad(entropy_of)(log_sigma) / (CURVATURE * jnp.exp(2 * log_sigma))
        log_sigma = log_sigma + jnp.clip(pull - 1.0, -1.0, 1.0) / lag
        observed = entropy_of(log_sigma) + noise * jax.random.normal(key, (16, 1))
        state, _ = law.update(ONE, state, Evidence(observed, PROGRESS._replace(share=share)))
        return (state, log_sigma), (law.value(state), entropy_of(log_sigma), law.target(ONE, state))

    first = (law.init(ONE), jnp.float32(first_log_sigma))
    inputs = (jax.random.split(jax.random.key(0), updates), jnp.linspace(0.0, 1.0, updates))
    _, series = jax.lax.scan(step, first, inputs)
    return tuple(np.asarray(one) for one in series)


def held(law, slack, updates, state=None):
    """Updates the law with a constant slack; returns its last state and all steps of log alpha."""

    def step(state, _):
        entropy = jnp.broadcast_to(law.target(ONE, state) + slack, (4, 1))
        state, metrics = law.update(ONE, state, Evidence(entropy, PROGRESS))
        return state, metrics["train/ent_coef_step"]

    state, steps = jax.lax.scan(step, law.init(ONE) if state is None else state, length=updates)
    return state, np.asarray(steps)
