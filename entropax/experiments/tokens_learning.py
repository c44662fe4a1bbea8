"""Learning to answer: from examples, then from rewards by any method of `entropax.llm`."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key

from entropax.experiments.tokens_model import Transformer, log_policy, score, transformer, write
from entropax.experiments.tokens_task import DIGITS, LENGTH, answers
from entropax.llm import AEPO, AbstractMethod, State, ThisBatch, Tokens, advance, loss, sequence_mean, tokens
from entropax.llm.diagnosis import first_order_change, likeliest_reward, scalars
from entropax.llm.diagnosis.likeliest import LIKELIEST
from entropax.ops import discrete_entropy
from entropax.optimiser import adam_init, adam_step, clip_by_norm

GROUP, MINIBATCHES = 16, 4
"""Answers to each prompt in a rollout, and parts in which they are learned from."""
UPDATES = 2 * MINIBATCHES
"""Optimiser steps a rollout: two epochs."""
EXTRA = 4
"""Answers to each prompt that AEPO draws beside these, at its own temperature."""
LARGEST_NORM = 1.0
"""What gradients are cut to."""
IMITATED, EXAMPLE_RATE = 256, 3e-3
"""Examples in a step of pre-training, and its learning rate."""

Examples = Int[Array, "prompt example"]
"""Places among `answers` of those that are imitated, each as often as the others of its prompt."""


class Learner(NamedTuple):
    """A policy that learns by rewards."""

    policy: Transformer
    optimiser: optax.OptState
    method: State


class Dials(NamedTuple):
    """Numbers of a rollout that are no method's knobs."""

    learning_rate: Float[Array, ""]
    """Adam's."""
    sampling_temperature: Float[Array, ""]
    """Of AEPO's additional answers; all others are drawn at 1."""
    alpha: Float[Array, ""]
    """What an answer's surprise, -log pi of all its tokens, pays beside its reward, per nat: MaxEnt's objective."""


class Batch(NamedTuple):
    """Answers, and what there is to say of them."""

    prompts: Int[Array, " batch"]
    written: Int[Array, "batch token"]
    old_log_prob: Float[Array, "batch token"]
    advantages: Float[Array, " batch"]


def pre_train(examples: Examples, steps: int, *, key: Key[Array, ""]) -> Transformer:
    """A policy that has seen so many steps of examples.

    Args:
        examples: what to imitate.
        steps: of Adam.
        key: of the weights and the examples.
    """
    start, key = jax.random.split(key)
    policy = transformer(examples.shape[0], key=start)
    everything = jnp.asarray(answers())

    def step(carry: tuple[Transformer, optax.OptState], key: Array) -> tuple[tuple[Transformer, optax.OptState], None]:
        policy, state = carry
        ask, draw = jax.random.split(key)
        prompts = jax.random.randint(ask, (IMITATED,), 0, examples.shape[0])
        which = examples[prompts, jax.random.randint(draw, (IMITATED,), 0, examples.shape[1])]
        gradient = jax.grad(lambda policy: -jnp.mean(score(policy, prompts, everything[which]).log_prob))(policy)
        return adam_step(gradient, state, policy, EXAMPLE_RATE), None

    (policy, _), _ = jax.lax.scan(step, (policy, adam_init(policy)), jax.random.split(key, steps))
    return policy


Baseline = Callable[[Float[Array, "prompt answer"]], Float[Array, "prompt answer"]]
"""Makes advantages of the rewards of a group of answers to every prompt."""


def standardised(rewards: Float[Array, "prompt answer"]) -> Float[Array, "prompt answer"]:
    """GRPO's (arXiv 2402.03300, section 4.1.2): `centred`, over the deviation; 0 where all have one reward."""
    return centred(rewards) / (rewards.std(axis=1, keepdims=True) + 1e-6)


def centred(rewards: Float[Array, "prompt answer"]) -> Float[Array, "prompt answer"]:
    """Dr. GRPO's (arXiv 2503.20783): less the mean of the prompt's answers, in reward, whose scale then stays."""
    return rewards - rewards.mean(axis=1, keepdims=True)


