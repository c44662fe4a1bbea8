"""An attribution in words: the largest part is named with its direction, and nothing is claimed within the noise."""

import json
import math

import numpy as np
import pytest

from entropax.diagnostics.attribution import Attribution, Parts
from entropax.loops.snapshots import RunAttribution
from entropax.report.attribution import as_json, lines, parts_of, sentence


def made(error=0.01, resolved=True, **values):
    """One seed a value, of one action dimension."""
    five = {name: np.asarray(values.get(name, (0.0, 0.0)), np.float32) for name in Parts._fields[1:]}
    parts = Parts(whole=sum(five.values()), **five)
    errors = Parts(*(np.full(2, error, np.float32) for _ in parts))
    per_dimension = Parts(*(value[:, None] for value in parts))
    return RunAttribution(
        (100, 200), (3, 4), Attribution(parts, errors, per_dimension, np.asarray([[True], [resolved]]))
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("states", -0.4, "The largest part is state shift: the replay holds other states, in which the same policy is"),
        ("saturation", -0.4, "The largest part is saturation: the policy's means moved towards the bounds"),
        ("saturation", 0.4, "The largest part is saturation: the policy's means moved away from the bounds"),
        ("alpha", -0.4, "The largest part is alpha: alpha fell"),
        ("critic", -0.4, "The largest part is critic's landscape: the critic is sharper"),
        ("remainder", 0.4, "The largest part is remainder: the policy is wider than"),
    ],
)
def test_the_largest_part_is_named_with_its_direction(name, value, said):
    others = {other: (0.1, 0.1) for other in Parts._fields[1:] if other != name}
    assert sentence(made(**others, **{name: (value, value)})).startswith(said)


def test_nothing_is_named_within_two_standard_errors():
    assert sentence(made(error=0.3, alpha=(-0.4, -0.4))) == "No part is larger than twice its standard error."


def test_seeds_are_averaged_and_their_errors_with_them():
    part = parts_of(made(alpha=(-0.2, -0.4)))["alpha"]
    assert part.value == pytest.approx(-0.3)
    assert part.error == pytest.approx(0.01 / math.sqrt(2))


def test_dimensions_without_an_optimum_are_counted():
    assert not any("soft optimum" in line for line in lines(made(alpha=(-0.2, -0.4))))
    found = lines(made(remainder=(-0.2, -0.4), resolved=False))
    assert found[0].startswith("entropy, steps 100 to 200: -0.3 +/- 0.00707 nats per dimension, mean of 2 seeds")
    assert "  (no soft optimum in 1 of 2 dimensions, every seed counted: the spread there is remainder)" in found


def test_what_is_not_finite_is_null_and_nothing_is_claimed_of_it():
    broken = made(**dict.fromkeys(Parts._fields[1:], (math.nan, 0.0)))
    assert "NaN" not in json.dumps(as_json(broken), allow_nan=False)
    assert as_json(broken)["parts"]["alpha"]["seeds"] == [None, 0.0]
    assert sentence(broken) == "No part is larger than twice its standard error."
