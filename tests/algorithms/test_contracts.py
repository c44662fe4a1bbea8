"""The contracts of every algorithm: its state keeps its type, nothing compiles twice, sweeps equal single runs."""

import dataclasses
import inspect
import pkgutil
import types
import typing
from importlib import import_module

import equinox as eqx
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from variants import BATCH, CATEGORIES, CHOOSING, ENVS, PROGRESS, SPEC, VARIANTS, spec_of

import entropax
from entropax import (
    A2C,
    DDPG,
    DQN,
    PPO,
    SAC,
    TD3,
    DiscreteSAC,
    DiscreteSoftQ,
    MaxInfoSAC,
    MetaSAC,
    SACAdaEnt,
    SoftQ,
)
from entropax.algorithms.base import AbstractAlgorithm
from entropax.errors import EntropaxError
from entropax.loops.update import BROKEN, CULPRITS, guarded_update
from entropax.policies import CategoricalActor
from entropax.replay import pack
from entropax.runs import from_config, to_config
from entropax.types import Categories, Spec, Transition


def random_batch(*shape: int, spec: Spec = SPEC, seed: int = 0) -> Transition:
    rng = np.random.default_rng(seed)

    def draw(*more: int) -> jax.Array:
        return jnp.asarray(rng.normal(size=(*shape, *more)), jnp.float32)

    terminated = jnp.asarray(rng.random(shape) < 0.2, jnp.float32)
    last = jnp.maximum(terminated, jnp.asarray(rng.random(shape) < 0.2, jnp.float32))
    observation, action = draw(3), jnp.tanh(draw(2))
    if isinstance(spec.action, Categories):
        action = jnp.asarray(rng.integers(spec.action.count, size=(*shape, 1)), jnp.float32)
    return Transition(observation, action, draw(), draw(3), terminated, last)


def arrays_of(tree) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def _updates(algorithm, state) -> int:
    """How many updates a state has seen."""
    return int((state.sac if isinstance(algorithm, MetaSAC | SACAdaEnt | MaxInfoSAC) else state).updates)


class Case:
    """A variant with its compiled update, which counts how often it is traced."""

    def __init__(self, algorithm: AbstractAlgorithm):
        self.algorithm, self.traces = algorithm, 0
        self.spec = spec_of(algorithm)
        self.state = algorithm.init(self.spec, key=jax.random.key(0))
        self.batch = random_batch(*algorithm.data().shape(ENVS), spec=self.spec)
        self.update = jax.jit(self._update)

    def _update(self, algorithm, state, batch, key):
        self.traces += 1
        return algorithm.update(self.spec, state, batch, PROGRESS, key=key)


FIRST = {type(algorithm): name for name, algorithm in reversed(VARIANTS.items())}.values()


@pytest.fixture(
    scope="module",
    params=[name if name in FIRST else pytest.param(name, marks=pytest.mark.slow) for name in VARIANTS],
)
def case(request) -> Case:
    return Case(VARIANTS[request.param])


def _modules() -> list[type]:
    """Every equinox module that a name of the package leads to."""
    found = set()
    for item in pkgutil.walk_packages(entropax.__path__, "entropax.", onerror=lambda _: None):
        # A plug-in can only be imported beside the library that it plugs into.
        if item.name != "entropax.__main__" and not item.name.startswith("entropax.plugins."):
            found |= {
                value
                for value in vars(import_module(item.name)).values()
                if inspect.isclass(value) and issubclass(value, eqx.Module) and value.__module__.startswith("entropax.")
            }
    return sorted(found, key=lambda found: found.__name__)


