"""Entropy that goes before the reward comes, that pays for nothing, or that runs away."""

import math
from typing import NamedTuple

import numpy as np

from entropax.diagnostics.dialects import TokenKnob
from entropax.diagnostics.findings import Kind, Severity
from entropax.diagnostics.learning import Learning, climbs, learning, returns
from entropax.diagnostics.one_seed import OneSeed, holds_since
from entropax.diagnostics.readers.names import QUADRANTS
from entropax.diagnostics.rules.rule import Evidence, Rule
from entropax.diagnostics.window import in_last_quarter, number

VOCABULARY = "entropax/vocabulary"
START = 0.02
"""Share of the rows, three at least, over which the entropy at the start is averaged."""
COLLAPSED = 0.1
"""Share of the entropy at the start. By R = -a exp(H) + b, less than a tenth of what spending all of it can buy is then
left to buy."""
SPENT = 0.5
"""The same share for entropy that bought nothing at all: half of it is more than sampling noise takes."""
EXPLODED = 2.0
"""The same share upwards: policy gradients lower the entropy of a model, so twice the start is no part of learning."""
FILLED = 0.9
"""Share of the way from the start to the log of the vocabulary, where that is less than twice the start: `COLLAPSED`
upwards, as a tenth is left of what tells the policy from chance."""
ROOM = 0.05
"""Share of that log that a start must leave above it, for a way that noise does not go."""
ROUNDING = 1.01
"""Times the largest entropy that one in half precision may be."""
EARLY = 0.5
"""Share of the reward's gain, as of the return's in `premature-collapse`."""
TARGET_SLACK = 0.2
"""Share of the target within which the entropy counts as held; a choice, and no measurement."""

_TALES = {
    "positive_high": "praise of tokens that are likely already (positive advantage, high probability)",
    "negative_low": "blame of tokens that are unlikely already (negative advantage, low probability)",
    "positive_low": "praise of unlikely tokens",
    "negative_high": "blame of likely tokens",
}


class Entropy(NamedTuple):
    """Mean entropy a token over a seed's rows."""

    steps: np.ndarray
    nats: np.ndarray
    start: float
    """Mean over the first rows, nats a token."""
    goal: float
    """The last target, nats a token; NaN without one."""
    largest: float
    """The log of the vocabulary's size; NaN where that is not known."""

    @property
    def late(self) -> np.ndarray:
        """Mask of the last quarter."""
        return in_last_quarter(self.steps)

    @property
    def share(self) -> np.ndarray:
        """Of the entropy at the start."""
        return self.nats / self.start

    def since(self, mask: np.ndarray) -> int | None:
        """From when a condition holds, if it does in most of the last quarter; None if not."""
        if not len(mask) or mask[self.late].mean() <= 0.5:
            return None
        held = holds_since(self.steps, mask)
        return int(self.steps[self.late][0]) if held is None else held


def read(one: OneSeed) -> Entropy | None:
    """Reads a seed's entropy; None where it was not logged, or was 0 or less at the start."""
    steps, nats = one.rows("entropy/nats")
    if not len(steps):
        return None
    start = float(nats[: max(round(START * len(nats)), 3)].mean())
    _, target = one.rows("entropy/target")
    goal, size = float(target[-1]) if len(target) else math.nan, one.late(VOCABULARY)
    return Entropy(steps, nats, start, goal, math.log(size) if size > 1 else math.nan) if start > 0 else None


def collapse(one: OneSeed) -> Evidence | None:
    """A tenth of the entropy is left, most of the reward's gain was to come, and it does not come any more."""
    seen, learned = read(one), learning(one)
    if seen is None:
        return None
    since = seen.since((seen.share < COLLAPSED) & ~(seen.nats > (1 - TARGET_SLACK) * seen.goal))
    if since is None or learned.rising or _made_by(learned, since) >= EARLY:
        return None
    return Evidence(
        Kind.COLLAPSED,
        Severity.CRITICAL,
        (since, int(seen.steps[-1])),
        _numbers(one, seen) | {"share of the reward's gain made by then (%)": 100 * _made_by(learned, since)},
        "entropy/nats",
        f"The policy has become almost deterministic: since step {since} it has under a tenth of the entropy it "
        f"started with, so the samples of a prompt are alike and teach nothing. {_progress(learned, since)}",
        _causes(one),
        _hold_up(one, seen),
    )


def wasted(one: OneSeed) -> Evidence | None:
    """Half of the entropy is gone and the reward has gained nothing in the whole run."""
    seen, learned = read(one), learning(one)
    if seen is None or not learned.known or learned.learned or climbs(*returns(one)):
        return None
    since = seen.since((seen.share < SPENT) & ~(seen.nats > (1 - TARGET_SLACK) * seen.goal))
    if since is None:
        return None
    return Evidence(
        Kind.COLLAPSED,
        Severity.WARNING,
        (since, int(seen.steps[-1])),
        _numbers(one, seen),
        "entropy/nats",
        f"Entropy is spent for nothing: {number(100 * float(1 - seen.share[seen.late].mean()))} % of it is gone and "
        "the reward has not risen beyond its noise.",
        (*_causes(one), "rewards that do not tell completions apart, so that chance picks what is reinforced"),
        _hold_up(one, seen),
    )


