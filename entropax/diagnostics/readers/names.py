"""The names that other libraries give to what we measure: one table, read in each library's source."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from entropax.diagnostics import dialects
from entropax.diagnostics.dialects import Dialect

OURS = frozenset(
    {
        "entropy/environment_nats",
        "entropy/nats",
        "entropy/per_dimension",
        "entropy/saturation",
        "entropy/share_of_soft_value",
        "entropy/sigma",
        "entropy/slack",
        "entropy/target",
        "eval/mean_ep_length",
        "eval/mean_reward",
        "rollout/ep_len_mean",
        "rollout/ep_rew_mean",
        "rollout/episodes",
        "time/fps",
        "train/actor_loss",
        "train/critic_loss",
        "train/ent_coef",
        "train/ent_coef_loss",
        "train/ent_coef_step",
        "train/n_updates",
        "train/q_mean",
        "train/skipped_updates",
    }
)
"""Metrics of `docs/metrics.md` that the rules look at or from which one of them is derived."""

QUADRANTS = ("positive_high", "positive_low", "negative_high", "negative_low")
"""Sign of the advantage, and whether the policy finds the token likely."""

OF_TOKENS = frozenset(
    {
        "entropax/clipped_fraction",
        "entropax/covariance",
        "entropax/distinct",
        "entropax/distinct_correct",
        "entropax/dropped_fraction",
        "entropax/groups_without_signal",
        "entropax/grad_norm",
        "entropax/knob",
        "entropax/knob_least",
        "entropax/knob_most",
        "entropax/likeliest_reward",
        "entropax/off_policy_fraction",
        "entropax/pass_at_1",
        "entropax/pass_at_group",
        "entropax/policy_loss",
        "entropax/predicted_change",
        "entropax/predicted_change/bonus",
        "entropax/predicted_change/no_advantage",
        *(f"entropax/predicted_change/{quadrant}" for quadrant in QUADRANTS),
        "entropax/selected_fraction",
        "entropax/selection_setting",
        "entropax/surprise",
        "entropax/vocabulary",
    }
)
"""Metrics of `docs/llm_diagnosis.md`, of runs whose actions are tokens."""

SHARED = {
    "entropax/entropy": "entropy/nats",
    "entropax/target": "entropy/target",
    "entropax/reward": "rollout/ep_rew_mean",
}
"""What such a run logs as a trainer's metric, and is the same as one of any run."""


