"""What the run is worth: returns against episodes and policies that need no training."""

import math

import numpy as np

from entropax.diagnostics.dialects import Knob
from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.learning import ERRORS, climbs, late_mean, learning, returns, scatter
from entropax.diagnostics.one_seed import OneSeed, holds_since
from entropax.diagnostics.rules.rule import BASELINES, Evidence, Rule
from entropax.diagnostics.window import in_last_quarter, number

SATURATED = 0.5
"""Share of actions beyond 97 % of a bound: a uniform policy has 3 %, the widest tanh-Gaussian 2 %; at a half, the
policy is bang-bang in most states and its gradients vanish in them."""
BASELINE_NOISE = 0.05
"""Share of a baseline's size within which a return is the same, however little episodes vary."""
BASELINE_EPISODES = 10
"""Episodes that a baseline is a mean of, by `entropax diagnose --env` as by our own runs."""


def saturated(one: OneSeed) -> Evidence | None:
    """Most actions sit at their bounds, and the return is not the better for it."""
    steps, share = one.rows("entropy/saturation")
    since = holds_since(steps, share > SATURATED)
    learned = learning(one)
    if since is None or (learned.kept and learned.known):
        return None
    late = one.late("entropy/saturation")
    return Evidence(
        Kind.MISLEADING,
        Severity.WARNING,
        (since, int(steps[-1])),
        {"saturated actions (%)": 100 * late, "sigma": one.late("entropy/sigma"), "alpha": one.late("train/ent_coef")},
        "entropy/saturation",
        f"{number(100 * late)} % of the actions sit at their bounds since step {since}, and the return shows no gain "
        "from it: where the tanh saturates, actor and entropy have no gradient.",
        (
            "a mean driven into the bounds by a critic that extrapolates: overestimation, or rewards on a large scale",
            "bounds that the environment clips: what the policy says and what is done differ",
            "observations that are not normalised, so that the first layer saturates everything after it",
        ),
        (
            "normalise the observations and scale the rewards to about 1",
            one.say(Knob.CRITIC_RATE, "1e-4"),
            "check that the action bounds are what the environment uses",
        ),
    )


def never_ending(one: OneSeed) -> Evidence | None:
    """No episode has ended for half of the run, so there is no return to judge by."""
    if "rollout/episodes" not in one.series:
        return None
    steps, count = one.rows("rollout/episodes")
    if len(steps) < 2:
        return None
    half = steps > steps[-1] - (steps[-1] - steps[0]) / 2
    _, lengths = one.rows("rollout/ep_len_mean")
    longest = float(lengths.max()) if len(lengths) else 0.0
    span = float(steps[-1] - steps[half][0])
    if count[half].sum() > 0 or span < 2 * longest:
        return None
    last = int(steps[count > 0][-1]) if (count > 0).any() else int(steps[0])
    return Evidence(
        Kind.MISLEADING,
        Severity.WARNING,
        (last, int(steps[-1])),
        {"episodes": float(count.sum()), "longest mean episode (steps)": longest},
        "rollout/episodes",
        f"No episode has ended since step {last}: there is no return to judge the policy by.",
        (
            "no time limit: the environment never truncates and the policy has learned to stay alive or to get stuck",
            "time limits that are not passed on as truncation",
            "episodes longer than the run so far",
        ),
        (
            "set a time limit (max_episode_steps) of the environment",
            one.say(Knob.EVALUATE, "10000") + ", with a time limit",
            one.say(Knob.MORE_STEPS, f"{2 * int(steps[-1])}"),
        ),
    )


def _baseline_error(one: OneSeed) -> float:
    """Standard error of a baseline, whose episodes are taken to vary as the run's own do."""
    _, values = returns(one)
    _, episodes = one.rows("rollout/episodes")
    each = max(float(np.median(episodes)), 1.0) if len(episodes) else 1.0
    return scatter(values) * math.sqrt(each / BASELINE_EPISODES)


def _margin(one: OneSeed, error: float, best: float) -> float:
    return max(ERRORS * math.hypot(error, _baseline_error(one)), BASELINE_NOISE * abs(best))


def _mode_stays(one: OneSeed, best: float) -> bool:
    """Whether the mode is no better than a baseline and does not rise; False where it was not evaluated."""
    steps, values = one.rows("eval/mean_reward")
    mode, error, _ = late_mean(steps, values)
    return mode <= best + _margin(one, error, best) and not climbs(steps, values)


def below_baseline(one: OneSeed) -> Evidence | None:
    """The trained policy returns less than, or no more than, one that needs no training.

    Samples rise to what a blind mode earns as their noise goes; that is no learning, and their mode tells it. So it
    does where they are above by chance: their return never rose beyond its noise, and the mode is no better.
    """
    steps, values = returns(one)
    late, error, rows = late_mean(steps, values)
    if not rows or not math.isfinite(late):
        return None
    name, best = max(one.facts.baselines.items(), key=lambda entry: entry[1])
    margin = _margin(one, error, best)
    learned, stays = learning(one), _mode_stays(one, best)
    below, rising = late < best - margin, learned.rising or climbs(steps, values)
    chance = late > best + margin and learned.known and not learned.learned and stays
    if (late > best + margin and not chance) or (rising and not below and not stays):
        return None
    against = "less than" if below else "which its noise does not tell from" if chance else "no more than"
    rise = "; it still rises" if below else "; it rises as its noise goes, but its mode does not"
    return Evidence(
        Kind.MISLEADING,
        Severity.CRITICAL if below and not rising else Severity.WARNING,
        (int(steps[in_last_quarter(steps)][0]), int(steps[-1])),
        {"return": late, **{f"return of the {each}": value for each, value in one.facts.baselines.items()}},
        "rollout/ep_rew_mean",
        f"The policy returns {number(late)}, {against} the {name}, which needs no training and returns "
        f"{number(best)}{rise if rising else ''}.",
        (
            "entropy held so high that its noise costs more than was learned",
            "a local optimum: the reward is rare, and the agent has learned to avoid the costs of looking for it",
            "a reward, bound or time limit that is not what was meant",
        ),
        (
            "compare with the mode's return before anything else: " + one.say(Knob.EVALUATE, "10000"),
            one.target("-2.0", "0.25") + " where the mode is much better",
            one.say(Knob.FIXED_ALPHA, one.larger_alpha()) + " where it is not",
        ),
    )


RULES = (
    Rule("saturated-actions", saturated, ("entropy/saturation",)),
    Rule("episodes-never-end", never_ending, ("rollout/episodes",)),
    Rule("below-baseline", below_baseline, ("rollout/ep_rew_mean",), (BASELINES,)),
)
