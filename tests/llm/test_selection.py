import jax
import jax.numpy as jnp
import numpy as np
import pytest
from token_batches import arrays

import entropax.llm as llm
from entropax.llm import select

HERE = llm.ThisBatch()


def _size(size):
    return np.asarray(size, np.int32)


def test_covariance_by_hand():
    # Means over the three tokens: log pi -2, A 1.
    batch = llm.tokens(
        np.asarray([[-1.0, -2.0], [-3.0, -9.0]]), np.zeros((2, 2)), np.asarray([0.5, 2.0]), np.asarray([[1, 1], [1, 0]])
    )
    assert select.covariance(batch, HERE).tolist() == [[-0.5, 0.0], [-1.0, 0.0]]


def test_the_covariances_sum_to_numpys():
    batch = llm.tokens(**arrays())
    chosen = batch.log_prob[batch.mask], batch.advantages[batch.mask]
    expected = np.cov(*chosen, bias=True)[0, 1]
    assert select.mean(select.covariance(batch, HERE), batch.mask, HERE) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("size", [1, 3, 7])
def test_the_largest_are_so_many_and_no_padding(size):
    batch = llm.tokens(**arrays())
    chosen = select.largest(batch.entropy, batch.mask, _size(size), HERE)
    assert chosen.sum() == size
    assert sorted(batch.entropy[chosen]) == sorted(batch.entropy[batch.mask])[-size:]


def test_of_equal_values_no_more_are_taken():
    mask = np.ones((4, 5), bool)
    assert select.largest(np.zeros((4, 5), np.float32), mask, _size(3), HERE).sum() == 3


def test_a_share_is_rounded_down_and_at_least_one():
    mask = np.ones((10, 100), bool)
    shares = [int(select.share(fraction, mask, HERE)) for fraction in (0.0119, 2e-3, 2e-4)]
    assert shares == [11, 2, 1]


def test_draws_take_only_candidates_and_all_when_they_are_few():
    candidates = arrays()["mask"]
    few = select.drawn(candidates, _size(3), 0, HERE)
    assert few.sum() == 3 and not (few & ~candidates).any()
    assert (select.drawn(candidates, _size(1000), 0, HERE) == candidates).all()


def test_draws_are_uniform_over_candidates_and_over_steps():
    candidates = np.ones((8, 25), bool)
    candidates[:, ::5] = False
    draws = 600
    times = sum(select.drawn(candidates, _size(20), float(step), HERE).astype(int) for step in range(draws))
    # Each of 160 is taken with probability 1/8: 75 times, with a standard deviation of 8.1.
    taken = times[candidates]
    assert taken.sum() == 20 * draws
    assert abs(taken - 75).max() < 5 * 8.1
    assert 0.7 < taken.std() / 8.1 < 1.3


@pytest.mark.parametrize("level", [0.0, 0.25, 0.5, 1.0])
def test_quantiles_are_numpys_nearest(level):
    batch = llm.tokens(**arrays())
    found = select.quantile(batch.entropy, batch.mask, level, HERE)
    assert found == np.quantile(batch.entropy[batch.mask], level, method="nearest")


_HALVES = slice(0, 3), slice(3, 6)


def _parts(values, parts):
    return jnp.asarray(values).reshape(parts, -1, *values.shape[1:])


_SELECTING = {
    "KLCov": lambda: llm.KLCov(0.15),
    "ClipCov": lambda: llm.ClipCov(0.15, llm.Absolute(0.0, 9.0)),
    "ClipCov by quantiles": lambda: llm.ClipCov(0.1, llm.Quantiles(0.5, 0.9)),
    "TopEntropy": llm.TopEntropy,
}
"""Of a small batch, so that the fractions are larger than usual ones."""


@pytest.mark.parametrize("parts", [2, 3])
@pytest.mark.parametrize("make", _SELECTING.values(), ids=_SELECTING)
@pytest.mark.filterwarnings("ignore::entropax.llm.SettingWarning")
def test_a_batch_in_parts_is_selected_from_as_a_whole(make, parts):
    method, given = make(), arrays()
    state = llm.begin(method)
    whole = method(**given, state=state)

    def part(values):
        return method(**values, state=state, over=llm.OverAxis("parts"))

    dealt = jax.vmap(part, axis_name="parts")({name: _parts(values, parts) for name, values in given.items()})
    np.testing.assert_allclose(dealt.w.reshape(whole.w.shape), whole.w, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore::entropax.llm.SettingWarning")
def test_parts_that_do_not_know_of_each_other_select_otherwise():
    method, given = llm.KLCov(0.15), arrays()
    whole = method(**given, state=llm.begin(method)).w
    halves = [
        method(**{name: values[rows] for name, values in given.items()}, state=llm.begin(method)).w for rows in _HALVES
    ]
    assert not np.allclose(np.concatenate(halves), whole, rtol=1e-5, atol=1e-6)