def slack_in_log_alpha(loss: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """H − H̄ from the loss log α (H − H̄); NaN where α is so close to 1 that the loss says nothing."""
    log_alpha = np.log(np.where(alpha > 0, alpha, np.nan))
    return loss / np.where(np.abs(log_alpha) > 0.02, log_alpha, np.nan)


def slack_in_alpha(loss: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """H − H̄ from the loss α (H − H̄)."""
    return loss / np.where(alpha > 0, alpha, np.nan)


def slack_unknown(loss: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """NaN: how this log's loss is made is not known."""
    del alpha
    return np.full_like(loss, np.nan)


@dataclass(frozen=True)
class Family:
    """Algorithms of a library that do not learn a temperature, told by what they log and what they do not."""

    dialect: Dialect
    """In which remedies for their runs are given."""
    logs: frozenset[str]
    """Names of which they log one."""
    lacks: frozenset[str] = frozenset()
    """Names of which they log none."""


@dataclass(frozen=True)
class Library:
    """How one library names things, and what its temperature loss says of the entropy."""

    name: str
    dialect: Dialect
    """In which remedies for its runs are given."""
    names: Mapping[str, tuple[str, float]]
    """Their name to ours, and the factor that brings their value to our sign and unit."""
    slack: Callable[[np.ndarray, np.ndarray], np.ndarray] = slack_unknown
    """H − H̄ from the temperature's loss and alpha, both of one row."""
    default_target: float = math.nan
    """Target entropy per action dimension where the user set none, nats."""
    environment_units: bool = False
    """Whether its log-probabilities, and so its target, count in environment units."""
    of_tokens: bool = False
    """Whether its actions are tokens of a language model."""
    prefixes: tuple[str, ...] = ()
    """What some of its loggers put before a name."""
    signature: frozenset[str] = frozenset()
    """Names of which it always logs at least one; empty where its other names are telling enough."""
    marks: frozenset[str] = frozenset()
    """Names that it logs and we do not: they tell its log with our callback's names in it from one of ours."""
    families: tuple[Family, ...] = ()
    """Its algorithms whose settings are not SAC's."""

    def bare(self, name: str) -> str:
        """A name without what a logger put before it, where that makes it a known one."""
        cut = [name.removeprefix(prefix) for prefix in self.prefixes if name.startswith(prefix)]
        known = [each for each in cut if each in self.names or each in OF_TOKENS]
        return known[0] if known and name not in self.names else name

    def hits(self, names: frozenset[str]) -> int:
        """How many of a log's names are this library's; 0 without its signature."""
        bare = frozenset(map(self.bare, names))
        return len(bare & self.names.keys()) if not self.signature or bare & self.signature else 0

    def family(self, names: frozenset[str]) -> Family | None:
        """The family that a log with these names is of; None is SAC."""
        return next((family for family in self.families if family.logs & names and not family.lacks & names), None)


SB3 = Library(
    "Stable-Baselines3 or SBX",
    dialects.SB3,
    {
        "rollout/ep_rew_mean": ("rollout/ep_rew_mean", 1.0),
        "rollout/ep_len_mean": ("rollout/ep_len_mean", 1.0),
        "eval/mean_reward": ("eval/mean_reward", 1.0),
        "eval/mean_ep_length": ("eval/mean_ep_length", 1.0),
        "train/ent_coef": ("train/ent_coef", 1.0),
        "train/ent_coef_loss": ("train/ent_coef_loss", 1.0),
        "train/actor_loss": ("train/actor_loss", 1.0),
        "train/critic_loss": ("train/critic_loss", 1.0),
        "train/value_loss": ("train/critic_loss", 1.0),
        "train/n_updates": ("train/n_updates", 1.0),
        "train/entropy_loss": ("entropy/environment_nats", -1.0),
        "time/fps": ("time/fps", 1.0),
    },
    slack=slack_in_log_alpha,
    default_target=-1.0,
    marks=frozenset({"time/total_timesteps", "time/time_elapsed", "train/learning_rate"}),
    families=(
        Family(dialects.SB3_ON_POLICY, frozenset({"train/entropy_loss"})),
        Family(dialects.SB3_GREEDY, frozenset({"rollout/exploration_rate"})),
        Family(dialects.SB3_DETERMINISTIC, frozenset({"train/actor_loss"}), lacks=frozenset({"train/ent_coef"})),
    ),
)
"""stable-baselines3 2.9.2 and sbx-rl 0.28.0: `logger.record` in sac.py, ppo.py, off_policy_algorithm.py and
callbacks.py. The loss is −log α (log π + H̄). `train/entropy_loss` is PPO's, minus the mean entropy in
environment units; `train/value_loss` is its mean squared error, as our PPO's. DQN logs its epsilon, TD3 and DDPG no
temperature."""

CLEANRL = Library(
    "CleanRL",
    dialects.CLEANRL,
    {
        "charts/episodic_return": ("rollout/ep_rew_mean", 1.0),
        "charts/episodic_length": ("rollout/ep_len_mean", 1.0),
        "charts/SPS": ("time/fps", 1.0),
        "eval/episodic_return": ("eval/mean_reward", 1.0),
        "losses/alpha": ("train/ent_coef", 1.0),
        "losses/alpha_loss": ("train/ent_coef_loss", 1.0),
        "losses/actor_loss": ("train/actor_loss", 1.0),
        "losses/qf_loss": ("train/critic_loss", 1.0),
        "losses/value_loss": ("train/critic_loss", 2.0),
        "losses/qf1_values": ("train/q_mean", 1.0),
        "losses/entropy": ("entropy/nats", 1.0),
    },
    slack=slack_in_alpha,
    default_target=-1.0,
    environment_units=True,
    families=(
        Family(dialects.CLEANRL_ON_POLICY, frozenset({"losses/entropy"})),
        Family(dialects.CLEANRL_GREEDY, frozenset({"losses/td_loss"})),
        Family(dialects.CLEANRL_DETERMINISTIC, frozenset({"losses/actor_loss"}), lacks=frozenset({"losses/alpha"})),
    ),
)
"""cleanrl/sac_continuous_action.py: the loss is −α (log π + H̄), and log π has the log of the action scale in it.
`losses/qf_loss` is half the sum over two critics, as ours. `losses/entropy` and `losses/value_loss` are PPO's,
the latter half a mean squared error, which is whole in ours; `losses/td_loss` is DQN's. TD3 and DDPG log no alpha."""

BRAX = Library(
    "Brax",
    dialects.BRAX,
    {
        "eval/episode_reward": ("rollout/ep_rew_mean", 1.0),
        "eval/avg_episode_length": ("rollout/ep_len_mean", 1.0),
        "training/alpha": ("train/ent_coef", 1.0),
        "training/alpha_loss": ("train/ent_coef_loss", 1.0),
        "training/actor_loss": ("train/actor_loss", 1.0),
        "training/critic_loss": ("train/critic_loss", 2.0),
        "training/sps": ("time/fps", 1.0),
    },
    slack=slack_in_alpha,
    default_target=-0.5,
)
"""brax/training/agents/sac: `metrics` in train.py and losses.py. Its evaluation draws actions unless told otherwise
(`deterministic_eval=False`), so it stands for the exploring return, not for the mode's. Its critic's loss is half a
mean over two critics, ours half a sum."""

TRL = Library(
    "TRL",
    dialects.TRL,
    {
        "entropy": ("entropy/nats", 1.0),
        "reward": ("rollout/ep_rew_mean", 1.0),
        "completions/mean_length": ("rollout/ep_len_mean", 1.0),
        "eval_reward": ("eval/mean_reward", 1.0),
        "eval/reward": ("eval/mean_reward", 1.0),
        "entropy_coef": ("entropax/knob", 1.0),
        "clip_ratio/region_mean": ("entropax/clipped_fraction", 1.0),
        "cispo_clip_ratio": ("entropax/clipped_fraction", 1.0),
        "frac_reward_zero_std": ("entropax/groups_without_signal", 1.0),
        "grad_norm": ("entropax/grad_norm", 1.0),
        "policy_loss": ("entropax/policy_loss", 1.0),
        **{name: (ours, 1.0) for name, ours in SHARED.items()},
    },
    of_tokens=True,
    prefixes=("train/",),
    signature=frozenset({"frac_reward_zero_std", "completions/mean_length"}),
)
"""trl 1.16.0: `_metrics` in trainer/grpo_trainer.py. `entropy` is over the whole vocabulary at the sampling
temperature, nats, mean over tokens. Transformers' TensorBoard callback puts `train/` before each name."""

VERL = Library(
    "verl",
    dialects.VERL,
    {
        "actor/entropy": ("entropy/nats", 1.0),
        "actor/entropy_loss": ("entropy/nats", 1.0),
        "critic/score/mean": ("rollout/ep_rew_mean", 1.0),
        "response_length/mean": ("rollout/ep_len_mean", 1.0),
        "actor/pg_clipfrac": ("entropax/clipped_fraction", 1.0),
        "actor/grad_norm": ("entropax/grad_norm", 1.0),
        "actor/pg_loss": ("entropax/policy_loss", 1.0),
        **{name: (ours, 1.0) for name, ours in SHARED.items()},
    },
    of_tokens=True,
    prefixes=("actor/",),
    signature=frozenset({"critic/score/mean", "actor/pg_loss", "actor/pg_clipfrac"}),
)
"""verl 0.9.1: trainer/ppo/ray_trainer.py, trainer/ppo/metric_utils.py, workers/utils/losses.py. `actor/entropy` is of
the policy before the update, `actor/entropy_loss` of the minibatches during it; both are in nats, aggregated as
`loss_agg_mode` says. The worker puts `actor/` before what a policy loss returns."""

TOKENS = Library(
    "Entropax",
    dialects.TOKENS,
    {name: (ours, 1.0) for name, ours in SHARED.items()},
    of_tokens=True,
    prefixes=("train/", "actor/"),
)
"""A trainer of language models that logs our measures, and no names of its own that we know."""

OWN = Library("Entropax", dialects.ENTROPAX, {})
"""TensorBoard files and tables that carry our own names."""

OTHER = Library("another library", dialects.OTHER, {})
"""Names that only a mapping file explains."""

LIBRARIES = (SB3, CLEANRL, BRAX, TRL, VERL, TOKENS)


def recognise(names: frozenset[str], mapping: Mapping[str, str]) -> Library:
    """The library whose names a log has most of; our own where entropy has our names and there are no other's marks."""
    if any(name.startswith("entropy/") for name in names - mapping.keys()):
        return next((library for library in LIBRARIES if library.marks & names), OWN)
    hits = [library.hits(names) for library in LIBRARIES]
    return LIBRARIES[hits.index(max(hits))] if max(hits) else OTHER