def _is_traced(annotation) -> bool:
    """Whether rule 1 asks for a leaf: floats, arrays and modules of them; counts, names and sizes are structure."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(_is_traced(part) for part in arguments)
    if origin is tuple:
        return _is_traced(arguments[0])
    if isinstance(annotation, typing.TypeVar) or annotation is float:
        return True
    if inspect.isclass(annotation) and issubclass(annotation, jaxtyping.AbstractArray | tuple):
        return True
    kind = origin or annotation
    if inspect.isclass(kind) and issubclass(kind, eqx.Module):
        return True
    return "PyTree" in str(annotation) or "Array" in str(annotation) or "ndarray" in str(annotation)


@pytest.mark.parametrize("module", _modules(), ids=lambda module: module.__name__)
def test_float_and_array_fields_are_leaves_and_all_others_static(module):
    for field in dataclasses.fields(module):
        static = field.metadata.get("static", False)
        assert static != _is_traced(field.type), f"{module.__name__}.{field.name}: {field.type} static={static}"


def test_the_leaves_of_the_default_algorithm_are_its_floats():
    assert len(_modules()) > 40
    leaves = jax.tree.leaves(SAC())
    assert sorted(leaves) == sorted([0.99, 0.005, 3e-4, 3e-4, 3e-4, 1.0, -1.0])


def test_a_variant_is_rebuilt_from_its_configuration(case):
    assert from_config(to_config(case.algorithm)) == case.algorithm


def test_update_returns_the_type_it_was_given(case):
    state = jax.eval_shape(lambda: case.algorithm.init(case.spec, key=jax.random.key(0)))
    following, metrics = case.update.eval_shape(case.algorithm, state, case.batch, jax.random.key(0))
    assert jax.tree.structure(following) == jax.tree.structure(state)
    for before, after in zip(jax.tree.leaves(state), jax.tree.leaves(following), strict=True):
        assert (before.shape, before.dtype, before.weak_type) == (after.shape, after.dtype, after.weak_type)
        assert not before.weak_type
    assert all(value.shape == () and value.dtype == jnp.float32 for value in metrics.values())
    eager = jax.tree.leaves(case.state)
    assert [leaf.weak_type for leaf in eager] == [False] * len(eager)


def test_repeated_updates_compile_once_and_stay_finite(case):
    state, before = case.state, case.traces
    for number in range(4):
        state, metrics = case.update(case.algorithm, state, case.batch, jax.random.key(number))
    assert case.traces <= before + 1
    assert case.traces == 1
    assert _updates(case.algorithm, state) == 4
    assert {name for name, value in metrics.items() if not np.isfinite(value)} == set()


def test_the_key_decides(case):
    def twice(seed):
        state, _ = case.update(case.algorithm, case.state, case.batch, jax.random.key(seed))
        return case.update(case.algorithm, state, case.batch, jax.random.key(seed + 10))[0]

    first, again, other = map(twice, (1, 1, 2))
    for one, two in zip(arrays_of(first), arrays_of(again), strict=True):
        np.testing.assert_array_equal(one, two)
    actors = (arrays_of(case.algorithm.actor(state)) for state in (first, other))
    changed = [not np.array_equal(one, two) for one, two in zip(*actors, strict=True)]
    # Nothing in the updates of these is random.
    still = isinstance(case.algorithm, A2C | DDPG | DiscreteSoftQ | DiscreteSAC | DQN)
    assert any(changed) != (still and case.algorithm is not VARIANTS["dqn, noisy"])


@pytest.mark.parametrize("name", ["ppo", "a2c", *CHOOSING])
def test_an_on_policy_sweep_over_floats_is_one_program_and_equals_single_runs(name):
    case, key = Case(VARIANTS[name]), jax.random.key(3)

    def swept(a):
        return a.discount, a.gae_lambda, a.learning_rate, a.entropy_coefficient, a.value_coefficient, a.max_grad_norm

    settings = np.array([[0.9, 0.9, 1e-3, 0.0, 0.5, 0.5], [0.5, 0.9, 1e-3, 0.1, 0.2, 0.1], [0.9, 0.1, 3e-3, 0.0, 1, 9]])
    batched = jax.tree.map(lambda x: jnp.full(3, x), case.algorithm)
    batched = eqx.tree_at(swept, batched, tuple(jnp.asarray(settings.T, jnp.float32)))
    together = jax.jit(jax.vmap(lambda a: a.update(case.spec, case.state, case.batch, PROGRESS, key=key)[0]))(batched)
    for index in range(3):
        single = eqx.tree_at(swept, case.algorithm, tuple(float(x) for x in settings[index]))
        alone, _ = case.update(single, case.state, case.batch, key)
        for many, one in zip(arrays_of(together), arrays_of(alone), strict=True):
            np.testing.assert_allclose(many[index], one, rtol=5e-4, atol=5e-6)
    assert case.traces == 1, "a float was compiled in"


@pytest.mark.parametrize(
    "name", ["default", "delayed", "meta-sac", "sac-adaent", "sac-lite", "max-info-sac", "soft-q", "td3", "ddpg"]
)
def test_a_sweep_over_floats_is_one_program_and_equals_single_runs(name):
    case = Case(VARIANTS[name])

    def swept(algorithm):
        a = algorithm if isinstance(algorithm, SAC | SoftQ | TD3 | DDPG) else algorithm.sac
        return (a.discount, a.polyak, a.actor_learning_rate, a.critic_learning_rate)

    settings = jnp.array([[0.9, 0.005, 1e-3, 1e-3], [0.5, 0.005, 1e-3, 1e-3], [0.9, 0.1, 3e-3, 2e-3]])
    batched = jax.tree.map(lambda x: jnp.full(3, x), case.algorithm)
    batched = eqx.tree_at(swept, batched, tuple(settings.T))
    key = jax.random.key(3)
    together = jax.jit(jax.vmap(lambda a: a.update(SPEC, case.state, case.batch, PROGRESS, key=key)[0]))(batched)
    for index in range(3):
        single = eqx.tree_at(swept, case.algorithm, tuple(float(x) for x in settings[index]))
        alone, _ = case.update(single, case.state, case.batch, key)
        for many, one in zip(arrays_of(together), arrays_of(alone), strict=True):
            np.testing.assert_allclose(many[index], one, rtol=2e-4, atol=2e-6)
    assert case.traces == 1, "a float was compiled in"
    critics = arrays_of(case.algorithm.parameters(together)["critic"])
    assert any(not np.allclose(leaf[0], leaf[1], atol=1e-7) for leaf in critics), "discount has no effect"


DISCRETE_SWEEPS = {
    "discrete-soft-q": (
        lambda a: (a.discount, a.polyak, a.critic_learning_rate, a.entropy_weight),
        [[0.9, 0.005, 1e-3, 0.1], [0.5, 0.1, 1e-3, 0.1], [0.9, 0.005, 3e-3, 1.0]],
    ),
    "discrete-sac, remedies": (
        lambda a: (
            a.discount,
            a.polyak,
            a.actor_learning_rate,
            a.temperature.alpha,
            a.regression.width,
            a.drift.weight,
        ),
        [[0.9, 0.005, 1e-3, 0.1, 0.5, 0.5], [0.5, 0.1, 1e-3, 1.0, 0.1, 0.5], [0.9, 0.005, 3e-3, 0.1, 0.5, 2.0]],
    ),
    "dqn, double and dueling": (
        lambda a: (a.discount, a.critic_learning_rate, a.following.polyak),
        [[0.9, 1e-3, 0.005], [0.5, 1e-3, 0.1], [0.9, 3e-3, 0.005]],
    ),
}


@pytest.mark.parametrize("name", DISCRETE_SWEEPS)
def test_a_discrete_sweep_over_floats_is_one_program_and_equals_single_runs(name):
    case, key = Case(VARIANTS[name]), jax.random.key(3)
    swept, rows = DISCRETE_SWEEPS[name]
    settings = np.array(rows)
    batched = jax.tree.map(lambda x: jnp.full(3, x), case.algorithm)
    batched = eqx.tree_at(swept, batched, tuple(jnp.asarray(settings.T, jnp.float32)))
    together = jax.jit(jax.vmap(lambda a: a.update(case.spec, case.state, case.batch, PROGRESS, key=key)[0]))(batched)
    for index in range(3):
        single = eqx.tree_at(swept, case.algorithm, tuple(float(x) for x in settings[index]))
        alone, _ = case.update(single, case.state, case.batch, key)
        for many, one in zip(arrays_of(together), arrays_of(alone), strict=True):
            np.testing.assert_allclose(many[index], one, rtol=2e-4, atol=2e-6)
    assert case.traces == 1, "a float was compiled in"


@pytest.mark.parametrize("name", ["default", "discrete-soft-q", "discrete-sac", "dqn"])
@pytest.mark.parametrize(
    ("field", "culprit"),
    [("observation", 1), ("action", 2), ("reward", 3), ("next_observation", 4)],
)
def test_a_broken_batch_leaves_the_state_as_it_was_and_is_named(field, culprit, name):
    algorithm = VARIANTS[name]
    spec = spec_of(algorithm)
    state, batch = algorithm.init(spec, key=jax.random.key(0)), random_batch(BATCH, 1, spec=spec)
    update = jax.jit(lambda s, r: guarded_update(algorithm, spec, s, r, PROGRESS, key=jax.random.key(0)))
    array = getattr(batch, field)
    bad = batch._replace(**{field: array.at[(3,) + (0,) * (array.ndim - 1)].set(jnp.nan)})
    after, metrics = update(state, pack(bad))
    for one, two in zip(arrays_of(state), arrays_of(after), strict=True):
        np.testing.assert_array_equal(one, two)
    counts = [float(metrics[f"{BROKEN}{name}"]) for name in CULPRITS[1:]]
    assert counts == [float(i == culprit) for i in range(1, len(CULPRITS))]
    assert CULPRITS[3] == "reward in the batch"
    assert (float(metrics["train/skipped_updates"]), float(metrics["train/kept_updates"])) == (1, 0)
    assert all(np.isfinite(value) for value in metrics.values())
    after, metrics = update(state, pack(batch))
    assert int(after.updates) == 1
    assert (float(metrics["train/skipped_updates"]), float(metrics["train/kept_updates"])) == (0, 1)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"num_critics": 0}, "num_critics"),
        ({"discount": 1.01}, "discount"),
        ({"discount": float("nan")}, "discount"),
        ({"polyak": 0.0}, "polyak"),
    ],
)
def test_settings_out_of_range_are_refused(settings, word):
    with pytest.raises(EntropaxError, match=word):
        SAC(**settings)


def test_each_algorithm_but_those_on_policy_refuses_the_other_kind_of_actions(case):
    discrete = case.spec is CATEGORIES
    if isinstance(case.algorithm, PPO | A2C):
        actor = case.algorithm.actor(case.state)
        assert isinstance(actor, CategoricalActor) == discrete
        return
    with pytest.raises(EntropaxError, match="a finite set" if discrete else "continuous"):
        case.algorithm.init(SPEC if discrete else CATEGORIES, key=jax.random.key(0))
