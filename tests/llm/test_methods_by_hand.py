import jax
import numpy as np
import pytest
from token_batches import arrays

import entropax.llm as llm
from entropax import EntropaxError

NAN = float("nan")

# Four tokens with ratios 0.5, 0.9, 1.1, 2 at log pi = log 0.4; the last is padding of the second row.
RATIOS = np.asarray([[0.5, 2.0, 0.9], [2.0, 0.5, 1.0]])
LOG_PROB = np.full((2, 3), np.log(0.4))
ENTROPY = np.asarray([[0.2, 1.0, 0.6], [1.4, 0.4, 9.0]])
MASK = np.asarray([[1, 1, 1], [1, 1, 0]])
ADVANTAGES = np.asarray([2.0, -1.0])

METHODS = (
    llm.Reinforce(),
    llm.Clip(),
    llm.Clip(upper=0.28),
    llm.CISPO(),
    llm.GSPO(),
    llm.CEGPPO(),
    llm.ClipCov(0.01, llm.Absolute(0.01, 9.0)),
    llm.ClipCov(0.01, llm.Quantiles(0.5, 1.0)),
    llm.KLCov(),
    llm.EntropyBonus(),
    llm.Corridor(),
    llm.ScoreBonus(),
    llm.ShapedAdvantage(),
    llm.TopEntropy(),
    llm.AEPO(),
    llm.EntropyBonus(llm.TopEntropy(llm.KLCov())),
)


def _weights(method, **knobs):
    state = llm.begin(method)
    state = llm.State(2.0, 0.5, state.knobs | knobs)
    w, c = method(LOG_PROB, LOG_PROB - np.log(RATIOS), ADVANTAGES, MASK, ENTROPY, state)
    return w.round(6).tolist(), c.round(6).tolist()


NONE = [[0.0] * 3] * 2


