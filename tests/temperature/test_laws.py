"""What every law promises: traced floats, arrays in the state, stable types, sweeps, one compilation."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.temperature import (
    PI,
    Anneal,
    AnnealOverRun,
    Clamp,
    Cosine,
    Dual,
    EachDimension,
    Evidence,
    Exponential,
    Fixed,
    FractionOfInitial,
    FractionOfUniform,
    FromSigma,
    Guard,
    InAlpha,
    Linear,
    PerDimension,
    Plateau,
    Scheduled,
    StepRule,
)
from entropax.types import Bounds, Categories, Progress, Spec

BOX = Spec(3, Bounds((-1.0, -1.0), (1.0, 1.0)))
LAWS = [
    pytest.param(Fixed(), id="fixed"),
    pytest.param(Scheduled(Linear(updates=10.0)), id="linear"),
    pytest.param(Scheduled(Cosine(updates=10.0)), id="cosine"),
    pytest.param(Scheduled(Exponential(updates=10.0)), id="exponential"),
    pytest.param(Dual(), id="dual"),
    pytest.param(Dual(objective=InAlpha(), target_entropy=FromSigma()), id="dual in alpha, from sigma"),
    pytest.param(Dual(band=Clamp(0.999, 1.001), target_entropy=FractionOfUniform()), id="clamped, fraction"),
    pytest.param(Dual(target_entropy=Anneal(FromSigma(0.3), PerDimension(-1.0), 10.0)), id="annealed"),
    pytest.param(Dual(target_entropy=AnnealOverRun(until=0.5)), id="annealed over the run"),
    pytest.param(Dual(target_entropy=Plateau(patience=2.0)), id="plateau"),
    pytest.param(PI(target_entropy=Guard()), id="pi, guard"),
    pytest.param(Dual(target_entropy=FractionOfInitial(updates=2.0)), id="fraction of initial"),
    pytest.param(StepRule(), id="step rule"),
    pytest.param(PI(), id="pi"),
    pytest.param(PI(band=Clamp(0.999, 1.001), target_entropy=Plateau()), id="pi, clamped, plateau"),
    pytest.param(EachDimension(), id="dual in each dimension"),
    pytest.param(EachDimension(PI(target_entropy=FromSigma())), id="pi in each dimension"),
    pytest.param(EachDimension(Fixed()), id="fixed in each dimension"),
]


def evidence(seed, batch=8):
    nats = jax.random.normal(jax.random.key(seed), (batch, 2)) - 1.0
    return Evidence(nats, Progress(jnp.float32(seed / 10), jnp.float32(-seed), jnp.zeros((1, 3))))


def kind(leaf):
    return leaf.shape, leaf.dtype, leaf.weak_type


def kinds(tree):
    return jax.tree.map(lambda leaf: kind(jax.typeof(leaf)), tree)


def float_fields(module):
    """Counts the float fields of a module tree, and asserts that all else is structure."""
    count = 0
    for field in dataclasses.fields(module):
        value = vars(module)[field.name]
        if field.type is float:
            assert not field.metadata.get("static", False), f"{type(module).__name__}.{field.name} is not traced"
            count += 1
        elif isinstance(value, eqx.Module):
            count += float_fields(value)
        else:
            assert field.metadata.get("static", False), f"{type(module).__name__}.{field.name} should be static"
    return count


@pytest.mark.parametrize("law", LAWS)
def test_float_fields_are_the_leaves(law):
    leaves = jax.tree.leaves(law)
    assert float_fields(law) == len(leaves) > 0
    assert all(type(leaf) is float for leaf in leaves)


@pytest.mark.parametrize("law", LAWS)
def test_state_is_arrays_and_update_keeps_its_type(law):
    state = law.init(BOX)
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(state))
    after, metrics = jax.eval_shape(lambda law, state: law.update(BOX, state, evidence(0)), law, state)
    assert jax.tree.structure(after) == jax.tree.structure(state)
    assert jax.tree.map(kind, after) == kinds(state)
    assert not any(leaf.weak_type for leaf in jax.tree.leaves((after, metrics)))
    assert all(leaf.shape == () and leaf.dtype == jnp.float32 for leaf in metrics.values())


@pytest.mark.parametrize("law", LAWS)
def test_init_under_jit_has_the_same_type(law):
    assert kinds(jax.jit(lambda law: law.init(BOX))(law)) == kinds(law.init(BOX))


@pytest.mark.parametrize("law", LAWS)
def test_one_compilation(law):
    traces = []

    @jax.jit
    def update(law, state, evidence):
        traces.append(1)
        return law.update(BOX, state, evidence)

    state = law.init(BOX)
    for seed in range(3):
        state, _ = update(law, state, evidence(seed))
    update(jax.tree.map(lambda leaf: leaf * 0.99, law), state, evidence(4))
    assert len(traces) == 1


@pytest.mark.parametrize("law", LAWS)
def test_one_step_per_update_and_metrics_tell_the_new_alpha(law):
    state = law.init(BOX)
    for count in range(1, 4):
        before = law.value(state)
        state, metrics = law.update(BOX, state, evidence(count))
        np.testing.assert_allclose(metrics["train/ent_coef"], law.value(state).mean(), rtol=1e-6)
        moved = np.mean(np.log(np.float64(law.value(state))) - np.log(np.float64(before)))
        np.testing.assert_allclose(metrics["train/ent_coef_step"], moved, atol=3e-7)


@pytest.mark.parametrize("law", LAWS)
def test_vmap_over_all_fields_is_sequential(law):
    def run(law):
        state, trace = law.init(BOX), []
        for seed in range(4):
            state, metrics = law.update(BOX, state, evidence(seed))
            trace.append((metrics, law.value(state), law.target(BOX, state)))
        return trace

    factors = (1.0, 0.9, 0.7)
    variants = [jax.tree.map(lambda leaf, factor=factor: leaf * factor, law) for factor in factors]
    mapped = jax.vmap(run)(jax.tree.map(lambda *leaves: jnp.array(leaves), *variants))
    for index, variant in enumerate(variants):
        jax.tree.map(
            lambda many, one, index=index: np.testing.assert_allclose(many[index], one, rtol=1e-5, atol=1e-6),
            mapped,
            run(variant),
        )


@pytest.mark.parametrize("law", LAWS)
def test_jit_is_eager(law):
    state = law.init(BOX)
    eager = law.update(BOX, state, evidence(0))
    jitted = jax.jit(lambda law, state, evidence: law.update(BOX, state, evidence))(law, state, evidence(0))
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6), eager, jitted)


@pytest.mark.parametrize("law", LAWS)
def test_no_gradient_reaches_the_policy_through_the_temperature(law):
    def total(nats):
        seen = Evidence(nats, evidence(0).progress)
        state, metrics = law.update(BOX, law.init(BOX), seen)
        return law.value(state).sum() + sum(metrics.values()) + jnp.nan_to_num(law.target(BOX, state))

    np.testing.assert_array_equal(jax.grad(total)(evidence(0).per_dimension), np.zeros((8, 2)))


def test_open_loops_have_no_target():
    for law in (Fixed(), Scheduled()):
        assert np.isnan(law.target(BOX, law.init(BOX)))


@pytest.mark.parametrize(
    ("schedule", "halfway"),
    [
        (Linear(1.0, 0.01, 100.0), 0.505),
        (Cosine(1.0, 0.01, 100.0), 0.505),
        (Exponential(1.0, 0.01, 100.0), 0.1),
    ],
)
def test_schedules_by_hand(schedule, halfway):
    found = [schedule.alpha(jnp.int32(updates)) for updates in (0, 50, 100, 1_000_000)]
    np.testing.assert_allclose(found, [1.0, halfway, 0.01, 0.01], rtol=1e-5)
    quarter = {Linear: 0.7525, Cosine: 0.01 + 0.99 * (1 + 0.5**0.5) / 2, Exponential: 10**-0.5}[type(schedule)]
    np.testing.assert_allclose(schedule.alpha(jnp.int32(25)), quarter, rtol=1e-5)


def test_discrete_actions_hold_a_fraction():
    law = Dual(target_entropy=FractionOfUniform(0.89))
    spec = Spec(3, Categories(6))
    np.testing.assert_allclose(law.target(spec, law.init(spec)), 0.89 * np.log(6), rtol=1e-6)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        pytest.param(lambda: Fixed(0.0), ("Fixed: alpha", "above 0, got 0.0"), id="alpha 0"),
        pytest.param(lambda: Fixed(float("inf")), ("finite",), id="alpha infinite"),
        pytest.param(lambda: Dual(learning_rate=-1e-3), ("learning_rate", "Fixed"), id="negative rate"),
        pytest.param(lambda: Dual(learning_rate=0.0), ("learning_rate", "Fixed"), id="rate 0"),
        pytest.param(lambda: Dual(initial_alpha=-1.0), ("initial_alpha", "log alpha"), id="negative alpha"),
        pytest.param(lambda: StepRule(step=0.0), ("StepRule: step", "Fixed"), id="no step"),
        pytest.param(lambda: StepRule(dead_band=-0.1), ("dead_band", "0 for none"), id="negative dead band"),
        pytest.param(lambda: PI(integral=0.0), ("PI: integral", "error would stay"), id="no integral"),
        pytest.param(lambda: PI(proportional=-1.0), ("proportional", "wrong way"), id="positive feedback"),
        pytest.param(lambda: PI(smoothing=0.0), ("smoothing", "(0, 1]"), id="no news"),
        pytest.param(lambda: PI(dead_band=-0.1), ("PI: dead_band", "0 for none"), id="negative dead band of PI"),
        pytest.param(lambda: PI(max_step=0.0), ("max_step", "Fixed"), id="no movement"),
        pytest.param(lambda: Clamp(0.0, 1.0), ("minimum", "Unclamped"), id="clamp at 0"),
        pytest.param(lambda: Clamp(1.0, 0.1), ("exceeds", "Swap"), id="clamp upside down"),
        pytest.param(lambda: Linear(initial=-1.0), ("Linear: initial",), id="linear"),
        pytest.param(lambda: Cosine(final=0.0), ("Cosine: final",), id="cosine"),
        pytest.param(lambda: Exponential(updates=-5.0), ("Exponential: updates",), id="exponential"),
    ],
)
def test_refused(build, words):
    with pytest.raises(ValueError) as refusal:
        build()
    for word in words:
        assert word in str(refusal.value)
