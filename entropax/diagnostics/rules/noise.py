"""What the noise of the policy is worth: the return of its samples against that of its mode."""

import math
from typing import NamedTuple

from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.learning import ERRORS, LEAST_GAIN, late_mean, learning
from entropax.diagnostics.one_seed import OneSeed
from entropax.diagnostics.rules.entropy import WIDE, entropy
from entropax.diagnostics.rules.rule import SPREAD, Evidence, Rule
from entropax.diagnostics.window import in_last_quarter, number

GAP = 0.25
"""Share of all that was learned by which samples may beat the mode: a quarter is more than evaluation noise."""
COST = 0.5
"""Share of all that was learned that the noise may cost: up to a half it leaves the samples more than it takes, which
is the price of exploring, and the mode does not pay it. A nearly uniform policy explores around nothing, so that its
noise may cost no more than what counts as a gain, `LEAST_GAIN`."""


class _Gap(NamedTuple):
    """Late returns, and what to compare their difference with."""

    mode: float
    sampled: float
    noise: float
    """`ERRORS` standard errors of the difference."""
    start: float
    """Return at the start."""

    def costs(self, share: float) -> bool:
        """Whether the mode earns more than the samples by more than this share of all that it has learned."""
        return self.mode - self.sampled > max(self.noise, share * (self.mode - self.start), 0.0)

    def pays(self, share: float) -> bool:
        """Whether the samples earn more than the mode, likewise."""
        return self.sampled - self.mode > max(self.noise, share * (self.sampled - self.start), 0.0)


def _gap(one: OneSeed) -> _Gap | None:
    mode, mode_error, _ = late_mean(*one.rows("eval/mean_reward"))
    steps, drawn = one.rows("rollout/ep_rew_mean")
    sampled, sampled_error, _ = late_mean(steps, drawn)
    noise = ERRORS * math.hypot(mode_error, sampled_error)
    # While returns rise, the mean over recent episodes lags behind an evaluation of the newest policy.
    if not math.isfinite(noise) or learning(one).rising:
        return None
    return _Gap(mode, sampled, noise, float(drawn[: max(len(drawn) // 50, 1)].mean()))


def noise_shows(one: OneSeed) -> bool:
    """Whether the noise costs return at all, or nothing is known of that."""
    found = _gap(one)
    return found is None or found.costs(LEAST_GAIN)


def _nearly_uniform(one: OneSeed) -> bool:
    """Whether the policy ends with more than `WIDE` of its range; False where the range is not known."""
    seen = entropy(one)
    known = math.isfinite(one.facts.entropy_maximum) and len(seen.steps) > 0
    return known and float(seen.fraction[seen.late].mean()) > WIDE


def _evidence(
    one: OneSeed, found: _Gap, evidence: str, explanation: str, causes: tuple[str, ...], remedy: tuple[str, ...]
) -> Evidence:
    """What both rules show: the two late returns, and how wide the policy is."""
    steps = one.rows("eval/mean_reward")[0]
    return Evidence(
        Kind.MISLEADING,
        Severity.WARNING,
        (int(steps[in_last_quarter(steps)][0]), int(steps[-1])),
        {"return of the mode": found.mode, "return of samples": found.sampled, "sigma": one.late("entropy/sigma")},
        evidence,
        explanation,
        causes,
        remedy,
    )


def noise_costs(one: OneSeed) -> Evidence | None:
    """The mode earns clearly more than the policy's samples: more entropy than the task's precision allows."""
    found = _gap(one)
    uniform = _nearly_uniform(one)
    if found is None or not found.costs(LEAST_GAIN if uniform else COST):
        return None
    mode, sampled, _, start = found
    decided = ". The policy is nearly uniform: what it knows shows in its mode alone" if uniform else ""
    learned = mode - start
    price = f"{number(100 * (mode - sampled) / learned)} % of what was learned" if learned > 0 else "that difference"
    return _evidence(
        one,
        found,
        "rollout/ep_rew_mean",
        f"Entropy is held too high for this task: the mode returns {number(mode)}, the policy's samples "
        f"only {number(sampled)}, so the noise costs {price}{decided}.",
        (
            "a target entropy above the precision that the task needs",
            "bounds wider than the actions the task uses, so that the same sigma is more noise",
        ),
        (
            one.target("-2.0", "0.25")
            + ("" if one.facts.categories else ", a third of the usual sigma")
            + "; or one that falls as the return settles",
            "report the mode's return, and keep the entropy while it still helps learning",
        ),
    )


def mode_loses(one: OneSeed) -> Evidence | None:
    """The policy's samples earn clearly more than its mode: an evaluation without noise would mislead."""
    found = _gap(one)
    if found is None or not found.pays(GAP):
        return None
    mode, sampled, _, _ = found
    return _evidence(
        one,
        found,
        "eval/mean_reward",
        f"The mode is worse than the policy itself: it returns {number(mode)}, samples {number(sampled)}. The task "
        "needs the noise, or the evaluation differs from training.",
        (
            "a policy of two peaks squeezed into one: its mean lies between two good actions",
            "an evaluation environment without the wrappers of training (normalisation, frame stack, time limit)",
        ),
        ("evaluate with samples as well as with the mode", "wrap the evaluation environment as the training one"),
    )


_NEEDS = ("eval/mean_reward", "rollout/ep_rew_mean")
RULES = (
    Rule("noise-costs-return", noise_costs, _NEEDS, (SPREAD,)),
    Rule("mode-loses", mode_loses, _NEEDS),
)