@pytest.mark.parametrize(
    ("method", "w"),
    [
        (llm.Reinforce(), [[2, 2, 2], [-1, -1, 0]]),
        # Row 1: 2 r below 1.2, else 0. Row 2: -r above 0.8, else 0.
        (llm.Clip(), [[1, 0, 1.8], [-2, 0, 0]]),
        (llm.Clip(lower=0.6, upper=1.5), [[1, 4, 1.8], [-2, -0.5, 0]]),
        (llm.CISPO(), [[1, 2.56, 1.8], [-1.28, -0.5, 0]]),
        (llm.CISPO(lower=0.2), [[1.6, 2.56, 1.8], [-1.28, -0.8, 0]]),
        # s = (0.5 * 2 * 0.9)^(1/3) = 0.965489, and (2 * 0.5)^(1/2) = 1.
        (llm.GSPO(0.05, 0.05), [[1.930979, 1.930979, 1.930979], [-1, -1, 0]]),
        (llm.CEGPPO(), [[1, 2.4, 1.8], [-2, -0.4, 0]]),
        (llm.CEGPPO(negative=0.0, positive=0.0), [[1, 0, 1.8], [-2, 0, 0]]),
        # A' = A + min(0.4 H, |A| / 2) is 2.08, 2.4, 2.24; -0.5, -0.84.
        (llm.ShapedAdvantage(), [[1.04, 0, 2.016], [-1, 0, 0]]),
        # floor(0.4 * 5) = 2 tokens: entropies 1.4 and 1.0.
        (llm.TopEntropy(llm.Reinforce(), 0.4), [[0, 2, 0], [-1, 0, 0]]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, llm.AbstractMethod) else "",
)
def test_weights_without_an_entropy_term(method, w):
    assert _weights(method) == (w, NONE)


def test_a_score_bonus_moves_the_advantage_by_the_surprise():
    w, c = _weights(llm.ScoreBonus(llm.Reinforce(), 0.5))
    surprise = np.log(0.4) + ENTROPY
    expected = np.where(MASK, ADVANTAGES[:, None] - 0.5 * surprise, 0.0)
    assert (w, c) == (expected.round(6).tolist(), NONE)


def test_a_score_bonus_without_entropies_is_centred_by_the_batch():
    method = llm.ScoreBonus(llm.Reinforce(), 0.5)
    log_prob = LOG_PROB + np.asarray([[0.5, 0.0, 0.0], [0.0, 0.0, 7.0]])
    w, _ = method(log_prob, log_prob, ADVANTAGES, MASK, None, llm.begin(method))
    expected = np.where(MASK, ADVANTAGES[:, None] - 0.5 * np.asarray([[0.4, -0.1, -0.1], [-0.1, -0.1, 0]]), 0.0)
    np.testing.assert_allclose(w, expected, atol=1e-12)


def test_a_bonus_is_the_same_at_every_token():
    assert _weights(llm.EntropyBonus(llm.Reinforce(), 0.1))[1] == [[0.1, 0.1, 0.1], [0.1, 0.1, 0]]
    assert _weights(llm.EntropyBonus(llm.Reinforce(), 0.1), bonus=0.3)[1] == [[0.3, 0.3, 0.3], [0.3, 0.3, 0]]


def test_a_corridor_adds_below_and_takes_above():
    # The past's mean is 0.5, so the walls are 0.4 and 0.6; b = 1 + exp(-1 * 2 / 2) = 1.367879.
    method = llm.Corridor(llm.Reinforce(), 0.1, strength=2.0, decay=1.0, middle=2.0)
    push = 0.1 * 2 * 1.367879
    low, high = round(0.1 + push, 6), round(0.1 - push, 6)
    assert _weights(method)[1] == [[low, high, 0.1], [high, 0.1, 0]]


def test_before_the_first_step_a_corridor_is_a_plain_bonus():
    method = llm.Corridor(llm.Reinforce(), 0.1)
    _, c = method(LOG_PROB, LOG_PROB, ADVANTAGES, MASK, ENTROPY, llm.begin(method))
    assert c.tolist() == [[0.1, 0.1, 0.1], [0.1, 0.1, 0]]


def test_epos_published_settings_are_a_bonus_that_never_turns():
    method = llm.Corridor(llm.Reinforce(), 0.1, lower=0.0, upper=2.0, strength=0.1, middle=1e9)
    _, c = method(LOG_PROB, LOG_PROB, ADVANTAGES, MASK, ENTROPY, llm.State(2.0, 0.1, method.knobs))
    assert c.round(6).tolist() == [[0.1, 0.08, 0.08], [0.08, 0.08, 0]]


def test_kl_cov_pulls_the_largest_covariance_back():
    method = llm.KLCov(0.02, strength=0.7)
    log_prob = np.log(np.asarray([[0.9, 0.4, 0.4], [0.5, 0.4, 0.4]]))
    w, _ = method(log_prob, log_prob - np.log(RATIOS), ADVANTAGES, MASK, None, llm.begin(method))
    # The first token has the largest: its log-probability fell, so it is pushed up.
    np.testing.assert_allclose(w, [[1 + 0.7, 4, 1.8], [-2, -0.5, 0]])


def test_clip_cov_drops_a_drawn_token_and_another_one_at_another_step():
    method = llm.ClipCov(0.01, llm.Absolute(-100.0, 100.0))
    full = np.where(MASK, RATIOS * ADVANTAGES[:, None], 0.0)
    dropped = set()
    for step in range(12):
        w = method(LOG_PROB, LOG_PROB - np.log(RATIOS), ADVANTAGES, MASK, None, llm.State(step, NAN, method.knobs)).w
        gone = np.argwhere(~np.isclose(w, full))
        assert len(gone) == 1 and w[tuple(gone[0])] == 0
        dropped.add(tuple(gone[0]))
    # Candidates are those that the clip of 1 leaves; r > 2 is dropped by neither.
    assert len(dropped) > 2


@pytest.mark.parametrize(("error", "temperatures"), [(0.1, (1.1, 1.2)), (-0.1, (0.9, 0.8)), (5.0, (1.2, 1.2))])
def test_sampling_temperatures_push_towards_the_target(error, temperatures):
    rules = llm.Proportional(), llm.BangBang()
    found = [llm.AEPO(target=1.0, rule=rule).sampling_temperature(1.0 - error) for rule in rules]
    assert found == pytest.approx(temperatures)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_padding_weighs_nothing_and_everything_is_finite(method):
    for entropy in (1.0, NAN):
        weights = method(**arrays(), state=llm.State(1.0, entropy, method.knobs))
        for values in weights:
            assert values.dtype == np.float32
            assert np.isfinite(values).all()
            assert (values[~arrays()["mask"]] == 0).all()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_what_a_method_needs_is_what_it_says(method):
    given = arrays()
    alone = given | {"entropy": None}
    entropies = llm.Need.ENTROPY in method.needs
    if entropies:
        with pytest.raises(EntropaxError, match="needs the entropy"):
            method(**alone, state=llm.begin(method))
    else:
        method(**alone, state=llm.begin(method))
    assert (llm.Need.ENTROPY_GRADIENT in method.needs) == (method(**given, state=llm.begin(method)).c != 0).any()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_jax_compiles_it_once_and_gives_numpys_numbers(method):
    traces = []

    @jax.jit
    def weigh(given, state):
        traces.append(None)
        return method(**given, state=state)

    for step in (0.0, 3.0):
        state = llm.State(step, 1.2, dict(method.knobs))
        for found, expected in zip(weigh(arrays(), state), method(**arrays(), state=state), strict=True):
            np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-6)
    assert len(traces) == 1


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_torch_gives_numpys_numbers_and_no_gradient(method):
    torch = pytest.importorskip("torch")
    given = {name: torch.tensor(values) for name, values in arrays().items()}
    given["log_prob"].requires_grad_(True)
    state = llm.State(3.0, 1.2, method.knobs)
    for found, expected in zip(method(**given, state=state), method(**arrays(), state=state), strict=True):
        assert not found.requires_grad
        np.testing.assert_allclose(found.numpy(), expected, rtol=2e-6, atol=1e-6)


