"""Remedies as settings that can be copied: what each library calls the knobs that a rule may want turned."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Knob(Enum):
    """What a remedy turns; `{}` in a dialect stands for the value."""

    ALPHA_RATE = "learning rate of the temperature"
    INITIAL_ALPHA = "alpha at the start"
    FIXED_ALPHA = "a fixed alpha"
    ALPHA_MINIMUM = "lower bound of alpha"
    ALPHA_MAXIMUM = "upper bound of alpha"
    NO_CLAMP = "no bounds of alpha"
    TARGET = "target entropy, nats per action dimension; of categories, a share of log n"
    CRITIC_RATE = "learning rate of the critics"
    POLYAK = "Polyak factor of the target critics"
    EVALUATE = "evaluation under the policy's mode"
    MORE_STEPS = "environment steps"


class TokenKnob(Enum):
    """What a remedy turns where the actions are tokens of a language model."""

    TARGET = "target entropy, nats per token"
    BONUS = "weight of the entropy bonus"
    BONUS_MAXIMUM = "upper bound of what the controller moves"
    CLIP_UPPER = "upper width of the ratio's clip"
    RATE = "learning rate"
    REUSE = "optimiser steps per rollout"
    SELECTION = "share of tokens that are selected"
    MORE_STEPS = "optimiser steps"


@dataclass(frozen=True)
class Dialect:
    """One library's way to turn each knob; a knob that it lacks says what to do instead."""

    name: str
    settings: Mapping[Knob | TokenKnob, str]

    def say(self, knob: Knob | TokenKnob, value: str = "") -> str:
        """The setting with its value."""
        return self.settings[knob].replace("{}", value)


_DUAL = "algorithm.temperature:dual"
_NOISE = "--algorithm.exploration-noise"
_CLAMP = f"{_DUAL} algorithm.temperature.band:clamp --algorithm.temperature.band"

ENTROPAX = Dialect(
    "Entropax",
    {
        Knob.ALPHA_RATE: f"{_DUAL} --algorithm.temperature.learning-rate {{}}",
        Knob.INITIAL_ALPHA: f"{_DUAL} --algorithm.temperature.initial-alpha {{}}",
        Knob.FIXED_ALPHA: "algorithm.temperature:fixed --algorithm.temperature.alpha {}",
        Knob.ALPHA_MINIMUM: f"{_CLAMP}.minimum {{}}",
        Knob.ALPHA_MAXIMUM: f"{_CLAMP}.maximum {{}}",
        Knob.NO_CLAMP: f"{_DUAL} algorithm.temperature.band:unclamped",
        Knob.TARGET: f"{_DUAL} algorithm.temperature.target-entropy:per-dimension "
        "--algorithm.temperature.target-entropy.nats {}",
        Knob.CRITIC_RATE: "--algorithm.critic-learning-rate {}",
        Knob.POLYAK: "--algorithm.polyak {}",
        Knob.EVALUATE: "--evaluate-every {}",
        Knob.MORE_STEPS: "--steps {}",
    },
)

AROUND_SAC = Dialect(
    "Entropax",
    {knob: setting.replace("algorithm.", "algorithm.sac.") for knob, setting in ENTROPAX.settings.items()},
)
"""For algorithms whose field `sac` has SAC's settings."""

OF_CATEGORIES = Dialect(
    "Entropax",
    {
        **ENTROPAX.settings,
        Knob.TARGET: f"{_DUAL} algorithm.temperature.target-entropy:fraction-of-uniform "
        "--algorithm.temperature.target-entropy.fraction {}",
    },
)
"""For SAC of discrete actions, whose target is a share of log n."""

META_SAC = Dialect(
    "Entropax",
    {
        **AROUND_SAC.settings,
        Knob.ALPHA_RATE: "--algorithm.learning-rate {}",
        Knob.INITIAL_ALPHA: AROUND_SAC.settings[Knob.FIXED_ALPHA],
        Knob.FIXED_ALPHA: f"train sac {ENTROPAX.settings[Knob.FIXED_ALPHA]} (Meta-SAC always moves alpha)",
        Knob.ALPHA_MINIMUM: "algorithm.band:clamp --algorithm.band.minimum {}",
        Knob.ALPHA_MAXIMUM: "algorithm.band:clamp --algorithm.band.maximum {}",
        Knob.NO_CLAMP: "algorithm.band:unclamped",
        Knob.TARGET: f"train sac {ENTROPAX.settings[Knob.TARGET]} (Meta-SAC has no target)",
    },
)
"""For Meta-SAC, which is its own law of alpha and refuses another."""

_SHARED: dict[Knob | TokenKnob, str] = {
    knob: ENTROPAX.settings[knob] for knob in (Knob.CRITIC_RATE, Knob.POLYAK, Knob.EVALUATE, Knob.MORE_STEPS)
}
"""What all our learners of Q call alike."""


