"""What a log does not say but implies: the entropy from the temperature's loss, Q from the actor's."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from entropax.diagnostics.measures import share_of_soft_value
from entropax.diagnostics.readers.columns import Column, common, late_mean
from entropax.diagnostics.readers.names import Library
from entropax.diagnostics.window import Facts
from entropax.distributions import max_tanh_normal_entropy, sigma_of_entropy

START_ROWS = 3
"""Rows at the start over which one batch's noise is averaged."""
UNTRAINED = 0.65
"""Nats per dimension of a tanh-Gaussian with a mean near 0 and a sigma near 1, as all these libraries initialise it."""
UNLIKELY = 0.6
"""Nats per dimension off that at the start that make an assumed target doubtful: a sigma of 0.27 in place of 1."""
IMPOSSIBLE = 0.25
"""Nats per dimension above the widest policy that noise of the derived entropy cannot give for half of the rows."""


@dataclass(frozen=True)
class Known:
    """What a user knows of a run and its log does not say; NaN or empty where it is not known."""

    action_dimensions: int | float = math.nan
    target: float = math.nan
    """Target entropy as the other library was given it, nats."""
    log_half_range: int | float = math.nan
    """Sum over the action dimensions of log((high − low) / 2): from nats in [-1, 1] to environment units."""
    vocabulary: int | float = math.nan
    """Tokens that a language model chooses from."""
    baselines: tuple[tuple[str, float], ...] = ()
    """Returns of policies that need no training, by name."""


class Derived(NamedTuple):
    """A seed's columns with those that follow from them."""

    columns: dict[str, Column]
    notes: tuple[str, ...]


def derive(columns: Mapping[str, Column], library: Library, known: Known) -> Derived:
    """Adds what follows from a seed's columns; what was logged is never replaced.

    * slack H − H̄ from the temperature's loss, whose form each library's source fixes;
    * target and entropy, where the target or the action dimensions are known;
    * Q (with this step's bonus) as minus SAC's actor loss α log π − Q;
    * the change of log α per update, and the entropy's share of the soft value.
    """
    found, notes = dict(columns), list[str]()
    learned = "train/ent_coef" in found and _moves(found["train/ent_coef"])
    if learned and "train/ent_coef_loss" in found and "entropy/slack" not in found:
        steps, loss, alpha = common(found["train/ent_coef_loss"], found["train/ent_coef"])
        if _add(found, "entropy/slack", steps, library.slack(loss, alpha)):
            notes.append("entropy/slack is derived from the temperature's loss: one batch a row, so it is noisy.")
    notes += _entropy(found, library, known)
    if "train/q_mean" not in found and "train/ent_coef" in found and "train/actor_loss" in found:
        steps, loss = common(found["train/actor_loss"])
        _add(found, "train/q_mean", steps, -loss)
        notes.append("train/q_mean is minus the actor's loss: Q plus the entropy bonus of one step.")
    if learned and "train/n_updates" in found:
        steps, alpha, updates = common(found["train/ent_coef"], found["train/n_updates"])
        since = np.diff(updates)  # 0 between two calls of train, negative where a run began anew
        rise = np.diff(np.log(np.maximum(alpha, 1e-300))) / np.where(since > 0, since, np.nan)
        _add(found, "train/ent_coef_step", steps[1:], rise)
    if all(name in found for name in ("train/ent_coef", "entropy/nats", "train/q_mean")):
        steps, alpha, nats, q = common(found["train/ent_coef"], found["entropy/nats"], found["train/q_mean"])
        with np.errstate(invalid="ignore"):  # 0 of 0 has no share
            _add(found, "entropy/share_of_soft_value", steps, share_of_soft_value(alpha * nats, q))
    return Derived(found, tuple(notes))


def derive_tokens(columns: Mapping[str, Column], library: Library, known: Known) -> Derived:
    """Adds a run of tokens its target, vocabulary and slack where known; says what a log without clipping means."""
    found, notes = dict(columns), list[str]()
    if "entropy/nats" in found:
        steps, nats = common(found["entropy/nats"])
        if math.isfinite(known.vocabulary):
            _add(found, "entropax/vocabulary", steps, np.full(len(steps), float(known.vocabulary)))
        if math.isfinite(known.target) and "entropy/target" not in found:
            _add(found, "entropy/target", steps, np.full(len(steps), known.target))
        if "entropy/target" in found:
            steps, nats, target = common(found["entropy/nats"], found["entropy/target"])
            _add(found, "entropy/slack", steps, nats - target)
    if "entropax/knob" in found and "entropy/target" not in found:
        notes.append("The weight of an entropy bonus is logged, its target is not. Pass --target if there is one.")
    clipped = found.get("entropax/clipped_fraction")
    if clipped is not None and len(clipped.values) > 1 and not clipped.values.any():
        notes.append(
            f"Not one token was clipped in the whole run: {library.name} made one optimiser step per rollout, or steps "
            "so small that the clip had no effect. In the first case no method of the ratio alone had any."
        )
    return Derived(found, tuple(notes))