def test_the_mean_entropy_is_that_of_all_steps_under_jit_too():
    state, traced = llm.begin(llm.Corridor()), llm.begin(llm.Corridor())
    advance = jax.jit(llm.advance)
    for entropy in (2.0, 1.0, 0.6):
        state, traced = llm.advance(state, entropy), advance(traced, entropy)
    assert (state.updates, state.mean_entropy) == (3.0, pytest.approx(1.2))
    assert (float(traced.updates), float(traced.mean_entropy)) == (3.0, pytest.approx(1.2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: llm.Clip(lower=1.5), "Clip: lower must be finite and in"),
        (lambda: llm.Clip(upper=NAN), "Clip: upper"),
        (lambda: llm.CEGPPO(positive=-1.0), "CEGPPO: positive"),
        (lambda: llm.KLCov(fraction=20.0), "KLCov: fraction is a fraction of the tokens"),
        (lambda: llm.ClipCov(fraction=0.0), "ClipCov: fraction"),
        (lambda: llm.Absolute(5.0, 1.0), "nothing lies between"),
        (lambda: llm.Quantiles(-0.1, 1.0), "Quantiles: lower"),
        (lambda: llm.EntropyBonus(coefficient=-1.0), "A penalty is no bonus"),
        (lambda: llm.EntropyBonus(llm.EntropyBonus()), "both have the knob bonus"),
        (lambda: llm.Corridor(upper=0.5), "Corridor: upper"),
        (lambda: llm.ShapedAdvantage(cap=0.5), "ShapedAdvantage: cap"),
        (lambda: llm.TopEntropy(fraction=0.0), "TopEntropy: fraction"),
        (lambda: llm.Proportional(1.1, 1.2), "temperatures below and above 1"),
        (lambda: llm.AEPO(target=-1.0), "AEPO: target"),
        (lambda: llm.constant_length(0), "number of tokens"),
    ],
)
def test_settings_out_of_range_are_refused(make, message):
    with pytest.raises(EntropaxError, match=message):
        make()


@pytest.mark.parametrize("make", [lambda: llm.KLCov(0.2), lambda: llm.ClipCov(0.2)])
def test_fractions_that_look_like_percents_warn(make):
    with pytest.warns(llm.SettingWarning, match=r"selects 20 % of all tokens"):
        make()


def test_aggregates_by_hand():
    values = np.asarray([[1.0, 2.0, 3.0], [4.0, 8.0, 100.0]])
    mask = MASK.astype(bool)
    assert llm.token_mean(values, mask) == pytest.approx(18 / 5)
    assert llm.sequence_mean(values, mask) == pytest.approx((2 + 6) / 2)
    assert llm.constant_length(6)(values, mask) == pytest.approx((6 + 12) / 12)


def test_the_loss_has_no_nan_from_padding():
    method = llm.EntropyBonus()
    weights = method(**arrays(), state=llm.begin(method))
    mask = arrays()["mask"]

    def loss(log_prob):
        padded = jax.numpy.where(mask, log_prob, -np.inf)
        return llm.loss(padded, padded, mask, weights)

    value, gradient = jax.value_and_grad(loss)(arrays()["log_prob"])
    assert np.isfinite(value) and np.isfinite(gradient).all()
