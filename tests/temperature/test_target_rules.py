"""Target rules: their numbers, and that what no policy can follow is refused."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.distributions import max_tanh_normal_entropy, max_tanh_normal_sigma
from entropax.temperature import (
    Anneal,
    AnnealOverRun,
    Dual,
    Evidence,
    FractionOfInitial,
    FractionOfUniform,
    FromSigma,
    Guard,
    Nats,
    PerDimension,
    Plateau,
)
from entropax.types import Bounds, Categories, Spec, unknown_progress

BOX = Spec(3, Bounds((-2.0, 0.0), (2.0, 1.0)))
FOUR = Spec(3, Categories(4))


def target(rule, spec, updates=0):
    """A rule's target after so many updates, with the run done to a thousandth of them."""

    def update(number, state):
        progress = unknown_progress(spec)._replace(share=jnp.float32((number + 1) / 1000))
        return rule.observe(spec, state, Evidence(jnp.zeros((1, 2)), progress))

    return rule.value(spec, jax.lax.fori_loop(0, updates, update, rule.init(spec)))


@pytest.mark.parametrize(
    ("rule", "spec", "expected"),
    [
        pytest.param(PerDimension(), BOX, -2.0, id="SAC's minus the number of dimensions"),
        pytest.param(PerDimension(-0.5), BOX, -1.0, id="half of it"),
        pytest.param(FromSigma(0.15), BOX, 2 * -0.50046, id="sigma 0.15: not the Gaussian's -0.478"),
        pytest.param(FromSigma(0.01), BOX, 2 * (math.log(0.01) + 1.4189385 - 1e-4), id="a small sigma is Gaussian"),
        pytest.param(FractionOfUniform(0.5), BOX, 0.0, id="half the box is one unit wide"),
        pytest.param(FractionOfUniform(0.98), FOUR, 0.98 * math.log(4), id="discrete"),
        pytest.param(Nats(0.2), FOUR, 0.2, id="nats of categories"),
        pytest.param(Nats(math.log(4) - 1e-4), FOUR, math.log(4) - 1e-4, id="almost the uniform choice"),
    ],
)
def test_values(rule, spec, expected):
    np.testing.assert_allclose(target(rule, spec), expected, atol=5e-5)


def test_anneal_is_linear_then_constant():
    rule = Anneal(PerDimension(0.0), FromSigma(0.15), 100.0)
    end = float(target(FromSigma(0.15), BOX))
    found = [float(target(rule, BOX, updates)) for updates in (0, 25, 100, 10_000)]
    np.testing.assert_allclose(found, [0.0, 0.25 * end, end, end], rtol=1e-6)


def test_anneals_nest():
    inner = Anneal(PerDimension(0.0), PerDimension(-1.0), 10.0)
    rule = Anneal(inner, PerDimension(-1.0), 20.0)
    np.testing.assert_allclose(target(rule, BOX, 5), 0.75 * -1.0 + 0.25 * -2.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        pytest.param(lambda: PerDimension(0.7), ("0.7 nats", "0.6836", "sigma 0.874", "lower"), id="above the maximum"),
        pytest.param(lambda: PerDimension(math.nan), ("finite",), id="nan"),
        pytest.param(lambda: PerDimension(-math.inf), ("finite",), id="infinite"),
        pytest.param(lambda: FromSigma(1.0), ("sigma 1.0", "0.874", "0.6836", "at most"), id="falling branch"),
        pytest.param(lambda: FromSigma(0.0), ("above 0",), id="sigma 0"),
        pytest.param(lambda: FromSigma(-0.1), ("above 0",), id="negative sigma"),
        pytest.param(lambda: FractionOfUniform(1.0), ("(0, 1)", "infinite alpha"), id="the uniform policy"),
        pytest.param(lambda: FractionOfUniform(0.0), ("(0, 1)",), id="nothing"),
        pytest.param(lambda: Anneal(updates=0.0), ("updates", "above 0"), id="no passage"),
        pytest.param(lambda: AnnealOverRun(until=0.0), ("until", "(0, 1]"), id="no part of the run"),
        pytest.param(lambda: AnnealOverRun(until=1.5), ("until", "(0, 1]", "Anneal"), id="beyond the run"),
        pytest.param(lambda: Plateau(factor=1.0), ("factor", "(0, 1)"), id="a plateau that never drops"),
        pytest.param(lambda: Plateau(memory=-0.1), ("memory", "(0, 1)"), id="negative memory"),
        pytest.param(lambda: Plateau(patience=0.0), ("patience", "above 0"), id="no patience"),
        pytest.param(lambda: Guard(patience=1.5), ("patience", "share of the run"), id="a guard beyond the run"),
        pytest.param(lambda: Guard(duration=0.0), ("duration", "share of the run"), id="a guard that drops"),
        pytest.param(lambda: Guard(significance=-1.0), ("significance", "above 0"), id="a guard that is always moved"),
        pytest.param(lambda: Nats(0.0), ("Nats: nats", "above 0"), id="no entropy at all"),
        pytest.param(lambda: Nats(math.inf), ("finite",), id="infinitely many nats"),
        pytest.param(lambda: FractionOfInitial(1.2), ("fraction", "(0, 1]", "out of reach"), id="more than at first"),
        pytest.param(lambda: FractionOfInitial(updates=0.0), ("updates", "above 0"), id="nothing measured"),
    ],
)
def test_refused_at_construction(build, words):
    with pytest.raises(ValueError) as refusal:
        build()
    for word in words:
        assert word in str(refusal.value)


