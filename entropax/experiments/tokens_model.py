"""A two-layer transformer that writes an answer, scores answers, and knows the probability of every one there is."""

import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from entropax.experiments.tokens_task import DIGITS, LENGTH, answers
from entropax.ops import discrete_entropy

LAYERS, WIDTH, HEADS, HIDDEN = 2, 32, 2, 64


class Block(eqx.Module):
    """Causal attention and a hidden layer, each added to what comes in, which is normalised first."""

    attention: Float[Array, "width three_widths"]
    mixing: Float[Array, "width width"]
    up: Float[Array, "width hidden"]
    down: Float[Array, "hidden width"]

    def __call__(self, x: Float[Array, "place width"]) -> Float[Array, "place width"]:
        """Maps the places of one sequence; none sees a later one."""
        places = x.shape[0]
        queries, keys, values = (
            part.reshape(places, HEADS, -1) for part in jnp.split(_normalised(x) @ self.attention, 3, axis=-1)
        )
        scores = jnp.einsum("qhw,khw->hqk", queries, keys) / math.sqrt(WIDTH / HEADS)
        seen = jnp.where(jnp.tril(jnp.ones((places, places), bool)), scores, -jnp.inf)
        mixed = jnp.einsum("hqk,khw->qhw", jax.nn.softmax(seen, axis=-1), values)
        x = x + mixed.reshape(places, WIDTH) @ self.mixing
        return x + jax.nn.relu(_normalised(x) @ self.up) @ self.down


class Transformer(eqx.Module):
    """The policy: logits of every next digit of an answer."""

    prompts: Float[Array, "prompt width"]
    digits: Float[Array, "digit width"]
    places: Float[Array, "token width"]
    blocks: tuple[Block, ...]
    head: Float[Array, "width digit"]

    def __call__(self, prompt: Int[Array, ""], written: Int[Array, " written"]) -> Float[Array, "next digit"]:
        """Logits after the prompt, and after each digit that is written."""
        read = jnp.concatenate([self.prompts[prompt][None], self.digits[written]])
        x = read + self.places[: read.shape[0]]
        for block in self.blocks:
            x = block(x)
        return _normalised(x) @ self.head


class Scores(NamedTuple):
    """What a policy makes of an answer, token by token, in nats."""

    log_prob: Float[Array, "*batch token"]
    entropy: Float[Array, "*batch token"]


def transformer(prompts: int, *, key: Key[Array, ""]) -> Transformer:
    """Draws weights: normal, of variance one over the inputs; a tenth of that where a block ends, and in the head."""
    keys = iter(jax.random.split(key, 4 + 4 * LAYERS))

    def normal(rows: int, columns: int, deviation: float) -> Array:
        return deviation * jax.random.normal(next(keys), (rows, columns))

    inner, last = 1 / math.sqrt(WIDTH), 0.1 / math.sqrt(WIDTH)
    blocks = tuple(
        Block(
            normal(WIDTH, 3 * WIDTH, inner),
            normal(WIDTH, WIDTH, last),
            normal(WIDTH, HIDDEN, inner),
            normal(HIDDEN, WIDTH, last),
        )
        for _ in range(LAYERS)
    )
    return Transformer(
        normal(prompts, WIDTH, 1.0),
        normal(DIGITS, WIDTH, 1.0),
        normal(LENGTH, WIDTH, 1.0),
        blocks,
        normal(WIDTH, DIGITS, last),
    )


def log_policy(
    policy: Transformer, prompts: Int[Array, " batch"], written: Int[Array, "batch token"]
) -> Float[Array, "batch token digit"]:
    """Log-probabilities of every digit at every place of answers, at sampling temperature 1."""
    return jax.nn.log_softmax(jax.vmap(policy)(prompts, written[:, :-1]))


def score(policy: Transformer, prompts: Int[Array, " batch"], written: Int[Array, "batch token"]) -> Scores:
    """Log-probabilities of the digits written, and entropies at their places."""
    log_probs = log_policy(policy, prompts, written)
    return Scores(jnp.take_along_axis(log_probs, written[..., None], axis=-1)[..., 0], discrete_entropy(log_probs))


def write(
    policy: Transformer, prompts: Int[Array, " batch"], sampling_temperature: Float[Array, ""], *, key: Key[Array, ""]
) -> Int[Array, "batch token"]:
    """Draws an answer to every prompt."""

    def step(written: Array, place_and_key: tuple[Array, Array]) -> tuple[Array, None]:
        place, one = place_and_key
        # Digits that are not drawn yet are 0, and no place sees a later one.
        logits = jax.vmap(policy)(prompts, written[:, :-1])[:, place]
        drawn = jax.random.categorical(one, logits / sampling_temperature)
        return written.at[:, place].set(drawn.astype(jnp.int32)), None

    blank = jnp.zeros((prompts.shape[0], LENGTH), jnp.int32)
    return jax.lax.scan(step, blank, (jnp.arange(LENGTH), jax.random.split(key, LENGTH)))[0]


def log_probabilities(policy: Transformer) -> Float[Array, "prompt answer"]:
    """Of every answer to every prompt, in the order of `answers`, nats."""
    beginnings = jnp.asarray(answers()[::DIGITS, :-1])

    def of_prompt(prompt: Array) -> Array:
        steps = jax.nn.log_softmax(jax.vmap(policy, (None, 0))(prompt, beginnings))
        taken = jnp.take_along_axis(steps[:, :-1], beginnings[..., None], axis=-1)[..., 0].sum(axis=-1)
        return (taken[:, None] + steps[:, -1]).reshape(-1)

    return jax.lax.map(of_prompt, jnp.arange(policy.prompts.shape[0]))


def _normalised(x: Array) -> Array:
    """Divided by its root mean square."""
    return x * jax.lax.rsqrt(jnp.mean(x**2, axis=-1, keepdims=True) + 1e-6)