def explosion(one: OneSeed) -> Evidence | None:
    """Twice the entropy of the start, or nearly all that the vocabulary has, which no target asks for."""
    seen, learned = read(one), learning(one)
    if seen is None or impossible(one) is not None:
        return None
    room = seen.largest - seen.start
    filled = (seen.nats > seen.start + FILLED * room) & (room > ROOM * seen.largest)
    since = seen.since(((seen.share > EXPLODED) | filled) & ~(seen.nats < (1 + TARGET_SLACK) * seen.goal))
    if since is None:
        return None
    harmless = learned.kept and learned.known
    lost = 100 * (1 - learned.late / float(learned.gains[-1])) if learned.learned else math.nan
    after = "the reward has kept its gain" if harmless else "the reward has not risen, or lost most of its gain"
    held = (one.say(TokenKnob.BONUS, number(one.late("entropax/knob") / 10)),) if one.late("entropax/knob") > 0 else ()
    return Evidence(
        Kind.EXPLODING,
        Severity.WARNING if harmless else Severity.CRITICAL,
        (since, int(seen.steps[-1])),
        _numbers(one, seen) | {"share of the reward's gain lost (%)": lost},
        "entropy/nats",
        f"The entropy has exploded: since step {since} it is "
        f"{'over twice what it was at the start' if seen.share[-1] > EXPLODED else 'close to that of chance'}, and "
        f"{after if learned.known else 'no reward was logged to compare it with'}.",
        (
            "a bonus that is too large: between too little to hold the entropy and enough to explode lies a factor of "
            "three (arXiv 2509.20712 saw decay at 0.001 and explosion at 0.003)",
            "an upper clip that is too wide, so that unlikely tokens rise without bound",
            "a trainer and a sampler that disagree on probabilities",
        ),
        (*held, one.say(TokenKnob.TARGET, number(seen.start)) + ", one-sided", one.say(TokenKnob.CLIP_UPPER, "0.2")),
    )


def _numbers(one: OneSeed, seen: Entropy) -> dict[str, float]:
    shares = {f"tokens {what} (%)": 100 * one.late(f"entropax/{what}_fraction") for what in ("dropped", "clipped")}
    return {
        "entropy (nats per token)": float(seen.nats[seen.late].mean()),
        "share of that at the start (%)": 100 * float(seen.share[seen.late].mean()),
        **{name: share for name, share in shares.items() if math.isfinite(share)},
    }


def _made_by(learned: Learning, step: int) -> float:
    """Share of the reward's gain made by the end of the tenth of the run after the one that a step lies in.

    Easy tasks are solved and their entropy spent in one and the same tenth, which cannot tell which came first.
    """
    if not learned.learned:
        return 0.0
    tenth = min(int(np.searchsorted(learned.ends, step)) + 1, len(learned.gains) - 1)
    return float(learned.gains[tenth] / learned.gains[-1])


def _progress(learned: Learning, since: int) -> str:
    if not learned.known:
        return "No reward was logged that would show whether it had learned first."
    if not learned.learned:
        return "The reward has not risen beyond its noise in the whole run."
    return (
        f"By then {number(100 * _made_by(learned, since))} % of the reward's gain had been made, and it has stopped "
        "rising."
    )


def _causes(one: OneSeed) -> tuple[str, ...]:
    """The kinds of token that lower the entropy, the largest first, where they were logged; else what usually does."""
    falls = {}
    for name in QUADRANTS:
        _, values = one.rows(f"entropax/predicted_change/{name}")
        falls[name] = -float(values.mean()) if len(values) else 0.0
    down = sum(fall for fall in falls.values() if fall > 0)
    told = tuple(
        f"{_TALES[name]}: {number(100 * falls[name] / down)} % of the predicted fall over the run"
        for name in sorted(falls, key=lambda name: -falls[name])
        if falls[name] > 0
    )
    usual = "policy gradients lower the entropy wherever likely tokens are the ones that are praised; nothing holds it"
    reuse = "many optimiser steps a rollout under a symmetric clip, which stops unlikely tokens from rising"
    return told or ((usual,) if one.late("entropax/clipped_fraction") == 0 else (usual, reuse))


def _hold_up(one: OneSeed, seen: Entropy) -> tuple[str, ...]:
    goal = number(seen.goal if math.isfinite(seen.goal) else 0.4 * seen.start)
    return (
        one.say(TokenKnob.TARGET, goal) + ("" if math.isfinite(seen.goal) else ", 0.4 of the entropy at the start"),
        one.say(TokenKnob.CLIP_UPPER, "0.28") + ", with several optimiser steps a rollout",
        one.say(TokenKnob.REUSE, "1") + ", if there are many more",
    )


def impossible(one: OneSeed) -> Evidence | None:
    """More entropy than the uniform policy has: what was logged is no mean over tokens."""
    seen = read(one)
    if seen is None:
        return None
    nats = float(seen.nats[seen.late].mean())
    if not nats > ROUNDING * seen.largest:
        return None
    return Evidence(
        Kind.MISLEADING,
        Severity.WARNING,
        (int(seen.steps[0]), int(seen.steps[-1])),
        {"entropy (nats per token)": nats, "largest possible (nats per token)": seen.largest},
        "entropy/nats",
        f"The entropy is logged as {number(nats)} nats a token, and no policy of this vocabulary has more than "
        f"{number(seen.largest)}: the number is something else, and so is what other rules say of it.",
        (
            "a sum over tokens or completions, as verl's loss_agg_mode other than token-mean makes",
            "another vocabulary than the one that was given",
            "minus log-probabilities of drawn tokens in place of entropies",
        ),
        ("loss_agg_mode=token-mean", "the size of the model's output layer as --vocabulary"),
    )


_NEEDS = ("entropy/nats",)
RULES = (
    Rule("token-entropy-impossible", impossible, (*_NEEDS, VOCABULARY)),
    Rule("token-collapse", collapse, _NEEDS, silences=("entropy-wasted", "token-target-missed")),
    Rule("entropy-wasted", wasted, (*_NEEDS, "rollout/ep_rew_mean"), silences=("token-target-missed",)),
    Rule("token-explosion", explosion, _NEEDS, silences=("token-target-missed",)),
)
