"""Tunix's own registry and GRPO loss, with our methods in them, on a toy model."""

import pytest

pytest.importorskip("tunix", reason="Tunix is not installed here: make test-llm")

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from tunix.rl import common, function_registry
from tunix.rl.grpo.grpo_learner import GRPOConfig

from entropax import EntropaxError
from entropax.llm import CEGPPO, GSPO, Clip, Corridor, EntropyBonus, KLCov, SettingWarning
from entropax.plugins.tunix import register
from entropax.plugins.versions import UntestedVersionWarning

WORDS = 12


class Bigram(nnx.Module):
    """Logits of the next word, from a table."""

    def __init__(self):
        self.table = nnx.Param(jax.random.normal(jax.random.key(0), (WORDS, WORDS)))

    def __call__(self, words, positions, cache=None, attention_mask=None):
        return self.table[words], None


def example(**changed):
    """Four completions of five words, and what another policy thought of them."""
    draw = np.random.default_rng(0)
    completions = jnp.asarray(draw.integers(1, WORDS, (4, 5)))
    mask = jnp.asarray([[1] * 5, [1] * 3 + [0] * 2, [1] * 4 + [0], [1] * 5])
    fields = {
        "prompt_ids": jnp.asarray(draw.integers(1, WORDS, (4, 2))),
        "prompt_mask": jnp.ones((4, 2)),
        "completion_ids": completions,
        "completion_mask": mask,
        "advantages": jnp.asarray(draw.normal(size=4), jnp.float32),
        "ref_per_token_logps": None,
        "old_per_token_logps": jnp.asarray(draw.normal(-3, 1, (4, 5)), jnp.float32),
    }
    return common.TrainExample(**fields | changed)


def config(**changed):
    """Tunix's own, which lets a name of ours pass."""
    more = {name: changed.pop(name) for name in ("epsilon_high", "epsilon_c") if name in changed}
    made = GRPOConfig(policy_loss_fn="ours", **{"beta": 0.0, "loss_agg_mode": "token-mean"} | changed)
    made.temperature = 1.0  # as its learner sets it
    vars(made).update(more)  # as its configurations of other learners have them
    return made


def gradient(name, batch, settings):
    """Of a registered loss, with respect to the table, under jit."""
    loss = function_registry.get_policy_loss_fn(name)

    @nnx.jit
    def both(model):
        return nnx.value_and_grad(lambda one: loss(one, batch, settings, 0, 1), has_aux=True)(model)

    (_, metrics), answer = both(Bigram())
    return np.asarray(answer["table"][...]), metrics


MODES = ["token-mean", "sequence-mean-token-mean", "sequence-mean-token-scale", "seq-mean-token-sum"]


@pytest.mark.parametrize("mode", MODES)
def test_clip_has_the_gradient_of_tunix_s_own(mode):
    register("ours", Clip())
    ours, metrics = gradient("ours", example(), config(loss_agg_mode=mode))
    theirs, same = gradient("grpo", example(), config(loss_agg_mode=mode))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    assert np.abs(ours).max() > 1e-3
    assert metrics.keys() == same.keys()


def test_the_reference_s_kl_is_tunix_s_own():
    register("ours", Clip())
    batch = example(ref_per_token_logps=jnp.full((4, 5), -2.0))
    ours, _ = gradient("ours", batch, config(beta=0.5))
    theirs, _ = gradient("grpo", batch, config(beta=0.5))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    assert np.abs(ours - gradient("ours", batch, config())[0]).max() > 1e-3


def test_an_entropy_bonus_adds_the_entropy_s_gradient():
    register("bonus", EntropyBonus(Clip(), 0.5))
    register("plain", Clip())
    batch = example()
    added = gradient("bonus", batch, config())[0] - gradient("plain", batch, config())[0]

    def mean_entropy(table):
        words = jnp.concatenate([batch.prompt_ids[:, -1:], batch.completion_ids[:, :-1]], axis=1)
        log_policy = jax.nn.log_softmax(table[words])
        entropy = -jnp.sum(jnp.exp(log_policy) * log_policy, axis=-1)
        return jnp.sum(entropy * batch.completion_mask) / jnp.sum(batch.completion_mask)

    expected = -0.5 * jax.grad(mean_entropy)(Bigram().table[...])
    np.testing.assert_allclose(added, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", [KLCov(), Corridor()], ids=lambda one: type(one).__name__)
def test_a_method_with_a_memory_or_a_selection_is_refused(method):
    with pytest.raises(EntropaxError, match="sees one micro-batch"):
        register("no", method)


@pytest.mark.parametrize(
    ("settings", "batch", "message"),
    [
        ({"loss_algo": "gspo-token"}, {}, r"GSPO\(\)"),
        ({"epsilon": 0.1}, {}, r"Clip\(lower"),
        ({"epsilon_high": 0.28}, {}, r"epsilon_high is 0.28.*Clip\(lower"),
        ({"epsilon_c": 3.0}, {}, r"epsilon_c is 3.0, .*Set it to None"),
        ({}, {"sampler_is_weights": jnp.ones((4, 5))}, "ScoreBonus"),
        ({}, {"old_per_token_logps": jnp.ones((4, 6))}, "old_log_prob"),
    ],
)
def test_what_would_be_wrong_is_refused(settings, batch, message):
    register("bonus", EntropyBonus(CEGPPO()))
    with pytest.raises(EntropaxError, match=message):
        gradient("bonus", example(**batch), config(**settings))


NAN = float("nan")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"old_per_token_logps": jnp.full((4, 5), NAN)}, "NaN or infinite at 17 of 17 tokens"),
        ({"advantages": jnp.asarray([NAN, 1.0, 1.0, 1.0])}, "NaN or infinite at 5 of 17 tokens"),
        ({"completion_mask": jnp.zeros((4, 5), int)}, "no token to learn from"),
    ],
    ids=["log-probabilities", "advantages", "no token"],
)
def test_what_jit_cannot_raise_is_logged(caplog, changed, message):
    register("ours", Clip())
    caplog.clear()  # Tunix's own word on a name that is taken
    gradient("ours", example(), config())
    jax.effects_barrier()
    assert not caplog.records
    gradient("ours", example(**changed), config())
    jax.effects_barrier()
    assert message in caplog.text


def test_a_method_that_does_nothing_warns():
    """Tunix leaves the old log-probabilities out where num_iterations is 1."""
    register("ours", CEGPPO())
    with pytest.warns(SettingWarning, match="plain policy gradient"):
        gradient("ours", example(old_per_token_logps=None), config())


def test_a_version_that_was_not_tested_warns(monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: "99.0")
    with pytest.warns(UntestedVersionWarning, match=r"Tunix 99\.0"):
        register("ours", Clip())


@pytest.mark.parametrize("method", [GSPO(), EntropyBonus(GSPO())], ids=["GSPO", "around it"])
def test_a_ratio_of_completions_is_refused_where_rows_hold_several(method):
    register("ours", method)
    assert np.isfinite(gradient("ours", example(), config())[0]).all()
    with pytest.raises(EntropaxError, match="a row holds several"):
        gradient("ours", example(segment_ids=jnp.ones((4, 7), jnp.int32)), config())
