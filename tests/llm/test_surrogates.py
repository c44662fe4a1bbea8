"""Every method's gradient is that of the objective it was published with, by autodiff through a softmax policy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from token_batches import arrays, logits, mask, words

import entropax.llm as llm
from entropax.llm.methods.ratio import clipped

pytestmark = pytest.mark.filterwarnings("ignore::entropax.llm.SettingWarning")

GIVEN = {name: jnp.asarray(values) for name, values in arrays().items()}
A = jnp.broadcast_to(GIVEN["advantages"][:, None], mask().shape)
OLD, MASK = GIVEN["old_log_prob"], GIVEN["mask"]
MEAN_ENTROPY = 1.5
UPDATES = 3.0


def _policy(parameters):
    log_probs = jax.nn.log_softmax(parameters)
    log_prob = jnp.take_along_axis(log_probs, jnp.asarray(words())[..., None], -1)[..., 0]
    return log_prob, -(jnp.exp(log_probs) * log_probs).sum(-1)


def _clip(ratio, advantages, lower, upper):
    return jnp.minimum(ratio * advantages, jnp.clip(ratio, 1 - lower, 1 + upper) * advantages)


def _ratio(log_prob):
    return jnp.exp(jnp.where(MASK, log_prob - OLD, 0.0))


def _gspo(method, log_prob, entropy):
    lengths = MASK.sum(1, keepdims=True)
    ratio = jnp.exp(jnp.where(MASK, log_prob - OLD, 0.0).sum(1, keepdims=True) / lengths)
    return _clip(ratio, A, method.lower, method.upper)


def _ce_gppo(method, log_prob, entropy):
    ratio = _ratio(log_prob)
    straight = ratio / jax.lax.stop_gradient(ratio)
    below, above = (ratio < 1 - method.lower) & (A < 0), (ratio > 1 + method.upper) & (A > 0)
    kept = jnp.where(above, method.positive * (1 + method.upper) * straight, ratio)
    return jnp.where(below, method.negative * (1 - method.lower) * straight, kept) * A


def _clip_cov(method, log_prob, entropy):
    batch, state = llm.tokens(**GIVEN), _state(method)
    chosen = method.selected(batch, state, llm.ThisBatch())
    assert 0 < chosen.sum() < MASK.sum()
    assert not (chosen & clipped(jnp, batch.ratio, A, method.clip.lower, method.clip.upper)).any()
    return jnp.where(chosen, 0.0, _clip(_ratio(log_prob), A, method.clip.lower, method.clip.upper))


def _kl_cov(method, log_prob, entropy):
    chosen = method.selected(llm.tokens(**GIVEN), llm.ThisBatch())
    assert 0 < chosen.sum() < MASK.sum()
    return _ratio(log_prob) * A - method.strength * jnp.abs(log_prob - OLD) * chosen


def _corridor(method, log_prob, entropy):
    low, high = method.lower * MEAN_ENTROPY, method.upper * MEAN_ENTROPY
    assert (entropy < low).any() and (entropy > high).any()
    outside = jax.nn.relu(low - entropy) + jax.nn.relu(entropy - high)
    weight = 1 + jnp.exp(-method.decay * UPDATES / method.middle)
    term = entropy - weight * method.strength * outside
    return _clip(_ratio(log_prob), A, 0.2, 0.2) + method.coefficient * term


def _score_bonus(method, log_prob, entropy):
    shaped = A - method.beta * jax.lax.stop_gradient(log_prob + entropy)
    return _clip(_ratio(log_prob), shaped, 0.2, 0.2)


def _shaped(method, log_prob, entropy):
    term = jnp.minimum(method.coefficient * jax.lax.stop_gradient(entropy), jnp.abs(A) / method.cap)
    return _clip(_ratio(log_prob), A + term, 0.2, 0.2)


def _top_entropy(method, log_prob, entropy):
    values = np.where(MASK, GIVEN["entropy"], -np.inf)
    chosen = values >= np.sort(values[mask()])[-int(method.fraction * mask().sum())]
    return _clip(_ratio(log_prob), A, 0.2, 0.2) * chosen


PUBLISHED = {
    "REINFORCE": (llm.Reinforce, lambda method, log_prob, entropy: A * log_prob),
    "PPO": (llm.Clip, lambda method, log_prob, entropy: _clip(_ratio(log_prob), A, 0.2, 0.2)),
    "DAPO": (lambda: llm.Clip(upper=0.28), lambda method, log_prob, entropy: _clip(_ratio(log_prob), A, 0.2, 0.28)),
    "CISPO": (
        llm.CISPO,
        lambda method, log_prob, entropy: jax.lax.stop_gradient(_ratio(log_prob).clip(0.0, 1.28)) * A * log_prob,
    ),
    "GSPO": (lambda: llm.GSPO(0.05, 0.1), _gspo),
    "CE-GPPO": (llm.CEGPPO, _ce_gppo),
    "GPPO": (lambda: llm.CEGPPO(negative=1.0, positive=1.0), _ce_gppo),
    "Clip-Cov": (lambda: llm.ClipCov(0.2, llm.Absolute(-1.0, 9.0), llm.Clip()), _clip_cov),
    "Clip-Cov by quantiles": (lambda: llm.ClipCov(0.2, llm.Quantiles(0.3, 1.0)), _clip_cov),
    "KL-Cov": (lambda: llm.KLCov(0.2), _kl_cov),
    "entropy bonus": (
        lambda: llm.EntropyBonus(coefficient=0.1),
        lambda method, log_prob, entropy: _clip(_ratio(log_prob), A, 0.2, 0.2) + 0.1 * entropy,
    ),
    "EPO": (lambda: llm.Corridor(coefficient=0.1), _corridor),
    "REPO": (lambda: llm.ScoreBonus(beta=0.1), _score_bonus),
    "entropy-shaped advantage": (llm.ShapedAdvantage, _shaped),
    "top entropy": (lambda: llm.TopEntropy(fraction=0.3), _top_entropy),
}


def _state(method):
    return llm.State(UPDATES, MEAN_ENTROPY, dict(method.knobs))


_AGGREGATES = (("GSPO", llm.sequence_mean), ("EPO", llm.sequence_mean), ("PPO", llm.constant_length(9)))


@pytest.mark.parametrize(("name", "aggregate"), [*((name, llm.token_mean) for name in PUBLISHED), *_AGGREGATES])
def test_the_gradient_is_the_published_objectives(name, aggregate):
    make, objective = PUBLISHED[name]
    method = make()

    def published(parameters):
        log_prob, entropy = _policy(parameters)
        return aggregate(objective(method, log_prob, entropy), MASK)

    def ours(parameters):
        log_prob, entropy = _policy(parameters)
        weights = method(log_prob, OLD, GIVEN["advantages"], MASK, entropy, _state(method))
        return -llm.loss(log_prob, entropy, MASK, weights, aggregate)

    expected = jax.grad(published)(jnp.asarray(logits()))
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(jax.grad(ours)(jnp.asarray(logits())), expected, rtol=2e-5, atol=1e-6)


def test_extra_completions_add_the_objective_of_right_answers():
    method, state = llm.AEPO(coefficient=0.3), llm.begin(llm.AEPO(coefficient=0.3))
    rewards = (GIVEN["advantages"] > 0).astype(jnp.float32)
    asked = []

    def draws(parameters):
        def draw(temperature):
            asked.append(temperature)
            log_prob, entropy = _policy(parameters)
            return log_prob, llm.tokens(log_prob, OLD, rewards, MASK, entropy)

        return draw

    def published(parameters):
        ratio = _ratio(_policy(parameters)[0])
        return 0.3 * llm.sequence_mean(rewards[:, None] * jnp.minimum(ratio, ratio.clip(0.8, 1.2)), MASK)

    def ours(parameters):
        return -llm.extra_loss(method, draws(parameters), 0.4, state)

    found, expected = (jax.grad(f)(jnp.asarray(logits())) for f in (ours, published))
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-7)
    assert np.abs(expected).max() > 1e-3
    assert asked == [pytest.approx(1.1)]