def _without_alpha(more: str, less: str, instead: str) -> dict[Knob | TokenKnob, str]:
    """Words for the knobs of alpha where noise of a set size explores.

    Args:
        more: the setting that explores more, as a larger alpha would.
        less: the one that explores less.
        instead: what there is in place of a law of alpha.
    """
    nothing = f"{instead}: there is no alpha here"
    return {
        **dict.fromkeys((Knob.FIXED_ALPHA, Knob.INITIAL_ALPHA, Knob.ALPHA_MINIMUM), more),
        **dict.fromkeys((Knob.TARGET, Knob.ALPHA_MAXIMUM), less),
        **dict.fromkeys((Knob.ALPHA_RATE, Knob.NO_CLAMP), nothing),
    }


DETERMINISTIC = Dialect(
    "Entropax",
    _SHARED | _without_alpha(f"a larger {_NOISE}", f"a smaller {_NOISE}", _NOISE),
)
"""For deterministic policies, whose noise is a setting: it stands for what alpha and its target would do."""

_RULE = "algorithm.exploration:epsilon-greedy --algorithm.exploration"

GREEDY = Dialect(
    "Entropax",
    _SHARED
    | {Knob.POLYAK: "algorithm.following:soft-copy --algorithm.following.polyak {}"}
    | _without_alpha(
        f"{_RULE}.final with a larger epsilon", f"{_RULE}.final with a smaller epsilon", f"{_RULE}.fraction"
    ),
)
"""For DQN, whose rule of exploration stands for what alpha and its target would do."""

_WEIGHT = "--algorithm.entropy-weight"

SOFT_Q = Dialect(
    "Entropax",
    _SHARED
    | dict.fromkeys((Knob.FIXED_ALPHA, Knob.INITIAL_ALPHA), f"{_WEIGHT} {{}}")
    | dict.fromkeys((Knob.ALPHA_MINIMUM, Knob.ALPHA_MAXIMUM), f"{_WEIGHT} {{}}, which nothing moves")
    | dict.fromkeys((Knob.ALPHA_RATE, Knob.NO_CLAMP), f"{_WEIGHT}: nothing moves alpha here")
    | {Knob.TARGET: f"{_WEIGHT}: soft Q-learning steers to no target ({{}})"},
)
"""For soft Q-learning, of continuous or discrete actions, whose alpha is a setting."""

ON_POLICY = Dialect(
    "Entropax",
    {
        Knob.ALPHA_RATE: "no law moves the entropy's weight here; it is --algorithm.entropy-coefficient",
        Knob.INITIAL_ALPHA: "--algorithm.entropy-coefficient {}",
        Knob.FIXED_ALPHA: "--algorithm.entropy-coefficient {}",
        Knob.ALPHA_MINIMUM: "--algorithm.entropy-coefficient {}, which nothing moves",
        Knob.ALPHA_MAXIMUM: "--algorithm.entropy-coefficient {}, which nothing moves",
        Knob.NO_CLAMP: "nothing: the entropy's weight has no bounds",
        Knob.TARGET: "train sac or discrete-sac, whose laws steer to a target ({}); PPO and A2C have none",
        Knob.CRITIC_RATE: "--algorithm.learning-rate {} (it is the actor's too)",
        Knob.POLYAK: "nothing: there are no target critics",
        Knob.EVALUATE: "--evaluate-every {}",
        Knob.MORE_STEPS: "--steps {}",
    },
)
"""For PPO and A2C, whose entropy has a weight that stays."""

SB3 = Dialect(
    "Stable-Baselines3 or SBX",
    {
        Knob.ALPHA_RATE: "learning_rate={} (it is alpha's, the actor's and the critics' at once), or a fixed ent_coef",
        Knob.INITIAL_ALPHA: 'ent_coef="auto_{}"',
        Knob.FIXED_ALPHA: "ent_coef={}",
        Knob.ALPHA_MINIMUM: "ent_coef={}, fixed: alpha has no lower bound here",
        Knob.ALPHA_MAXIMUM: "ent_coef={}, fixed: alpha has no upper bound here",
        Knob.NO_CLAMP: "remove the callback that bounds ent_coef",
        Knob.TARGET: "target_entropy={} * n, with n action dimensions",
        Knob.CRITIC_RATE: "learning_rate={} (SBX: qf_learning_rate={})",
        Knob.POLYAK: "tau={}",
        Knob.EVALUATE: "callback=EvalCallback(eval_env, eval_freq={}, deterministic=True)",
        Knob.MORE_STEPS: "total_timesteps={}",
    },
)

_SB3_CRITICS_OF_PPO: dict[Knob | TokenKnob, str] = {
    Knob.CRITIC_RATE: "learning_rate={} (it is the actor's too)",
    Knob.POLYAK: "nothing: there are no target critics",
}

