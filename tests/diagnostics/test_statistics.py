"""Interquartile mean and bootstrap against hand-computed numbers and coverage."""

import numpy as np
import pytest

from entropax.diagnostics.statistics import bootstrap_interval, interquartile_mean


def test_interquartile_mean_drops_a_quarter_at_each_end():
    assert interquartile_mean(np.array([100.0, 1.0, 2.0, -50.0])) == 1.5
    assert interquartile_mean(np.array([0, 0, 1, 2, 3, 4, 900, 900.0])) == 2.5


def test_interquartile_mean_of_few_seeds_is_their_mean():
    assert interquartile_mean(np.array([1.0, 5.0, 9.0])) == 5.0
    assert interquartile_mean(np.array([7.0])) == 7.0


def test_missing_seeds_are_left_out_row_by_row():
    rows = np.array([[1.0, np.nan, 3.0], [np.nan] * 3, [2.0, 4.0, np.inf]])
    np.testing.assert_array_equal(interquartile_mean(rows), [2.0, np.nan, 3.0])


def test_one_seed_has_no_interval():
    low, high = bootstrap_interval(np.array([[5.0], [6.0]]), generator=np.random.default_rng(0))
    assert np.isnan([low, high]).all()


def test_interval_is_reproducible_and_contains_the_middle():
    values = np.random.default_rng(1).normal(10, 2, (5, 8))
    one = bootstrap_interval(values, generator=np.random.default_rng(0))
    two = bootstrap_interval(values, generator=np.random.default_rng(0))
    np.testing.assert_array_equal(one, two)
    middle = interquartile_mean(values)
    assert (one.low <= middle).all()
    assert (middle <= one.high).all()
    assert (one.low < one.high).all()


def test_interval_covers_the_truth_about_as_often_as_it_says():
    values = np.random.default_rng(2).normal(0, 1, (200, 12))
    low, high = bootstrap_interval(values, confidence=0.9, generator=np.random.default_rng(0))
    covered = np.mean((low <= 0) & (high >= 0))
    assert 0.78 < covered < 0.97  # A percentile bootstrap of twelve values covers a little less than it says.


def test_wider_confidence_is_a_wider_interval():
    values = np.arange(10.0)
    narrow = bootstrap_interval(values, confidence=0.5, generator=np.random.default_rng(0))
    wide = bootstrap_interval(values, confidence=0.99, generator=np.random.default_rng(0))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_confidence_must_be_a_share():
    with pytest.raises(ValueError, match=r"0\.95"):
        bootstrap_interval(np.arange(3.0), confidence=95.0, generator=np.random.default_rng(0))
