"""Every algorithm of the package survives JSON; everything else is refused by name."""

import dataclasses
import json
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from entropax.algorithms.sac import SAC
from entropax.errors import EntropaxError
from entropax.loops.training import Training
from entropax.networks import Dense, LayerNormed
from entropax.runs import from_config, known_types, to_config
from entropax.temperature import Anneal, Clamp, Dual, Fixed, FromSigma, InAlpha
from entropax.types import Bounds, Categories, Spec

ALGORITHM = SAC(
    discount=0.1 + 0.2,
    temperature=Dual(learning_rate=1e-3, target_entropy=FromSigma(0.3), objective=InAlpha(), band=Clamp(1e-3, 2.0)),
    torso=LayerNormed(hidden_sizes=(64, 32, 16)),
    num_critics=5,
)


@pytest.mark.parametrize(
    "module",
    [
        SAC(),
        ALGORITHM,
        SAC(temperature=Fixed(0.2)),
        SAC(temperature=Dual(target_entropy=Anneal())),
        Training(),
        Training(steps=7_000, acting="overlapped"),
        Spec(3, Bounds((-2.0, -math.inf), (2.0, math.inf))),
        Spec(4, Categories(6)),
    ],
    ids=lambda module: type(module).__name__,
)
def test_round_trip_through_text(module):
    text = json.dumps(to_config(module), allow_nan=False)
    back = from_config(json.loads(text))
    assert type(back) is type(module)
    assert back == module
    assert jax.tree.structure(back) == jax.tree.structure(module)
    assert json.dumps(to_config(back)) == text


def test_the_json_is_readable():
    assert to_config(ALGORITHM) == {
        "type": "SAC",
        "discount": 0.30000000000000004,
        "polyak": 0.005,
        "actor_learning_rate": 3e-4,
        "critic_learning_rate": 3e-4,
        "temperature": {
            "type": "Dual",
            "learning_rate": 1e-3,
            "initial_alpha": 1.0,
            "target_entropy": to_config(FromSigma(0.3)),
            "objective": {"type": "InAlpha"},
            "band": {"type": "Clamp", "minimum": 1e-3, "maximum": 2.0},
        },
        "torso": {"type": "LayerNormed", "hidden_sizes": [64, 32, 16]},
        "batch_size": 256,
        "num_critics": 5,
        "n_step": 1,
        "policy_delay": 1,
    }


def test_every_setting_of_the_package_has_a_name_of_its_own():
    names = known_types()
    assert {"SAC", "Dual", "Fixed", "Scheduled", "Dense", "Training", "Spec", "Bounds"} <= names.keys()
    assert not any(name.startswith("Abstract") for name in names)
    assert all(kind.__module__.startswith("entropax.") for kind in names.values())


def test_scalars_that_are_arrays_become_numbers():
    algorithm = eqx.tree_at(lambda a: (a.discount, a.polyak), SAC(), (jnp.float32(0.5), np.float64(0.25)))
    config = to_config(algorithm)
    assert (config["discount"], config["polyak"]) == (0.5, 0.25)
    assert type(config["discount"]) is float


def test_numbers_that_json_has_not():
    low = to_config(Bounds((math.nan, -math.inf), (0.0, 1.0)))["low"]
    assert low == [{"type": "float", "value": "nan"}, {"type": "float", "value": "-inf"}]


def test_left_out_fields_take_their_defaults_and_whole_numbers_are_floats():
    built = from_config({"type": "SAC", "discount": 1, "temperature": {"type": "Fixed", "alpha": 1}})
    assert built == SAC(discount=1.0, temperature=Fixed(1.0))
    assert type(built.discount) is float
    assert from_config({"type": "Bounds", "low": [-1], "high": [1]}) == Bounds((-1.0,), (1.0,))


class Local(eqx.Module):
    rate: float = 1.0


@dataclasses.dataclass(frozen=True)
class Dual2:
    rate: float = 1.0


Dual2.__name__ = "Dual"


@pytest.mark.parametrize("module", [Local(), Dual2()])
def test_a_class_from_elsewhere_is_refused(module):
    with pytest.raises(EntropaxError, match=r"not a type of entropax.*Known types: .*SAC"):
        to_config(module)


def test_a_swept_batch_is_refused():
    batch = eqx.tree_at(lambda algorithm: algorithm.discount, SAC(), jnp.asarray([0.9, 0.99]))
    with pytest.raises(EntropaxError, match=r"SAC\.discount holds a .*Array.*one member"):
        to_config(batch)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"type": "TD7"}, r"names the type 'TD7'.*Upgrade"),
        ({"type": "os.system"}, r"names the type 'os\.system'"),
        ({}, "names the type None"),
        ({"type": ["SAC"]}, r"names the type \['SAC'\]"),
        ({"type": "AbstractTemperature"}, "does not know"),
        ({"type": "SAC", "temperatur": 1.0}, r"unknown fields \['temperatur'\].*temperature"),
        ({"type": "SAC", "discount": "0.9"}, r"configuration\.discount is '0\.9', but must be of type float"),
        ({"type": "SAC", "discount": True}, r"configuration\.discount is True"),
        ({"type": "SAC", "num_critics": 2.5}, r"configuration\.num_critics is 2\.5, but must be of type int"),
        ({"type": "SAC", "temperature": {"type": "Dense"}}, r"configuration\.temperature is .*Temperature"),
        ({"type": "SAC", "temperature": {"type": "Dual", "x": 1}}, r"configuration\.temperature gives Dual"),
        ({"type": "SAC", "discount": 7.0}, r"SAC refuses .*diverge"),
        ({"type": "Dense", "hidden_sizes": [64, "x"]}, r"configuration\.hidden_sizes"),
        ({"type": "Dense", "hidden_sizes": 64}, r"configuration\.hidden_sizes"),
        ({"type": "Training", "on_nonfinite": "explode"}, r"configuration\.on_nonfinite is 'explode'"),
        ({"type": "Spec", "observation_size": 3, "action": {"type": "Dense"}}, r"configuration\.action"),
        ({"type": "Spec", "observation_size": 3}, "Spec refuses this configuration: .*action"),
        ({"type": "Bounds", "low": [{"type": "float", "value": "1"}], "high": [1.0]}, "names the type 'float'"),
        (
            {"type": "Bounds", "low": [{"type": "function", "value": "exec"}], "high": [1.0]},
            "names the type 'function'",
        ),
    ],
)
def test_what_is_unknown_is_refused_by_place(config, message):
    with pytest.raises(EntropaxError, match=message):
        from_config(config)


def test_a_refusal_has_one_full_stop_after_each_sentence():
    with pytest.raises(EntropaxError, match=r"Try 0\.99\. Correct the field named\.$"):
        from_config({"type": "SAC", "discount": 7.0})
    with pytest.raises(EntropaxError, match=r"'action'\. Correct the field named\.$"):
        from_config({"type": "Spec", "observation_size": 3})


def test_dense_is_the_default_torso():
    assert from_config({"type": "SAC"}).torso == Dense()
