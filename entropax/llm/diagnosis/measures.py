"""What a batch and a method's weights say of the entropy: a dozen numbers a step, in any array library.

How the entropy of a softmax policy answers to a step dz of its logits at one state is, to first order,

    dH = -Cov_{a ~ pi}(log pi, dz)    (arXiv 2505.22617, lemma 1).

For a step of the policy gradient of a token-mean loss with weights w and c, dz = eta (pi (w - E_pi w) + c grad_z H), so

    dH / eta = -Cov_{a ~ pi}(log pi, pi (w - E_pi w)) + E_pi[c pi (log pi + H)^2],

which for w = A with E_pi A = 0 and c = 0 is theorem 1 of that paper. Both are exact for a table of logits with the
whole distribution at hand: `first_order_change`. A trainer has the drawn tokens alone; `scalars` then estimates it by

    -Cov_t(w, x) + mean_t(c r x (log pi + H)),    x = pi (log pi + H),

over the batch. That is unbiased for one state; for many it takes E_pi[x] of all states for each state's own, which
cancels where the weights have mean 0 at each state. A network's parameters are shared and its eta is not that of
logits, so its sign and course mean something for a language model, its size does not.
"""

from typing import Any

import array_api_compat
from jaxtyping import Bool, Float

from entropax.llm.diagnosis.liveness import plain_weights
from entropax.llm.method import AbstractMethod, State, Weights
from entropax.llm.methods.covariance import ClipCov, KLCov
from entropax.llm.reduce import AbstractReducer, ThisBatch
from entropax.llm.select import covariance, mean, number
from entropax.llm.tokens import Tokens, require_same_shape

PREDICTED = "entropax/predicted_change"


def first_order_change(log_policy: Float[Any, "*state action"], logit_step: Float[Any, "*state action"]) -> Any:
    """-Cov_{a ~ pi}(log pi, dz) over the last axis (arXiv 2505.22617, lemma 1), nats: how H answers to small dz.

    Args:
        log_policy: normalised over the last axis, finite, nats.
        logit_step: the change of the logits, in any constant offset.

    Raises:
        EntropaxError: the shapes differ.

    Example:
        >>> import numpy as np
        >>> policy = np.log(np.asarray([0.8, 0.2]))
        >>> bool(first_order_change(policy, np.asarray([0.1, 0.0])) < 0)
        True
    """
    require_same_shape("log_policy", log_policy, {"logit_step": logit_step})
    xp = array_api_compat.array_namespace(log_policy)
    policy = xp.exp(log_policy)
    centred = log_policy - xp.sum(policy * log_policy, axis=-1, keepdims=True)
    return -xp.sum(policy * centred * logit_step, axis=-1)


def scalars(
    method: AbstractMethod, batch: Tokens, state: State, weights: Weights, over: AbstractReducer = ThisBatch()
) -> dict[str, Any]:
    """The measures of `docs/llm_diagnosis.md`, as arrays without axes, so that `jax.jit` takes it.

    Args:
        method: that made the weights.
        batch: that it made them for.
        state: the method's then.
        weights: of every token.
        over: what the batch is a part of.

    Raises:
        EntropaxError: the weights are of another shape.
    """
    require_same_shape("log_prob", batch.log_prob, {"weights.w": weights.w, "weights.c": weights.c})
    xp, mask = batch.xp, batch.mask

    def share(of: Any) -> Any:
        return mean(xp.astype(of & mask, batch.log_prob.dtype), mask, over)

    idle = (weights.w == 0) & (weights.c == 0)
    found = {
        "entropax/surprise": -mean(batch.log_prob, mask, over),
        "entropax/covariance": mean(covariance(batch, over), mask, over),
        "entropax/off_policy_fraction": share(batch.log_ratio != 0),
        "entropax/dropped_fraction": share(idle & (batch.advantages != 0)),
    }
    if batch.entropy is not None:
        found["entropax/entropy"] = mean(batch.entropy, mask, over)
    plain = plain_weights(method, batch, state, over)
    if plain is not None:
        found["entropax/selected_fraction"] = share((plain.w != weights.w) | (plain.c != weights.c))
    if isinstance(method, ClipCov | KLCov):
        found["entropax/selection_setting"] = number(batch.log_prob, method.fraction)
    return found | _predicted(batch, weights, over)


def measures(
    method: AbstractMethod, batch: Tokens, state: State, weights: Weights, over: AbstractReducer = ThisBatch()
) -> dict[str, float]:
    """The same as floats, for a trainer's log: one transfer from the device. Not under `jax.jit`.

    Example:
        >>> import numpy as np
        >>> from entropax.llm import Clip, begin, tokens
        >>> logs = np.log(np.asarray([[0.5, 0.2]]))
        >>> batch, state = tokens(logs, logs, np.asarray([[1.0, -1.0]]), logs < 0), begin(Clip())
        >>> found = measures(Clip(), batch, state, Clip().weights(batch, state, ThisBatch()))
        >>> found["entropax/dropped_fraction"]
        0.0
    """
    found = scalars(method, batch, state, weights, over)
    numbers = batch.xp.stack([batch.xp.astype(value, batch.log_prob.dtype) for value in found.values()]).tolist()
    return dict(zip(found, numbers, strict=True))


def control_measures(
    knob: int | float, target: int | float, least: int | float, most: int | float
) -> dict[str, int | float]:
    """A controller's numbers, for a trainer's log.

    Args:
        knob: value of the coefficient that it moves.
        target: nats a token.
        least: end of the knob's range at which it holds the entropy up least.
        most: the other end.
    """
    return {
        "entropax/knob": knob,
        "entropax/target": target,
        "entropax/knob_least": least,
        "entropax/knob_most": most,
    }


def _predicted(batch: Tokens, weights: Weights, over: AbstractReducer) -> dict[str, Any]:
    """The predicted change and what each kind of token contributes to it, nats per unit of eta.

    A token's part is -w (x - mean x): what its own gradient does to the entropy of the batch's mean state.
    """
    xp, mask = batch.xp, batch.mask
    zeros = xp.zeros_like(batch.log_prob)
    # Without entropies the batch's mean surprise stands for each position's entropy.
    entropy = -mean(batch.log_prob, mask, over) if batch.entropy is None else batch.entropy
    excess = xp.where(mask, batch.log_prob + entropy, zeros)
    pull = xp.exp(batch.log_prob) * excess
    parts = xp.where(mask, -weights.w * (pull - mean(pull, mask, over)), zeros)
    bonus = mean(weights.c * batch.ratio * pull * excess, mask, over)
    kinds = _quadrants(batch.advantages, excess)
    found = {f"{PREDICTED}/{name}": mean(xp.where(of, parts, zeros), mask, over) for name, of in kinds.items()}
    return {PREDICTED: mean(parts, mask, over) + bonus, f"{PREDICTED}/bonus": bonus, **found}


def _quadrants(advantages: Float[Any, "batch token"], excess: Float[Any, "batch token"]) -> dict[str, Bool[Any, "..."]]:
    """Advantage above or below 0, and a probability above exp(-H) or not; tokens without an advantage apart."""
    return {
        "positive_high": (advantages > 0) & (excess > 0),
        "positive_low": (advantages > 0) & (excess <= 0),
        "negative_high": (advantages < 0) & (excess > 0),
        "negative_low": (advantages < 0) & (excess <= 0),
        "no_advantage": advantages == 0,
    }
