"""What of a GRPOConfig fits a method: TRL's own loss runs on, so what it would do beside the method must be right."""

import importlib.metadata
import math
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from entropax.errors import EntropaxError
from entropax.llm import AbstractMethod, Controller, Need, SamplingTemperature, SettingWarning
from entropax.llm.diagnosis.liveness import warn_if_inert
from entropax.plugins.trl.steering import AbstractPilot
from entropax.plugins.versions import warn_untested

TESTED = ("1.16.0", "1.16.0")
"""Oldest and newest version of TRL that the tests have run in."""
AGGREGATES = ("grpo", "bnpo", "dr_grpo", "dapo")
"""Values of `loss_type` that differ only in how they aggregate tokens."""


READ = frozenset(
    {
        *("beta", "delta", "epsilon", "epsilon_high", "gradient_accumulation_steps", "importance_sampling_level"),
        *("loss_type", "num_iterations", "steps_per_generation", "temperature", "top_entropy_quantile", "use_vllm"),
        "vllm_importance_sampling_correction",
    }
)
"""Settings without which a configuration cannot be judged; others are looked at where there are such."""


class Refusal(NamedTuple):
    """A setting that would be wrong, or silently without effect."""

    setting: str
    """Its name in GRPOConfig."""
    wrong: Callable[[dict[str, Any], AbstractMethod], bool]
    """Whether it is set so."""
    why: str
    """What TRL would do, and the remedy."""


def on_policy(settings: dict[str, Any]) -> bool:
    """Whether every completion is learned from in the optimiser step after it was drawn, so that all ratios are 1."""
    used = settings["steps_per_generation"] * settings["num_iterations"]
    return settings["gradient_accumulation_steps"] % used == 0


def _corrected(settings: dict[str, Any]) -> bool:
    return settings["use_vllm"] and settings["vllm_importance_sampling_correction"]


REFUSALS = (
    Refusal(
        "steps_per_generation",
        lambda _, method: Need.EXTRA_ROLLOUT in method.needs,
        "TRL draws completions at one temperature, and has no way to draw some more at another one. Give the trainer a "
        "controller with SamplingTemperature(), or call extra_loss in a loop of your own.",
    ),
    Refusal(
        "loss_type",
        lambda settings, _: settings["loss_type"] not in AGGREGATES,
        "the method is the objective, and loss_type only aggregates its tokens; cispo, sapo, luspo and vespo are "
        f"objectives themselves. Use one of {', '.join(AGGREGATES)}, with CISPO() or GSPO() as the method.",
    ),
    Refusal(
        "importance_sampling_level",
        lambda settings, _: settings["importance_sampling_level"] != "token",
        'the method sets the weight of every token, and a sequence\'s ratio is GSPO(). Leave it at "token".',
    ),
    Refusal(
        "epsilon",
        lambda settings, _: settings["epsilon"] != 0.2,
        "TRL's clip sees no ratio other than 1 here, so it would do nothing. Write Clip(lower=..., upper=...).",
    ),
    Refusal(
        "epsilon_high",
        lambda settings, _: settings["epsilon_high"] is not None,
        "TRL's clip sees no ratio other than 1 here, so it would do nothing. Write Clip(lower=..., upper=...).",
    ),
    Refusal(
        "delta",
        lambda settings, _: settings["delta"] is not None,
        "TRL's second clip sees no ratio other than 1 here, so it would do nothing. Leave it out.",
    ),
    Refusal(
        "off_policy_mask_threshold",
        lambda settings, _: settings.get("off_policy_mask_threshold") is not None,
        "TRL would judge sequences by ratios and advantages that the method has replaced. Leave it out.",
    ),
    Refusal(
        "top_entropy_quantile",
        lambda settings, _: settings["top_entropy_quantile"] < 1,
        "TRL would drop tokens after the method has chosen them, and its own entropy term with them. "
        "Use TopEntropy(inner, fraction).",
    ),
    Refusal(
        "entropy_coef",
        lambda settings, _: bool(settings.get("entropy_coef", 0.0)),
        "TRL would add a bonus of its own to the method's. Use EntropyBonus(inner, coefficient).",
    ),
    Refusal(
        "use_adaptive_entropy",
        lambda settings, _: settings.get("use_adaptive_entropy", False),
        "two controllers would steer one entropy. Give the trainer a controller instead.",
    ),
    Refusal(
        "use_liger_loss",
        lambda settings, _: settings.get("use_liger_loss", False),
        "Liger's loss is computed past the method. Leave it out.",
    ),
    Refusal(
        "use_bias_correction_kl",
        lambda settings, _: (
            settings["beta"] != 0 and settings.get("use_bias_correction_kl", False) and not on_policy(settings)
        ),
        "with beta, TRL would multiply the reference's KL by a ratio that is 1 here and not the true one, as "
        "completions are learned from more than once. Set use_bias_correction_kl=False.",
    ),
    Refusal(
        "vllm_importance_sampling_correction",
        lambda settings, method: _corrected(settings) and Need.ENTROPY_GRADIENT in method.needs,
        "TRL would scale the method's entropy term by vLLM's importance ratio. Turn the correction off, or use "
        "ScoreBonus, which has no such term.",
    ),
    Refusal(
        "steps_per_generation",
        lambda settings, method: (
            Need.GLOBAL_BATCH in method.needs
            and settings["steps_per_generation"] % settings["gradient_accumulation_steps"] != 0
        ),
        "the method selects from the batch of an optimiser step, which must be there when the step begins. Make it a "
        "multiple of gradient_accumulation_steps.",
    ),
)


