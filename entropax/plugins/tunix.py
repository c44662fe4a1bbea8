"""Tunix: methods as policy losses of its GRPO.

```python
from entropax.llm import EntropyBonus
from entropax.plugins.tunix import register

register("entropax_bonus", EntropyBonus())  # then GRPOConfig(policy_loss_fn="entropax_bonus")
```

Raises:
    EntropaxError: on import, where Tunix is not installed.
"""

import dataclasses
import functools
import importlib.metadata
import importlib.util
import logging
from typing import Any

from entropax.errors import EntropaxError

if importlib.util.find_spec("tunix") is None:
    raise EntropaxError(
        "entropax.plugins.tunix works inside Tunix, which is not installed here. Install it with: pip install "
        '"entropax[tunix]"'
    )

import jax
import jax.numpy as jnp
from flax import nnx  # pyright: ignore[reportMissingImports]
from tunix.rl import algo_core, common, function_registry  # pyright: ignore[reportMissingImports]

from entropax.llm import GSPO, AbstractMethod, Corridor, Need, ThisBatch, begin, tokens
from entropax.llm.diagnosis.liveness import warn_if_inert
from entropax.plugins.versions import warn_untested

TESTED = ("0.1.7", "0.1.7")
"""Oldest and newest version of Tunix that the tests have run in."""
_WIDTH = 0.2
"""Tunix's default of its clip, which stands for "not set"."""
_LOG = logging.getLogger(__name__)


def register(name: str, method: AbstractMethod) -> None:
    """Makes a method a policy loss of Tunix's GRPO: `GRPOConfig(policy_loss_fn=name)`.

    Tunix's own loss runs on, with the method's weights for advantages and a ratio of 1, so that its aggregation, its
    reference KL, its sampler's correction and its metrics are as ever. The policy's log-probabilities are asked for
    once more than by it alone.

    Under `jax.jit` nothing can be raised: a micro-batch without a token, and numbers that are not finite, are logged.

    Raises:
        EntropaxError: the method needs what a policy loss of Tunix cannot give.
    """
    lacking = method.needs & {Need.GLOBAL_BATCH, Need.EXTRA_ROLLOUT}
    if lacking or isinstance(method, Corridor):
        needs = " and ".join(sorted(need.value for need in lacking)) or "the mean entropy of past steps"
        raise EntropaxError(
            f"{name}: {type(method).__name__} needs {needs}, and a policy loss of Tunix sees one micro-batch and "
            "remembers nothing. Use ScoreBonus, EntropyBonus or CEGPPO."
        )
    warn_untested("Tunix", importlib.metadata.version("google-tunix"), TESTED)
    state = begin(method)

    def loss(model: Any, train_example: Any, algo_config: Any, pad_id: int, eos_id: int, **rest: Any) -> Any:
        _require_fit(name, method, train_example, algo_config)
        log_prob, logits = common.compute_per_token_logps(
            *nnx.split(model),
            prompt_tokens=train_example.prompt_ids,
            completion_tokens=train_example.completion_ids,
            pad_id=pad_id,
            eos_id=eos_id,
            stop_gradient=False,
            return_logits=True,
            segment_ids=train_example.segment_ids,
            segment_positions=train_example.segment_positions,
            temperature=algo_config.temperature,
        )
        log_prob, mask = log_prob.astype(jnp.float32), train_example.completion_mask
        old = train_example.old_per_token_logps
        if old is None:
            warn_if_inert(method)
        old = jax.lax.stop_gradient(log_prob) if old is None else old.astype(jnp.float32)
        entropy = algo_core.compute_entropy_from_logits(logits).astype(jnp.float32)
        advantages = train_example.advantages
        batch = tokens(log_prob, old, advantages, mask, entropy, checked=False)
        jax.debug.callback(functools.partial(_tell, name), *_unsound(batch.mask, log_prob, old, advantages))
        w, c = method.weights(batch, state, ThisBatch())
        if Need.ENTROPY_GRADIENT in method.needs:
            w = w + c * jnp.where(batch.mask, entropy - jax.lax.stop_gradient(entropy), 0.0)
        replaced = dataclasses.replace(train_example, advantages=w, old_per_token_logps=None)
        return algo_core.grpo_loss_fn(model, replaced, algo_config, pad_id, eos_id, **rest)

    function_registry.register_policy_loss_fn(name)(loss)


def _unsound(mask: Any, log_prob: Any, old: Any, advantages: Any) -> tuple[Any, Any]:
    """How many tokens there are, and how many of them have a number that is not finite."""
    advantages = advantages if advantages.ndim == 2 else advantages[:, None]
    finite = jnp.isfinite(log_prob) & jnp.isfinite(old) & jnp.isfinite(advantages)
    return jnp.sum(mask), jnp.sum(mask & ~finite)


def _tell(name: str, count: Any, bad: Any) -> None:
    """Warns on the host of what no exception can leave `jax.jit` with."""
    if not count:
        _LOG.warning("%s: a micro-batch has no token to learn from, and so no gradient.", name)
    if bad:
        _LOG.error(
            "%s: a log-probability or advantage is NaN or infinite at %d of %d tokens, and so will the weights be. "
            "Look for a logit of -inf at a token that was drawn, or a reward that is NaN.",
            *(name, bad, count),
        )


def _require_fit(name: str, method: AbstractMethod, example: Any, config: Any) -> None:
    """Raises EntropaxError for settings that would be wrong, or without effect, beside a method."""
    if config.loss_algo != "grpo":
        raise EntropaxError(
            f'{name}: loss_algo is {config.loss_algo!r}, but the method is the objective. Leave it at "grpo", and use '
            "GSPO() for a ratio of completions."
        )
    # DAPO's configuration and that of the agentic learner have more of them than GRPO's.
    for setting, usual in (("epsilon", _WIDTH), ("epsilon_high", _WIDTH), ("epsilon_c", None)):
        value = vars(config).get(setting, usual)
        if value != usual:
            raise EntropaxError(
                f"{name}: {setting} is {value}, but Tunix's clip sees no ratio other than 1 here. Set it to {usual} "
                "and write Clip(lower=..., upper=...)."
            )
    if example.segment_ids is not None and _of_completions(method):
        raise EntropaxError(
            f"{name}: GSPO takes the ratio of a row for that of a completion, and with sequence packing a row holds "
            "several. Turn packing off, or use Clip, CISPO or CEGPPO, whose ratio is a token's."
        )
    if example.sampler_is_weights is not None and Need.ENTROPY_GRADIENT in method.needs:
        raise EntropaxError(
            f"{name}: Tunix would scale the entropy term of {type(method).__name__} by the sampler's importance "
            "weights. Turn that correction off, or use ScoreBonus."
        )


def _of_completions(method: AbstractMethod) -> bool:
    """Whether a method, or one that it is around, has a ratio of whole completions."""
    parts = [part for part in vars(method).values() if isinstance(part, AbstractMethod)]
    return isinstance(method, GSPO) or any(map(_of_completions, parts))