SB3_ON_POLICY = Dialect(
    SB3.name,
    {
        **SB3.settings,
        **_SB3_CRITICS_OF_PPO,
        Knob.ALPHA_RATE: "LawAlpha(Dual(learning_rate={})) of entropax.plugins.sb3: no law of its own moves ent_coef",
        Knob.INITIAL_ALPHA: "ent_coef={}",
        Knob.ALPHA_MINIMUM: "ent_coef={}, which nothing moves",
        Knob.ALPHA_MAXIMUM: "ent_coef={}, which nothing moves",
        Knob.TARGET: "LawAlpha(Dual(target_entropy=PerDimension({}))) of entropax.plugins.sb3: no target of its own",
    },
)
"""For PPO and A2C, whose ent_coef stays."""

_SIGMA = "sigma of action_noise=NormalActionNoise(mean, sigma)"

SB3_DETERMINISTIC = Dialect(
    SB3.name, {**SB3.settings, **_without_alpha(f"a larger {_SIGMA}", f"a smaller {_SIGMA}", _SIGMA)}
)
"""For TD3 and DDPG, whose noise is a setting."""

SB3_GREEDY = Dialect(
    SB3.name,
    {
        **SB3.settings,
        **_without_alpha("a larger exploration_final_eps", "a smaller exploration_final_eps", "exploration_fraction"),
        Knob.CRITIC_RATE: "learning_rate={}",
        Knob.POLYAK: "tau={} with target_update_interval=1",
    },
)
"""For DQN."""

_OF_A_LAW: dict[Knob | TokenKnob, str] = {
    Knob.ALPHA_RATE: "LawAlpha(Dual(learning_rate={}))",
    Knob.INITIAL_ALPHA: "LawAlpha(Dual(initial_alpha={}))",
    Knob.FIXED_ALPHA: "LawAlpha(Fixed({}))",
    Knob.ALPHA_MINIMUM: "LawAlpha(Dual(band=Clamp(minimum={})))",
    Knob.ALPHA_MAXIMUM: "LawAlpha(Dual(band=Clamp(maximum={})))",
    Knob.NO_CLAMP: "LawAlpha(Dual(band=Unclamped()))",
    Knob.TARGET: "LawAlpha(Dual(target_entropy=PerDimension({})))",
}

SB3_STEERED = Dialect(SB3.name, {**SB3.settings, **_OF_A_LAW})
"""For SAC whose ent_coef a law of ours sets: what the model was made with has no effect on it."""

SB3_ON_POLICY_STEERED = Dialect(SB3.name, {**SB3_STEERED.settings, **_SB3_CRITICS_OF_PPO})
"""For PPO, likewise."""

CLEANRL = Dialect(
    "CleanRL",
    {
        Knob.ALPHA_RATE: "lr={} in a_optimizer (sac_continuous_action.py gives it --q-lr)",
        Knob.INITIAL_ALPHA: "log_alpha = log({}) where sac_continuous_action.py starts it at 0",
        Knob.FIXED_ALPHA: "--no-autotune --alpha {}",
        Knob.ALPHA_MINIMUM: "log_alpha.data.clamp_(min=log({})) after a_optimizer.step()",
        Knob.ALPHA_MAXIMUM: "log_alpha.data.clamp_(max=log({})) after a_optimizer.step()",
        Knob.NO_CLAMP: "remove the clamp of log_alpha",
        Knob.TARGET: "target_entropy = {} * n + sum(log(action_scale)), with n action dimensions",
        Knob.CRITIC_RATE: "--q-lr {} (it is alpha's too)",
        Knob.POLYAK: "--tau {}",
        Knob.EVALUATE: "evaluate the mean action every {} steps and log it as eval/episodic_return",
        Knob.MORE_STEPS: "--total-timesteps {}",
    },
)

CLEANRL_ON_POLICY = Dialect(
    CLEANRL.name,
    {
        Knob.ALPHA_RATE: "nothing: no law moves --ent-coef here",
        Knob.INITIAL_ALPHA: "--ent-coef {}",
        Knob.FIXED_ALPHA: "--ent-coef {}",
        Knob.ALPHA_MINIMUM: "--ent-coef {}, which nothing moves",
        Knob.ALPHA_MAXIMUM: "--ent-coef {}, which nothing moves",
        Knob.NO_CLAMP: "nothing: --ent-coef has no bounds",
        Knob.TARGET: "sac_continuous_action.py, which steers to a target ({} * n); PPO has none",
        Knob.CRITIC_RATE: "--learning-rate {} (it is the actor's too)",
        Knob.POLYAK: "nothing: there are no target critics",
        Knob.EVALUATE: CLEANRL.settings[Knob.EVALUATE],
        Knob.MORE_STEPS: CLEANRL.settings[Knob.MORE_STEPS],
    },
)
"""For PPO, whose --ent-coef stays."""

