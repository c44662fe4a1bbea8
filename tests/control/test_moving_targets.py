"""Targets that move with what they see: the plateau's drops, the run's share, the fraction of what was at first."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plant import ONE, PROGRESS, closed_loop

from entropax.temperature import (
    AnnealOverRun,
    Dual,
    EachDimension,
    Evidence,
    FractionOfInitial,
    PerDimension,
    Plateau,
)
from entropax.types import Bounds, Categories, Spec


def observed(rule, entropies, spec=ONE, shares=None):
    """Shows a rule one entropy after another; returns its targets after each."""
    entropies = jnp.asarray(entropies, jnp.float32)
    shares = jnp.zeros(len(entropies)) if shares is None else jnp.asarray(shares, jnp.float32)

    def step(state, inputs):
        entropy, share = inputs
        seen = Evidence(jnp.full((4, spec.action.size), entropy), PROGRESS._replace(share=share))
        state = rule.observe(spec, state, seen)
        return state, rule.value(spec, state)

    return np.asarray(jax.lax.scan(step, rule.init(spec), (entropies, shares))[1])


def test_plateau_drops_by_its_factor_after_its_patience():
    rule = Plateau(PerDimension(0.0), PerDimension(-1.0), factor=0.5, patience=10.0)
    targets = observed(rule, np.zeros(25))
    np.testing.assert_allclose(targets[:9], 0.0, atol=1e-7)
    # After the first drop the entropy, still 0, is half a nat off: nothing settles any more.
    np.testing.assert_allclose(targets[9:], -0.5, atol=1e-6)


def test_plateau_drops_again_once_the_entropy_has_followed():
    rule = Plateau(PerDimension(0.0), PerDimension(-1.0), factor=0.5, memory=0.5, patience=10.0)
    targets = observed(rule, np.r_[np.zeros(10), np.full(40, -0.5)])
    np.testing.assert_allclose(targets[9], -0.5, atol=1e-6)
    np.testing.assert_allclose(targets[-1], -0.75, atol=1e-6)


@pytest.mark.parametrize("entropies", [np.full(30, 0.3), np.where(np.arange(30) % 2, 0.4, -0.4)], ids=["off", "loud"])
def test_plateau_waits_while_the_entropy_is_off_its_target_or_swings(entropies):
    rule = Plateau(PerDimension(0.0), memory=0.9, patience=10.0)
    np.testing.assert_allclose(observed(rule, entropies), 0.0, atol=1e-7)


def test_plateau_drops_at_its_timeout_whatever_the_entropy_does():
    rule = Plateau(PerDimension(0.0), PerDimension(-1.0), factor=0.9, timeout=12.0)
    targets = observed(rule, np.full(30, 3.0))
    np.testing.assert_allclose(targets[[10, 11, 22, 23]], [0.0, -0.1, -0.1, -0.19], atol=1e-6)


def test_dual_follows_a_plateau_down_to_its_end():
    rule = Plateau(PerDimension(0.3), PerDimension(-1.0), factor=0.7, memory=0.99, patience=300.0)
    _, entropies, targets = closed_loop(Dual(3e-3, 0.3, rule), 25_000)
    drops = np.flatnonzero(np.diff(targets) < -1e-4)
    assert len(drops) >= 5
    np.testing.assert_allclose(entropies[drops], targets[drops], atol=0.06)
    np.testing.assert_allclose(targets[-1], -1.0, atol=0.2)


def test_anneal_over_run_is_linear_in_the_share_then_constant():
    rule = AnnealOverRun(PerDimension(0.0), PerDimension(-1.0), until=0.5)
    targets = observed(rule, np.zeros(4), shares=[0.0, 0.25, 0.5, 0.9])
    np.testing.assert_allclose(targets, [0.0, -0.5, -1.0, -1.0], atol=1e-6)


def test_dual_follows_the_run():
    rule = AnnealOverRun(PerDimension(0.3), PerDimension(-1.0))
    _, entropies, targets = closed_loop(Dual(1e-2, 0.2, rule), 12_000)
    np.testing.assert_allclose(targets[[0, 6_000, -1]], [0.3, -0.35, -1.0], atol=2e-3)
    np.testing.assert_allclose(entropies[3_000:], targets[3_000:], atol=0.15)


def test_fraction_of_initial_is_of_the_first_entropies_only():
    entropies = np.r_[0.1, 0.3, np.full(8, -3.0)]
    targets = observed(FractionOfInitial(0.5, updates=2.0), entropies)
    np.testing.assert_allclose(targets[0], 0.1 + np.log(0.5), rtol=1e-5)
    np.testing.assert_allclose(targets[1:], 0.2 + np.log(0.5), rtol=1e-5)


def test_fraction_of_initial_scales_with_dimensions_and_is_plain_for_categories():
    box = Spec(1, Bounds((-1.0,) * 3, (1.0,) * 3))
    np.testing.assert_allclose(observed(FractionOfInitial(0.5), [0.2], box)[0], 3 * (0.2 + np.log(0.5)), rtol=1e-5)
    six = Spec(1, Categories(6))
    rule = FractionOfInitial(0.4)
    np.testing.assert_allclose(rule.value(six, rule.init(six)), 0.4 * np.log(6), rtol=1e-6)


def test_each_dimension_raises_the_alpha_of_the_one_that_collapsed():
    """The sum is on target, so one alpha for all would rest; two budgets tell the dimensions apart."""
    spec = Spec(1, Bounds((-1.0, -1.0), (1.0, 1.0)))
    nats = jnp.tile(jnp.array([0.5, -2.5]), (8, 1))
    law = EachDimension(Dual(learning_rate=1e-2))
    state = law.init(spec)
    for _ in range(20):
        state, metrics = law.update(spec, state, Evidence(nats, PROGRESS))
    np.testing.assert_allclose(jnp.log(law.value(state)), [-0.2, 0.2], rtol=1e-3)
    np.testing.assert_allclose(law.target(spec, state), -2.0, rtol=1e-6)
    np.testing.assert_allclose(metrics["train/ent_coef"], law.value(state).mean(), rtol=1e-6)
    together = Dual(learning_rate=1e-2)
    _, metrics = together.update(spec, together.init(spec), Evidence(nats, PROGRESS))
    assert float(metrics["train/ent_coef_step"]) == 0.0


def test_each_dimension_refuses_categories():
    with pytest.raises(ValueError, match="4 categories"):
        EachDimension().init(Spec(1, Categories(4)))
