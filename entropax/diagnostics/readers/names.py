"""The names that other libraries give to what we measure: one table, read in each library's source."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from entropax.diagnostics import dialects
from entropax.diagnostics.dialects import Dialect

OURS = frozenset(
    {
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
        "train/value_loss": ("train/critic_loss", 0.5),
        "train/n_updates": ("train/n_updates", 1.0),
        "train/entropy_loss": ("entropy/nats", -1.0),
        "time/fps": ("time/fps", 1.0),
    },
    slack=slack_in_log_alpha,
    default_target=-1.0,
)
"""stable-baselines3 2.9.2 and sbx-rl 0.28.0: `logger.record` in sac.py, ppo.py, off_policy_algorithm.py and
callbacks.py. The loss is −log α (log π + H̄). `train/entropy_loss` is PPO's, minus the mean entropy;
`train/value_loss` is its mean squared error, without the ½ of ours."""

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
        "losses/value_loss": ("train/critic_loss", 1.0),
        "losses/qf1_values": ("train/q_mean", 1.0),
        "losses/entropy": ("entropy/nats", 1.0),
    },
    slack=slack_in_alpha,
    default_target=-1.0,
    environment_units=True,
)
"""cleanrl/sac_continuous_action.py: the loss is −α (log π + H̄), and log π has the log of the action scale in it.
`losses/qf_loss` is half the sum over two critics, as ours. `losses/entropy` and `losses/value_loss` are PPO's."""

BRAX = Library(
    "Brax",
    dialects.BRAX,
    {
        "eval/episode_reward": ("rollout/ep_rew_mean", 1.0),
        "eval/avg_episode_length": ("rollout/ep_len_mean", 1.0),
        "training/alpha": ("train/ent_coef", 1.0),
        "training/alpha_loss": ("train/ent_coef_loss", 1.0),
        "training/actor_loss": ("train/actor_loss", 1.0),
        "training/critic_loss": ("train/critic_loss", 1.0),
        "training/sps": ("time/fps", 1.0),
    },
    slack=slack_in_alpha,
    default_target=-0.5,
)
"""brax/training/agents/sac: `metrics` in train.py and losses.py. Its evaluation draws actions unless told otherwise
(`deterministic_eval=False`), so it stands for the exploring return, not for the mode's."""

OWN = Library("Entropax", dialects.ENTROPAX, {})
"""TensorBoard files and tables that carry our own names."""

OTHER = Library("another library", dialects.OTHER, {})
"""Names that only a mapping file explains."""

LIBRARIES = (SB3, CLEANRL, BRAX)


def recognise(names: frozenset[str], mapping: Mapping[str, str]) -> Library:
    """The library whose names a log has most of; our own where it logs entropy under our names."""
    if any(name.startswith("entropy/") for name in names - mapping.keys()):
        return OWN
    hits = [len(names & library.names.keys()) for library in LIBRARIES]
    return LIBRARIES[hits.index(max(hits))] if max(hits) else OTHER