_CLEAN_NOISE = "--exploration-noise"

CLEANRL_DETERMINISTIC = Dialect(
    CLEANRL.name,
    {
        **CLEANRL.settings,
        **_without_alpha(f"a larger {_CLEAN_NOISE}", f"a smaller {_CLEAN_NOISE}", _CLEAN_NOISE),
        Knob.CRITIC_RATE: "--learning-rate {} (it is the actor's too)",
    },
)
"""For TD3 and DDPG, likewise."""

CLEANRL_GREEDY = Dialect(
    CLEANRL.name,
    {
        **CLEANRL.settings,
        **_without_alpha("a larger --end-e", "a smaller --end-e", "--exploration-fraction"),
        Knob.CRITIC_RATE: "--learning-rate {}",
        Knob.POLYAK: "--tau {} with --target-network-frequency 1",
    },
)
"""For DQN."""

BRAX = Dialect(
    "Brax",
    {
        Knob.ALPHA_RATE: "optax.adam(learning_rate={}) for alpha_optimizer in sac/train.py, where 3e-4 is written down",
        Knob.INITIAL_ALPHA: "log_alpha = log({}) in sac/train.py, which starts it at 0",
        Knob.FIXED_ALPHA: "alpha = {} in sac/train.py: there is no setting for it; reward_scaling has the same effect",
        Knob.ALPHA_MINIMUM: "clip log_alpha from below at log({}) in sac/train.py",
        Knob.ALPHA_MAXIMUM: "clip log_alpha from above at log({}) in sac/train.py",
        Knob.NO_CLAMP: "remove the clip of log_alpha",
        Knob.TARGET: "target_entropy = {} * action_size in sac/losses.py, which has -0.5",
        Knob.CRITIC_RATE: "learning_rate={} (it is the actor's too)",
        Knob.POLYAK: "tau={}",
        Knob.EVALUATE: "deterministic_eval=True, num_evals such that one comes every {} steps",
        Knob.MORE_STEPS: "num_timesteps={}",
    },
)

OTHER = Dialect(
    "another library", {knob: f"{knob.value}: {{}}".removesuffix(": {}" * (knob is Knob.NO_CLAMP)) for knob in Knob}
)

TOKENS = Dialect(
    "Entropax",
    {
        TokenKnob.TARGET: "a Controller with a target of {} nats a token",
        TokenKnob.BONUS: "EntropyBonus(coefficient={})",
        TokenKnob.BONUS_MAXIMUM: "an upper end of {} in the Controller's actuator",
        TokenKnob.CLIP_UPPER: "Clip(upper={})",
        TokenKnob.RATE: "the trainer's learning rate at {}",
        TokenKnob.REUSE: "{} optimiser steps per rollout",
        TokenKnob.SELECTION: "fraction={}",
        TokenKnob.MORE_STEPS: "{} optimiser steps",
    },
)
"""For the methods of `entropax.llm` in any trainer."""

TRL = Dialect(
    "TRL",
    {
        TokenKnob.TARGET: "use_adaptive_entropy=True, entropy_target={}, entropy_coef_delta=1e-4, "
        "entropy_coef_max=5e-3",
        TokenKnob.BONUS: "entropy_coef={}",
        TokenKnob.BONUS_MAXIMUM: "entropy_coef_max={}",
        TokenKnob.CLIP_UPPER: "epsilon_high={}",
        TokenKnob.RATE: "learning_rate={}",
        TokenKnob.REUSE: "num_iterations={}, with steps_per_generation=gradient_accumulation_steps",
        TokenKnob.SELECTION: "fraction={}",
        TokenKnob.MORE_STEPS: "max_steps={}",
    },
)

VERL = Dialect(
    "verl",
    {
        TokenKnob.TARGET: "nothing in verl itself: its entropy_coeff is fixed; a Controller with a target of {}",
        TokenKnob.BONUS: "actor_rollout_ref.actor.entropy_coeff={}",
        TokenKnob.BONUS_MAXIMUM: "an upper end of {} in the Controller's actuator",
        TokenKnob.CLIP_UPPER: "actor_rollout_ref.actor.clip_ratio_high={}",
        TokenKnob.RATE: "actor_rollout_ref.actor.optim.lr={}",
        TokenKnob.REUSE: "train_batch_size = {} * ppo_mini_batch_size, with ppo_epochs=1",
        TokenKnob.SELECTION: "actor_rollout_ref.actor.policy_loss.kl_cov_ratio={} (or clip_cov_ratio)",
        TokenKnob.MORE_STEPS: "trainer.total_training_steps={}",
    },
)