def rollout(
    method: AbstractMethod,
    baseline: Baseline,
    learner: Learner,
    rewards: Float[Array, "prompt answer"],
    dials: Dials,
    *,
    key: Key[Array, ""],
) -> tuple[Learner, dict[str, Float[Array, ""]]]:
    """Draws a group of answers to every prompt and learns from them in `UPDATES` steps.

    Args:
        method: its knobs are those of the learner's state, whatever its own are.
        baseline: `standardised` or `centred`.
        learner: before.
        rewards: of every answer, in the order of `answers`.
        dials: learning rate, sampling temperature and alpha.
        key: of the draws.

    Returns:
        The learner after, and what was measured: `reward`, `entropy` (nats a token), `strayed` (the share of tokens
        whose ratio was outside 1 ± 0.2 when they were learned from), `here` and `lemma` (by how much the entropy
        changed at the places visited, and what lemma 1 of arXiv 2505.22617 makes of the change of the logits there),
        what the likeliest answers earned, and the means over the steps of what `entropax.llm.diagnosis.scalars` finds
        in each.
    """
    draw, extra = jax.random.split(key)
    prompts = jnp.repeat(jnp.arange(rewards.shape[0]), GROUP)
    written = write(learner.policy, prompts, jnp.ones(()), key=draw)
    earned = rewards[prompts, number_of(written)]
    old = score(learner.policy, prompts, written)
    objective = earned - dials.alpha * old.log_prob.sum(axis=1)
    advantages = baseline(objective.reshape(-1, GROUP)).reshape(-1)
    parts = dealt(Batch(prompts, written, old.log_prob, advantages), GROUP)
    more = _extra(learner.policy, rewards, dials, key=extra) if isinstance(method, AEPO) else None
    before = learner.policy

    def update(learner: Learner, part: tuple[Batch, Batch | None]) -> tuple[Learner, dict[str, Array]]:
        policy, state, remembered = learner
        gradient, found = jax.grad(lambda policy: _surrogate(method, policy, remembered, *part), has_aux=True)(policy)
        policy, state = adam_step(clip_by_norm(gradient, LARGEST_NORM), state, policy, dials.learning_rate)
        remembered = advance(remembered, found["entropax/entropy"])
        return Learner(policy, state, remembered), found

    learner, found = jax.lax.scan(update, learner, (parts, more))
    groups = (values.reshape(-1, GROUP) for values in (old.log_prob.sum(axis=1), earned))
    seen = {"reward": jnp.mean(earned), "entropy": jnp.mean(old.entropy), LIKELIEST: likeliest_reward(*groups)}
    return learner, seen | jax.tree.map(jnp.mean, found) | _moved(before, learner.policy, prompts, written)


def _moved(before: Transformer, after: Transformer, prompts: Array, written: Array) -> dict[str, Array]:
    """How the entropies at the places visited have changed, and what the change of the logits predicts."""
    old, new = (log_policy(policy, prompts, written) for policy in (before, after))
    changed = jnp.mean(discrete_entropy(new)) - jnp.mean(discrete_entropy(old))
    return {"here": changed, "lemma": jnp.mean(first_order_change(old, new - old))}


def _surrogate(
    method: AbstractMethod, policy: Transformer, state: State, batch: Batch, more: Batch | None
) -> tuple[Array, dict[str, Array]]:
    """The loss of a part of a rollout, and its measures."""

    def seen(part: Batch) -> tuple[Array, Array, Tokens]:
        log_prob, entropy = score(policy, part.prompts, part.written)
        mask = jnp.ones(log_prob.shape, bool)
        return log_prob, entropy, tokens(log_prob, part.old_log_prob, part.advantages, mask, entropy)

    log_prob, entropy, known = seen(batch)
    weights = method.weights(known, state, ThisBatch())
    total = loss(log_prob, entropy, known.mask, weights)
    if isinstance(method, AEPO) and more is not None:
        log_prob, _, also = seen(more)
        total += loss(log_prob, None, also.mask, method.extra_weights(also, state), sequence_mean)
    found = scalars(method, known, state, weights)
    return total, found | {"strayed": jnp.mean(jnp.abs(known.ratio - 1) > 0.2)}


def dealt(batch: Batch, group: int) -> Batch:
    """The parts `[update, part, ...]` of a rollout; each has as many answers to every prompt.

    Answers to a prompt are drawn alike, so which of them go together needs no chance: neighbours in the first epoch,
    every `MINIBATCHES`-th in the second.
    """
    places = np.arange(batch.prompts.shape[0]).reshape(-1, group)
    neighbours = np.split(places, MINIBATCHES, axis=1)
    apart = [places[:, part::MINIBATCHES] for part in range(MINIBATCHES)]
    order = np.stack([part.reshape(-1) for part in (*neighbours, *apart)])
    return jax.tree.map(lambda leaf: leaf[order], batch)


def _extra(policy: Transformer, rewards: Array, dials: Dials, *, key: Key[Array, ""]) -> Batch:
    """AEPO's additional answers: drawn at a temperature, scored at 1, with rewards for advantages; dealt."""
    prompts = jnp.repeat(jnp.arange(rewards.shape[0]), EXTRA)
    written = write(policy, prompts, dials.sampling_temperature, key=key)
    log_prob = score(policy, prompts, written).log_prob
    return dealt(Batch(prompts, written, log_prob, rewards[prompts, number_of(written)]), EXTRA)


def number_of(written: Int[Array, "batch token"]) -> Int[Array, " batch"]:
    """The place of an answer among `answers`."""
    return written @ (DIGITS ** jnp.arange(LENGTH - 1, -1, -1))