@pytest.mark.parametrize(
    ("rule", "spec", "words"),
    [
        pytest.param(FractionOfUniform(0.995), BOX, ("0.995", "0.6836", "at most 0.9905"), id="wider than any"),
        pytest.param(PerDimension(), FOUR, ("4 categories", "FractionOfUniform"), id="per dimension of categories"),
        pytest.param(FromSigma(), FOUR, ("4 categories", "FractionOfUniform"), id="sigma of categories"),
        pytest.param(Anneal(PerDimension(0.0), FractionOfUniform(0.995)), BOX, ("0.6836",), id="the end of a passage"),
        pytest.param(AnnealOverRun(FractionOfUniform(0.995)), BOX, ("0.6836",), id="the start of a passage"),
        pytest.param(Plateau(), FOUR, ("4 categories", "FractionOfUniform"), id="a plateau of categories"),
        pytest.param(Nats(), BOX, ("box of 2", "PerDimension"), id="nats of a box"),
        pytest.param(Nats(1.4), FOUR, ("1.4 nats", "log 4 = 1.3863", "infinite alpha"), id="above log n"),
        pytest.param(Nats(math.log(4)), FOUR, ("log 4",), id="log n"),
        pytest.param(AnnealOverRun(Nats(1.4), Nats(0.2)), FOUR, ("log 4",), id="a passage from above log n"),
        pytest.param(Guard(), FOUR, ("4 categories", "FractionOfUniform"), id="a guard of categories"),
    ],
)
def test_refused_by_init(rule, spec, words):
    with pytest.raises(ValueError) as refusal:
        Dual(target_entropy=rule).init(spec)
    for word in words:
        assert word in str(refusal.value)


def test_the_largest_targets_are_accepted():
    largest = 2 * max_tanh_normal_entropy()
    rules = [PerDimension(max_tanh_normal_entropy()), FromSigma(max_tanh_normal_sigma())]
    rules.append(FractionOfUniform(math.exp(max_tanh_normal_entropy()) / 2))
    for rule in rules:
        np.testing.assert_allclose(target(rule, BOX), largest, atol=1e-5)


@pytest.mark.parametrize(
    ("rule", "field", "values"),
    [
        (PerDimension(), lambda rule: rule.nats, [-2.0, -0.5, 0.6]),
        (FromSigma(), lambda rule: rule.sigma, [0.01, 0.2, 0.8]),
        (FractionOfUniform(), lambda rule: rule.fraction, [0.1, 0.5, 0.9]),
        (Anneal(), lambda rule: rule.updates, [10.0, 100.0, 1000.0]),
        (AnnealOverRun(), lambda rule: rule.until, [0.01, 0.1, 1.0]),
        (Plateau(), lambda rule: rule.patience, [10.0, 20.0, 100.0]),
        (Guard(), lambda rule: rule.duration, [0.1, 0.2, 1.0]),
        (FractionOfInitial(), lambda rule: rule.fraction, [0.1, 0.5, 1.0]),
    ],
)
def test_fields_can_be_swept(rule, field, values):
    def replaced(value):
        return eqx.tree_at(field, rule, value)

    mapped = jax.vmap(lambda value: target(replaced(value), BOX, 50))(jnp.array(values))
    one_by_one = [float(target(replaced(value), BOX, 50)) for value in values]
    np.testing.assert_allclose(mapped, one_by_one, rtol=1e-5, atol=1e-6)
