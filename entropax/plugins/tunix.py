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
import importlib.metadata
import importlib.util
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

from entropax.llm import AbstractMethod, Corridor, Need, ThisBatch, begin, tokens
from entropax.plugins.versions import warn_untested

TESTED = ("0.1.7", "0.1.7")
"""Oldest and newest version of Tunix that the tests have run in."""


def register(name: str, method: AbstractMethod) -> None:
    """Makes a method a policy loss of Tunix's GRPO: `GRPOConfig(policy_loss_fn=name)`.

    Tunix's own loss runs on, with the method's weights for advantages and a ratio of 1, so that its aggregation, its
    reference KL, its sampler's correction and its metrics are as ever. The policy's log-probabilities are asked for
    once more than by it alone.

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
        old = jax.lax.stop_gradient(log_prob) if old is None else old.astype(jnp.float32)
        entropy = algo_core.compute_entropy_from_logits(logits).astype(jnp.float32)
        batch = tokens(log_prob, old, train_example.advantages, mask, entropy)
        w, c = method.weights(batch, state, ThisBatch())
        if Need.ENTROPY_GRADIENT in method.needs:
            w = w + c * jnp.where(batch.mask, entropy - jax.lax.stop_gradient(entropy), 0.0)
        replaced = dataclasses.replace(train_example, advantages=w, old_per_token_logps=None)
        return algo_core.grpo_loss_fn(model, replaced, algo_config, pad_id, eos_id, **rest)

    function_registry.register_policy_loss_fn(name)(loss)


def _require_fit(name: str, method: AbstractMethod, example: Any, config: Any) -> None:
    """Raises EntropaxError for settings that would be wrong, or without effect, beside a method."""
    if config.loss_algo != "grpo":
        raise EntropaxError(
            f'{name}: loss_algo is {config.loss_algo!r}, but the method is the objective. Leave it at "grpo", and use '
            "GSPO() for a ratio of completions."
        )
    if config.epsilon != 0.2:
        raise EntropaxError(
            f"{name}: epsilon is {config.epsilon}, but Tunix's clip sees no ratio other than 1 here. Leave it out and "
            "write Clip(lower=..., upper=...)."
        )
    if example.sampler_is_weights is not None and Need.ENTROPY_GRADIENT in method.needs:
        raise EntropaxError(
            f"{name}: Tunix would scale the entropy term of {type(method).__name__} by the sampler's importance "
            "weights. Turn that correction off, or use ScoreBonus."
        )
