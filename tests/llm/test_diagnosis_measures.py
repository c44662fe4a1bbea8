"""Predicted change of entropy against the one measured on a table of logits, its quadrants, and the other measures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.llm import (
    CEGPPO,
    Clip,
    ClipCov,
    EntropyBonus,
    KLCov,
    OverAxis,
    Quantiles,
    Reinforce,
    ScoreBonus,
    ThisBatch,
    TopEntropy,
    begin,
    loss,
    tokens,
)
from entropax.llm.diagnosis import control_measures, first_order_change, likeliest_reward, measures, scalars
from entropax.llm.diagnosis.measures import PREDICTED

STATES, ACTIONS = 4, 6


def log_softmax(logits):
    return logits - np.log(np.sum(np.exp(logits), axis=-1, keepdims=True))


def entropies(logits):
    log_policy = log_softmax(logits)
    return -np.sum(np.exp(log_policy) * log_policy, axis=-1)


def table(seed=0):
    """Logits and advantages of mean 0 under the policy, `[state, action]`."""
    draw = np.random.default_rng(seed)
    logits = draw.normal(size=(STATES, ACTIONS))
    advantages = draw.normal(size=(STATES, ACTIONS))
    policy = np.exp(log_softmax(logits))
    return logits, advantages - np.sum(policy * advantages, axis=-1, keepdims=True)


@pytest.mark.parametrize("natural", [False, True], ids=["theorem 1", "theorem 2"])
def test_the_first_order_change_of_a_table_is_the_measured_one(natural):
    logits, advantages = table()
    log_policy = log_softmax(logits)
    step = 1e-5 * (advantages if natural else np.exp(log_policy) * advantages)
    measured = entropies(logits + step) - entropies(logits)
    assert first_order_change(log_policy, step) / measured == pytest.approx(np.ones(STATES), abs=2e-3)


def drawn(seed=1, count=200_000, states=STATES, method=None):
    """Tokens drawn from a table, the table, and the states they were drawn at."""
    logits, advantages = table(seed)
    logits, advantages = logits[:states], advantages[:states]
    log_policy, nats = log_softmax(logits), entropies(logits)
    draw = np.random.default_rng(seed)
    at = np.repeat(np.arange(states), count // states)
    actions = np.concatenate([draw.choice(ACTIONS, count // states, p=np.exp(row)) for row in log_policy])
    lp = log_policy[at, actions][None, :]
    batch = tokens(lp, lp, advantages[at, actions][None, :], lp < 0, nats[at][None, :])
    return batch, logits, at, actions


def gradient_step(method, batch, logits, at, actions):
    """Ascent direction on the logits of the very loss that the method has, `[state, action]`."""
    state = begin(method)
    weights = method.weights(batch, state, ThisBatch())

    def of(table):
        log_policy = jax.nn.log_softmax(table)
        nats = -jnp.sum(jnp.exp(log_policy) * log_policy, axis=-1)
        return loss(log_policy[at, actions][None], nats[at][None], jnp.asarray(batch.mask), weights)

    with jax.enable_x64():
        return -np.asarray(jax.grad(of)(jnp.asarray(logits))), weights, state


@pytest.mark.parametrize(
    "method",
    [Reinforce(), EntropyBonus(Reinforce(), 0.5), ScoreBonus(Reinforce(), 0.5), EntropyBonus(Reinforce(), 50.0)],
    ids=["policy gradient", "bonus", "score bonus", "mostly bonus"],
)
def test_the_estimate_from_drawn_tokens_is_the_measured_change_of_the_loss_s_own_step(method):
    batch, logits, at, actions = drawn()
    direction, weights, state = gradient_step(method, batch, logits, at, actions)
    rate = 1e-3
    measured = np.mean(entropies(logits + rate * direction) - entropies(logits)) * STATES / rate
    predicted = measures(method, batch, state, weights)[PREDICTED]
    assert predicted / measured == pytest.approx(1.0, abs=0.03)


def test_off_policy_tokens_predict_what_on_policy_ones_do():
    """The ratio in the weights makes the tokens of an older policy stand for those of the new one."""
    logits, advantages = (part[:1] for part in table(3))
    older = log_softmax(logits + 0.4 * np.random.default_rng(5).normal(size=logits.shape))[0]
    actions = np.random.default_rng(6).choice(ACTIONS, 200_000, p=np.exp(older))
    log_policy, nats = log_softmax(logits)[0], entropies(logits)[0]
    method = EntropyBonus(Clip(1.0, 1e9), 0.3)
    lp = log_policy[actions][None]
    batch = tokens(lp, older[actions][None], advantages[0][actions][None], lp < 0, np.full_like(lp, nats))
    predicted = measures(method, batch, begin(method), method.weights(batch, begin(method), ThisBatch()))[PREDICTED]
    policy, excess = np.exp(log_policy), log_policy + nats
    exact = first_order_change(log_policy, policy * advantages[0] - 0.3 * policy * excess)
    assert predicted / exact == pytest.approx(1.0, abs=0.03)


def test_the_parts_sum_to_the_whole_and_have_their_signs():
    batch, *_ = drawn(count=20_000)
    for method in (Reinforce(), EntropyBonus(ScoreBonus(), 0.1)):
        found = of(method, batch)
        parts = [value for name, value in found.items() if name.startswith(f"{PREDICTED}/")]
        assert len(parts) == 6
        assert sum(parts) == pytest.approx(found[PREDICTED], rel=1e-9)
    assert found[f"{PREDICTED}/bonus"] > 0
    plain = of(Reinforce(), batch)
    assert plain[f"{PREDICTED}/positive_high"] < 0 < plain[f"{PREDICTED}/positive_low"]
    assert plain[f"{PREDICTED}/negative_low"] < 0 < plain[f"{PREDICTED}/negative_high"]
    assert plain[f"{PREDICTED}/bonus"] == plain[f"{PREDICTED}/no_advantage"] == 0


def small(xp=np, entropy=True):
    draw = np.random.default_rng(2)
    new = -draw.exponential(size=(4, 8))
    old = new + 0.3 * draw.normal(size=(4, 8))
    advantages, mask = draw.normal(size=4), np.arange(8) < np.array([8, 5, 3, 7])[:, None]
    given = [xp.asarray(part, dtype=xp.float32) for part in (new, old, advantages)]
    nats = xp.asarray(draw.exponential(size=(4, 8)), dtype=xp.float32) if entropy else None
    return tokens(*given, xp.asarray(mask), nats)


def of(method, batch):
    state = begin(method)
    return measures(method, batch, state, method.weights(batch, state, ThisBatch()))


def test_fractions_are_counted_over_the_tokens():
    batch = small()
    r, a = np.asarray(batch.ratio)[batch.mask], np.asarray(batch.advantages)[batch.mask]
    gone = ((r < 0.8) & (a < 0)) | ((r > 1.2) & (a > 0))
    assert 0 < gone.mean() < 1
    assert of(Clip(), batch)["entropax/dropped_fraction"] == pytest.approx(gone.mean())
    assert "entropax/selected_fraction" not in of(Clip(), batch)
    assert of(CEGPPO(), batch)["entropax/selected_fraction"] == pytest.approx(gone.mean())
    assert of(CEGPPO(), batch)["entropax/dropped_fraction"] == 0
    between = (r > 1.2) & (r <= 1.5) & (a > 0)
    assert of(Clip(0.2, 0.5), batch)["entropax/selected_fraction"] == pytest.approx(between.mean())
    assert of(Clip(), batch)["entropax/off_policy_fraction"] == 1
    assert of(EntropyBonus(), batch)["entropax/selected_fraction"] == 1
    top = of(TopEntropy(Reinforce(), 0.25), batch)
    assert top["entropax/dropped_fraction"] == top["entropax/selected_fraction"] == pytest.approx(1 - 5 / 23)


def test_what_was_asked_for_stands_beside_what_was_selected():
    found = of(KLCov(0.01), small())
    assert found["entropax/selection_setting"] == pytest.approx(0.01)
    assert found["entropax/selected_fraction"] == pytest.approx(1 / 23)
    assert "entropax/selection_setting" not in of(Clip(), small())
    assert of(ClipCov(0.01, Quantiles(0.5)), small())["entropax/selected_fraction"] == pytest.approx(1 / 23)


def test_without_entropies_the_mean_surprise_stands_for_them():
    found = of(Clip(), small(entropy=False))
    assert "entropax/entropy" not in found
    assert np.isfinite(found[PREDICTED])
    assert found["entropax/surprise"] > 0


@pytest.mark.parametrize("method", [Clip(0.2, 0.28), KLCov(0.01), EntropyBonus(), TopEntropy()], ids=str)
def test_every_array_library_measures_the_same(method):
    numbers = of(method, small())
    assert of(method, small(jnp)) == pytest.approx(numbers, rel=1e-4, abs=1e-6)
    assert all(isinstance(value, float) for value in of(method, small(jnp)).values())


def test_two_processes_measure_what_one_does():
    method, whole = Clip(0.2, 0.28), small(jnp)
    halves = jax.tree.map(lambda part: part.reshape(2, 2, 8), whole)

    def one(batch):
        over, state = OverAxis("processes"), begin(method)
        return scalars(method, batch, state, method.weights(batch, state, over), over)

    spread = jax.jit(jax.vmap(one, axis_name="processes"))(halves)
    assert {name: float(value[1]) for name, value in spread.items()} == pytest.approx(of(method, whole), rel=1e-4)


def test_torch_measures_the_same():
    torch = pytest.importorskip("torch")
    for method in (Clip(0.2, 0.28), KLCov(0.01), EntropyBonus()):
        assert of(method, small(torch)) == pytest.approx(of(method, small()), rel=1e-4, abs=1e-6)


def test_a_controller_s_numbers_have_names():
    assert control_measures(0.1, 0.5, 0.0, 1.0)["entropax/knob_most"] == 1.0


@pytest.mark.parametrize("library", [np.asarray, jnp.asarray], ids=["NumPy", "JAX"])
def test_the_likeliest_answers_of_every_prompt_count_alike(library):
    """By hand: 2 from the first prompt; of the second, whose two likeliest are equally likely, (1 - 3) / 2."""
    log_prob = library([[-1.0, -0.5, -2.0], [-0.1, -0.1, -9.0]])
    reward = library([[5.0, 2.0, 7.0], [1.0, -3.0, 9.0]])
    assert float(likeliest_reward(log_prob, reward)) == pytest.approx(0.5)
