"""The law R = -a exp(H) + b: found again, within its interval, refused where it does not hold; and pass@k."""

from itertools import combinations

import numpy as np
import pytest

from entropax.errors import EntropaxError
from entropax.llm.diagnosis import distinct, fit_law, pass_at_k, solution_measures

H = np.linspace(0.9, 0.1, 40)


def test_the_law_is_found_again():
    law = fit_law(H, -0.3 * np.exp(H) + 0.9, controlled=False)
    assert (law.a, law.b, law.ceiling) == pytest.approx((0.3, 0.9, 0.6))
    assert law.a_interval.low == pytest.approx(0.3)
    assert law.residual == pytest.approx(0, abs=1e-9)
    assert law.reward(0.0) == pytest.approx(0.6)
    assert "a in [0.3, 0.3]; at no entropy R would be 0.6" in law.sentence()


def test_the_interval_holds_the_truth_nine_times_out_of_ten():
    held = []
    for seed in range(40):
        noise = np.random.default_rng(seed).normal(0, 0.02, len(H))
        law = fit_law(H, -0.3 * np.exp(H) + 0.9 + noise, controlled=False)
        held.append(law.a_interval.low <= 0.3 <= law.a_interval.high)
        assert law.a_interval.low < law.a < law.a_interval.high
    assert 34 <= sum(held) < 40


def test_noise_that_lasts_widens_the_interval():
    """Rows that are alike tell less; resampling single rows would not see it."""
    draw = np.random.default_rng(3).normal(0, 0.02, len(H))
    lasting = np.repeat(draw[::4], 4)
    mixed = lasting[np.random.default_rng(4).permutation(len(H))]
    wide, narrow = (
        fit_law(H, 0.9 - 0.3 * np.exp(H) + noise, controlled=False).ceiling_interval for noise in (lasting, mixed)
    )
    assert wide.high - wide.low > 1.2 * (narrow.high - narrow.low)


@pytest.mark.parametrize(
    ("nats", "controlled", "message"),
    [
        (H, True, "holds only while nothing acts"),
        (H, np.arange(40) > 30, "holds only while nothing acts"),
        (H[:10], False, "10 rows are too few"),
        (np.where(H > 0.5, np.nan, H), False, "not finite"),
        (np.full(40, 0.5), False, "no slope to tell from noise"),
        (0.5 + 0.01 * np.random.default_rng(0).normal(size=40), False, "no slope to tell from noise"),
        (H[None], False, "Pass equal lengths"),
    ],
    ids=["controlled", "controlled late", "short", "NaN", "constant", "noise", "shape"],
)
def test_a_run_without_the_law_is_refused(nats, controlled, message):
    with pytest.raises(EntropaxError, match=message):
        fit_law(nats, 0.9 - 0.3 * np.exp(nats), controlled=controlled)


def test_a_confidence_that_is_none_is_refused():
    with pytest.raises(EntropaxError, match=r"in \(0, 1\)"):
        fit_law(H, H, controlled=False, confidence=95)


@pytest.mark.parametrize(("samples", "correct", "k"), [(6, 2, 3), (5, 0, 2), (5, 5, 5), (5, 3, 4), (4, 1, 1)])
def test_pass_at_k_is_the_mean_over_all_choices_of_k(samples, correct, k):
    right = [True] * correct + [False] * (samples - correct)
    assert pass_at_k(samples, correct, k) == pytest.approx(np.mean([any(one) for one in combinations(right, k)]))


@pytest.mark.parametrize(("samples", "correct", "k"), [(4, 5, 1), (4, -1, 1), (4, 2, 5), (4, 2, 0)])
def test_pass_at_k_refuses_what_cannot_be(samples, correct, k):
    with pytest.raises(EntropaxError, match="pass_at_k"):
        pass_at_k(samples, correct, k)


def test_solutions_are_counted_a_prompt():
    groups = [[("a", True), ("a", True), ("b", True), ("c", False)], [("a", False), ("b", False)]]
    assert solution_measures(groups) == {
        "entropax/pass_at_1": 0.375,
        "entropax/pass_at_group": 0.5,
        "entropax/distinct": 2.5,
        "entropax/distinct_correct": 1.0,
    }
    assert distinct([]) == 0
    with pytest.raises(EntropaxError, match="Skip empty groups"):
        solution_measures([[]])
