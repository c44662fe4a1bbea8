"""Arrays that fit nothing are refused alike in every array library, in a sentence that names what is wrong."""

import importlib.util

import jax.numpy as jnp
import numpy as np
import pytest

import entropax.llm as llm
from entropax import EntropaxError
from entropax.llm.diagnosis import agreement, first_order_change, likeliest_reward, measures, saturation

LIBRARIES = {"NumPy": np.asarray, "JAX": jnp.asarray}
if importlib.util.find_spec("torch") is not None:
    import torch

    LIBRARIES["torch"] = torch.tensor

LOGS = [[-1.0, -2.0, -0.5], [-1.0, -0.2, -0.5]]
METHOD = llm.EntropyBonus()


@pytest.fixture(params=LIBRARIES, name="make")
def library(request):
    return LIBRARIES[request.param]


def given(make, **changed):
    """What a trainer hands over, two completions of three tokens."""
    arrays = {"log_prob": LOGS, "old_log_prob": LOGS, "advantages": [1.0, -1.0], "mask": [[1, 1, 0], [1, 1, 1]]}
    return {name: make(values) for name, values in (arrays | changed).items()}


BAD = {
    "one number for all": ({"advantages": 1.0}, r"advantages is \(\)"),
    "too many axes": ({"advantages": [[[1.0]], [[2.0]]]}, r"advantages is \(2, 1, 1\)"),
    "advantages a token of one row": ({"advantages": [[1.0, 2.0, 3.0]]}, r"advantages is \(1, 3\)"),
    "no axis of rows": ({"log_prob": [-1.0, -2.0]}, r"log_prob is \(2,\)"),
    "the whole vocabulary": ({"log_prob": [[[-1.0, -2.0]]]}, "not of the whole vocabulary"),
    "a mask of another length": ({"mask": [[1], [1]]}, r"mask is \(2, 1\)"),
    "entropies of another length": ({"entropy": [[1.0], [1.0]]}, r"entropy is \(2, 1\)"),
    "a mask that selects nothing": ({"mask": [[0, 0, 0], [0, 0, 0]]}, "selects no token"),
    "a NaN in the mask": ({"mask": [[float("nan"), 1.0, 0.0], [1.0, 1.0, 1.0]]}, "mask has NaN"),
    "whole numbers": ({"log_prob": [[-1, -2, -3], [-1, -2, -3]]}, "as floats"),
    "NaN log-probabilities": ({"log_prob": [[float("nan")] * 3] * 2}, "log_prob is NaN or infinite at 5 of 5 tokens"),
    "a NaN advantage": ({"advantages": [float("nan"), 1.0]}, "reward that is NaN"),
    "an infinite ratio": ({"old_log_prob": [[-1000.0, -2.0, -0.5], [-1.0] * 3]}, "by up to 999 nats"),
}


@pytest.mark.parametrize(("changed", "message"), BAD.values(), ids=BAD)
def test_arrays_that_do_not_fit_are_refused(make, changed, message):
    with pytest.raises(EntropaxError, match=message):
        llm.tokens(**given(make, **changed))


@pytest.mark.parametrize("name", ["log_prob", "advantages", "mask"])
def test_lists_are_no_arrays(make, name):
    lists = {"log_prob": LOGS, "advantages": [1.0, -1.0], "mask": [[1, 1, 0], [1, 1, 1]]}
    with pytest.raises(EntropaxError, match=f"{name} of Python"):
        llm.tokens(**given(make) | {name: lists[name]})


def test_arrays_of_two_libraries_are_refused():
    with pytest.raises(EntropaxError, match=r"log_prob of numpy.*advantages of jax"):
        llm.tokens(**given(np.asarray) | {"advantages": jnp.ones(2)})


@pytest.mark.usefixtures("untyped")
def test_a_loss_wants_arrays_of_one_shape_and_an_entropy_for_its_bonus(make):
    log_prob, mask = make(LOGS), make([[1, 1, 0], [1, 1, 1]])
    short = llm.Weights(log_prob[:, :1], log_prob[:, :1])
    with pytest.raises(EntropaxError, match=r"weights\.w is \(2, 1\)"):
        llm.loss(log_prob, None, mask, short)
    weights = METHOD(**given(make), entropy=None, state=llm.begin(METHOD))
    with pytest.raises(EntropaxError, match="would do nothing"):
        llm.loss(log_prob, None, mask, weights)


@pytest.mark.usefixtures("untyped")
def test_measures_want_weights_of_every_token(make):
    batch, state = llm.tokens(**given(make)), llm.begin(METHOD)
    weights = METHOD.weights(batch, state, llm.ThisBatch())
    with pytest.raises(EntropaxError, match=r"weights\.c is \(1, 3\)"):
        measures(METHOD, batch, state, weights._replace(c=weights.c[:1]))
    with pytest.raises(EntropaxError, match=r"logit_step is \(2, 1\)"):
        first_order_change(make(LOGS), make(LOGS)[:, :1])


@pytest.mark.usefixtures("untyped")
def test_the_likeliest_answers_want_a_reward_each(make):
    logs, bad = make(LOGS), make([[float("nan"), 0.0, 0.0], [0.0, 0.0, 0.0]])
    for log_prob, reward, message in (
        (logs, logs[:, :1], r"reward is \(2, 1\)"),
        (logs[0], logs[0], r"not \[prompt, sample\]"),
        (bad, logs, "NaN or infinite"),
        (logs, bad, "NaN or infinite"),
    ):
        with pytest.raises(EntropaxError, match=message):
            likeliest_reward(log_prob, reward)


def test_series_want_as_many_rows():
    with pytest.raises(EntropaxError, match="entropy is"):
        agreement(np.ones(3), np.ones(5))
    with pytest.raises(EntropaxError, match="slack is"):
        saturation(np.ones(3), np.ones(5), 0.0, 1.0)


def test_a_mean_entropy_that_is_not_finite_is_refused():
    with pytest.raises(EntropaxError, match="Skip such a batch"):
        llm.advance(llm.begin(METHOD), float("nan"))
