"""Guard: when it lets go, how fast, and that a law follows it on the plant."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plant import ONE, PROGRESS, closed_loop

from entropax.loops.update import recent_return
from entropax.temperature import PI, Evidence, Guard, PerDimension

EPISODES, UPDATES = 100, 5
"""Episodes in a run, and updates in an episode: the mean return stands still between their ends."""
SHARES = jnp.linspace(0.0, 1.0, EPISODES * UPDATES)


def recent_means(returns):
    """The recent mean return that a loop shows after each of `[episodes]` returns, once an update."""

    def step(mean, value):
        mean = recent_return(mean, value, jnp.float32(1.0))
        return mean, mean

    _, means = jax.lax.scan(step, jnp.float32(jnp.nan), jnp.asarray(returns, jnp.float32))
    return jnp.repeat(means, UPDATES)


@jax.jit
def targets(rule, mean_returns):
    """The rule's target after every update of a run with these recent mean returns."""

    def step(state, inputs):
        share, mean_return = inputs
        progress = PROGRESS._replace(share=share, mean_return=mean_return)
        state = rule.observe(ONE, state, Evidence(jnp.zeros((4, 1)), progress))
        return state, rule.value(ONE, state)

    return jax.lax.scan(step, rule.init(ONE), (SHARES, mean_returns))[1]


def let_go(series):
    """Share of the run at which the target first fell."""
    return float(SHARES[np.argmax(np.asarray(series) < series[0] - 1e-6)])


RULE = Guard(PerDimension(0.4), PerDimension(-1.0), patience=0.6, duration=0.25)


@pytest.mark.parametrize("returns", [np.zeros(EPISODES), np.full(EPISODES, np.nan)], ids=["nothing", "no episode"])
def test_without_a_change_it_holds_until_its_patience_ends_and_falls_linearly(returns):
    series = np.asarray(targets(RULE, recent_means(returns) if np.isfinite(returns).all() else SHARES * np.nan))
    shares = np.asarray(SHARES)
    expected = 0.4 - 1.4 * np.clip((shares - shares[shares >= 0.6][0]) / 0.25, 0, 1)
    np.testing.assert_allclose(series, expected, atol=1e-5)


def test_noise_alone_seldom_makes_it_let_go():
    returns = np.random.default_rng(0).normal(-3.0, 2.0, (300, EPISODES))
    series = jax.vmap(lambda means: targets(RULE, means))(jax.vmap(recent_means)(returns))
    early = np.mean([let_go(one) < 0.6 for one in series])
    assert early < 0.1, "of 300 runs whose returns only scatter"


@pytest.mark.parametrize("change", [4.0, -4.0], ids=["rises", "falls"])
def test_a_return_that_moves_makes_it_let_go(change):
    returns = np.random.default_rng(1).normal(0.0, 1.0, (100, EPISODES)) + change * (np.arange(EPISODES) >= 20)
    series = jax.vmap(lambda means: targets(RULE, means))(jax.vmap(recent_means)(returns))
    at = np.array([let_go(one) for one in series])
    assert np.mean((at > 0.2) & (at < 0.35)) > 0.9, "within fifteen episodes of a change of four standard deviations"


def test_the_first_reward_after_none_makes_it_let_go_at_once():
    returns = np.where(np.arange(EPISODES) == 30, 1.0, 0.0)
    assert let_go(targets(RULE, recent_means(returns))) == pytest.approx(0.3, abs=0.012)


def test_rounding_is_no_change_of_a_constant_return():
    """A mean of equal returns may come to lie one unit in the last place beside them."""
    late, early = (np.full(SHARES.shape, -200.1, np.float32) for _ in range(2))
    late[60:] = np.nextafter(late[0], np.float32(0))
    assert let_go(targets(RULE, late)) == pytest.approx(0.6, abs=0.01)
    early[10:] = late[-1]
    early[150:] += 0.1
    assert let_go(targets(RULE, early)) == pytest.approx(0.3, abs=0.01)


def test_it_never_takes_back_what_it_let_go():
    returns = np.random.default_rng(2).normal(0.0, 1.0, EPISODES) + 10 * np.sin(np.arange(EPISODES) / 5)
    steps = np.diff(np.asarray(targets(RULE, recent_means(returns))))
    fastest = 1.4 / 0.25 * float(SHARES[1])
    assert (steps <= 0).all()
    np.testing.assert_allclose(steps.min(), -fastest, rtol=1e-3)


def test_pi_follows_it_with_the_lag_of_its_docstring():
    updates, rule = 40_000, Guard(PerDimension(0.3), PerDimension(-1.0), patience=0.3, duration=0.5)
    _, entropies, goals = closed_loop(PI(initial_alpha=0.2, target_entropy=rule), updates)
    lag = 2 * (1.3 / (0.5 * updates)) / PI().integral
    falling = slice(int(0.5 * updates), int(0.78 * updates))
    np.testing.assert_allclose(entropies[falling] - goals[falling], lag, atol=0.5 * lag)
    np.testing.assert_allclose(entropies[-2_000:], -1.0, atol=0.05)