def _moves(alpha: Column) -> bool:
    """Whether alpha is learned: a fixed one stays where it is to the last digit of a float32."""
    finite = alpha.values[np.isfinite(alpha.values)]
    return len(finite) > 1 and bool(np.ptp(finite) > 1e-6 * np.abs(finite).max())


def _add(found: dict[str, Column], name: str, steps: np.ndarray, values: np.ndarray) -> bool:
    """Adds the finite rows of a column that was not logged; False if there are none."""
    finite = np.isfinite(values)
    if name in found or not finite.any():
        return False
    found[name] = Column(steps[finite], values[finite])
    return True


def _entropy(found: dict[str, Column], library: Library, known: Known) -> list[str]:
    """Adds target, entropy and sigma in [-1, 1] units where they follow; says what was assumed."""
    d, notes = known.action_dimensions, list[str]()
    theirs = "entropy/nats" not in found and "entropy/environment_nats" in found
    shift = known.log_half_range if library.environment_units or theirs else 0.0
    if math.isnan(shift):
        shift = 0.0
        if math.isfinite(d):
            notes.append(f"{library.name} counts in environment units here; bounds of ±1 are assumed. Pass --env.")
    if theirs:
        found["entropy/nats"] = found["entropy/environment_nats"]
    if "entropy/nats" in found:
        steps, nats = common(found["entropy/nats"])
        found["entropy/nats"] = Column(found["entropy/nats"].steps, found["entropy/nats"].values - shift)
        if math.isfinite(known.target) and "entropy/slack" not in found:
            _add(found, "entropy/target", steps, np.full(len(steps), known.target - shift))
            _add(found, "entropy/slack", steps, nats - known.target)
    elif "entropy/slack" in found:
        notes += _from_slack(found, library, known, shift)
    if "entropy/nats" in found and "train/ent_coef" in found and math.isfinite(d):
        steps, nats = common(found["entropy/nats"])
        _add(found, "entropy/sigma", steps, np.asarray(sigma_of_entropy(jnp.asarray(nats / d, jnp.float32))))
    return notes


def _from_slack(found: dict[str, Column], library: Library, known: Known, shift: float) -> list[str]:
    """Adds target and entropy from the slack and the target that was set, or the library's default if it can be."""
    d, steps, slack = known.action_dimensions, found["entropy/slack"].steps, found["entropy/slack"].values
    given = math.isfinite(known.target)
    target = (known.target if given else library.default_target * d) - shift
    if math.isnan(target):
        return []
    start = float((slack[:START_ROWS] + target).mean()) / d
    notes = []
    if not given:
        notes.append(f"The target is taken as {library.name}'s default, {target + shift:g} nats. Pass --target if set.")
        if float(np.median(slack)) + target > d * (max_tanh_normal_entropy() + IMPOSSIBLE):
            return [
                f"{library.name}'s default target, {target + shift:g} nats, would make the entropy larger than it can "
                "be, so it was set to less: the entropy is not known. Pass --target."
            ]
        if abs(start - UNTRAINED) > UNLIKELY:
            notes.append(
                f"With that target the run starts at {start:.2g} nats per dimension, where an untrained policy has "
                f"about {UNTRAINED}: it may have been set. Pass --target."
            )
    _add(found, "entropy/target", steps, np.full(len(steps), target))
    _add(found, "entropy/nats", steps, slack + target)
    return notes


def facts_of(
    seeds: tuple[int, ...],
    library: Library,
    known: Known,
    logged: Sequence[Mapping[str, Column]],
    columns: Sequence[Mapping[str, Column]],
) -> Facts:
    """What another library's run is compared with.

    A log of SAC with a temperature is of a tanh-Gaussian policy, whose widest entropy is known. For any other (PPO),
    the widest that the run itself has seen stands for it.

    Args:
        seeds: their numbers.
        library: whose settings the remedies name.
        known: what the user knows.
        logged: columns of each seed under the library's names.
        columns: the same under ours.
    """
    if library.of_tokens:
        # The widest policy has log n nats of n tokens; the rules find n in a series of its own where it is known.
        return Facts(seeds, 1, math.nan, baselines=dict(known.baselines), dialect=library.dialect)
    rates = [late_mean(one["train/learning_rate"]) for one in logged if "train/learning_rate" in one]
    family = library.family(frozenset(name for one in logged for name in one))
    squashed = family is None and any("train/ent_coef" in one for one in columns)
    return Facts(
        seeds=seeds,
        action_dimensions=known.action_dimensions,
        entropy_maximum=max_tanh_normal_entropy() if squashed else math.nan,
        temperature_rate=rates[0] if rates else math.nan,
        baselines=dict(known.baselines),
        dialect=library.dialect if family is None else family.dialect,
    )
