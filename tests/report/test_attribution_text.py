"""An attribution in words: the largest part is named with its direction, and nothing is claimed within the noise."""

import json
import math

import numpy as np
import pytest

from entropax.diagnostics.attribution import Attribution, Parts
from entropax.diagnostics.changes import Part, RunAttribution
from entropax.report.attribution import as_json, line, lines, sentence


def made(error=0.01, resolved=True, steps=(100, 200), **values):
    """One seed a value, of one action dimension."""
    five = {name: np.asarray(values.get(name, (0.0, 0.0)), np.float32) for name in Parts._fields[1:]}
    parts = Parts(whole=sum(five.values()), **five)
    errors = Parts(*(np.full(2, error, np.float32) for _ in parts))
    per_dimension = Parts(*(value[:, None] for value in parts))
    each_error = Parts(*(value[:, None] for value in errors))
    found = Attribution(parts, errors, per_dimension, each_error, np.asarray([[[True]], [[resolved]]]))
    return RunAttribution(steps, (3, 4), found)


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
    assert sentence(made(**others, **{name: (value, value)}).change()).startswith(said)


def test_nothing_is_named_within_two_standard_errors():
    assert sentence(made(error=0.3, alpha=(-0.4, -0.4)).change()) == "No part is larger than twice its standard error."


def test_a_smaller_part_that_is_known_is_named_beside_a_larger_one_that_is_not():
    change = made(alpha=(-0.2, -0.4), critic=(0.9, 0.9)).change()
    change.parts[Part.CRITIC] = change.parts[Part.CRITIC]._replace(error=0.6)
    assert sentence(change).startswith("The largest part that exceeds twice its standard error is alpha: alpha fell")


def test_a_piece_is_said_to_have_moved_by_a_part_of_its_own_direction():
    still = made(alpha=(0.01, 0.01))
    against = made(states=(0.5, 0.5), saturation=(-0.4, -0.4), alpha=(-0.3, -0.3), steps=(200, 300))
    (said,) = [one for one in lines(still, (still, against)) if "moved the most" in one]
    assert said.endswith("above all by saturation.")


def test_seeds_are_averaged_and_their_errors_with_them():
    part = made(alpha=(-0.2, -0.4)).change().parts[Part.ALPHA]
    assert part.value == pytest.approx(-0.3)
    assert part.error == pytest.approx(0.01 / math.sqrt(2))


def test_dimensions_without_an_optimum_are_counted():
    assert not any("soft optimum" in line for line in lines(made(alpha=(-0.2, -0.4)), ()))
    found = lines(made(remainder=(-0.2, -0.4), resolved=False), ())
    assert found[0].startswith("entropy, steps 100 to 200: -0.3 +/- 0.00707 nats per dimension, mean of 2 seeds")
    assert "  (no soft optimum in 1 of 2 dimensions, over seeds and pieces: the spread there is remainder)" in found


def test_what_is_not_finite_is_null_and_nothing_is_claimed_of_it():
    broken = made(**dict.fromkeys(Parts._fields[1:], (math.nan, 0.0)))
    assert "NaN" not in json.dumps(as_json(broken), allow_nan=False)
    assert as_json(broken)["parts"]["alpha"]["seeds"] == [None, 0.0]
    assert sentence(broken.change()) == "No part is larger than twice its standard error."


def test_one_line_holds_the_whole_and_its_parts_by_size():
    change = made(alpha=(-0.2, -0.4), critic=(0.1, 0.1), saturation=(-0.5, -0.7)).change()
    assert line(change) == (
        "steps 100 to 200, -0.8 nats per dimension: saturation -0.6, alpha -0.3, critic's landscape +0.1, "
        "state shift 0, remainder 0 (each +/- 0.00707 at most)"
    )


def test_the_largest_piece_of_a_run_is_named_unless_it_is_noise_or_all_there_is():
    small, large = made(alpha=(-0.2, -0.2)), made(alpha=(0.4, 0.4), steps=(200, 300))
    noise = made(error=9.0, alpha=(0.9, 0.9))
    said = "  It moved the most in steps 200 to 300: +0.4 +/- 0.00707, above all by alpha."
    assert said in lines(small, (small, large, noise))
    for pieces in ((large,), (noise, noise), ()):
        assert not any("moved the most" in one for one in lines(small, pieces))