def _require_parts(method: Any, controller: Any) -> None:
    """Raises EntropaxError for what is no method or no controller."""
    if not isinstance(method, AbstractMethod):
        raise EntropaxError(
            f"method is {method!r}, which is no method of entropax.llm. Make one, such as ScoreBonus() or Clip()."
        )
    if isinstance(controller, type) or not isinstance(controller, Controller | AbstractPilot):
        raise EntropaxError(
            f"controller is {controller!r}, which is no controller. Make one of a law and what it moves: "
            "Controller(law, actuator, vocabulary); or leave it out."
        )


def require_vocabulary(controller: Any, size: int) -> None:
    """Raises EntropaxError where a controller counts with another vocabulary than the model's output layer has."""
    if isinstance(controller, Controller) and controller.vocabulary != size:
        raise EntropaxError(
            f"Controller: vocabulary is {controller.vocabulary}, but the model's output layer has {size} tokens, so "
            f"entropies go up to log {size} = {math.log(size):.4f} nats a token. Make it vocabulary={size}."
        )


def require_fit(method: Any, controller: Any, settings: dict[str, Any]) -> None:
    """Checks the settings of a GRPOConfig.

    Warns of a version of TRL that was not tested, and of a method that changes nothing with these settings.

    Raises:
        EntropaxError: they do not fit the method, or the controller, or one of these is none.
    """
    warn_untested("TRL", importlib.metadata.version("trl"), TESTED)
    _require_parts(method, controller)
    missing = sorted(READ - settings.keys())
    if missing:
        raise EntropaxError(
            f"This GRPOConfig has no {', '.join(missing)}, so what it would do beside the method is not known. Install "
            f"TRL {TESTED[1]}."
        )
    for setting, wrong, why in REFUSALS:
        if wrong(settings, method):
            name = type(method).__name__
            raise EntropaxError(f"{setting} is {settings[setting]!r}, which does not fit {name}: {why}")
    if isinstance(controller, Controller) and isinstance(controller.actuator, SamplingTemperature):
        if settings["temperature"] != 1:
            raise EntropaxError(
                f"temperature is {settings['temperature']}, but SamplingTemperature() moves it around 1, at which "
                "completions are scored. Set it to 1."
            )
        if settings["use_vllm"]:
            raise EntropaxError(
                "SamplingTemperature() sets the temperature of TRL's own generation, and with use_vllm completions are "
                "drawn elsewhere. Use RepoBeta() with ScoreBonus, or BonusCoefficient() with EntropyBonus."
            )
    if isinstance(controller, Controller):
        _warn_of_rest(method, controller)
    if on_policy(settings):
        warn_if_inert(method, controller.actuator.knob if isinstance(controller, Controller) else "")


def _warn_of_rest(method: AbstractMethod, controller: Controller) -> None:
    """Warns where a controller leaves its knob, at rest, at something other than what the method is set to.

    A rest of 0 is that of a bonus, which is the controller's alone.
    """
    actuator = controller.actuator
    own = method.knobs.get(actuator.knob, actuator.rest)
    if actuator.rest not in (0, own):
        name = type(actuator).__name__
        warnings.warn(
            f"{type(method).__name__} has {actuator.knob} {own:g}, and {name} puts it at its own rest, "
            f"{actuator.rest:g}. If that is not meant, write {name}(rest={own:g}, ...) with a range around it.",
            SettingWarning,
            stacklevel=3,
        )
